"""Results from elsewhere may hold anything: it is told, set aside, or shown as harmless text."""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unit_tests.plugin.conftest import SMALL, run
from unit_tests.records import failed_record, make_record
from vlmbench_plugin import result_lines
from vlmbench_plugin.cli import main
from vlmbench_plugin.errors import StoreError
from vlmbench_plugin.escapes import markdown, printable
from vlmbench_plugin.evaluate import rescore
from vlmbench_plugin.folder_tables import tables
from vlmbench_plugin.record import Record
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.store import Store
from vlmbench_plugin.tasks import TASKS

GOOD = json.loads(make_record().to_json())
DEEP = '{"a":' * 100 + "1" + "}" * 100

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**15, 10**400)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["json_mode", "passed", "missed", "error", "norm_0_1000", "closed"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from(sorted(GOOD)), json_values)
@example("primary_score", True)
@example("vocabulary", {"rule": [], "names": {}})
@example("vocabulary", {"rule": "closed", "names": {"label": ["cat", 3]}})
@example("key_parts", {"task": None})
@example("image_size", [640, -1])
@example("image_size", [640, 480, 3])
@example("truth", {"box": [float("inf")]})
@example("truth", {"count": 10**300})
@example("busy_s", -0.5)
@example("case_index", -1)
@example("right_at", float("nan"))
@example("status", "error")
@example("mode", ["json_mode"])
def test_a_changed_field_is_refused_or_does_no_harm(name: str, value: Any) -> None:
    """Whatever is let through can be shown in all tables, and scored again or told."""
    line = json.dumps({**GOOD, name: value})
    try:
        record = Record.from_json(line)
    except StoreError:
        return
    assert Record.from_json(record.to_json()) == record
    shown = tables([record], {}, {}, Settings())
    for content in shown.files.values():
        assert content.encode(errors="backslashreplace")
    if name not in ("truth", "vocabulary", "category"):
        rescore(record, TASKS["ocr_text"])


@given(json_values | st.binary(max_size=40))
def test_a_line_of_anything_else_is_an_error_of_ours(value: Any) -> None:
    line = value.decode("latin-1") if isinstance(value, bytes) else json.dumps(value)
    with pytest.raises(StoreError, match="expected"):
        Record.from_json(line)


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_field_of_another_type_is_named(name: str) -> None:
    wrong = {"\x1b[31m": 1} if isinstance(GOOD[name], list) else ["\x1b[31m"]
    with pytest.raises(StoreError, match=name) as caught:
        Record.from_json(json.dumps({**GOOD, name: wrong}))
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        json.dumps({**GOOD, "truth": json.loads(DEEP)}),
        json.dumps({**GOOD, "prediction": json.loads(DEEP)}),
        json.dumps({**GOOD, "clamped": "many"}).replace('"many"', "1" * 5000),
        json.dumps({**GOOD, "model": "x" * 5000}),
        json.dumps({**GOOD, "key_parts": {f"{n}": "0" for n in range(2000)}}),
        json.dumps({**GOOD, "format_version": 10**50}),
        json.dumps({**GOOD, **{f"x{n}": 0 for n in range(1000)}}),
    ],
    ids=["brackets", "objects", "truth", "prediction", "digits", "name", "parts", "version", "odd"],
)  # fmt: skip
def test_size_and_depth_are_limited(line: str) -> None:
    with pytest.raises(StoreError) as caught:
        Record.from_json(line)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "change",
    [
        {"schema_valid": False},
        {"primary_score": None},
        {"primary_score": 1.5},
        {"passed": None},
        {"passed": False},
        {"raw_text": None},
        {"status": "error"},
        {"status": "missed"},
    ],
    ids=str,
)
def test_an_outcome_that_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(StoreError):
        Record.from_json(json.dumps({**GOOD, **change}))


def test_whole_records_pass() -> None:
    invalid = make_record(
        primary_score=None,
        schema_valid=False,
        passed=False,
        status="missed",
        failure="not_json",
        prediction=None,
        secondary=None,
    )
    for record in (make_record(), failed_record(), invalid):
        assert Record.from_json(record.to_json()) == record


def test_a_line_of_any_length_is_set_aside_and_not_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_lines, "MAX_LINE", 3000)
    good = make_record("a").to_json().encode() + b"\n"
    assert len(good) < 3000
    odd = [b"x" * 2999 + b"\n", b"x" * 3000 + b"\n", b"x" * 10_000 + b"\n", b"\n", b"{}\n"]
    path = tmp_path / "results.jsonl"
    last = make_record("b").to_json().encode() + b"\n"
    path.write_bytes(good + b"".join(odd) + last + odd[2] + b"y" * 7000)
    assert Store.read(tmp_path) == (make_record("a"), make_record("b"))
    with path.open("rb") as file:
        kept = [len(line or b"") for line, _, _ in result_lines.bounded_lines(file)]
    assert max(kept) <= 3000
    with closing(Store.open(tmp_path)) as store:
        assert store.notes == [
            "results.jsonl: cut an unfinished last line of 7000 bytes",
            "results.jsonl: moved damaged lines to corrupt.jsonl: 2-6, 8",
        ]
    assert (tmp_path / "corrupt.jsonl").read_bytes() == b"".join(odd) + odd[2]
    assert path.read_bytes() == good + last


def test_a_million_damaged_lines_are_told_in_one(tmp_path: Path) -> None:
    good = make_record("a").to_json() + "\n"
    content = "\n" * 100_000 + "".join(f"{good}x\n" for _ in range(30))
    (tmp_path / "results.jsonl").write_text(content)
    records, (note,) = Store.look(tmp_path)
    assert records == (make_record("a"),)
    assert "left out damaged lines: 1-100000, 100002, 100004" in note
    assert note.endswith(" and 11 more")


EVIL = "a\x1b[2J\x1b]0;t\x07\r\n# b\u202ec|`d`<img src=x onerror=alert(1)>![x](http://h/y)\ud800"


def hostile(folder: Path) -> None:
    """Writes records whose every text is hostile."""
    names = ("model", "category", "reasoning", "runner", "dataset", "source", "image_id")
    changes: dict[str, Any] = {
        **dict.fromkeys(names, EVIL),
        "raw_text": EVIL,
        "label_rule": EVIL,
        "question": EVIL,
        "secondary": {EVIL: 0.5},
        "key_parts": {EVIL: EVIL},
        "truth": {EVIL: EVIL},
        "prediction": {EVIL: EVIL},
        "vocabulary": {"rule": "open", "names": {EVIL: [EVIL]}},
    }
    with closing(Store.open(folder)) as store:
        store.append(make_record(**changes))
        store.append(make_record(**(changes | {"model": "=cmd|' /C calc'!A0"})))
        error = dict.fromkeys((*names, "error"), EVIL) | {"image_id": "b"}
        store.append(failed_record(**error))


@pytest.mark.parametrize(
    "command",
    [
        ("report", "in"),
        ("report", "in", "--rescore"),
        ("merge", "out", "in"),
        ("compare", "in", "in"),
        ("compare", "in", "in", "--format", "markdown"),
        ("compare", "in", "in", "--format", "json"),
        ("compare", "in", "published"),
        ("plan", "in", "--images", "10"),
    ],
    ids=" ".join,
)
def test_a_terminal_obeys_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    hostile(tmp_path / "in")
    assert main(command) in (0, 4)
    out = capsys.readouterr()
    assert out.out + out.err
    for line in (out.out + out.err).split("\n"):
        assert line.isprintable(), line


def test_tables_hold_names_as_text(tmp_path: Path) -> None:
    hostile(tmp_path)
    assert main(["report", str(tmp_path)]) == 0
    page = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    assert "# b" not in [line[:3] for line in page.splitlines()]
    assert all(line.isprintable() for line in page.split("\n"))
    assert not re.search(r"(?<!\\)<img|(?<!\\)`d|\]\(http", page)
    rows = list(csv.reader(io.StringIO((tmp_path / "summary.csv").read_text(encoding="utf-8"))))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "@", "\x1b"))]
    assert any(cell.startswith("'=cmd") for row in rows for cell in row)
    json.loads((tmp_path / "summary.json").read_text(encoding="ascii"))


@given(st.text())
def test_what_is_shown_is_printable_and_one_line(text: str) -> None:
    assert printable(text).isprintable()
    assert markdown(text).isprintable()
    assert text.isprintable() == (printable(text) == text)
    printable(text).encode()


@pytest.mark.parametrize("truth", [{}, {"lines": 5}, {"lines": [{"text": None}]}, {"box": []}])
@pytest.mark.parametrize("category", ["ocr_text", "bbox_grounding", "segmentation"])
def test_a_truth_that_no_scorer_can_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], truth: Any, category: str
) -> None:
    with closing(Store.open(tmp_path)) as store:
        for n in range(9):
            store.append(make_record(f"{n}", f"k{n}", truth=truth, category=category, case_index=n))
    for arguments in ([], ["--rescore"]):
        status = main(["report", str(tmp_path), *arguments])
        said = capsys.readouterr()
        assert status == (4 if said.err else 0)
        if status:
            assert "expected records that their tasks can score, got " in said.err
            assert "hint: " in said.err


MODEL = {"name": "m", "hub_id": "m", "frame": "pixel"}


@pytest.mark.parametrize(
    "content",
    [
        '{"models": ' + "[" * 50_000,
        '{"models": {"m": ' + json.dumps({**MODEL, "total_params": "4"}) + "}}",
        '{"models": {"m": ' + json.dumps({**MODEL, "total_params": float("inf")}) + "}}",
        '{"models": {"m": ' + json.dumps({**MODEL, "frame": "x"}) + "}}",
        '{"models": {"m": ' + json.dumps({**MODEL, "sampling": {"top_p": "\x1b"}}) + "}}",
        '{"models": {"m": ' + json.dumps({**MODEL, "toy": "no"}) + "}}",
        '{"models": []}',
        '{"models": {}, "x": ' + DEEP + "}",
        "null",
        "\xff",
    ],
)
def test_a_hostile_manifest_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    with closing(Store.open(tmp_path / "in")) as store:
        store.append(make_record())
        store.write("manifest.json", content.encode("latin-1"))
    assert main(["report", str(tmp_path / "in")]) == 4
    said = capsys.readouterr().err
    assert "manifest.json" in said
    assert all(line.isprintable() for line in said.split("\n"))


@pytest.mark.parametrize(
    "name", ["results.jsonl", "run.lock", "run.log", "corrupt.jsonl", "stale.jsonl"]
)
def test_a_link_in_a_folder_is_not_written_through(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, secret = tmp_path / "in", tmp_path / "secret"
    with closing(Store.open(folder)) as store:
        store.append(make_record())
    content = (folder / "results.jsonl").read_text()
    secret.write_text(content)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(secret)
    assert main(["report", str(folder)]) == 4
    assert (
        f"expected a results folder without links, got {folder / name}" in capsys.readouterr().err
    )
    assert secret.read_text() == content


def test_a_link_in_place_of_a_table_or_a_temporary_file_is_replaced(tmp_path: Path) -> None:
    folder, secret = tmp_path / "in", tmp_path / "secret"
    with closing(Store.open(folder)) as store:
        store.append(make_record())
    secret.write_text("secret")
    for name in ("summary.json", ".summary.json.tmp", ".leaderboard.md.tmp"):
        (folder / name).symlink_to(secret)
    assert main(["report", str(folder)]) == 0
    assert secret.read_text() == "secret"
    assert json.loads((folder / "summary.json").read_text())["leaderboard"]
    (tmp_path / "elsewhere").mkdir()
    (folder / "images").symlink_to(tmp_path / "elsewhere")
    with closing(Store.open(folder)) as store, pytest.raises(StoreError, match="without links"):
        store.write("images/a/b.png", b"png")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_folder_may_itself_be_reached_by_a_link(tmp_path: Path) -> None:
    with closing(Store.open(tmp_path / "in")) as store:
        store.append(make_record())
    (tmp_path / "link").symlink_to(tmp_path / "in")
    assert main(["report", str(tmp_path / "link")]) == 0
    assert (tmp_path / "in" / "summary.json").is_file()


def test_a_run_in_a_hostile_folder_shows_it_as_text(tmp_path: Path) -> None:
    hostile(tmp_path / "out")
    done = run(tmp_path, *SMALL)
    assert done.exit == 0, done.output
    assert r"a\x1b[2J" in done.output
    assert "\x1b" not in done.output
    assert "\u202e" not in done.output

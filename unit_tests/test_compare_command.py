"""``qwen-vlmbench compare``: two runs side by side, and a run beside the write-up's figures."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from unit_tests.plugin.conftest import SMALL, run
from unit_tests.records import failed_record
from unit_tests.test_pairing import scored
from vlmbench_plugin.categories import CATEGORIES
from vlmbench_plugin.cli import main
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import paired_interval
from vlmbench_plugin.store import Store

Told = tuple[int, str, str]
Tell = Callable[..., Told]


def save(folder: Path, *records: Record) -> None:
    with closing(Store.open(folder)) as store:
        for record in records:
            store.append(record)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: ``a`` and ``b`` share three images of one task, and more apart."""
    monkeypatch.chdir(tmp_path)
    other = [scored("x", 1.0, category="segmentation"), scored("1", 1.0, model="n")]
    save(tmp_path / "a", *(scored(f"{n}", 0.5) for n in range(4)), *other)
    save(
        tmp_path / "b",
        scored("1", 1.0),
        scored("2", 0.25, key_parts={"task": "00", "prompt": "22"}),
        scored("3", None),
        failed_record("0"),
        scored("9", 1.0),
    )
    return tmp_path


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    def call(*arguments: str) -> Told:
        status = main(["compare", *arguments])
        out = capsys.readouterr()
        return status, out.out, out.err

    return call


def as_json(tell: Tell, *arguments: str) -> dict[str, Any]:
    status, out, err = tell(*arguments, "--format", "json")
    assert (status, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_comparison_by_hand(here: Path, tell: Tell) -> None:
    found = as_json(tell, "a", "b")
    (cell,) = found["cells"]
    differences = [0.5, -0.25, -0.5]
    assert cell == {
        "model": "m",
        "reasoning": "off",
        "category": "ocr_text",
        "mode": "json_mode",
        "n": 3,
        "yield_a": 0.5,
        "yield_b": 1.25 / 3,
        "difference": 1.25 / 3 - 0.5,
        "interval": list(paired_interval(differences) or ()),
        "only_a": 1,
        "only_b": 1,
        "errors_a": 0,
        "errors_b": 1,
        "changed": 0,
        "asked_differently": ["prompt"],
    }
    (mean,) = found["means"]
    assert (mean["category"], mean["tasks"]) == (None, ["ocr_text"])
    assert mean["difference"] == pytest.approx(cell["difference"])
    assert mean["interval"] == pytest.approx(cell["interval"])
    assert [(cell["model"], cell["category"]) for cell in found["only_a"]] == [
        ("m", "segmentation"),
        ("n", "ocr_text"),
    ]
    assert found["only_b"] == []


def test_text_and_markdown_say_the_same(here: Path, tell: Tell) -> None:
    status, text, err = tell("a", "b")
    assert (status, err) == (0, "")
    line = next(line for line in text.splitlines() if line.startswith("m  ") and "ocr_text" in line)
    cells = re.split(r" {2,}", line)
    assert cells[:6] == ["m", "ocr_text", "json_mode", "3", "0.500", "0.417"]
    assert re.fullmatch(r"-0\.083 \[-0\.\d\d, 0\.\d\d\]", cells[6])
    assert cells[7:] == ["-", "1", "1 + 1 errors"]
    assert "A: a (data set synthetic; runner vlm)." in text
    assert "Only A has: m segmentation json_mode, n ocr_text json_mode." in text
    assert "what differs, and in how many rows: prompt (1)." in text
    assert "Few images: as few as 3 in a row" in text
    assert max(map(len, text.splitlines())) <= 120
    status, page, _ = tell("a", "b", "--format", "markdown", "--output", "page.md")
    assert (status, page) == (0, "Written to page.md\n")
    assert f"| {' | '.join(cells)} |" in (here / "page.md").read_text()


def test_a_run_beside_itself(here: Path, tell: Tell) -> None:
    found = as_json(tell, "a", "a")
    assert len(found["cells"]) == 3
    for row in (*found["cells"], *found["means"]):
        assert row["difference"] == 0
        assert row["interval"][0] < 0 < row["interval"][1]
        assert row["yield_a"] == row["yield_b"]
    assert found["only_a"] == found["only_b"] == []
    status, text, _ = tell("a", "a")
    assert status == 0
    assert "Not asked in the same way" not in text


def test_two_models(here: Path, tell: Tell) -> None:
    (cell,) = as_json(tell, "a:m", "a:n")["cells"]
    assert (cell["model"], cell["n"], cell["difference"]) == (None, 1, 0.5)
    # b has one model: it is meant.
    assert as_json(tell, "a:n", "b")["cells"][0]["n"] == 1
    assert as_json(tell, "b", "a:n")["cells"][0]["n"] == 1
    # The other side's model of the same name is meant where it has several.
    assert as_json(tell, "b:m", "a")["a"] == {"name": "b:m", "model": "m"}
    assert as_json(tell, "b:m", "a")["b"] == {"name": "a", "model": "m"}
    save(here / "single", scored("1", 0.5, model="k"))
    text = tell("b", "single")[1]
    assert "A: b, m (" in text
    assert "B: single, k (" in text
    assert "category  mode" in text


def test_a_folder_may_have_a_colon_in_its_name(here: Path, tell: Tell) -> None:
    (here / "a").rename(here / "x:y")
    assert as_json(tell, "x:y", "x:y")["a"] == {"name": "x:y", "model": None}
    assert as_json(tell, "x:y:m", "x:y:n")["a"] == {"name": "x:y:m", "model": "m"}
    save(here / "b2", scored("1", 0.5, model="org/k:1"))
    assert as_json(tell, "b2:org/k:1", "x:y:n")["a"]["model"] == "org/k:1"


def test_what_cannot_be_compared(here: Path, tell: Tell) -> None:
    save(here / "k", scored("1", 0.5, model="k"), scored("1", 0.5, model="l"))
    for arguments, expected in (
        (("a", "nowhere"), "expected a results folder, got nowhere"),
        (("a", "b:k"), "unknown model of b:k 'k'; valid: m"),
        (("a", "k"), "a has m, n; k has k, l"),
        (("published", "published"), "expected a run to set beside the published figures"),
        (("b", "published"), "expected a model of the write-up, got m"),
        (("b", "published:nobody"), "unknown published model 'nobody'"),
        (("a", "published:qwen3vl-4b"), "expected one model to set beside qwen3vl-4b, got m, n"),
        (("a",), "usage: qwen-vlmbench compare"),
        (("a", "a", "--output", "no/such/folder.md"), "No such file"),
    ):
        status, out, err = tell(*arguments)
        assert (status, out) == (4, ""), arguments
        assert expected in err


def test_damaged_lines_are_named(here: Path, tell: Tell) -> None:
    with (here / "b" / "results.jsonl").open("a") as file:
        file.write("{}\n")
    before = (here / "b" / "results.jsonl").read_bytes()
    assert "b/results.jsonl: left out damaged lines: 6" in tell("a", "b")[1]
    assert (here / "b" / "results.jsonl").read_bytes() == before
    assert not list((here / "b").glob("corrupt*"))


@pytest.mark.parametrize("published", ["published", "published:qwen3vl-8b"])
def test_a_run_beside_the_write_up(here: Path, tell: Tell, published: str) -> None:
    model = "qwen3vl-8b" if published == "published" else "mine"
    records = [
        scored(f"{n}", float(n < 6), model=model, category=category, mode=mode, json_robust=n > 0)
        for category in CATEGORIES
        for mode in ("json_mode", "constrained")
        for n in range(8)
    ]
    save(here / "run", *records)
    found = as_json(tell, "run", published)
    assert as_json(tell, published, "run") == found
    yields = {(row["category"], row["mode"]): row for row in found["yields"]}
    assert len(yields) == 16 * 2
    assert yields["ocr_text", "json_mode"]["published"] == 0.34
    assert yields["ocr_text", "json_mode"]["difference"] == pytest.approx(0.41)
    mean = yields[None, "constrained"]
    assert (mean["tasks"], round(mean["published"], 3), mean["reached"]) == (15, 0.507, 0.75)
    assert mean["interval"][0] < mean["difference"] < mean["interval"][1]
    (figures,) = found["figures"]
    assert (figures["model"], figures["published_model"]) == (model, "qwen3vl-8b")
    assert figures["published"]["labeler_score"] == 0.502
    assert figures["run"]["labeler_score"] == pytest.approx(0.75 * 7 / 8)
    text, page = tell("run", published)[1], tell("run", published, "--format", "markdown")[1]
    assert re.search(rf"{model} +15 tasks +json_mode +8 +0\.507 +0\.750 +\+0\.243 \[0\.1", text)
    assert f"| {model} | 15 tasks | json_mode | 8 | 0.507 | 0.750 | +0.243 [0.1" in page
    assert "published    0.502         82.8%         89.5%   57.0" in text
    assert "12 per task, so nothing is paired" in text


def test_a_part_of_the_tasks_has_no_figures_over_all(here: Path, tell: Tell) -> None:
    save(here / "run", scored("1", 1.0, model="qwen3vl-4b"), scored("1", 1.0, model="other"))
    found = as_json(tell, "run", "published")
    assert [row["category"] for row in found["yields"]] == ["ocr_text", None]
    assert found["figures"] == []
    text = tell("run", "published")[1]
    assert "they are not set beside it" in " ".join(text.split())
    assert "Without published yields: other." in text
    save(here / "small", scored("1", 1.0, model="qwen3.5-0.8b"))
    assert "No yields by task were published of these models." in tell("small", "published")[1]


def test_a_folder_called_published_is_reached_by_its_path(here: Path, tell: Tell) -> None:
    shutil.copytree(here / "a", here / "published")
    assert as_json(tell, "./published", "b")["a"]["name"] == "./published"


def test_runs_of_the_benchmark(tmp_path: Path, tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, n in (("a", "6"), ("b", "4")):
        arguments = ("--models", "qwen3vl-4b,qwen3vl-8b", "--n", n, "--report-dir", name)
        done = run(tmp_path, *SMALL, *arguments)
        assert done.exit == 0, done.output
    found = as_json(tell, "a", "b")
    assert [cell["n"] for cell in found["cells"]] == [4] * 8
    assert {(cell["difference"], cell["only_a"]) for cell in found["cells"]} == {(0.0, 2)}
    two = as_json(tell, "a:qwen3vl-4b", "a:qwen3vl-8b")
    first, second = (
        [r for r in Store.read(tmp_path / "a") if r.model == name]
        for name in ("qwen3vl-4b", "qwen3vl-8b")
    )
    expected = sum(r.primary_score or 0 for r in second) - sum(r.primary_score or 0 for r in first)
    assert sum(6 * cell["difference"] for cell in two["cells"]) == pytest.approx(expected)
    assert "model" not in tell("a:qwen3vl-4b", "a:qwen3vl-8b")[1].split("Few images")[1]


def test_hostile_names_are_shown_as_they_are(here: Path, tell: Tell) -> None:
    name = "evil\x1b[31m\n\u202e|<img src=x>[a](b)"
    for folder in ("a", "b"):
        renamed = [dataclasses.replace(one, model=name) for one in Store.read(here / folder)]
        lines = [record.to_json() for record in renamed]
        (here / folder / "results.jsonl").write_text("".join(f"{line}\n" for line in lines))
    text = tell("a", "b")[1]
    assert r"evil\x1b[31m\n\u202e|<img src=x>" in text
    assert all(line.isprintable() for line in text.splitlines())
    page = tell("a", "b", "--format", "markdown")[1]
    assert r"evil\x1b[31m\n\u202e\|\<img src=x>[a]\(b)" in page
    assert all(line.isprintable() for line in page.splitlines())
    assert as_json(tell, "a", "b")["cells"][0]["model"] == name

"""``qwen-vlmbench merge``: folders of runs into one."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from unit_tests.plugin.conftest import SMALL, run
from unit_tests.records import make_record
from vlmbench_plugin.cli import main
from vlmbench_plugin.record import FORMAT_VERSION, Record
from vlmbench_plugin.store import Store
from vlmbench_plugin.thumbnails import file_name

TABLES = ("metrics.jsonl", "leaderboard.md", "summary.json", "summary.csv")
PNG = b"\x89PNG\r\n\x1a\n small"
Told = tuple[int, str, str]
Tell = Callable[..., Told]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``whole``: a run of two models; ``one``, ``two``: each model on a machine of its own."""
    folder = tmp_path_factory.mktemp("runs")
    names = {"one": "qwen3vl-4b", "two": "mine=Qwen/Qwen3-VL-8B-Instruct"}
    names["whole"] = ",".join(names.values())
    for name, models in names.items():
        done = run(folder, *SMALL, "--models", models, "--seed", "3", "--report-dir", name)
        assert done.exit == 0, done.output
    return folder


@pytest.fixture
def here(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with copies of the runs."""
    for name in ("one", "two", "whole"):
        shutil.copytree(runs / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    def call(*arguments: str) -> Told:
        status = main(["merge", *arguments])
        out = capsys.readouterr()
        return status, out.out, out.err

    return call


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rewrite(folder: Path, change: Callable[[Record], Record]) -> None:
    lines = [change(record).to_json() for record in Store.read(folder)]
    (folder / "results.jsonl").write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one"), ("one", "two", "one")])
def test_two_machines_give_the_tables_of_one(
    here: Path, tell: Tell, order: tuple[str, ...]
) -> None:
    before = {name: contents(here / name) for name in ("one", "two")}
    status, out, err = tell("out", *order)
    assert (status, err) == (0, "")
    for name in TABLES:
        assert (here / "out" / name).read_bytes() == (here / "whole" / name).read_bytes()
    assert {name: contents(here / name) for name in ("one", "two")} == before
    a, b = dict.fromkeys(order)
    assert f"Merged into out: 48 records, 24 of {a}, 24 of {b}." in out.splitlines()
    assert out.splitlines()[-1] == "Written to out; open out/report.html"
    assert "mine" in out
    assert not (here / "out" / "conflicts.jsonl").exists()


def test_the_manifest_names_the_folders_and_knows_their_models(here: Path, tell: Tell) -> None:
    assert tell("out", "one")[0] == 0
    assert tell("out", "two")[0] == 0
    assert tell("more/out", "out")[0] == 0
    found = json.loads((here / "out" / "manifest.json").read_text())
    for name in ("one", "two"):
        source = found["merged"][name]
        assert source["records"] == 24
        assert source["manifest"] == json.loads((here / name / "manifest.json").read_text())
    assert found["merged"].keys() == {"one", "two"}
    assert found["models"]["mine"]["hub_id"] == "Qwen/Qwen3-VL-8B-Instruct"
    assert found["settings"]["seed"] == 3
    assert "models" not in found["settings"]  # in which the two runs differ
    assert (here / "more/out/summary.json").read_bytes() == (
        here / "whole/summary.json"
    ).read_bytes()


def test_a_merged_folder_is_one_that_a_run_goes_on_in(here: Path, tell: Tell) -> None:
    assert tell("out", "one", "two")[0] == 0
    models = "qwen3vl-4b,mine=Qwen/Qwen3-VL-8B-Instruct"
    done = run(here, *SMALL, "--models", models, "--seed", "3")
    assert done.exit == 0, done.output
    assert "Replayed 48 of 48 items" in done.output
    assert done.text("summary.json") == (here / "whole" / "summary.json").read_text()


def test_a_conflict_is_named_kept_aside_and_told_once(here: Path, tell: Tell) -> None:
    shutil.copytree("one", "other")
    changed = Store.read(here / "other")[0]

    def other(record: Record) -> Record:
        if record.key != changed.key:
            return record
        return dataclasses.replace(record, raw_text="sorry", finish_reason="length")

    rewrite(here / "other", other)
    for _ in range(2):
        status, out, _ = tell("out", "one", "other")
        assert status == 1
        assert "1 conflicts, the same question got another answer (conflicts.jsonl" in out
        kept = "one" if "24 of one" in out else "out"
        item = f"  qwen3vl-4b {changed.category} {changed.mode} {changed.image_id}: raw_text, "
        assert f"{item}finish_reason; kept {kept}, not other" in out
        assert Store.read(here / "out") == Store.read(here / "one")
    lines = (here / "out" / "conflicts.jsonl").read_text().splitlines()
    assert {json.loads(line)["record"]["raw_text"] for line in lines} == {"sorry"}
    assert "conflicts" in (here / "out" / "run.log").read_text()
    third = tell("out", "one", "other")
    assert third[0] == 1
    assert (here / "out" / "conflicts.jsonl").read_text().splitlines() == lines


def test_other_settings_are_a_conflict_of_the_fingerprint(here: Path, tell: Tell) -> None:
    more = run(here, *SMALL, "--model", "qwen3vl-4b", "--seed", "3", "--max-pixels", "65536")
    assert more.exit == 0
    (here / "out").rename(here / "small")
    status, out, _ = tell("out", "one", "small")
    assert status == 1
    assert "24 conflicts, something else was asked of the same image" in out
    assert ": pixels; kept one, not small" in out
    assert len((here / "out" / "conflicts.jsonl").read_text().splitlines()) == 24
    assert Store.read(here / "out") == Store.read(here / "one")


def test_damaged_lines_are_named_and_left_where_they_are(here: Path, tell: Tell) -> None:
    path = here / "one" / "results.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], "{}\n", "?\n", *lines[1:], lines[0][:50]]))
    before = contents(here / "one")
    status, out, _ = tell("out", "one")
    assert status == 0
    assert "one/results.jsonl: left out damaged lines: 2-3" in out
    assert "one/results.jsonl: left out an unfinished last line of 50 bytes" in out
    assert contents(here / "one") == before
    assert len(Store.read(here / "out")) == 24


def test_small_images_come_along_and_nothing_else_does(here: Path, tell: Tell) -> None:
    first, second, third = sorted(
        {r.image_id for r in Store.read(here / "one") if r.category == "image_classification"}
    )[:3]
    images = here / "one" / "images" / "image_classification"
    images.mkdir(parents=True)
    (images / f"{first}.png").write_bytes(PNG)
    (images / f"{second}.png").write_bytes(b"<script>")
    (here / "secret.png").write_bytes(PNG)
    (images / f"{third}.png").symlink_to(here / "secret.png")
    (images / "stranger.png").write_bytes(PNG)
    assert tell("out", "one")[0] == 0
    found = [path.name for path in (here / "out" / "images").rglob("*.png")]
    assert found == [f"{first}.png"]


@pytest.mark.parametrize(
    "name", ["../../../evil", "/etc/evil", "a/b", "..", "\0", "\ud800", "x" * 999]
)
def test_no_image_id_leads_out_of_the_folder(here: Path, tell: Tell, name: str) -> None:
    with closing(Store.open(here / "hostile")) as store:
        store.append(make_record(name, category=name))
    path = here / "hostile" / "images" / file_name(name, name)
    assert path.resolve().is_relative_to(here / "hostile" / "images")
    path.parent.mkdir(parents=True)
    path.write_bytes(PNG)
    assert tell("out", "hostile")[0] == 0
    assert (here / "out" / "images" / file_name(name, name)).read_bytes() == PNG


def test_what_cannot_be_merged(here: Path, tell: Tell) -> None:
    (here / "photos").mkdir()
    (here / "photos" / "a.jpg").touch()
    (here / "linked").mkdir()
    os.link(here / "one" / "results.jsonl", here / "linked" / "results.jsonl")
    for arguments, expected in (
        (("out", "nowhere"), "got nowhere: it has no results.jsonl"),
        (("photos", "one"), "got photos: it holds something else"),
        (("photos/a.jpg", "one"), "got photos/a.jpg: it holds something else"),
        (("one", "one"), "expected folders other than one"),
        (("linked", "two", "one"), "expected folders other than linked"),
        (("out",), "usage: qwen-vlmbench merge"),
    ):
        before = contents(here)
        status, out, err = tell(*arguments)
        assert (status, out) == (4, "")
        assert expected in err
        assert contents(here) == before
    with closing(Store.open(here / "out")):
        assert tell("out", "one")[0] == 4


def test_another_format_is_told_with_its_folder(here: Path, tell: Tell) -> None:
    path = here / "two" / "results.jsonl"
    written = f'"format_version":{FORMAT_VERSION}'
    path.write_text(path.read_text().replace(written, '"format_version":9'))
    status, _, err = tell("out", "one", "two")
    assert status == 4
    assert re.search(r"two: expected .* format_version .*, got 9", err)
    assert not (here / "out").exists()

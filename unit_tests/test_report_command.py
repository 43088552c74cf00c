"""``qwen-vlmbench report``: tables from a folder alone."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from unit_tests.plugin.conftest import SMALL, run
from vlmbench_plugin.cli import main
from vlmbench_plugin.record import Record
from vlmbench_plugin.store import Store

TABLES = (
    *("metrics.jsonl", "leaderboard.md", "summary.json", "summary.csv", "route.json"),
    "report.html",
)
Change = Callable[[Record], Record]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two models, one with a name of its own; enough cases for floors."""
    folder = tmp_path_factory.mktemp("run")
    models = "qwen3vl-4b,mine=Qwen/Qwen3-VL-8B-Instruct"
    done = run(folder, *SMALL, "--models", models, "--n", "9", "--seed", "3")
    assert done.exit == 0, done.output
    return folder / "out"


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A copy of it without its tables."""
    folder = tmp_path / "copied"
    shutil.copytree(finished, folder)
    for name in TABLES:
        (folder / name).unlink()
    return folder


def rewrite(folder: Path, change: Change) -> None:
    """Changes every record of a folder."""
    lines = [change(record).to_json() for record in Store.read(folder)]
    (folder / "results.jsonl").write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize("arguments", [(), ("--rescore",)])
def test_the_tables_are_those_of_the_run(
    finished: Path, copied: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    results = (copied / "results.jsonl").read_bytes()
    assert main(["report", str(copied), *arguments]) == 0
    for name in TABLES:
        assert (copied / name).read_bytes() == (finished / name).read_bytes()
    assert (copied / "results.jsonl").read_bytes() == results
    assert '"floor":0' in (copied / "metrics.jsonl").read_text()
    output = capsys.readouterr().out
    assert "No model ran: stub answers." in output
    assert "mine" in output
    assert f"Written to {copied}" in output
    assert ("scores changed: 0." in output) == bool(arguments)


def test_a_run_that_adds_nothing_writes_the_same_tables(finished: Path, tmp_path: Path) -> None:
    """The order of the models, and which of them are asked for, is no matter of the tables."""
    shutil.copytree(finished, tmp_path / "out")
    models = "mine=Qwen/Qwen3-VL-8B-Instruct,qwen3vl-4b"
    for given in (models, "qwen3vl-4b"):
        done = run(tmp_path, *SMALL, "--models", given, "--n", "9", "--seed", "3")
        assert done.exit == 0, done.output
        for name in TABLES:
            assert done.text(name) == (finished / name).read_text()


def test_stored_scores_are_kept_unless_asked(
    finished: Path, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def older(record: Record) -> Record:
        if record.category != "image_classification" or record.primary_score is None:
            return record
        return dataclasses.replace(
            record, scorer_version=0, primary_score=0.0, passed=False, status="missed"
        )

    rewrite(copied, older)
    dated = sum(record.scorer_version == 0 for record in Store.read(copied))
    assert main(["report", str(copied)]) == 0
    output = capsys.readouterr().out
    assert f"and kept: image_classification ({dated}). To score them again: " in output
    assert f"qwen-vlmbench report {copied} --rescore" in output
    assert (copied / "metrics.jsonl").read_text() != (finished / "metrics.jsonl").read_text()

    assert main(["report", str(copied), "--rescore"]) == 0
    output = capsys.readouterr().out
    assert "  image_classification json_mode: " in output
    assert "missed -> passed" in output
    assert (copied / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()
    assert "scores changed: " in (copied / "run.log").read_text()


def test_tasks_of_a_conftest_keep_their_scores_and_are_named(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(
        copied,
        lambda record: dataclasses.replace(
            record,
            category=record.category.replace("image_classification", "my_task"),
            raw_text="sorry" if record.category == "image_classification" else record.raw_text,
        ),
    )
    before = [record for record in Store.read(copied) if record.category == "my_task"]
    assert main(["report", str(copied)]) == 0
    assert "Stored scores kept, and no floor: my_task." in capsys.readouterr().out
    assert main(["report", str(copied), "--rescore"]) == 0
    assert "Not scored again, their task is not known here: my_task." in capsys.readouterr().out
    assert before == [record for record in Store.read(copied) if record.category == "my_task"]
    rows = [json.loads(line) for line in (copied / "metrics.jsonl").read_text().splitlines()]
    assert {row["floor"] for row in rows if row["category"] == "my_task"} == {None}


def test_a_wrong_folder_is_told_and_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "results.jsonl").touch()
    for name, expected in {
        "nowhere": "it has no results.jsonl",
        "photos": "it has no results.jsonl",
        "empty": "got an empty results.jsonl",
    }.items():
        assert main(["report", str(tmp_path / name)]) == 4
        said = capsys.readouterr()
        assert expected in said.err
        assert "hint: " in said.err
        assert not said.out
        assert not list((tmp_path / name).glob("*.md"))
    assert not (tmp_path / "nowhere").exists()
    assert not list((tmp_path / "photos").iterdir())


def test_a_locked_folder_is_told(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(Store.open(copied)):
        assert main(["report", str(copied)]) == 4
    assert f"{copied} is in use by process " in capsys.readouterr().err
    assert not (copied / "summary.json").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"models": {"mine": {"x": 1}}}'])
def test_a_damaged_manifest_is_told(
    copied: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (copied / "manifest.json").write_text(content)
    assert main(["report", str(copied)]) == 4
    assert "manifest.json" in capsys.readouterr().err


def test_neither_torch_nor_a_run_of_pytest_is_needed(finished: Path, copied: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'torchvision', 'transformers', 'xgrammar', 'accelerate'):\n"
        "    sys.modules[name] = None\n"  # what makes an import fail
        "from vlmbench_plugin.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "assert 'vlmbench_plugin.bench' not in sys.modules\n"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "report", str(copied), "--rescore"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (copied / "summary.json").read_bytes() == (finished / "summary.json").read_bytes()


def test_the_rebuilding_itself_does_not_know_pytest(copied: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "sys.modules['pytest'] = None\n"
        "from vlmbench_plugin.rebuilding import rebuild\n"
        "rebuild(pathlib.Path(sys.argv[1]), rescore=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(copied)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def summary_of(folder: Path) -> Any:
    return json.loads((folder / "summary.json").read_text())


def margins(folder: Path) -> set[float]:
    return {one["margin"] for one in summary_of(folder)["findings"]["recommendations"]}


def test_margin_and_price_can_be_given_later_and_are_not_kept(
    finished: Path, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(copied, lambda record: dataclasses.replace(record, busy_s=0.5))
    assert main(["report", str(copied)]) == 0
    own = {name: (copied / name).read_bytes() for name in TABLES}
    assert margins(copied) == {0.03, 0.05}
    given = ("--margin", "0.125", "--price-per-hour", "7.2")
    capsys.readouterr()
    assert main(["report", str(copied), *given]) == 0
    assert "0.125 of" in re.sub(r"\s+", " ", capsys.readouterr().out).split("Decision")[1]
    assert margins(copied) == {0.125}
    for cost in summary_of(copied)["findings"]["costs"]:
        # Half a second an item at 7.2 an hour is 0.001 an item, or 1000 for a million.
        expected = cost["n"] / cost["n_right"] * 1000
        assert cost["money_per_million"] == pytest.approx(expected)
    assert json.loads((copied / "route.json").read_text())["asked"]["price_per_hour"] == 7.2
    assert main(["report", str(copied)]) == 0
    assert {name: (copied / name).read_bytes() for name in TABLES} == own


def test_margin_and_price_of_the_run_are_those_of_its_report(tmp_path: Path) -> None:
    done = run(tmp_path, *SMALL, "--margin", "0.25", "--price-per-hour", "2")
    assert done.exit == 0, done.output
    before = {name: done.text(name) for name in TABLES}
    assert margins(tmp_path / "out") == {0.25}
    assert main(["report", str(tmp_path / "out")]) == 0
    assert {name: done.text(name) for name in TABLES} == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--margin", "3"), "expected --margin to be a number from 0 to 1, got 3.0"),
        (("--margin", "nan"), "expected --margin to be a number from 0 to 1, got nan"),
        (("--price-per-hour", "-1"), "expected --price-per-hour to be at least 0, got -1.0"),
        (("--price-per-hour", "inf"), "expected --price-per-hour to be at least 0, got inf"),
        (("--margin", "few"), "invalid float value: 'few'"),
    ],
)
def test_a_wrong_margin_or_price_is_told_and_writes_nothing(
    copied: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(copied), *arguments]) == 4
    assert said in capsys.readouterr().err
    assert not (copied / "summary.json").exists()

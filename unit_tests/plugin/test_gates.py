"""Gates in real runs: exit status, terminal, JUnit, ``summary.json``, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from unit_tests.plugin.conftest import SMALL, Inside, run
from vlmbench_plugin.cells import MetricsRow
from vlmbench_plugin.store import Store

GATED = (*SMALL[:-2], "--n", "12", "--mode", "json_mode", "--seed", "1")
"""Yields of about 0.8, so that bars fit below and above their intervals."""
NAME = "tiny-qwen3vl-image_classification-json_mode"


def rows(folder: Path) -> dict[str, MetricsRow]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return {row.category: row for row in (MetricsRow(**json.loads(line)) for line in lines)}


def three_bars(folder: Path) -> tuple[float, float, float]:
    """Bars below, inside and above the interval of one category's yield."""
    low, high = rows(folder)["image_classification"].effective_yield_interval or (0.0, 1.0)
    assert 0.02 < low < high < 0.98
    return round(low - 0.01, 3), round((low + high) / 2 + 0.02, 3), round(high + 0.01, 3)


def cases(path: Path) -> dict[str, ET.Element]:
    found = list(ET.parse(path).iter("testcase"))
    names = [case.attrib["name"] for case in found]
    assert len(names) == len(set(names))
    return dict(zip(names, found, strict=True))


def properties(case: ET.Element) -> dict[str, str]:
    return {found.attrib["name"]: found.attrib["value"] for found in case.iter("property")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of a run without gates."""
    folder = tmp_path_factory.mktemp("finished")
    done = run(folder, *GATED, "--report-dir", "out")
    assert done.exit == 0, done.output
    assert "gates held" not in done.output
    assert json.loads(done.text("summary.json"))["gates"] == []
    return folder / "out"


@pytest.fixture
def old(finished: Path, pytester: pytest.Pytester) -> Path:
    """A copy of it in the folder of the test."""
    return Path(shutil.copytree(finished, pytester.path / "old"))


@pytest.mark.parametrize("at", range(3), ids=["held", "undecided", "failed"])
@pytest.mark.parametrize("strict", [False, True])
def test_an_outcome_is_told_everywhere(
    inside: Inside, pytester: pytest.Pytester, old: Path, at: int, strict: bool
) -> None:
    bar, outcome = three_bars(old)[at], ("held", "undecided", "failed")[at]
    fails = outcome == "failed" or (strict and outcome == "undecided")
    result = inside(
        *(*GATED, "--report-dir", "old", "--junitxml", "junit.xml", "--color", "yes"),
        *("--min-yield", f"image_classification={bar}", *(["--strict-gates"] if strict else [])),
    )
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if fails else pytest.ExitCode.OK)

    (verdict,) = json.loads((old / "summary.json").read_text())["gates"]
    assert (verdict["outcome"], verdict["category"]) == (outcome, "image_classification")
    row = rows(old)["image_classification"]
    assert (verdict["figure"], verdict["n"]) == (row.effective_yield, 12)
    assert verdict["interval"] == list(row.effective_yield_interval or ())

    output = result.stdout.str()
    assert f"{int(outcome == 'held')} of 1 gates held" in output
    colour = "\x1b[31m" if fails else "\x1b[33m"
    shown = outcome != "held"
    assert (f"{colour}{verdict['sentence']}\x1b[0m" in output) == shown
    assert output.count(verdict["sentence"]) == int(shown)

    found = cases(pytester.path / "junit.xml")
    case = found[f"{NAME}-min-yield"]
    result_tag = {"held": None, "undecided": "skipped", "failed": "failure"}[outcome]
    told = {child.tag: child for child in case if child.tag != "properties"}
    if fails or result_tag is None:
        assert list(told) == (["failure"] if fails else [])
        assert not fails or verdict["sentence"] in str(told["failure"].text)
    else:
        assert told["skipped"].attrib["message"] == verdict["sentence"]
        assert f"about {verdict['needed']} images would decide" in verdict["sentence"]
    figures = properties(case)
    assert figures.pop("gate") == "min-yield"
    assert figures.pop("bar") == str(bar)
    assert figures.pop("needed") == str(verdict["needed"] or "")
    assert figures == properties(found[NAME])
    assert figures["yield"] == str(row.effective_yield)
    assert [child.tag for child in found[NAME]] == ["properties"]


def test_workers_change_no_verdict(old: Path, tmp_path: Path) -> None:
    bars = three_bars(old)
    given = f"{bars[1]},image_classification={bars[2]},all=0.01"
    told = []
    for name, extra, plugins in (
        ("plain", (), ()),
        ("none", ("-n", "0"), ("xdist",)),
        ("two", ("-n", "2"), ("xdist",)),
    ):
        folder = tmp_path / name
        shutil.copytree(old, folder / "old")
        done = run(
            folder,
            *(*GATED, "--min-yield", given, "--max-regression", "0.4", "--baseline", "old"),
            *("--report-dir", "out", "--junitxml", "junit.xml", *extra),
            plugins=plugins,
        )
        assert done.exit == 1, done.output
        gates = json.loads(done.text("summary.json"))["gates"]
        assert [gate["gate"]["kind"] for gate in gates] == ["min-yield"] * 3 + [
            "max-regression"
        ] * 2
        assert f"{sum(gate['outcome'] == 'held' for gate in gates)} of 5 gates held" in done.output
        own = {
            name: [child.tag for child in case]
            for name, case in cases(folder / "junit.xml").items()
            if name.endswith(("yield", "regression"))
        }
        assert len(own) == 5
        assert "tiny-qwen3vl-all-json_mode-min-yield" in own
        told.append((gates, own))
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize("name", ["", "results.jsonl", "metrics.jsonl"])
def test_a_baseline_is_a_folder_or_one_of_its_files(
    inside: Inside, pytester: pytest.Pytester, old: Path, name: str
) -> None:
    inside(
        *(*GATED, "--report-dir", "out", "--max-regression", "ocr_text=0.5,0.9"),
        *("--category", "ocr_text", "--baseline", str(old / name)),
    ).stderr.fnmatch_lines(["ERROR: the baseline *old has no scored item of *-ocr_text-*"])
    result = inside(
        *(*GATED, "--report-dir", "out", "--max-regression", "0.9", "--baseline", str(old / name))
    )
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["2 of 2 gates held"])
    gates = json.loads((pytester.path / "out" / "summary.json").read_text())["gates"]
    assert [(gate["figure"], gate["n"]) for gate in gates] == [(0.0, 12)] * 2


def test_a_baseline_is_scored_by_the_scorers_of_today(
    inside: Inside, pytester: pytest.Pytester, old: Path
) -> None:
    changed = [
        dataclasses.replace(r, scorer_version=0, primary_score=0.0, passed=False, status="missed")
        if r.schema_valid
        else r
        for r in Store.read(old)
    ]
    (old / "results.jsonl").write_text("".join(f"{r.to_json()}\n" for r in changed))
    before = (old / "results.jsonl").read_bytes()
    inside(*GATED, "--report-dir", "out", "--max-regression", "0.9", "--baseline", "old")
    gates = json.loads((pytester.path / "out" / "summary.json").read_text())["gates"]
    assert [gate["figure"] for gate in gates] == [0.0, 0.0]
    assert (old / "results.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("-m", "image_classification", "--min-yield", "data_type_differentiation=0.5"),
            "*--min-yield has a bar for data_type_differentiation, which -m or --category desel*",
        ),
        (
            ("--min-valid", "ocr_text=0.5"),
            "*--min-valid has a bar for ocr_text, which -m or --category deselects*",
        ),
        (
            ("-k", "image_classification", "--min-yield", "data_type_differentiation=0.5"),
            "*has a bar for data_type_differentiation, of which no item is selected*",
        ),
        (
            ("--baseline", "old", "--max-regression", "0.1", "--seed", "5"),
            "*has other images of image_classification: *drawn-1-* there, *drawn-5-* here*",
        ),
        (
            ("--baseline", "old/metrics.jsonl", "--max-regression", "0.1", "--dataset", "smoke"),
            "*has other images of image_classification: synthetic there, smoke here*",
        ),
        (
            ("--baseline", "old", "--max-regression", "0.1", "--blind"),
            "*has other images of image_classification*",
        ),
        (
            ("--baseline", "old", "--max-regression", "0.1", "--model", "qwen3vl-4b"),
            "*has no scored item of qwen3vl-4b-*; its models: tiny-qwen3vl*",
        ),
        (
            ("--baseline", "old", "--max-regression", "0.1", "--report-dir", "old"),
            "*--baseline old is the folder that this run writes to*",
        ),
        (
            ("--baseline", "old", "--min-speed-ratio", "0.9"),
            "*the baseline old has no times of tiny-qwen3vl-*",
        ),
    ],
)
def test_what_cannot_be_judged_is_refused_before_anything_runs(
    inside: Inside, pytester: pytest.Pytester, old: Path, arguments: tuple[str, ...], expected: str
) -> None:
    before = (old / "results.jsonl").read_bytes()
    result = inside(*GATED, "--report-dir", "out", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *"])
    result.stderr.fnmatch_lines([expected])
    result.stderr.fnmatch_lines(["*hint: *"])
    assert not (pytester.path / "out").exists()
    assert (old / "results.jsonl").read_bytes() == before


def test_a_gate_is_refused_with_workers_too(old: Path) -> None:
    done = run(
        old.parent,
        *(*GATED, "--report-dir", "out", "--max-regression", "0.1", "--baseline", "old"),
        *("--seed", "5", "-n", "2"),
        plugins=("xdist",),
    )
    assert done.exit == pytest.ExitCode.USAGE_ERROR, done.output
    assert "ERROR: the baseline old has other images of image_classification" in done.output
    assert not (old.parent / "out").exists()


def test_fresh_may_compare_with_the_folder_of_that_name(
    inside: Inside, pytester: pytest.Pytester, old: Path
) -> None:
    gate = ("--max-regression", "0.9", "--baseline", "old", "--report-dir", "old", "--fresh")
    assert inside(*GATED, *gate).ret == pytest.ExitCode.OK
    gates = json.loads((pytester.path / "old-2" / "summary.json").read_text())["gates"]
    assert [gate["outcome"] for gate in gates] == ["held", "held"]


def timed(folder: Path, seconds: float) -> None:
    """Gives every record a time, as a model would have."""
    found = [dataclasses.replace(r, output_tokens=40, busy_s=seconds) for r in Store.read(folder)]
    (folder / "results.jsonl").write_text("".join(f"{r.to_json()}\n" for r in found))


def on_machine(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["machine"] |= changes
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(("ratio", "outcome"), [(1.5, "held"), (2.0, "undecided"), (2.5, "failed")])
def test_speeds_are_compared_on_one_machine(
    inside: Inside, pytester: pytest.Pytester, old: Path, ratio: float, outcome: str
) -> None:
    """The answers of a replay carry the times of the run that generated them."""
    fast = Path(shutil.copytree(old, pytester.path / "fast"))
    timed(old, 1.0)
    timed(fast, 0.5)
    arguments: Sequence[str] = (
        *(*GATED, "--runner", "replay", "--replay", "fast", "--report-dir", "out"),
        *("--baseline", "old", "--min-speed-ratio", str(ratio)),
    )
    result = inside(*arguments)
    assert result.ret == int(outcome == "failed")
    gates = json.loads((pytester.path / "out" / "summary.json").read_text())["gates"]
    assert [gate["outcome"] for gate in gates] == [outcome] * 2
    assert [gate["figure"] for gate in gates] == pytest.approx([2.0, 2.0])

    on_machine(old, host="elsewhere", cores=999)
    result = inside(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --min-speed-ratio compares *one machine; *host elsewhere there*cores 999 there*"]
    )
    (old / "manifest.json").unlink()
    result = inside(*arguments)
    result.stderr.fnmatch_lines(["ERROR: *the baseline old does not name its machine"])


def test_a_kernel_update_makes_no_other_machine(
    inside: Inside, pytester: pytest.Pytester, old: Path
) -> None:
    timed(old, 1.0)
    on_machine(old, platform="Linux-1.0")
    result = inside(
        *(*GATED, "--runner", "replay", "--replay", "old", "--report-dir", "out"),
        *("--baseline", "old", "--min-speed-ratio", "0.5"),
    )
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["2 of 2 gates held"])


def test_a_cell_without_a_scored_item_fails_its_gates(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    (pytester.path / "empty").mkdir()
    result = inside(
        *(*GATED, "--runner", "replay", "--replay", "empty", "--report-dir", "out"),
        *("--min-yield", "0", "--junitxml", "junit.xml"),
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["gate failed: *image_classification*no item scored, at least 0 *"])
    case = cases(pytester.path / "junit.xml")[f"{NAME}-min-yield"]
    assert [child.tag for child in case] == ["properties", "failure"]


def test_what_stopped_before_its_first_item_fails_too(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    result = inside(*GATED, "--report-dir", "out", "--on-miss", "fail", "-x", "--min-yield", "0")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    gates = json.loads((pytester.path / "out" / "summary.json").read_text())["gates"]
    by_category = {gate["category"]: gate["n"] for gate in gates}
    assert by_category["data_type_differentiation"] == 0
    result.stdout.fnmatch_lines(["gate failed: *data_type_differentiation*no item scored*"])

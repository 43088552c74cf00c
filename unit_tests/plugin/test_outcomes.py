"""How items end, in one process: misses, errors, gates, replays."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from unit_tests.plugin.conftest import SMALL, Inside
from vlmbench_plugin.store import Store

OWN_TASKS = """
import random
import numpy as np
import pytest
from PIL import Image
from vlmbench_plugin.core import Score, VisionTask
from vlmbench_plugin.sources import Drawn, Scene
from vlmbench_plugin.fields import integer

def scene(rng, difficulty):
    count = rng.randint(1, 9)
    return Scene(size=(64, 48), truth={"dots": count}, draw=lambda: Image.new("RGB", (64, 48)))

def right(answer, truth, vocabulary):
    return Score(primary=float(answer["dots"] == truth["dots"]))

def broken(answer, truth, vocabulary):
    raise ValueError("the scorer is broken")

def not_json(answer, truth, vocabulary):
    return Score(primary=1.0, secondary={"share": np.float32(0.5)})

def task(name, score):
    return VisionTask(
        category=name, title="count", fields={"dots": integer(0, 99)}, prompt="{schema}",
        score=score, ground_truth={"synthetic": Drawn(scene=scene)}, answer_tokens=16,
    )

def pytest_vlmbench_tasks():
    return [task("dots", right), task("broken", broken), task("numpy_score", not_json)]
"""


def records(folder: Path, name: str = "out") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name / "results.jsonl").read_text().splitlines()]


def test_collect_only_writes_nothing(inside: Inside, pytester: pytest.Pytester) -> None:
    result = inside(*SMALL, "--collect-only", "-q")
    result.stdout.fnmatch_lines(["*24 tests collected*"])
    assert not (pytester.path / "out").exists()


def test_a_run_without_items_writes_nothing(inside: Inside, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_other="def test_other(): pass")
    inside("test_other.py", "--report-dir", "out").assert_outcomes(passed=1)
    assert not (pytester.path / "out").exists()


def test_the_default_folder_is_named_after_the_data_set(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    inside("--runner", "stub", "--dataset", "smoke", "--category", "ocr_text", "--n", "1")
    assert len(records(pytester.path, "reports/smoke")) == 2


def test_categories_are_markers(inside: Inside, pytester: pytest.Pytester) -> None:
    arguments = ("--runner", "stub", "--n", "1", "--report-dir", "out", "--mode", "json_mode")
    inside(*arguments, "--strict-markers", "-m", "ocr_text or depth_analysis")
    assert {r["category"] for r in records(pytester.path)} == {"ocr_text", "depth_analysis"}


def test_a_miss_can_be_a_failure(inside: Inside, pytester: pytest.Pytester) -> None:
    result = inside(*SMALL, "--on-miss", "fail")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    missed = [r for r in records(pytester.path) if r["status"] == "missed"]
    assert missed
    result.assert_outcomes(passed=24 - len(missed), failed=len(missed))
    result.stdout.fnmatch_lines([f"*missed ({missed[0]['failure']}: *"])


def test_runxfail_does_not_turn_misses_into_passes(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    result = inside(*SMALL, "--runxfail")
    missed = sum(r["status"] == "missed" for r in records(pytester.path))
    result.stdout.fnmatch_lines([f"*{24 - missed} passed, {missed} missed in *"])


def test_own_tasks_join_and_an_error_stops_nothing(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(OWN_TASKS)
    arguments = ("--runner", "stub", "--n", "4", "--mode", "constrained", "--report-dir", "out")
    result = inside(*arguments, "--strict-markers", "-m", "dots or broken or numpy_score")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    found = records(pytester.path)
    assert len(found) == 12
    errors = {r["category"]: r["error"] for r in found if r["status"] == "error"}
    assert errors["broken"] == "ValueError: the scorer is broken"
    assert "float32" in errors["numpy_score"]
    result.stdout.fnmatch_lines(["*ValueError: the scorer is broken*", "8 errors: the harness *"])
    rows = [
        json.loads(line)
        for line in (pytester.path / "out" / "metrics.jsonl").read_text().splitlines()
    ]
    assert {row["category"]: row["n_errors"] for row in rows} == {
        "dots": 0,
        "broken": 4,
        "numpy_score": 4,
    }
    assert all(r["primary_score"] is None for r in found if r["status"] == "error")


def test_errors_are_tried_again_and_the_rest_is_replayed(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    arguments = ("--runner", "stub", "--n", "3", "--mode", "constrained", "--report-dir", "out")
    pytester.makeconftest(OWN_TASKS)
    assert inside(*arguments, "-m", "dots or broken").ret == pytest.ExitCode.TESTS_FAILED
    pytester.makeconftest(OWN_TASKS.replace('task("broken", broken)', 'task("broken", right)'))
    result = inside(*arguments, "-m", "dots or broken")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["Replayed 3 of 6 items*"])
    assert len(records(pytester.path)) == 6
    assert not any(r["status"] == "error" for r in records(pytester.path))


def test_a_category_cannot_be_defined_twice(inside: Inside, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(OWN_TASKS.replace('"dots", right', '"ocr_text", right'))
    result = inside("--runner", "stub")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *expected new category names, got ocr_text again"])


def test_a_failing_fixture_is_an_error_of_the_item(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(
        "import pytest\n"
        "@pytest.fixture(autouse=True)\n"
        "def _broken(request):\n"
        "    assert not request.node.name.endswith('0001]')\n"
    )
    result = inside(*SMALL)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    failed = [r for r in records(pytester.path) if r["status"] == "error"]
    assert len(records(pytester.path)) == 24
    assert [r["case_index"] for r in failed] == [1, 1, 1, 1]
    assert all(r["error"].startswith("AssertionError: ") for r in failed)
    result.stdout.fnmatch_lines(["4 errors: the harness failed, not the model"])


def test_a_runner_that_cannot_open_is_told_by_every_item(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    (pytester.path / "old").mkdir()
    result = inside(*SMALL, "--runner", "replay", "--replay", "old", "--mode", "json_mode")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [r["status"] for r in records(pytester.path)] == ["error"] * 12


def test_a_replayed_run_scores_the_same(inside: Inside, pytester: pytest.Pytester) -> None:
    inside(*SMALL)
    replayed = (
        *SMALL,
        "--runner",
        "replay",
        "--replay",
        "out/results.jsonl",
        "--report-dir",
        "two",
    )
    assert inside(*replayed).ret == pytest.ExitCode.OK
    scores = [
        sorted((r["image_id"], r["category"], r["mode"], str(r["primary_score"])) for r in found)
        for found in (records(pytester.path), records(pytester.path, "two"))
    ]
    assert scores[0] == scores[1]


def test_fresh_opens_another_folder(inside: Inside, pytester: pytest.Pytester) -> None:
    for _ in range(2):
        assert inside(*SMALL, "--fresh").ret == pytest.ExitCode.OK
    assert len(records(pytester.path, "out")) == len(records(pytester.path, "out-2")) == 24


def test_stopping_early_names_what_is_missing(inside: Inside, pytester: pytest.Pytester) -> None:
    result = inside(*SMALL, "--on-miss", "fail", "-x")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    left = 24 - len(records(pytester.path))
    assert left
    result.stdout.fnmatch_lines([f"{left} items missing: expected, and never reported"])


@pytest.mark.parametrize(("bar", "code"), [("0.0", 0), ("1.0", 1)])
def test_a_gate_decides_the_exit_status(
    inside: Inside, pytester: pytest.Pytester, bar: str, code: int
) -> None:
    result = inside(
        *(*SMALL, "--min-yield", bar, "--junitxml", "junit.xml", "--json-report"),
        *("--json-report-file", "report.json"),
        plugins=["pytest_metadata.plugin", "pytest_jsonreport.plugin"],
    )
    assert result.ret == code
    assert json.loads((pytester.path / "report.json").read_text())["exitcode"] == code
    text = (pytester.path / "junit.xml").read_text()
    assert ("at least 1 asked" in text) == bool(code)
    assert ("gate failed: tiny-qwen3vl" in result.stdout.str()) == bool(code)


def test_quiet_silences_the_live_lines_only(inside: Inside) -> None:
    output = inside(*SMALL, "-q").stdout.str()
    assert "image_classification json_mode: n 6" not in output
    assert "Effective yield by category" in output


def test_thumbnails_are_small_and_the_stub_makes_none_unasked(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    from PIL import Image

    inside(*SMALL)
    assert not (pytester.path / "out" / "images").exists()
    inside(*SMALL, "--thumbnails", "on")
    images = sorted((pytester.path / "out" / "images").rglob("*.png"))
    assert len(images) == 12
    for path in images:
        with Image.open(path) as image:
            assert max(image.size) <= 512


def test_a_rerun_counts_once(inside: Inside, pytester: pytest.Pytester) -> None:
    """The first attempt of one item fails after its record was made; the last report wins."""
    pytester.makeconftest(
        OWN_TASKS.replace(
            'raise ValueError("the scorer is broken")',
            "seen.append(1)\n    assert len(seen) != 2\n    return right(answer, truth, None)",
        )
        + "\nseen = []\n"
    )
    result = inside(
        *("--runner", "stub", "--n", "3", "--mode", "constrained", "--report-dir", "out"),
        *("-m", "broken", "--reruns", "2", "--junitxml", "junit.xml"),
        plugins=["pytest_rerunfailures"],
    )
    assert result.ret == pytest.ExitCode.OK
    assert [r["status"] for r in records(pytester.path)].count("error") == 0
    assert len(records(pytester.path)) == 3
    result.stdout.fnmatch_lines(["*1 rerun*"])
    for case in ET.parse(pytester.path / "junit.xml").iter("testcase"):
        names = [found.attrib["name"] for found in case.iter("property")]
        assert len(names) == len(set(names))


def test_two_models_run_one_after_the_other(inside: Inside, pytester: pytest.Pytester) -> None:
    inside(*SMALL, "--models", "qwen3vl-4b,tiny-qwen3vl")
    assert [r["model"] for r in records(pytester.path)] == ["qwen3vl-4b"] * 24 + [
        "tiny-qwen3vl"
    ] * 24


def test_a_folder_in_use_is_told(inside: Inside, pytester: pytest.Pytester) -> None:
    held = Store.open(pytester.path / "out")
    try:
        result = inside(*SMALL)
    finally:
        held.close()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: */out is in use by process *", "*hint: *--fresh*"])


def test_the_test_may_have_another_name_and_other_parameters(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        test_bench="import pytest\n"
        "from vlmbench_plugin.bench import test_label\n"
        "test_again = pytest.mark.parametrize('_', [1, 2])(test_label)\n"
        "del test_label\n"
        "@pytest.fixture(autouse=True)\n"
        "def _(request): pass\n"
    )
    result = inside("--runner", "stub", "--category", "ocr_text", "--n", "2", "--report-dir", "out")
    assert result.ret == pytest.ExitCode.OK
    assert len(records(pytester.path)) == 4

"""What a second run does with the first one's records, and what pytest's own options do to both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unit_tests.plugin.conftest import SMALL, Inside, run
from unit_tests.plugin.test_outcomes import OWN_TASKS, records

BROKEN = "dots or broken"
OWN = ("--runner", "stub", "--n", "4", "--mode", "constrained", "--report-dir", "out")
MENDED = OWN_TASKS.replace('task("broken", broken)', 'task("broken", right)')


def test_stale_records_are_set_aside_with_count_and_reason(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    first = inside(*SMALL)
    assert "Set aside" not in first.stdout.str()
    assert "Mixed" not in first.stdout.str()
    old = (pytester.path / "out" / "results.jsonl").read_text().splitlines()
    result = inside(*SMALL, "--max-pixels", "4096", "--n", "4")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["Set aside in stale.jsonl, 16 records of earlier runs:", "  16: another pixel cap"]
    )
    for category in ("image_classification", "data_type_differentiation"):
        line = f"Mixed: 2 of 6 records of tiny-qwen3vl {category} constrained *another pixel cap; *"
        result.stdout.fnmatch_lines([line])
    stale = (pytester.path / "out" / "stale.jsonl").read_text().splitlines()
    assert set(stale) <= set(old)
    assert len(stale) == len(set(stale)) == 16
    assert len(records(pytester.path)) == 24


def test_a_changed_prompt_is_told_from_a_changed_task(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(OWN_TASKS)
    inside(*OWN, "-m", "dots")
    pytester.makeconftest(OWN_TASKS.replace('prompt="{schema}"', 'prompt="Count: {schema}"'))
    inside(*OWN, "-m", "dots").stdout.fnmatch_lines(["  4: another prompt"])
    pytester.makeconftest(
        OWN_TASKS.replace('prompt="{schema}"', 'prompt="Count: {schema}"').replace(
            "integer(0, 99)", "integer(0, 999)"
        )
    )
    inside(*OWN, "-m", "dots").stdout.fnmatch_lines(
        ["  4: another prompt and schema and grammar and answer budget"]
    )


def test_a_resumed_run_keeps_the_manifest_of_the_earlier(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    def found() -> dict[str, Any]:
        content: dict[str, Any] = json.loads((pytester.path / "out" / "manifest.json").read_text())
        return content

    inside(*SMALL)
    first = found()
    inside(*SMALL)
    assert found() == first
    inside("--runner", "stub", "--n", "2", "--report-dir", "out", "--category", "ocr_text")
    second = found()
    assert set(second["prompts"]) == {*first["prompts"], "ocr_text"}
    assert set(second["data"]) == {*first["data"], "ocr_text"}
    (earlier,) = second["earlier"]
    assert earlier["command"] == first["command"]
    assert earlier["finished"] == first["finished"]
    cell = second["hashes"]["tiny-qwen3vl ocr_text constrained"]
    assert all(len(cell[name]) == 1 for name in ("prompt", "schema", "grammar"))


def test_retry_errors_runs_the_errors_alone(inside: Inside, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(OWN_TASKS)
    assert inside(*OWN, "-m", BROKEN).ret == pytest.ExitCode.TESTS_FAILED
    pytester.makeconftest(MENDED)
    result = inside(*OWN, "-m", BROKEN, "--retry-errors")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*68 deselected / 4 selected"])
    assert "items missing" not in result.stdout.str()
    assert "Replayed" not in result.stdout.str()
    assert [r["status"] for r in records(pytester.path)].count("error") == 0
    assert len(records(pytester.path)) == 8


def test_retry_errors_without_any(inside: Inside, pytester: pytest.Pytester) -> None:
    assert inside(*SMALL).ret == pytest.ExitCode.OK
    before = (pytester.path / "out" / "results.jsonl").read_bytes()
    result = inside(*SMALL, "--retry-errors")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["vlmbench: no errors to try again in */out"])
    assert (pytester.path / "out" / "results.jsonl").read_bytes() == before


def test_retry_errors_and_fresh_exclude_each_other(inside: Inside) -> None:
    result = inside(*SMALL, "--retry-errors", "--fresh")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --retry-errors reads a folder that --fresh *"])


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_retry_errors_under_xdist(tmp_path: Path, workers: str) -> None:
    (tmp_path / "conftest.py").write_text(OWN_TASKS)
    arguments = (*OWN, "-m", BROKEN, "-n", workers)
    assert run(tmp_path, *arguments, plugins=["xdist"]).exit == pytest.ExitCode.TESTS_FAILED
    (tmp_path / "conftest.py").write_text(MENDED)
    again = run(tmp_path, *arguments, "--retry-errors", plugins=["xdist"])
    assert again.exit == 0, again.output
    assert "items missing" not in again.output
    assert [r["status"] for r in again.records()].count("error") == 0
    assert len(again.records()) == 8
    none = run(tmp_path, *arguments, "--retry-errors", plugins=["xdist"])
    assert none.exit == 0, none.output
    assert "no errors to try again" in none.output


@pytest.mark.parametrize("most", [("-x",), ("--maxfail", "2")])
def test_stopping_at_failures_loses_nothing(
    inside: Inside, pytester: pytest.Pytester, most: tuple[str, ...]
) -> None:
    pytester.makeconftest(OWN_TASKS)
    result = inside(*OWN, "-m", "broken or numpy_score", *most)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    failed = 1 if most == ("-x",) else 2
    assert len(records(pytester.path)) == failed
    result.stdout.fnmatch_lines(
        [
            f"{8 - failed} items missing: expected, and never reported",
            "  test_bench.py::test_label[[]tiny-qwen3vl-broken-constrained-*",
            f"{failed} errors: the harness failed, not the model",
        ]
    )


def test_last_failed_runs_the_errors(inside: Inside, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(OWN_TASKS)
    inside(*OWN, "-m", BROKEN)
    pytester.makeconftest(MENDED)
    result = inside(*OWN, "-m", BROKEN, "--lf")
    assert result.ret == pytest.ExitCode.OK
    assert "items missing" not in result.stdout.str()
    assert [r["status"] for r in records(pytester.path)].count("error") == 0
    assert len(records(pytester.path)) == 8


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        (("-k", "constrained and 0003"), 2),
        (("--deselect", "test_bench.py::test_label[tiny-qwen3vl-image_classification"), 12),
        (("-p", "no:xdist"), 24),
        (("-p", "no:randomly", "-p", "no:cacheprovider"), 24),
    ],
)
def test_what_is_deselected_is_not_missing(
    inside: Inside, pytester: pytest.Pytester, chosen: tuple[str, ...], count: int
) -> None:
    result = inside(*SMALL, *chosen)
    assert result.ret == pytest.ExitCode.OK
    assert "items missing" not in result.stdout.str()
    assert len(records(pytester.path)) == count
    again = inside(*SMALL)
    assert again.ret == pytest.ExitCode.OK
    again.stdout.fnmatch_lines([f"Replayed {count} of 24 items*"])
    assert len(records(pytester.path)) == 24


def test_a_skipped_item_is_missing(inside: Inside, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "import pytest\n"
        "def pytest_runtest_setup(item):\n"
        "    if 'json_mode-0004' in item.name: pytest.skip('not today')\n"
    )
    result = inside(*SMALL)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["2 items missing: expected, and never reported"])
    assert len(records(pytester.path)) == 22


def test_collect_only_leaves_a_folder_as_it_is(inside: Inside, pytester: pytest.Pytester) -> None:
    inside(*SMALL)
    path = pytester.path / "out" / "results.jsonl"
    with path.open("ab") as file:
        file.write(b"torn")
    before = {found: found.read_bytes() for found in (pytester.path / "out").iterdir()}
    inside(*SMALL, "--collect-only", "-q")
    inside(*SMALL, "--collect-only", "-q", "--retry-errors")
    assert {found: found.read_bytes() for found in (pytester.path / "out").iterdir()} == before

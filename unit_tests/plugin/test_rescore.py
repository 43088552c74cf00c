"""Stored answers scored again: by ``--rescore``, and where a scorer has changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unit_tests.plugin.conftest import SMALL, Inside, run
from vlmbench_plugin.store import Store

Edit = Callable[[dict[str, Any]], None]
SCORED = {
    *("primary_score", "schema_valid", "json_robust", "passed", "failure", "parse_status"),
    *("repairable", "secondary", "label_rule", "prediction", "at_bound", "clamped", "status"),
    "scorer_version",
}


def edit_first_passed(out: Path, edit: Edit) -> dict[str, Any]:
    """Edits the first passed image_classification record in json_mode; returns it as it was."""
    path = out / "results.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()]
    record = next(
        r
        for r in found
        if (r["category"], r["mode"], r["status"])
        == ("image_classification", "json_mode", "passed")
    )
    before = dict(record)
    edit(record)
    path.write_text("".join(json.dumps(r, separators=(",", ":")) + "\n" for r in found))
    return before


def now_of(out: Path, before: dict[str, Any]) -> dict[str, Any]:
    found = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert len(found) == 24
    return next(record for record in found if record["key"] == before["key"])


def sorry(record: dict[str, Any]) -> None:
    record["raw_text"] = "sorry"


def test_a_hand_edited_answer_is_scored_and_told(inside: Inside, pytester: pytest.Pytester) -> None:
    out = pytester.path / "out"
    assert inside(*SMALL).ret == pytest.ExitCode.OK
    before = edit_first_passed(out, sorry)
    score = sum(
        record.primary_score or 0.0
        for record in Store.read(out)
        if (record.category, record.mode) == ("image_classification", "json_mode")
    )
    result = inside(*SMALL, "--rescore")
    assert result.ret == pytest.ExitCode.OK
    told = [
        "Scored 24 records again from their raw text; scores changed: 1.",
        (
            f"  image_classification json_mode: 1 of 6 scores changed, mean {score / 6:.3f} -> "
            f"{(score - before['primary_score']) / 6:.3f}, 1 passed -> missed"
        ),
    ]
    result.stdout.fnmatch_lines([*told, "", "Decision"], consecutive=True)
    result.stdout.fnmatch_lines(["Decision", "Replayed 24 of 24 items*"])
    log = [line.split(" ", 1)[1] for line in (out / "run.log").read_text().splitlines()]
    assert [line.strip() for line in told] == [line.strip() for line in log if line in told]

    after = now_of(out, before)
    assert after["primary_score"] is None
    assert (after["status"], after["failure"], after["prediction"]) == ("missed", "not_json", None)
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= SCORED | {"raw_text"}
    passed = sum(record.status == "passed" for record in Store.read(out))
    result.stdout.fnmatch_lines([f"*{passed} passed, {24 - passed} missed in *"])


def test_without_the_option_a_current_score_stays(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    assert inside(*SMALL).ret == pytest.ExitCode.OK
    before = edit_first_passed(pytester.path / "out", sorry)
    result = inside(*SMALL)
    assert now_of(pytester.path / "out", before) == {**before, "raw_text": "sorry"}
    result.stdout.no_fnmatch_line("Scored *")


def test_a_record_of_another_scorer_is_scored_again_unasked(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    def older(record: dict[str, Any]) -> None:
        record.update(scorer_version=0, primary_score=0.25, passed=False, status="missed")

    assert inside(*SMALL).ret == pytest.ExitCode.OK
    before = edit_first_passed(pytester.path / "out", older)
    result = inside(*SMALL)
    assert now_of(pytester.path / "out", before) == before
    result.stdout.fnmatch_lines(
        [
            "Scored 1 records again from their raw text; scores changed: 1.",
            (
                "  image_classification json_mode: 1 of 1 scores changed, mean 0.250 -> *, "
                "1 missed -> passed"
            ),
        ]
    )


def test_nothing_changes_where_nothing_did(inside: Inside, pytester: pytest.Pytester) -> None:
    assert inside(*SMALL).ret == pytest.ExitCode.OK
    path = pytester.path / "out" / "results.jsonl"
    before = path.read_bytes()
    result = inside(*SMALL, "--vlm-rescore")
    result.stdout.fnmatch_lines(["Scored 24 records again from their raw text; scores changed: 0."])
    assert path.read_bytes() == before
    assert not path.with_name("stale.jsonl").exists()


def test_other_changed_fields_are_counted_apart(inside: Inside, pytester: pytest.Pytester) -> None:
    def renamed(record: dict[str, Any]) -> None:
        record["secondary"] = {"no such": 1.0}

    assert inside(*SMALL).ret == pytest.ExitCode.OK
    before = edit_first_passed(pytester.path / "out", renamed)
    result = inside(*SMALL, "--rescore")
    result.stdout.fnmatch_lines(
        ["Scored 24 records again *; scores changed: 0; records changed in other fields: 1."]
    )
    assert now_of(pytester.path / "out", before) == before


def test_missing_items_are_generated_and_errors_stay_errors(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    out = pytester.path / "out"
    assert inside(*SMALL).ret == pytest.ExitCode.OK
    lines = (out / "results.jsonl").read_text().splitlines(keepends=True)
    (out / "results.jsonl").write_text("".join(lines[:20]))
    result = inside(*SMALL, "--rescore")
    result.stdout.fnmatch_lines(["Scored 20 records again *", "Replayed 20 of 24 items*"])
    assert len(Store.read(out)) == 24


def test_workers_are_told_todays_scores(tmp_path: Path) -> None:
    assert run(tmp_path, *SMALL).exit == 0
    before = edit_first_passed(tmp_path / "out", sorry)
    done = run(tmp_path, *SMALL, "--rescore", "-n", "2", "-v", plugins=["xdist"])
    assert done.exit == 0, done.output
    assert now_of(tmp_path / "out", before)["failure"] == "not_json"
    name = f"image_classification-json_mode-{before['case_index']:04d}"
    line = next(line for line in done.output.splitlines() if name in line and "MISSED" in line)
    assert "not_json" in line

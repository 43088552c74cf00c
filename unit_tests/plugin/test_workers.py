"""What can go wrong between workers and controller."""

from __future__ import annotations

import json
import re
from pathlib import Path

from unit_tests.plugin.conftest import SMALL, run
from unit_tests.plugin.test_outcomes import OWN_TASKS

DYING = """
import os

def pytest_runtest_call(item):
    if "classification-constrained-0003" in item.name and not os.path.exists("alive"):
        os._exit(1)
"""


def test_a_dead_worker_costs_one_item_and_the_exit_status(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(DYING)
    finished = run(tmp_path, *SMALL, "-n", "2", plugins=["xdist"])
    assert finished.exit == 1, finished.output
    assert len(finished.records()) == 24
    dead = [r for r in finished.records() if r["status"] == "error"]
    assert len(dead) == 1
    assert re.match(r"worker 'gw\d' crashed while running", dead[0]["error"])
    assert "1 errors: the harness failed" in finished.output
    (tmp_path / "alive").touch()
    again = run(tmp_path, *SMALL, "-n", "2", plugins=["xdist"])
    assert again.exit == 0, again.output
    assert len(again.records()) == 24
    assert "Replayed 23 of 24 items" in again.output


def test_items_that_never_ran_are_missing(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(DYING)
    finished = run(tmp_path, *SMALL, "-n", "1", "--max-worker-restart", "0", plugins=["xdist"])
    assert finished.exit != 0
    missing = 24 - len(finished.records())
    assert missing > 0
    assert f"{missing} items missing: expected, and never reported" in finished.output
    assert "test_label[tiny-qwen3vl-data_type_differentiation-" in finished.output


def test_a_value_that_json_cannot_hold_kills_no_worker(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(OWN_TASKS)
    finished = run(
        tmp_path,
        *("--runner", "stub", "--n", "2", "--mode", "constrained", "--report-dir", "out"),
        *("--category", "dots,broken,numpy_score", "-n", "2"),
        plugins=["xdist"],
    )
    assert finished.exit == 1, finished.output
    assert [r["status"] for r in finished.records()].count("error") == 4
    assert len(finished.records()) == 6
    assert "crashed" not in finished.output
    rows = [json.loads(line) for line in finished.text("metrics.jsonl").splitlines()]
    assert {row["category"]: row["n"] for row in rows} == {"dots": 2, "broken": 0, "numpy_score": 0}

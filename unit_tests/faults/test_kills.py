"""Processes that die: the run, one of its workers, the controller of workers."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.kill_and_resume import Bench, comparable, compare, results
from unit_tests.plugin.conftest import CATEGORIES, SMALL, environment, plugin_arguments, run

SUICIDAL = """
import os, signal

def pytest_runtest_call(item):
    if "classification-constrained-0003" in item.name and not os.path.exists("alive"):
        os.kill(os.getpid(), signal.SIGKILL)
"""
SLOW = """
import time

def pytest_runtest_call(item):
    time.sleep(0.05)
"""


@pytest.mark.slow
def test_twenty_kills_at_random_moments(tmp_path: Path) -> None:
    bench = Bench(arguments=("--category", CATEGORIES, "--n", "50"), log=tmp_path / "log")
    assert compare(bench, tmp_path, kills=20, seed=1) == []


@pytest.mark.slow
def test_three_kills_of_a_long_run(tmp_path: Path) -> None:
    """Of 3,000 items here; ``python -m tools.kill_and_resume`` does 30,000."""
    bench = Bench(arguments=("--n", "100"), log=tmp_path / "log")
    assert compare(bench, tmp_path, kills=3, seed=2) == []
    assert len(comparable(results(tmp_path / "killed"))) == 3000


@pytest.mark.slow
def test_a_killed_worker(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(SUICIDAL)
    finished = run(tmp_path, *SMALL, "-n", "2", plugins=["xdist"])
    assert finished.exit == 1, finished.output
    assert [r["status"] for r in finished.records()].count("error") == 1
    assert len(finished.records()) == 24
    assert "crashed while running" in finished.text("run.log")
    (tmp_path / "alive").touch()
    again = run(tmp_path, *SMALL, "-n", "2", plugins=["xdist"])
    assert again.exit == 0, again.output
    assert "Replayed 23 of 24 items" in again.output
    (tmp_path / "whole").mkdir()
    assert again.records() == run(tmp_path / "whole", *SMALL).records()


@pytest.mark.slow
def test_a_killed_controller_of_workers(tmp_path: Path) -> None:
    """Its workers end by themselves, and hold nothing that the next run needs."""
    run(tmp_path, *SMALL, "--collect-only", plugins=["xdist"])
    (tmp_path / "conftest.py").write_text(SLOW)
    two = (*SMALL, "-n", "2")
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "bench_tests", *plugin_arguments("xdist"), *two],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    path = tmp_path / "out" / "results.jsonl"
    while process.poll() is None and (not path.exists() or path.read_bytes().count(b"\n") < 4):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = path.read_bytes().count(b"\n")
    assert 4 <= kept < 24
    again = run(tmp_path, *SMALL)
    assert again.exit == 0, again.output
    assert f"Replayed {kept} of 24 items" in again.output
    assert f"process {process.pid} on " in again.output
    assert len({record["key"] for record in again.records()}) == len(again.records()) == 24

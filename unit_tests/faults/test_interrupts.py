"""Ctrl-C: the first finishes the batch and writes it, the second stops at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from unit_tests.plugin.conftest import BENCH, SMALL, Finished, environment, plugin_arguments, run

BATCHED = """
import itertools, pathlib, time
from vlmbench_plugin.runners.stub import StubRunner

answer = StubRunner._answer

def batches(self, requests):
    requests = iter(requests)
    while batch := list(itertools.islice(requests, 4)):
        with open("asked", "a") as file:
            file.write("".join(f"{request.id}\\n" for request in batch))
        time.sleep(PAUSE)
        yield from [answer(self, request) for request in batch]

StubRunner.generate = batches
"""


def start(folder: Path, pause: float, *arguments: str, plugins: Sequence[str] = ()) -> Any:
    """Starts a run whose stub generates four items at a time."""
    (folder / "conftest.py").write_text(BATCHED.replace("PAUSE", str(pause)))
    (folder / "bench_tests").mkdir()
    (folder / "bench_tests" / "test_bench.py").write_text(BENCH)
    command = [sys.executable, "-m", "pytest", "bench_tests", *plugin_arguments(*plugins)]
    return subprocess.Popen(
        [*command, *SMALL, *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A shell starts what runs in its background with Ctrl-C ignored, which children inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def asked(folder: Path) -> set[str]:
    path = folder / "asked"
    return set(path.read_text().splitlines()) if path.exists() else set()


def wait_for(folder: Path, items: int, process: Any) -> None:
    while process.poll() is None and len(asked(folder)) < items:
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()[0]


def stored(folder: Path) -> set[str]:
    path = folder / "out" / "results.jsonl"
    found = map(json.loads, path.read_text().splitlines())
    return {f"{r['model']}-{r['category']}-{r['mode']}-{r['case_index']:04d}" for r in found}


def resumed(folder: Path, count: int) -> None:
    (folder / "conftest.py").unlink()
    again: Finished = run(folder, *SMALL)
    assert again.exit == 0, again.output
    assert f"Replayed {count} of 24 items" in again.output
    assert len(again.records()) == 24


def test_the_first_finishes_the_batch_and_writes(tmp_path: Path) -> None:
    process = start(tmp_path, 1.0)
    wait_for(tmp_path, 4, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "finishing the items that are being generated; Ctrl-C again stops at once" in output
    assert "the batch is finished and written" in output
    assert stored(tmp_path) == asked(tmp_path)
    assert len(stored(tmp_path)) == 4
    assert "20 items missing: expected, and never reported" in output
    assert "Effective yield by category" in output
    assert (tmp_path / "out" / "metrics.jsonl").exists()
    resumed(tmp_path, 4)


def test_the_second_stops_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, 60.0)
    wait_for(tmp_path, 4, process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=50)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "KeyboardInterrupt" in output
    assert "24 items missing: expected, and never reported" in output
    assert stored(tmp_path) == set()
    (tmp_path / "conftest.py").unlink()
    assert len(run(tmp_path, *SMALL).records()) == 24


@pytest.mark.slow
@pytest.mark.parametrize("to", ["all", "controller"])
def test_workers_finish_their_batches(tmp_path: Path, to: str) -> None:
    """A terminal signals every process of the run, ``kill`` the one that it is told of."""
    process = start(tmp_path, 1.0, "-n", "2", plugins=["xdist"])
    wait_for(tmp_path, 4, process)
    if to == "all":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "INTERNALERROR" not in output
    assert stored(tmp_path) == asked(tmp_path)
    count = len(stored(tmp_path))
    assert 4 <= count < 24
    assert f"{24 - count} items missing: expected, and never reported" in output
    resumed(tmp_path, count)


@pytest.mark.slow
def test_the_second_stops_workers(tmp_path: Path) -> None:
    process = start(tmp_path, 300.0, "-n", "2", plugins=["xdist"])
    wait_for(tmp_path, 4, process)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "24 items missing: expected, and never reported" in output
    assert stored(tmp_path) == set()

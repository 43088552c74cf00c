"""Runs of the real plugin in real pytest, in folders of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# pytester forgets what a run in this process imports; numpy cannot be imported a second time.
import vlmbench_plugin.results  # noqa: F401
from vlmbench_plugin import bench

with contextlib.suppress(ImportError):  # as numpy above: a test ends with the modules it began with
    import torch  # noqa: F401

BENCH = "from vlmbench_plugin.bench import test_label\n"
PLUGINS = ("vlmbench_plugin.plugin", "vlmbench_plugin.short_options")
CATEGORIES = "image_classification,data_type_differentiation"
SMALL = ("--runner", "stub", "--category", CATEGORIES, "--n", "6", "--report-dir", "out")


def plugin_arguments(*names: str) -> list[str]:
    """Returns ``-p`` for our two plugins and the named ones, which are all that is loaded."""
    return [part for name in (*PLUGINS, *names) for part in ("-p", name)]


def environment() -> dict[str, str]:
    """Returns that of a run of pytest elsewhere, whose conftest.py may import these tests."""
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    return {**os.environ, **alone, "PYTHONPATH": str(Path(__file__).parents[2])}


@dataclass(frozen=True)
class Finished:
    """A run that is over."""

    folder: Path
    exit: int
    output: str

    def records(self) -> list[dict[str, Any]]:
        """Returns the records in order of key, whoever arrived first."""
        text = (self.folder / "out" / "results.jsonl").read_text()
        return sorted(map(json.loads, text.splitlines()), key=lambda record: str(record["key"]))

    def text(self, name: str) -> str:
        """Returns a file of the results folder."""
        return (self.folder / "out" / name).read_text()


def run(folder: Path, *arguments: str, plugins: Sequence[str] = ()) -> Finished:
    """Runs pytest on ``bench_tests`` in a process of its own."""
    tests = folder / "bench_tests" / "test_bench.py"
    if not tests.exists():
        tests.parent.mkdir(parents=True, exist_ok=True)
        tests.write_text(BENCH)
    command = [sys.executable, "-m", "pytest", "bench_tests", *plugin_arguments(*plugins)]
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return Finished(folder, done.returncode, done.stdout + done.stderr)


Inside = Callable[..., pytest.RunResult]


@pytest.fixture
def inside(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inside:
    """Runs pytest on ``test_bench.py`` in this process: fast, and without xdist."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "")
    pytester.makepyfile(test_bench=BENCH)
    # A file that marks the test marks it for every later run in this process.
    marks = list(vars(bench.test_label)["pytestmark"])
    monkeypatch.setattr(bench.test_label, "pytestmark", marks)

    def call(*arguments: str, plugins: Sequence[str] = ()) -> pytest.RunResult:
        # In this process the plugin has been imported before, which pytest would warn of.
        quiet = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
        return pytester.runpytest_inprocess(*plugin_arguments(*plugins), *quiet, *arguments)

    return call

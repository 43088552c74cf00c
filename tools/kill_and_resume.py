"""Kills a run again and again, resumes it, and compares it with one that nobody killed.

``python -m tools.kill_and_resume --items 30000 --kills 3``: stub items, so no model is needed. Ends
with status 1 if a record is lost, doubled, or another than in the undisturbed run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench_plugin.core import MODES
from vlmbench_plugin.tasks import TASKS

MEASURED = ("tokens_per_sec", "busy_s", "latency_s")
"""Fields of a record that tell a time."""
_PLUGINS = ("-p", "vlmbench_plugin.plugin", "-p", "vlmbench_plugin.short_options")
_POLL_S = 0.005
_LONGEST_START_S = 2.0
_EARLY = 0.2
"""The share of kills at a random moment of the start, before or while the items are collected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """How the runs are started.

    Attributes:
        arguments: Of pytest, the same for every run; the report folder is ``r``.
        log: Takes what the runs print.
    """

    arguments: Sequence[str]
    log: Path

    def start(self, folder: Path) -> subprocess.Popen[bytes]:
        """Starts a run that writes to ``folder / "r"``."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "test_bench.py").write_text("from vlmbench_plugin.bench import test_label\n")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_PLUGINS]
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
        with self.log.open("wb") as output:
            # The interpreter's own path, and arguments of the caller.
            return subprocess.Popen(  # noqa: S603
                [*command, *self.arguments, "--runner", "stub", "--report-dir", "r"],
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def finish(self, folder: Path) -> str:
        """Runs to the end and returns what was printed.

        Raises:
            RuntimeError: If it does not end with status 0.
        """
        status = self.start(folder).wait()
        output = self.log.read_text(errors="replace")
        if status:
            raise RuntimeError(f"expected status 0, got {status}:\n{output[-3000:]}")
        return output


def results(folder: Path) -> Path:
    """Returns the file that the runs in a folder write their records to."""
    return folder / "r" / "results.jsonl"


def whole_lines(path: Path) -> Iterator[str]:
    """Yields the lines that have an end."""
    if path.exists():
        with path.open(encoding="utf-8") as file:
            yield from (line for line in file if line.endswith("\n"))


def comparable(path: Path) -> list[str]:
    """Returns the records as sorted lines, without times."""
    found = (json.loads(line) for line in whole_lines(path))
    return sorted(json.dumps({k: v for k, v in r.items() if k not in MEASURED}) for r in found)


def kill(bench: Bench, folder: Path, moment: float, seconds: float | None = None) -> set[str]:
    """Starts a run and kills it.

    Args:
        bench: How it is started.
        folder: Where.
        moment: The size of ``results.jsonl`` in bytes at which it is killed.
        seconds: Kill it this long after its start instead.

    Returns:
        The fingerprints of the records that were whole when it was dead.
    """
    process = bench.start(folder)
    path, began = results(folder), time.monotonic()
    while process.poll() is None:
        size = path.stat().st_size if path.exists() else 0
        due = size >= moment if seconds is None else time.monotonic() - began >= seconds
        if due:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(_POLL_S)
    process.wait()
    return {json.loads(line)["key"] for line in whole_lines(path)}


def disturbed(bench: Bench, folder: Path, kills: int, size: int, seed: int) -> list[str]:
    """Kills a run at random moments, resumes it, and lets it end.

    Args:
        bench: How it is started.
        folder: Where.
        kills: How often it is killed.
        size: Of the results of a run that is not killed, in bytes.
        seed: Of the moments.

    Returns:
        What went wrong, one line each.
    """
    rng = random.Random(seed)
    problems: list[str] = []
    kept: set[str] = set()
    for moment in sorted(rng.random() * size for _ in range(kills)):
        early = rng.random() * _LONGEST_START_S if rng.random() < _EARLY else None
        now = kill(bench, folder, moment, early)
        if kept - now:
            problems.append(f"{len(kept - now)} records were gone after another kill")
        kept = now
    told = re.search(r"Replayed (\d+) of", bench.finish(folder))
    replayed = int(told[1]) if told else 0
    if replayed != len(kept):
        problems.append(f"{len(kept)} records were there and {replayed} of them were replayed")
    return problems


def compare(bench: Bench, folder: Path, kills: int, seed: int) -> list[str]:
    """Runs undisturbed and killed, and compares.

    Returns:
        What differs, one line each; empty if nothing does.
    """
    bench.finish(folder / "whole")
    size = results(folder / "whole").stat().st_size
    problems = disturbed(bench, folder / "killed", kills, size, seed)
    expected, found = (comparable(results(folder / name)) for name in ("whole", "killed"))
    if expected != found:
        differing = len(set(expected) ^ set(found))
        problems.append(
            f"{len(expected)} records undisturbed, {len(found)} killed and resumed; "
            f"{differing} lines are in one of them alone"
        )
    return problems


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 if the killed run lost, doubled and changed nothing, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, default=30_000, help="stub items (default: 30000)")
    parser.add_argument("--kills", type=int, default=3, help="how often (default: 3)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    asked = parser.parse_args(argv)
    n = max(1, asked.items // (len(TASKS) * len(MODES)))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(arguments=("--n", str(n)), log=Path(name) / "output.txt")
        problems = compare(bench, Path(name), asked.kills, asked.seed)
    total = n * len(TASKS) * len(MODES)
    said = "; ".join(problems) or "the same sorted records, byte for byte apart from times"
    print(f"{total:,} items, killed {asked.kills} times: {said} ({time.monotonic() - began:.0f} s)")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

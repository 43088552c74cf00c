"""Runs of pytest in processes of their own: wall time, processor time, peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One finished process.

    Attributes:
        seconds: Wall time.
        busy: Processor time in seconds, which other processes of the machine disturb less.
        megabytes: Largest resident size, in units of 1,000,000 bytes.
    """

    seconds: float
    busy: float
    megabytes: float


def run_pytest(folder: Path, arguments: Sequence[str], *, installed: bool = False) -> Run:
    """Runs pytest in a folder.

    Args:
        folder: Where.
        arguments: Of pytest.
        installed: Whether it loads the plugins that are installed, as it does for everyone.

    Raises:
        RuntimeError: If it does not end with status 0.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    log = folder / "output.txt"
    environment = {**os.environ, "PYTEST_ADDOPTS": ""}
    environment.pop("PYTEST_DISABLE_PLUGIN_AUTOLOAD", None)
    if not installed:
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    # An installed package has its bytecode; compiling it anew is what is not to be measured.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        # Not communicate(): only wait4 tells the memory of this one process.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        tail = log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"expected status 0 of {command}, got {process.returncode}:\n{tail}")
    scale = 1 if sys.platform == "darwin" else 1024
    return Run(
        seconds=seconds,
        busy=usage.ru_utime + usage.ru_stime,
        megabytes=usage.ru_maxrss * scale / 1e6,
    )

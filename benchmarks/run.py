"""Runs all measurements and writes them to ``reports/perf.md``: ``make perf``."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from figures import HEADER

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "reports" / "perf.md"
ONE_TABLE = ("rescore.py", "suite.py", "import_cost.py")
OWN_TABLES = ("grammars.py",)


def output_of(script: str) -> str:
    """Runs one script, shows its lines as they come, and returns them.

    Raises:
        subprocess.CalledProcessError: If it fails.
    """
    command = [sys.executable, str(HERE / script)]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for found in process.stdout:
            print(found, end="", flush=True)
            lines.append(found)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return "".join(lines)


def main() -> None:
    """Measures one script after the other and writes the page."""
    when = datetime.now(UTC).isoformat(timespec="minutes")
    page = (
        f"# Speed\n\nMeasured {when} by `make perf`: Python {platform.python_version()}, "
        f"{platform.machine()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f} when it began.\n\n{HEADER}\n"
    )
    print(page, end="", flush=True)
    page += "".join(map(output_of, ONE_TABLE))
    page += "".join(map(output_of, OWN_TABLES))
    TARGET.write_text(page, encoding="utf-8")
    print(f"\nWritten to {TARGET}", file=sys.stderr)


if __name__ == "__main__":
    main()

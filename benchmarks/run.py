"""Runs all measurements; writes ``reports/perf.json`` and ``reports/perf.md``: ``make perf``.

Each script runs in a process of its own and one after the other. One that fails is told at the end
and takes no other with it. ``--vllm PYTHON`` names the interpreter of an environment with vLLM.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from figures import HEADER, Figure

HERE = Path(__file__).resolve().parent
REPORTS = HERE.parent / "reports"
PACKAGES = ("numpy", "pydantic", "pytest", "scipy", "shapely", "torch", "transformers", "xgrammar")
SCRIPTS = (
    ("throughput.py", "--quick"),
    ("masks.py",),
    ("suite.py",),
    ("import_cost.py",),
    ("rescore.py",),
    ("grammars.py",),
)
VLLM = ("throughput_vllm.py",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one script gave.

    Attributes:
        script: Its name and arguments.
        seconds: That it took.
        status: With which it ended, 0 if well.
        figures: What it measured before that.
    """

    script: str
    seconds: float
    status: int
    figures: tuple[Figure, ...]


def measure(python: str, script: Sequence[str]) -> Measured:
    """Runs one script, which shows its own lines."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "figures.jsonl"
        command = [python, str(HERE / script[0]), *script[1:], "--json", str(kept)]
        print(f"<!-- {' '.join(script)} -->", flush=True)
        begun = time.perf_counter()
        status = subprocess.run(command, check=False).returncode
        lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
        return Measured(
            script=" ".join(script),
            seconds=time.perf_counter() - begun,
            status=status,
            figures=tuple(Figure(**json.loads(line)) for line in lines),
        )


def machine() -> dict[str, Any]:
    """Returns what the figures depend on."""
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_when_it_began": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str | None]:
    """Returns Python's and the packages' versions; None where one is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def as_json(content: dict[str, Any], found: Sequence[Measured]) -> str:
    """Returns ``perf.json``."""
    scripts = [
        {"script": one.script, "seconds": round(one.seconds, 1), "status": one.status}
        for one in found
    ]
    figures = [{"script": one.script, **asdict(figure)} for one in found for figure in one.figures]
    return json.dumps({**content, "scripts": scripts, "figures": figures}, indent=2) + "\n"


def as_markdown(content: dict[str, Any], found: Sequence[Measured]) -> str:
    """Returns ``perf.md``."""
    about, used = content["machine"], content["versions"]
    shown = ", ".join(f"{name} {version}" for name, version in used.items() if version)
    lines = [figure.line() for one in found for figure in one.figures]
    failed = [f"{one.script} ended with status {one.status}" for one in found if one.status]
    when = (
        f"Measured {content['measured']} by `make perf` on {about['processor']}, "
        f"{about['cores']} cores, load {about['load_when_it_began']:.1f} when it began; {shown}. "
        "A ratio is of two things measured in turn in one round; median and spread are over the "
        "rounds."
    )
    page = ["# Speed", "", when, "", HEADER, *lines, *(["", *failed] if failed else [])]
    return "\n".join(page) + "\n"


def main() -> int:
    """Measures one script after the other, and writes both files after each of them."""
    parser = argparse.ArgumentParser(description="Measure everything.")
    parser.add_argument("--vllm", metavar="PYTHON", help="interpreter of an environment with vLLM")
    parser.add_argument("--only", nargs="*", help="scripts to run, by file name")
    parser.add_argument("--rounds", type=int, help="instead of each script's own number")
    given = parser.parse_args()
    content: dict[str, Any] = {
        "measured": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": machine(),
        "versions": versions(),
    }
    plan = [(sys.executable, script) for script in SCRIPTS]
    if given.vllm:
        plan.insert(1, (given.vllm, VLLM))
    else:
        print("Without --vllm PYTHON vLLM is not measured.", file=sys.stderr)
    more = [] if given.rounds is None else ["--rounds", str(given.rounds)]
    found: list[Measured] = []
    print(HEADER, flush=True)
    for python, script in plan:
        if given.only is not None and script[0] not in given.only:
            continue
        found.append(measure(python, [*script, *more]))
        REPORTS.mkdir(exist_ok=True)
        (REPORTS / "perf.json").write_text(as_json(content, found), encoding="utf-8")
        (REPORTS / "perf.md").write_text(as_markdown(content, found), encoding="utf-8")
    print(f"\nWritten to {REPORTS / 'perf.json'} and perf.md", file=sys.stderr)
    return max((abs(one.status) for one in found), default=0)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


if __name__ == "__main__":
    sys.exit(main())

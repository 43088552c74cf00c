"""Stub items through pytest against empty tests: ``python benchmarks/suite.py [N]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from figures import line
from processes import run_pytest

from vlmbench_plugin.core import MODES
from vlmbench_plugin.tasks import TASKS

EMPTY = """\
import pytest

@pytest.mark.parametrize("case", range({total}))
def test_nothing(case):
    pass
"""
PLUGINS = ("-p", "vlmbench_plugin.plugin", "-p", "vlmbench_plugin.short_options")


def main() -> None:
    """Prints the ratios of wall times and the largest memory."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 30_000
    n = max(1, wanted // (len(TASKS) * len(MODES)))
    total = n * len(TASKS) * len(MODES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_empty.py").write_text(EMPTY.format(total=total))
        (folder / "test_bench.py").write_text("from vlmbench_plugin.bench import test_label\n")
        bench = ["test_bench.py", *PLUGINS, "--runner", "stub", "--n", str(n), "--report-dir", "r"]
        for warm_up in (["--collect-only", *bench], ["--collect-only", "test_empty.py"]):
            run_pytest(folder, warm_up)  # writes the bytecode
        empty = run_pytest(folder, ["test_empty.py"])
        first = run_pytest(folder, bench)
        again = run_pytest(folder, bench)
    for what, run, most in (("scored and stored", first, 2.0), ("replayed", again, 1.5)):
        ratio = run.seconds / empty.seconds
        busy = run.busy / empty.busy
        measured = (
            f"{ratio:.2f}x ({run.seconds:.1f} s / {empty.seconds:.1f} s); of processor time "
            f"{busy:.2f}x ({run.busy:.1f} s / {empty.busy:.1f} s)"
        )
        label = f"{total:,} stub items {what}, against {total:,} empty tests"
        print(line(label, measured, f"at most {most:g}x", held=ratio <= most))
    peak = max(first.megabytes, again.megabytes)
    measured = f"{peak:.0f} MB (empty tests {empty.megabytes:.0f} MB)"
    print(line("peak memory of these runs", measured, "at most 600 MB", held=peak <= 600))


if __name__ == "__main__":
    main()

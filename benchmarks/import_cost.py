"""What the installed, unused plugin costs a run: ``python benchmarks/import_cost.py [ROUNDS]``."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from figures import line
from processes import Run, run_pytest

TARGET_MS = 20


def main() -> None:
    """Prints the difference of the medians."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with_plugin: list[Run] = []
    without: list[Run] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_empty.py").write_text("def test_nothing() -> None:\n    pass\n")
        collect = ["--collect-only", "test_empty.py"]
        loaded = [*collect, "-p", "vlmbench_plugin.plugin"]
        for warm_up in (loaded, collect):
            run_pytest(folder, warm_up)  # writes the bytecode
        for _ in range(rounds):  # in turn, so that a busy spell hits both
            without.append(run_pytest(folder, collect))
            with_plugin.append(run_pytest(folder, loaded))
    before, after = (statistics.median(r.seconds for r in runs) for runs in (without, with_plugin))
    added = (after - before) * 1e3
    idle, loading = (statistics.median(r.busy for r in runs) for runs in (without, with_plugin))
    print(
        line(
            f"`pytest --collect-only` of one empty file, plugin loaded, median of {rounds}",
            f"{added:+.1f} ms ({before * 1e3:.0f} ms without); of processor time "
            f"{(loading - idle) * 1e3:+.1f} ms",
            f"at most {TARGET_MS} ms added",
            held=added <= TARGET_MS,
        )
    )


if __name__ == "__main__":
    main()

"""Stub items through pytest against empty tests, and how time and memory grow with them.

python benchmarks/suite.py [--items N] [--rounds N]
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from figures import Figure, Sheet
from processes import Run, run_pytest

from vlmbench_plugin.core import MODES
from vlmbench_plugin.tasks import TASKS

EMPTY = """\
import pytest

@pytest.mark.parametrize("case", range({total}))
def test_nothing(case):
    pass
"""
PLUGINS = ("-p", "vlmbench_plugin.plugin", "-p", "vlmbench_plugin.short_options")
GROWTH = 10
CELLS = len(TASKS) * len(MODES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Four runs that follow each other.

    Attributes:
        empty: Of empty tests, as many as there are items.
        first: Items answered, scored and stored.
        again: The same command: everything is replayed.
        tenth: A tenth of the items answered, scored and stored.
    """

    empty: Run
    first: Run
    again: Run
    tenth: Run


def a_round(n: int) -> Round:
    """Runs pytest in folders of its own, with n cases per task."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_empty.py").write_text(EMPTY.format(total=n * CELLS))
        (folder / "test_bench.py").write_text("from vlmbench_plugin.bench import test_label\n")

        def bench(cases: int, reports: str) -> list[str]:
            stub = ["--runner", "stub", "--n", str(cases), "--report-dir", reports]
            return ["test_bench.py", *PLUGINS, *stub]

        for warm_up in (bench(n, "r"), ["test_empty.py"]):
            run_pytest(folder, ["--collect-only", *warm_up])  # writes the bytecode
        return Round(
            tenth=run_pytest(folder, bench(max(1, n // GROWTH), "tenth")),
            empty=run_pytest(folder, ["test_empty.py"]),
            first=run_pytest(folder, bench(n, "whole")),
            again=run_pytest(folder, bench(n, "whole")),
        )


def main() -> None:
    """Shows the ratios of wall times, the largest memory, and the growth of both."""
    sheet = Sheet(__doc__ or "", items=30_000)
    given = sheet.parse()
    n = max(GROWTH, given.items // CELLS)
    rounds = [a_round(n) for _ in range(given.rounds)]
    show_times(sheet, rounds, n * CELLS)
    show_growth(sheet, rounds, n * CELLS, n // GROWTH * CELLS)


def show_times(sheet: Sheet, rounds: Sequence[Round], total: int) -> None:
    """Shows the two runs of all items against empty tests."""
    for what, name, target in (
        ("scored and stored", "first", "<= 2"),
        ("replayed", "again", "<= 1.5"),
    ):
        runs = [(getattr(one, name), one.empty) for one in rounds]
        busy = Figure.of("", [run.busy / empty.busy for run, empty in runs], "")
        sheet.show(
            Figure.of(
                f"{total:,} stub items {what}, against {total:,} empty tests",
                [run.seconds / empty.seconds for run, empty in runs],
                "x",
                target,
                note=f"last round {runs[-1][0].seconds:.1f} s / {runs[-1][1].seconds:.1f} s; "
                f"of processor time {busy.median:.2f}x",
            )
        )
    sheet.show(
        Figure.of(
            "the larger peak memory of these two runs",
            [max(one.first.megabytes, one.again.megabytes) for one in rounds],
            "MB",
            "<= 600",
            note=f"empty tests {rounds[-1].empty.megabytes:.0f} MB",
        )
    )


def show_growth(sheet: Sheet, rounds: Sequence[Round], total: int, few: int) -> None:
    """Shows how a tenth of the items compares with all of them."""
    sheet.show(
        Figure.of(
            f"time of {total:,} stub items over that of {few:,}: linear growth is at most "
            f"{total / few:g}x, as starting costs the same",
            [one.first.seconds / one.tenth.seconds for one in rounds],
            "x",
            f"<= {total / few:g}",
        )
    )
    sheet.show(
        Figure.of(
            f"memory that each further item takes, from {few:,} to {total:,}",
            [(one.first.megabytes - one.tenth.megabytes) * 1e3 / (total - few) for one in rounds],
            "kB",
        )
    )


if __name__ == "__main__":
    main()

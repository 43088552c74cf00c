"""Misses by kind: what the page draws, and the same as a table."""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench_plugin.aggregate import MetricsRow
from vlmbench_plugin.core import FAILURES, Json
from vlmbench_plugin.report.figures import Table
from vlmbench_plugin.report.reasons import FAMILIES
from vlmbench_plugin.report.tables import SHORT_MODE, title


def failure_points(rows: Sequence[MetricsRow]) -> list[dict[str, Json]]:
    """Returns misses by kind of each cell that has a scored item."""
    return [
        {
            "name": f"{title(row.model, row.reasoning)} {SHORT_MODE[row.mode]}",
            "task": row.category,
            "n": row.n,
            "counts": dict(row.failures),
        }
        for row in rows
        if row.n
    ]


def families() -> list[dict[str, Json]]:
    """Returns the kinds of failures, in the order in which they are stacked."""
    return [{"name": name, "kinds": list(kinds)} for name, kinds in FAMILIES.items()]


def failure_table(rows: Sequence[MetricsRow]) -> Table:
    """Returns misses by kind, summed over the tasks of each (model, mode)."""
    totals: dict[str, dict[str, int]] = {}
    for row in rows:
        name = f"{title(row.model, row.reasoning)} {SHORT_MODE[row.mode]}"
        sums = totals.setdefault(name, dict.fromkeys(("n", "passed", *FAILURES), 0))
        sums["n"] += row.n
        sums["passed"] += row.passed
        for kind, count in row.failures.items():
            sums[kind] += count
    kinds = [kind for kind in FAILURES if any(sums[kind] for sums in totals.values())]
    columns = ("n", "passed", *kinds)
    return Table(
        header=("choice", *columns),
        lines=tuple(
            (name, *(str(sums[column]) for column in columns)) for name, sums in totals.items()
        ),
    )

"""JUnit test cases that are no item: one per (model, category, mode), and one per gate in each.

Viewers count a missed item as skipped, so the items alone never turn a dashboard red. pytest has no
public way to add a test case that is no item. The private parts used here are the stash key of the
``LogXML`` plugin and its hook ``pytest_runtest_logreport``, called as pytest would call it; both
are the same from pytest 8.3 to 9.2. They are used in this module only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pytest
from _pytest.junitxml import xml_key

if TYPE_CHECKING:
    from vlmbench_plugin.aggregate import MetricsRow
    from vlmbench_plugin.gates import Outcome, Verdict

_Result: TypeAlias = Literal["passed", "failed", "skipped"]
_FILE = "vlmbench.py"
_MEAN = "all"
"""In the name of a case that is about the mean over all categories."""


def add_rows(config: pytest.Config, rows: Iterable[MetricsRow]) -> None:
    """Adds a passed case per row to ``--junitxml``; without that option it does nothing.

    Args:
        config: Of this pytest run.
        rows: The rows of this run.
    """
    for row in rows:
        name = f"{row.model}-{row.category}-{row.mode}"
        _add(config, name, _properties(row))


def add_gates(
    config: pytest.Config,
    rows: Iterable[MetricsRow],
    verdicts: Iterable[Verdict],
    failing: Collection[Outcome],
) -> None:
    """Adds a case per gate and cell to ``--junitxml``: failed, skipped where undecided, or passed.

    Args:
        config: Of this pytest run.
        rows: The rows of this run, whose figures the gates' cases carry.
        verdicts: What became of the gates.
        failing: The outcomes that fail the run.
    """
    figures = {(r.model, r.reasoning, r.category, r.mode): _properties(r) for r in rows}
    for verdict in verdicts:
        category = verdict.category or _MEAN
        cell = verdict.model, verdict.reasoning, category, verdict.mode
        own = [("gate", verdict.gate.kind), ("bar", str(verdict.gate.bar))]
        own += [("needed", "" if verdict.needed is None else str(verdict.needed))]
        result: _Result = "passed" if verdict.outcome == "held" else "skipped"
        if verdict.outcome in failing:
            result = "failed"
        name = f"{verdict.model}-{category}-{verdict.mode}-{verdict.gate.kind}"
        _add(config, name, [*figures.get(cell, ()), *own], result, verdict.sentence)


def _add(
    config: pytest.Config,
    name: str,
    properties: list[tuple[str, object]],
    result: _Result = "passed",
    said: str = "",
) -> None:
    xml = config.stash.get(xml_key, None)
    if xml is None:
        return
    said_so = (_FILE, 0, said) if result == "skipped" else said
    # The test case is written when its teardown is reported.
    whens: tuple[Literal["call", "teardown"], ...] = ("call", "teardown")
    for when in whens:
        outcome = result if when == "call" else "passed"
        xml.pytest_runtest_logreport(
            pytest.TestReport(
                nodeid=f"{_FILE}::{name}",
                location=(_FILE, None, name),
                keywords={},
                outcome=outcome,
                longrepr=None if outcome == "passed" else said_so,
                when=when,
                user_properties=properties,
            )
        )


def _properties(row: MetricsRow) -> list[tuple[str, object]]:
    low, high = row.effective_yield_interval or (None, None)
    figures: dict[str, Any] = {
        "n": row.n,
        "errors": row.n_errors,
        "yield": row.effective_yield,
        "yield_low": low,
        "yield_high": high,
        "validity": row.schema_valid_rate,
        "robustness": row.json_robustness,
        "floor": row.floor,
    }
    return [(name, "" if value is None else str(value)) for name, value in figures.items()]

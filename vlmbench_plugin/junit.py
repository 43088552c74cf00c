"""One JUnit test case per (model, category, mode): what a dashboard follows.

Viewers count a missed item as skipped, so the items alone never turn a dashboard red. pytest has no
public way to add a test case that is no item. The private parts used here are the stash key of the
``LogXML`` plugin and its hook ``pytest_runtest_logreport``, called as pytest would call it; both
are the same from pytest 8.3 to 9.2. They are used in this module only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

import pytest
from _pytest.junitxml import xml_key

if TYPE_CHECKING:
    from vlmbench_plugin.aggregate import MetricsRow


def add_rows(
    config: pytest.Config,
    rows: Iterable[MetricsRow],
    gate: Callable[[MetricsRow], str | None],
) -> None:
    """Adds a case per row to ``--junitxml``; without that option it does nothing.

    Args:
        config: Of this pytest run.
        rows: The rows of this run.
        gate: Row -> why its gate fails, or None.
    """
    xml = config.stash.get(xml_key, None)
    if xml is None:
        return
    for row in rows:
        failed = gate(row)
        # The test case is written when its teardown is reported.
        for when in ("call", "teardown"):
            xml.pytest_runtest_logreport(_report(row, failed, when))


def _report(
    row: MetricsRow, failed: str | None, when: Literal["call", "teardown"]
) -> pytest.TestReport:
    name = f"{row.model}-{row.category}-{row.mode}"
    fails = failed is not None and when == "call"
    return pytest.TestReport(
        nodeid=f"vlmbench.py::{name}",
        location=("vlmbench.py", None, name),
        keywords={},
        outcome="failed" if fails else "passed",
        longrepr=failed if fails else None,
        when=when,
        user_properties=_properties(row),
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

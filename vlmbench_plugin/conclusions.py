"""Records -> all that a report concludes from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vlmbench_plugin.acceptance import acceptances
from vlmbench_plugin.aggregate import comparable
from vlmbench_plugin.core import ModelSpec, VisionTask
from vlmbench_plugin.costs import costs
from vlmbench_plugin.decide import recommendations
from vlmbench_plugin.findings import Findings
from vlmbench_plugin.ranking import rankings
from vlmbench_plugin.record import Record
from vlmbench_plugin.routing import routers
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tax import taxes


def conclude(
    records: Iterable[Record],
    tasks: Mapping[str, VisionTask],
    specs: Mapping[str, ModelSpec],
    settings: Settings,
) -> Findings:
    """Returns what the records of a folder come to.

    Args:
        records: All of them; the same result for any order.
        tasks: Category -> task; one that is not there states no confidence.
        specs: Model name -> its entry.
        settings: Of the run: ``margin`` and ``price_per_hour``.
    """
    records = tuple(records)
    known = [record for record in records if record.category in tasks]
    return Findings(
        rankings=rankings(records),
        recommendations=recommendations(records, specs, settings.margin),
        taxes=taxes(records),
        costs=costs(comparable(records), price_per_hour=settings.price_per_hour),
        acceptances=acceptances(known, tasks),
        routers=routers(records),
    )


def rank_intervals(findings: Findings) -> dict[tuple[str, str], tuple[int, int]]:
    """Returns (model, reasoning) -> the first and the last rank that it may have over all tasks."""
    overall = next((one for one in findings.rankings if one.category is None), None)
    return {
        (one.choice.model, one.choice.reasoning): (one.best, one.worst)
        for one in (overall.standings if overall else ())
    }

"""The figures of the write-up, and a run's figures beside them.

They are means of twelve images that are not the run's, so nothing can be paired. What is known of a
published yield is what twelve scores tell at worst, when each is 0 or 1: the Jeffreys interval. The
interval of a difference joins it with the run's own (Zou and Donner, "Construction of confidence
limits about effect measures", 2008).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from statistics import fmean

from scipy.stats import beta

from vlmbench_plugin.cells import MetricsRow
from vlmbench_plugin.core import Json, Mode
from vlmbench_plugin.stats import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was published.

    Attributes:
        source: Where it comes from.
        images: Images per task.
        yields: Category -> model -> yield; None where no output was valid, which is a yield of 0.
        ranking: Model -> its line of the published ranking.
    """

    source: str
    images: int
    yields: Mapping[str, Mapping[str, float | None]]
    ranking: Mapping[str, Mapping[str, Json]]

    @classmethod
    def load(cls) -> Published:
        """Reads the packaged figures."""
        file = resources.files("vlmbench_plugin").joinpath("assets", "published", "grid.json")
        found = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            source=found["source"],
            images=found["images_per_task"],
            yields=found["effective_yield"],
            ranking={row["model"]: row for row in found["ranking"]},
        )

    def interval(self, value: float) -> Interval:
        """Returns what is known of a published yield at worst: 95 %."""
        right, wrong = self.images * value + 0.5, self.images * (1 - value) + 0.5
        low, high = (float(beta.ppf(tail, right, wrong)) for tail in (0.025, 0.975))
        return min(low, value), max(high, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A run's yield beside a published one.

    Attributes:
        model: The run's.
        reasoning: The run's.
        category: None for the mean over the tasks that both have.
        mode: The run's; the published grid does not state its own.
        tasks: How many tasks it covers.
        n: Scored images of the run, of the task that has the fewest.
        published: The published yield.
        reached: The run's.
        difference: ``reached`` - ``published``.
        interval: Of the difference, 95 %.
    """

    model: str
    reasoning: str
    category: str | None
    mode: Mode
    tasks: int
    n: int
    published: float
    reached: float
    difference: float
    interval: Interval


def beside_published(
    rows: Sequence[MetricsRow], published: Published, name_of: Callable[[str], str]
) -> tuple[Beside, ...]:
    """Sets a run's yields beside the published ones, task by task, then their means.

    Args:
        rows: The run's.
        published: The figures.
        name_of: The run's name of a model -> its name there.
    """
    groups: dict[tuple[str, str, Mode], list[Beside]] = {}
    for row in rows:
        found = published.yields.get(row.category, {})
        model = name_of(row.model)
        if model in found and row.effective_yield is not None:
            one = _cell(row, row.effective_yield, found[model] or 0.0, published)
            groups.setdefault((row.model, row.reasoning, row.mode), []).append(one)
    return tuple(one for group in groups.values() for one in (*group, _mean(group)))


def _cell(row: MetricsRow, reached: float, value: float, published: Published) -> Beside:
    own = row.effective_yield_interval
    assert own is not None  # as is the yield
    return Beside(
        model=row.model,
        reasoning=row.reasoning,
        category=row.category,
        mode=row.mode,
        tasks=1,
        n=row.n,
        published=value,
        reached=reached,
        difference=reached - value,
        interval=_of_difference(reached, own, value, published.interval(value)),
    )


def _mean(group: Sequence[Beside]) -> Beside:
    """Returns the mean over tasks; tasks are taken to have images of their own."""
    one = group[0]
    difference = fmean(cell.difference for cell in group)
    below = math.hypot(*(cell.difference - cell.interval[0] for cell in group)) / len(group)
    above = math.hypot(*(cell.interval[1] - cell.difference for cell in group)) / len(group)
    return Beside(
        model=one.model,
        reasoning=one.reasoning,
        category=None,
        mode=one.mode,
        tasks=len(group),
        n=min(cell.n for cell in group),
        published=fmean(cell.published for cell in group),
        reached=fmean(cell.reached for cell in group),
        difference=difference,
        interval=(difference - below, difference + above),
    )


def _of_difference(
    value: float, interval: Interval, other: float, other_interval: Interval
) -> Interval:
    """Returns the interval of ``value - other``, which are independent of each other."""
    below = math.hypot(value - interval[0], other_interval[1] - other)
    above = math.hypot(interval[1] - value, other - other_interval[0])
    return value - other - below, value - other + above

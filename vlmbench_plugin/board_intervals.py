"""How sure the leaderboard's means are: of the yield, and of the labeler score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from vlmbench_plugin import stats
from vlmbench_plugin.cells import ImageKey, earned, image_of
from vlmbench_plugin.core import Mode
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import Interval, TaskScores

ModelKey: TypeAlias = tuple[str, str, Mode]
"""Model, reasoning, mode."""

_Records: TypeAlias = Mapping[str, Mapping[ImageKey, Record]]
"""Category -> image -> record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardIntervals:
    """Intervals of means over tasks, each task counting the same.

    Attributes:
        mean_yield: Of the mean yield.
        labeler: Of the mean labeler score: of a task, its yield times its robust share.
    """

    mean_yield: Mapping[ModelKey, Interval] = field(default_factory=dict)
    labeler: Mapping[ModelKey, Interval] = field(default_factory=dict)


def board_intervals(records: Iterable[Record], *, seed: int = 0) -> BoardIntervals:
    """Returns the intervals of each (model, reasoning, mode) with scored items.

    An image has the same weight in a draw wherever it is: in all tasks that it serves, in all modes
    and for all models.
    """
    models: dict[ModelKey, dict[str, dict[ImageKey, Record]]] = defaultdict(dict)
    for record in records:
        if record.status != "error":
            tasks = models[record.model, record.reasoning, record.mode]
            tasks.setdefault(record.category, {})[image_of(record)] = record
    asked = {image for tasks in models.values() for found in tasks.values() for image in found}
    at = {image: position for position, image in enumerate(sorted(asked))}
    # Those with the same images are weighed in one go; all get the same weights in any case.
    alike: dict[Hashable, list[ModelKey]] = defaultdict(list)
    for key, tasks in sorted(models.items()):
        alike[frozenset((name, frozenset(found)) for name, found in tasks.items())].append(key)
    yields: dict[ModelKey, Interval] = {}
    labelers: dict[ModelKey, Interval] = {}
    for keys in alike.values():
        scores, robust = _weighed([models[key] for key in keys], at)
        means = stats.mean_intervals(scores, len(at), seed=seed)
        products = stats.product_intervals(scores, robust, len(at), seed=seed)
        yields.update(zip(keys, means, strict=True))
        labelers.update(zip(keys, products, strict=True))
    return BoardIntervals(mean_yield=dict(sorted(yields.items())), labeler=labelers)


def _weighed(
    models: Sequence[_Records], at: Mapping[ImageKey, int]
) -> tuple[list[TaskScores], list[TaskScores]]:
    """Returns per task what each model earned, and whether its answers were robust."""
    scores, robust = [], []
    for name in sorted(models[0]):
        found = [model[name] for model in models]
        scores.append(TaskScores.of([{i: earned(r) for i, r in one.items()} for one in found], at))
        shares = [{i: float(bool(r.json_robust)) for i, r in one.items()} for one in found]
        robust.append(TaskScores.of(shares, at))
    return scores, robust

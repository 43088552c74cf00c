"""Which few models label all tasks best, each task going to one of them. Pure; any order.

A router of at most k models is the set of models, and for each task the one of their (reasoning,
mode) choices, with the highest mean yield over all tasks. Its yield on the images that it was
chosen on flatters it, the more the more choices there are, so it is reported on others: five folds
of images, each answered by what the other four choose.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from vlmbench_plugin.aggregate import MAX_ERROR_SHARE
from vlmbench_plugin.cells import ImageKey, earned, image_of
from vlmbench_plugin.core import MODES
from vlmbench_plugin.findings import Choice, Router
from vlmbench_plugin.folding import folds
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import Interval, TaskScores, mean_intervals

FOLDS = 5
_EQUAL = 1e-9
"""Means that differ by less are equal: then fewer models, then the first by name, are taken."""
_NOTHING = -np.inf
"""What a choice earns in a task that it lacks."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """What all choices earned on the same images.

    Attributes:
        choices: The rows.
        categories: The tasks.
        images: Of each task the positions of its images in the run's list of images.
        scores: Of each task one row per choice, one column per image; NaN where a choice lacks it.
        folds: Of each image of the run the fold that reports on it.
    """

    choices: tuple[Choice, ...]
    categories: tuple[str, ...]
    images: tuple[NDArray[np.intp], ...]
    scores: tuple[NDArray[np.float64], ...]
    folds: NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Which row of the grid answers each task, and the mean yield that it was chosen for."""

    rows: tuple[int, ...]
    value: float


def routers(records: Iterable[Record], *, max_models: int = 2) -> tuple[Router, ...]:
    """Returns the best router of at most one model, of at most two, up to ``max_models``.

    Images count that all choices with that task have answered. A choice with more than 2 % errors
    in a task lacks it.

    Args:
        records: In any order, of the models that may be used.
        max_models: At least 1.

    Returns:
        No more than there are models, and none that would leave a task to nobody; empty where a
        task has no image that all have answered.
    """
    grid = grid_of(records)
    return () if grid is None else route(grid, max_models)


def route(grid: Grid, max_models: int) -> tuple[Router, ...]:
    """Returns the routers of a grid; as ``routers``."""
    found: list[Router] = []
    single: list[NDArray[np.float64]] | None = None
    everything = np.ones(len(grid.folds), dtype=bool)
    models = {choice.model for choice in grid.choices}
    for most in range(1, min(max_models, len(models)) + 1):
        plan = _chosen(grid, everything, most)
        if plan is None:
            continue
        held_out = _held_out(grid, most)
        gained = None
        if most > 1 and held_out is not None and single is not None:
            gained = [ours - theirs for ours, theirs in zip(held_out, single, strict=True)]
        single = held_out if most == 1 else single
        value, interval = _mean(grid, held_out, (0.0, 1.0))
        gain, gain_interval = _mean(grid, gained, (-1.0, 1.0))
        tasks = {
            category: grid.choices[row]
            for category, row in zip(grid.categories, plan.rows, strict=True)
        }
        found.append(
            Router(
                max_models=most,
                models=tuple(sorted({choice.model for choice in tasks.values()})),
                tasks=tasks,
                naive=plan.value,
                held_out=value,
                held_out_interval=interval,
                gain=gain,
                gain_interval=gain_interval,
                recommended=most == 1 or (gain_interval is not None and gain_interval[0] > 0),
            )
        )
    return tuple(found)


def grid_of(records: Iterable[Record]) -> Grid | None:
    """Returns the scores of all choices; None where a task has no image that all have answered."""
    tasks: dict[str, dict[Choice, dict[ImageKey, float]]] = defaultdict(dict)
    counts: Counter[tuple[str, Choice, bool]] = Counter()
    for record in records:
        choice = Choice(model=record.model, reasoning=record.reasoning, mode=record.mode)
        counts[record.category, choice, record.status == "error"] += 1
        if record.status != "error":
            scores = tasks[record.category].setdefault(choice, {})
            scores[image_of(record)] = earned(record)
    kept = {
        category: {
            choice: answered
            for choice, answered in found.items()
            if _few_errors(counts[category, choice, True], counts[category, choice, False])
        }
        for category, found in tasks.items()
    }
    shared = {
        category: sorted(set.intersection(*map(set, found.values()))) if found else []
        for category, found in kept.items()
    }
    if not shared or not all(shared.values()):
        return None
    return _laid_out(kept, shared)


def _few_errors(errors: int, scored: int) -> bool:
    return errors <= MAX_ERROR_SHARE * (errors + scored)


def _laid_out(
    tasks: Mapping[str, Mapping[Choice, Mapping[ImageKey, float]]],
    shared: Mapping[str, Sequence[ImageKey]],
) -> Grid:
    categories = tuple(sorted(tasks))
    choices = sorted(
        {choice for found in tasks.values() for choice in found},
        key=lambda one: (one.model, one.reasoning, MODES.index(one.mode)),
    )
    serves: dict[ImageKey, list[str]] = defaultdict(list)
    for category in categories:
        for image in shared[category]:
            serves[image].append(category)
    fold_of = folds(serves, FOLDS)
    position = {image: at for at, image in enumerate(sorted(serves))}
    scores = []
    for category in categories:
        lacking = [np.nan] * len(shared[category])
        rows = [
            [found[image] for image in shared[category]] if found is not None else lacking
            for found in map(tasks[category].get, choices)
        ]
        scores.append(np.array(rows, dtype=np.float64))
    return Grid(
        choices=tuple(choices),
        categories=categories,
        images=tuple(
            np.array([position[image] for image in shared[category]], dtype=np.intp)
            for category in categories
        ),
        scores=tuple(scores),
        folds=np.array([fold_of[image] for image in sorted(serves)], dtype=np.intp),
    )


def _chosen(grid: Grid, kept: NDArray[np.bool_], most: int) -> _Plan | None:
    """Returns the best plan of at most so many models, judged on the images that are kept.

    None where every plan leaves a task to nobody.
    """
    parts = zip(grid.scores, grid.images, strict=True)
    means = np.column_stack([scores[:, kept[images]].mean(axis=1) for scores, images in parts])
    means[np.isnan(means)] = _NOTHING
    names = sorted({choice.model for choice in grid.choices})
    owner = np.array([names.index(choice.model) for choice in grid.choices])
    best = np.array([means[owner == at].max(axis=0) for at in range(len(names))])
    value, members = _NOTHING, np.empty(0, dtype=np.intp)
    for size in range(1, most + 1):
        sets = np.array(list(combinations(range(len(names)), size)))
        values = best[sets].max(axis=1).mean(axis=1)
        top = float(values.max())
        if top > value + _EQUAL:
            value, members = top, sets[np.argmax(values >= top - _EQUAL)]
    if value == _NOTHING:
        return None
    allowed = np.where(np.isin(owner, members)[:, None], means, _NOTHING)
    rows = np.argmax(allowed >= allowed.max(axis=0) - _EQUAL, axis=0)
    return _Plan(rows=tuple(map(int, rows)), value=value)


def _held_out(grid: Grid, most: int) -> list[NDArray[np.float64]] | None:
    """Returns of each task the score of each image, answered by what the other folds choose.

    None where a task has fewer images than folds, or all of them in one fold.
    """
    where = [grid.folds[images] for images in grid.images]
    if any(len(fold) < FOLDS or len(set(fold.tolist())) < 2 for fold in where):
        return None
    found = [np.empty(len(fold)) for fold in where]
    for number in range(FOLDS):
        plan = _chosen(grid, grid.folds != number, most)
        if plan is None:
            return None
        for scores, fold, row, out in zip(grid.scores, where, plan.rows, found, strict=True):
            out[fold == number] = scores[row, fold == number]
    return found


def _mean(
    grid: Grid, tasks: Sequence[NDArray[np.float64]] | None, span: Interval
) -> tuple[float | None, Interval | None]:
    """Returns the mean over tasks, each counting the same, and its interval."""
    if tasks is None:
        return None, None
    rows = [
        TaskScores(images=images, scores=scores[None, :])
        for images, scores in zip(grid.images, tasks, strict=True)
    ]
    (interval,) = mean_intervals(rows, len(grid.folds), span=span)
    return float(np.mean([row.means[0] for row in rows])), interval

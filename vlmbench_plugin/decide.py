"""Which model to take: the cheapest that is shown to be hardly worse than the best.

"Not shown to be worse" is no reason to take a model: with few images that holds for the weakest
too. Simulated on the published figures at 12 images a task, taking the cheapest of the tie group
loses 0.29 of the yield, taking the cheapest that is shown to be within 0.05 loses 0.04.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from vlmbench_plugin.core import ModelSpec
from vlmbench_plugin.findings import Choice, Recommendation
from vlmbench_plugin.folding import folds
from vlmbench_plugin.ranking import POWER, Answers, Matrix
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import Interval, TaskScores, loss_bounds, mean_intervals
from vlmbench_plugin.swaps import standard_errors

MARGIN = 0.03
"""Over all tasks."""
MARGIN_OF_ONE = 0.05
"""In one task."""
FOLDS = 5
MIN_IMAGES = 5
"""Per task: below, no fold has an image of each, and weights over images promise too much: their
variance is (n - 1) / (n + 1) of the true one."""
SECONDS = "seconds per item"
PARAMETERS = "active parameters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What labelling with each choice costs.

    Attributes:
        basis: ``SECONDS`` or ``PARAMETERS``.
        of: One number per choice; infinite where unknown.
    """

    basis: str
    of: Mapping[Choice, float]


def recommendations(
    records: Iterable[Record], specs: Mapping[str, ModelSpec], margin: float | None = None
) -> tuple[Recommendation, ...]:
    """Recommends a (model, mode) for all tasks together and for each.

    Args:
        records: All of a run or a folder, in any order.
        specs: Model name -> its entry, for the parameters.
        margin: The largest loss of yield that is put up with; None for ``MARGIN`` over all tasks
            and ``MARGIN_OF_ONE`` in one.

    Returns:
        The one over all tasks, then that of each category by its name. A choice that lacks one of
        the tasks or has more than 2 % errors in it is left out; nothing is recommended where no
        choice is left or those left share no image.
    """
    answers = Answers.of(records)
    found = []
    for category, names in answers.scopes:
        choices = answers.complete(names)
        matrix = answers.matrix(choices, names) if choices else None
        if matrix is not None:
            usual = MARGIN if category is None else MARGIN_OF_ONE
            prices = _prices(answers, matrix, specs)
            found.append(
                recommend(matrix, prices, category, margin=usual if margin is None else margin)
            )
    return tuple(found)


def recommend(
    matrix: Matrix, prices: Prices, category: str | None, *, margin: float
) -> Recommendation:
    """Recommends one of the choices of a matrix.

    Args:
        matrix: Of all candidates.
        prices: Of each.
        category: What it is about, None for the mean over tasks.
        margin: The largest loss of yield that is put up with.
    """
    means, choices = matrix.means, matrix.choices
    cost = [prices.of[choice] for choice in choices]
    # Cheapest first, of equal cost the best, so that the first that fits is the one to take.
    order = sorted(range(len(choices)), key=lambda row: (cost[row], -means[row], choices[row]))
    leader = _highest(order, means)
    enough = min(len(task.images) for task in matrix.tasks.values()) >= MIN_IMAGES
    known = math.isfinite(cost[leader])
    cheaper = [row for row in order if known and cost[row] < cost[leader]]
    bounds = _bounds(matrix, leader) if enough and cheaper else {}
    fit = [row for row in cheaper if bounds.get(row, math.inf) <= margin]
    chosen = fit[0] if fit else leader
    missed = [row for row in cheaper if cost[row] < cost[chosen]]
    near = [row for row in missed if means[leader] - means[row] < margin]
    held_out = _held_out(matrix, order) if enough else None
    return Recommendation(
        category=category,
        choice=choices[chosen],
        leader=choices[leader],
        leader_yield=float(means[leader]),
        held_out=held_out[0] if held_out else None,
        held_out_interval=held_out[1] if held_out else None,
        margin=margin,
        loss_bound=bounds[chosen] if fit else None,
        shown=bool(fit),
        images_needed=_images_needed(matrix, leader, near[0], margin) if near else None,
        cost_basis=prices.basis,
    )


def _prices(answers: Answers, matrix: Matrix, specs: Mapping[str, ModelSpec]) -> Prices:
    """Returns seconds where one runner timed every item compared, else active parameters.

    A record does not name its machine; one runner and one folder stand for one machine.
    """
    seconds: dict[Choice, float] = {}
    runners = set()
    for choice in matrix.choices:
        of_tasks = []
        for name, task in matrix.tasks.items():
            records = [answers.scored[name][choice][matrix.images[i]] for i in task.images]
            runners |= {record.runner for record in records}
            timed = [record.busy_s for record in records if record.busy_s is not None]
            if len(timed) == len(records):
                of_tasks.append(math.fsum(timed) / len(timed))
        if len(of_tasks) == len(matrix.tasks):
            seconds[choice] = math.fsum(of_tasks) / len(of_tasks)
    if len(runners) == 1 and len(seconds) == len(matrix.choices):
        return Prices(basis=SECONDS, of=seconds)
    sizes = {
        choice: specs[choice.model].active_params if choice.model in specs else None
        for choice in matrix.choices
    }
    of = {choice: math.inf if size is None else size for choice, size in sizes.items()}
    return Prices(basis=PARAMETERS, of=of)


def _bounds(matrix: Matrix, leader: int) -> dict[int, float]:
    bounds = loss_bounds(list(matrix.tasks.values()), len(matrix.images), leader)
    return dict(enumerate(bounds.tolist()))


def _highest(order: Sequence[int], means: NDArray[np.float64]) -> int:
    """Returns the row of the highest mean, of equal ones the first."""
    return max(order, key=lambda row: float(means[row]))


def _held_out(matrix: Matrix, order: Sequence[int]) -> tuple[float, Interval]:
    """Returns what the leader of the other folds earns on each fold, and the interval.

    Args:
        matrix: With at least ``MIN_IMAGES`` images per task.
        order: Rows, of equal ones the first leads.
    """
    dealt = folds(matrix.served, FOLDS)
    fold_of = np.array([dealt[image] for image in matrix.images])
    tasks = list(matrix.tasks.values())
    leaders = np.zeros(FOLDS, dtype=np.intp)
    for fold in range(FOLDS):
        kept = [task.scores[:, fold_of[task.images] != fold] for task in tasks]
        of_tasks = [scores.mean(axis=1) for scores in kept if scores.shape[1]]
        means = np.round(np.asarray(np.mean(of_tasks, axis=0)), 9)
        leaders[fold] = _highest(order, means)
    earned = [
        TaskScores(
            images=task.images,
            scores=np.take_along_axis(task.scores, leaders[fold_of[task.images]][None], axis=0),
        )
        for task in tasks
    ]
    (interval,) = mean_intervals(earned, len(matrix.images))
    return float(np.mean([task.means for task in earned])), interval


def _images_needed(matrix: Matrix, leader: int, row: int, margin: float) -> int:
    """Returns the images per task that show a row to be within the margin in 80 % of runs."""
    rows = sorted((leader, row))
    tasks = [
        TaskScores(images=task.images, scores=task.scores[rows]) for task in matrix.tasks.values()
    ]
    (error,) = standard_errors(tasks, len(matrix.images))
    loss = float(matrix.means[leader] - matrix.means[row])
    normal = NormalDist()
    passing = normal.inv_cdf(0.95) + normal.inv_cdf(POWER)
    needed = matrix.per_task * (passing * float(error) / (margin - loss)) ** 2
    return max(MIN_IMAGES, math.ceil(needed))

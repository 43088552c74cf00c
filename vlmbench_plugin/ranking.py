"""Which models are shown to differ (``swaps.py``), and which ranks are therefore possible.

What is compared is the clean yield, item by item: the labeler score that ranks is a product of
means, which no single image has.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from vlmbench_plugin.aggregate import MAX_ERROR_SHARE
from vlmbench_plugin.cells import ImageKey, clean_score, image_of
from vlmbench_plugin.core import MODES
from vlmbench_plugin.findings import Choice, Ranking, Standing
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import TaskScores
from vlmbench_plugin.swaps import LEVEL, Comparison, compare

POWER = 0.8
DIFFERENCES = (0.02, 0.05, 0.10)
"""For which a ranking tells how many images would show them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrix:
    """The clean yield of each choice on each image that all of them have.

    Attributes:
        choices: One per row.
        tasks: Category -> scores; never empty.
        images: All images; ``TaskScores.images`` are positions in it.
    """

    choices: tuple[Choice, ...]
    tasks: Mapping[str, TaskScores]
    images: tuple[ImageKey, ...]

    @property
    def means(self) -> NDArray[np.float64]:
        """Each row's mean over tasks, rounded so that equal ones are equal."""
        of_tasks = [task.means for task in self.tasks.values()]
        return np.asarray(np.round(np.mean(of_tasks, axis=0), 9))

    @property
    def per_task(self) -> float:
        """Images per task: the harmonic mean, on which the error of a mean over tasks depends."""
        return len(self.tasks) / math.fsum(1 / len(task.images) for task in self.tasks.values())

    @property
    def served(self) -> dict[ImageKey, list[str]]:
        """Image -> the tasks that it serves."""
        found: dict[ImageKey, list[str]] = {image: [] for image in self.images}
        for category, task in self.tasks.items():
            for position in task.images:
                found[self.images[position]].append(category)
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """The records of a run by category, choice and image.

    Attributes:
        scored: Without errors.
        errors: (category, choice) -> number of errors.
    """

    scored: Mapping[str, Mapping[Choice, Mapping[ImageKey, Record]]]
    errors: Mapping[tuple[str, Choice], int]

    @classmethod
    def of(cls, records: Iterable[Record]) -> Answers:
        """Sorts records; their order does not matter."""
        scored: dict[str, dict[Choice, dict[ImageKey, Record]]] = {}
        errors: dict[tuple[str, Choice], int] = defaultdict(int)
        names: dict[tuple[str, str, str], Choice] = {}
        for record in records:
            key = record.model, record.reasoning, record.mode
            choice = names.get(key)
            if choice is None:
                choice = names[key] = Choice(
                    model=record.model, reasoning=record.reasoning, mode=record.mode
                )
            cell = scored.setdefault(record.category, {}).setdefault(choice, {})
            if record.status == "error":
                errors[record.category, choice] += 1
            else:
                cell[image_of(record)] = record
        return cls(scored=scored, errors=errors)

    @property
    def scopes(self) -> list[tuple[str | None, tuple[str, ...]]]:
        """What is concluded about: all categories of the run (None), then each by its name."""
        names = tuple(sorted(self.scored))
        return [(None, names), *((name, (name,)) for name in names)] if names else []

    def complete(self, categories: Iterable[str]) -> list[Choice]:
        """Returns who has scored items and at most 2 % errors in each of the categories."""

        def has(category: str, choice: Choice) -> bool:
            n = len(self.scored[category].get(choice, ()))
            errors = self.errors.get((category, choice), 0)
            return n > 0 and errors <= MAX_ERROR_SHARE * (n + errors)

        categories = list(categories)
        everybody = sorted({choice for name in categories for choice in self.scored[name]})
        return [one for one in everybody if all(has(name, one) for name in categories)]

    def matrix(self, choices: Sequence[Choice], categories: Iterable[str]) -> Matrix | None:
        """Returns what the choices earned on the images that all of them have.

        Args:
            choices: At least one, each with scored items in each of the categories.
            categories: At least one.

        Returns:
            The scores; None where they share no image in one of the categories.
        """
        shared = {
            name: set.intersection(*(set(self.scored[name][one]) for one in choices))
            for name in categories
        }
        if not all(shared.values()):
            return None
        images = tuple(sorted({image for found in shared.values() for image in found}))
        at = {image: position for position, image in enumerate(images)}
        tasks = {
            name: TaskScores.of(
                [{i: clean_score(self.scored[name][one][i]) for i in found} for one in choices], at
            )
            for name, found in shared.items()
        }
        return Matrix(choices=tuple(choices), tasks=tasks, images=images)


def rankings(records: Iterable[Record]) -> tuple[Ranking, ...]:
    """Compares the models in the mode that ranks (``json_mode``, or the first one of the run).

    Args:
        records: All of a run or a folder, in any order.

    Returns:
        The ranking over all tasks, then that of each category by its name. A model that lacks one
        of the tasks compared or has more than 2 % errors in it is left out; there is no ranking of
        fewer than two models, or of models that share no image.
    """
    answers = Answers.of(records)
    modes = {choice.mode for cells in answers.scored.values() for choice in cells}
    found = []
    for category, names in answers.scopes:
        mode = min(modes, key=MODES.index)
        choices = [choice for choice in answers.complete(names) if choice.mode == mode]
        matrix = answers.matrix(choices, names) if len(choices) > 1 else None
        if matrix is not None:
            found.append(ranking(matrix, category))
    return tuple(found)


def ranking(matrix: Matrix, category: str | None, *, seed: int = 0) -> Ranking:
    """Ranks the choices of one mode.

    Args:
        matrix: Of at least two choices.
        category: What it is about, None for the mean over tasks.
        seed: Of the swaps.
    """
    choices, means = matrix.choices, matrix.means
    found = compare(list(matrix.tasks.values()), len(matrix.images), seed=seed)
    compared = zip(found.pairs, found.differences, found.different, strict=True)
    better = sorted(
        (choices[a], choices[b]) if difference > 0 else (choices[b], choices[a])
        for (a, b), difference, shown in compared
        if shown
    )
    order = sorted(range(len(choices)), key=lambda row: (-means[row], choices[row]))
    beaten = Counter(loser for _, loser in better)
    beats = Counter(winner for winner, _ in better)
    return Ranking(
        category=category,
        mode=choices[0].mode,
        images={name: len(task.images) for name, task in matrix.tasks.items()},
        standings=tuple(
            Standing(
                choice=choices[row],
                value=float(means[row]),
                best=1 + beaten[choices[row]],
                worst=len(choices) - beats[choices[row]],
                tied=not beaten[choices[row]],
            )
            for row in order
        ),
        better=tuple(better),
        smallest_difference=_smallest(found),
        images_needed={
            difference: math.ceil(matrix.per_task * (_to_pass(found) / difference) ** 2)
            for difference in DIFFERENCES
        },
    )


def _to_pass(found: Comparison, point: float = 0.0) -> float:
    """Returns the difference of a usual pair that passes a point in 80 % of runs.

    The point is at least that of a run with many images, so that a run in which models rarely
    differed promises no more than another one would hold.
    """
    normal = NormalDist()
    large = normal.inv_cdf(1 - LEVEL / 2 / len(found.pairs))
    return float((max(point, large) + normal.inv_cdf(POWER)) * np.median(found.errors))


def _smallest(found: Comparison) -> float | None:
    smallest = _to_pass(found, found.point)
    return smallest if smallest <= 1 else None

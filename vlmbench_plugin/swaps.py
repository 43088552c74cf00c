"""One paired test of all pairs of models at once: sign flips, studentised, largest over all pairs.

Under "these two models are equally good" each image may as well have been answered the other way
round. So the two are swapped on a random half of the images, the same images for every pair, and
each pair's mean difference is divided by its standard error. What passes the 95 % point of the
largest quotient over all pairs (max-T) differs: in at least 95 % of runs no pair of equal models
does. Comparing the leader with each other model and correcting for that many tests is not enough,
because the leader was picked from the same scores: simulated, 15 % of runs instead of 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from vlmbench_plugin.stats import TaskScores

LEVEL = 0.05

_FLIPS = 4096
"""Every one there is up to twelve images; else a level of 5 % comes out within 0.7 %."""
_AT_ONCE = 512
"""Swaps, so that the quotients of a block stay in the cache."""
_EQUAL = 1e-9
"""Quotients and variances that differ by less, as a share, differ by rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """All pairs of rows compared.

    Attributes:
        pairs: Row numbers (a, b), a < b, in order; the arrays below follow it.
        differences: Mean over tasks of a, less that of b.
        errors: Standard error of each difference, never 0.
        different: Whether each pair is shown to differ.
        point: What a quotient must pass; infinite where none can.
    """

    pairs: tuple[tuple[int, int], ...]
    differences: NDArray[np.float64]
    errors: NDArray[np.float64]
    different: NDArray[np.bool_]
    point: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shares:
    """What each image adds to each row's mean over tasks, in groups.

    Attributes:
        groups: Positions of the images that serve the same tasks, one array per group.
        added: Shape (rows, images).
        contrasts: Shape (rows, pairs): what makes differences of rows.
    """

    groups: tuple[NDArray[np.intp], ...]
    added: NDArray[np.float64]
    contrasts: NDArray[np.float64]

    @classmethod
    def of(cls, tasks: Sequence[TaskScores], images: int) -> _Shares:
        added = np.zeros((len(tasks[0].scores), images))
        served = np.zeros((images, len(tasks)), dtype=bool)
        for number, task in enumerate(tasks):
            added[:, task.images] += task.scores / (len(tasks) * len(task.images))
            served[task.images, number] = True
        _, group = np.unique(served, axis=0, return_inverse=True)
        group = group.reshape(-1)
        groups = tuple(np.flatnonzero(group == number) for number in range(group.max() + 1))
        unit = np.eye(len(added))
        first, second = np.triu_indices(len(added), 1)
        return cls(groups=groups, added=added, contrasts=unit[:, first] - unit[:, second])


def compare(
    tasks: Sequence[TaskScores], images: int, *, seed: int = 0, flips: int = _FLIPS
) -> Comparison:
    """Compares every pair of rows in their means over tasks.

    Args:
        tasks: All with the same rows, at least two of them.
        images: Length of the run's list of images; each serves at least one of the tasks.
        seed: Of the swaps.
        flips: Number of random swaps; where there are no more than that, each is made once.
    """
    shares = _Shares.of(tasks, images)
    observed, differences, variance = _quotients(shares, np.ones((1, images)))
    exact = 2**images <= flips
    made = 2**images if exact else flips
    signs = _all_signs(images) if exact else _random_signs(images, flips, seed)
    largest = np.concatenate([_quotients(shares, s)[0].max(axis=1) for s in signs])
    # Among random swaps the observed order counts as one more; among all it is there already.
    allowed = int(LEVEL * (made if exact else made + 1)) - (0 if exact else 1)
    # As extreme as the observed order is at least the one with all images swapped.
    possible = 2 / 2**images <= LEVEL
    point = float(np.sort(largest)[::-1][allowed]) if possible else math.inf
    return Comparison(
        pairs=tuple(combinations(range(len(shares.added)), 2)),
        differences=differences[0],
        errors=_errors(variance[0], images),
        different=observed[0] > point * (1 + _EQUAL),
        point=point,
    )


def standard_errors(tasks: Sequence[TaskScores], images: int) -> NDArray[np.float64]:
    """Returns the standard error of every pair's difference (``Comparison.errors``)."""
    return _errors(_quotients(_Shares.of(tasks, images), np.ones((1, images)))[2][0], images)


def _errors(variance: NDArray[np.float64], images: int) -> NDArray[np.float64]:
    """Adds two pseudo-images of weight 1/2 at -1 and +1, as in an interval: never certain."""
    return np.asarray(np.sqrt(variance + 1 / ((images + 1) * (images + 2))))


def _quotients(
    shares: _Shares, signs: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Returns |difference| / error, difference and squared error, each of shape (flips, pairs).

    The variance is that within the groups, so that a model's strength in one task and weakness in
    another are no noise. An image without a second one in its group counts from 0.
    """
    difference = np.zeros((len(signs), shares.contrasts.shape[1]))
    within = np.zeros_like(difference)
    squares = np.zeros(shares.contrasts.shape[1])
    for group in shares.groups:
        added = shares.added[:, group]
        # Not @: its threads cost more than they gain on a busy machine (5 s against 0.7 s).
        sums = np.einsum("fi,ri->fr", signs[:, group], added)
        of_group = np.einsum("fr,rp->fp", sums, shares.contrasts)
        difference += of_group
        n = len(group)
        # The same whoever is swapped.
        square = (np.einsum("ri,rp->ip", added, shares.contrasts) ** 2).sum(axis=0) * (
            n / max(n - 1, 1)
        )
        squares += square
        if n > 1:
            within += of_group * of_group / (n - 1)
    variance = squares - within
    variance[variance <= _EQUAL * squares] = 0.0
    size = np.abs(difference)
    size[size <= _EQUAL * np.sqrt(squares)] = 0.0
    certain = np.where(size > 0, np.inf, 0.0)
    quotient = np.divide(size, np.sqrt(variance), out=certain, where=variance > 0)
    return quotient, difference, variance


def _all_signs(images: int) -> Iterator[NDArray[np.float64]]:
    bits = np.arange(2**images)[:, None] >> np.arange(images) & 1
    yield np.where(bits, -1.0, 1.0)


def _random_signs(images: int, flips: int, seed: int) -> Iterator[NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    for start in range(0, flips, _AT_ONCE):
        shape = min(_AT_ONCE, flips - start), images
        yield np.where(generator.integers(0, 2, shape, dtype=np.bool_), -1.0, 1.0)

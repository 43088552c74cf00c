"""One-to-one matching of predictions with truths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Weights: TypeAlias = Sequence[Sequence[float]]
"""A row per prediction, a column per truth; what is not above 0 cannot be matched."""


def assign(weights: Weights, *, at_least: float) -> list[tuple[int, int]]:
    """The most pairs that reach a threshold, and of such assignments the heaviest.

    The number of pairs comes before their weight: this is the assignment that F1 rewards most. It
    is not the one of greatest total weight, which is ``heaviest``.

    Args:
        weights: How well each prediction fits each truth.
        at_least: Pairs below this are not made; neither are pairs of weight 0 or less.

    Returns:
        (prediction, truth) in the order of the predictions.
    """
    table = _table(weights)
    admissible = (table > 0) & (table >= at_least)
    if not admissible.any():
        return []
    # More than all the weights of any assignment together: one pair more always wins.
    bonus = 1.0 + float(table[admissible].max()) * min(table.shape)
    return _solve(np.where(admissible, table + bonus, 0.0))


def heaviest(weights: Weights) -> list[tuple[int, int]]:
    """The assignment of greatest total weight, pairs of weight 0 or less left out.

    Returns:
        (prediction, truth) in the order of the predictions.
    """
    return _solve(np.maximum(_table(weights), 0.0))


def masked(weights: Weights, allowed: Callable[[int, int], bool]) -> list[list[float]]:
    """The weights with 0 for every pair that is not allowed, as where two labels differ."""
    return [
        [weight if weight > 0 and allowed(i, j) else 0.0 for j, weight in enumerate(row)]
        for i, row in enumerate(weights)
    ]


def f1(matched: int, predicted: int, true: int) -> float:
    """F1 from counts, in [0, 1]; nothing predicted where nothing is true is 1."""
    return 2 * matched / (predicted + true) if predicted + true else 1.0


def _table(weights: Weights) -> NDArray[np.float64]:
    columns = len(weights[0]) if weights else 0
    return np.array(weights, dtype=np.float64).reshape(len(weights), columns)


def _solve(gains: NDArray[np.float64]) -> list[tuple[int, int]]:
    rows, columns = linear_sum_assignment(gains, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(i, j) for i, j in pairs if gains[i, j] > 0]

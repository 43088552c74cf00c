"""Orders of named objects."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations


def pairwise_accuracy(predicted: Sequence[str | None], truth: Sequence[str]) -> float | None:
    """Share of the pairs of the true order that the answer puts in that order.

    Args:
        predicted: The answered names in order, each as the truth spells it; None for a name that
            means none of them. Of duplicates the first counts. A pair that is not complete is
            wrong.
        truth: The true order, each name once.

    Returns:
        A value in [0, 1]; None where the truth has fewer than two names.
    """
    if len(truth) < 2:
        return None
    place = _places(predicted)
    pairs = list(combinations(truth, 2))
    right = sum(a in place and b in place and place[a] < place[b] for a, b in pairs)
    return right / len(pairs)


def kendall_tau(predicted: Sequence[str | None], truth: Sequence[str]) -> float | None:
    """Kendall's rank correlation of the names that both orders have.

    There are no ties, so that tau-a and tau-b are the same: pairs in order less pairs out of order,
    over all pairs. Missing names cost nothing here; ``pairwise_accuracy`` counts them.

    Returns:
        A value in [-1, 1]; None where the orders share fewer than two names.
    """
    place = _places(predicted)
    accuracy = pairwise_accuracy(predicted, [name for name in truth if name in place])
    return None if accuracy is None else 2 * accuracy - 1


def _places(predicted: Sequence[str | None]) -> dict[str, int]:
    places: dict[str, int] = {}
    for place, name in enumerate(predicted):
        if name is not None:
            places.setdefault(name, place)
    return places

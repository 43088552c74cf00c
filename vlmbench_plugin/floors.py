"""What the best blind answer earns: the floor that a yield is read against."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from vlmbench_plugin.core import Answer, Scorer, Truth, Vocabulary
from vlmbench_plugin.record import Record

MIN_CASES = 8
"""Below this many cases there is no floor: the best of a few answers on fewer cases is luck."""
CANDIDATES = 8


def floor(
    records: Sequence[Record],
    score: Scorer,
    answer: Callable[[Truth], Answer],
) -> float | None:
    """Returns what the best of up to eight blind answers earns on the cases of one category.

    A blind answer is the right answer to another case, given to every case without a look at its
    image. None is scored on the case that it comes from, so a candidate is averaged over all cases
    but its own. Cases are told apart by source and image id; a case that several models or modes
    answered counts once, and it does not matter what they answered.

    Args:
        records: Records of one category, of any models and modes.
        score: The task's scorer.
        answer: Truth -> the right answer, coordinates in pixels.

    Returns:
        The best candidate's mean score in [0, 1]; None below eight cases.

    Raises:
        ValueError: If the records belong to more than one category.
    """
    categories = {record.category for record in records}
    if len(categories) > 1:
        raise ValueError(f"expected records of one category, got {sorted(categories)}")
    distinct = {(record.case_index, record.source, record.image_id): record for record in records}
    cases = [distinct[key] for key in sorted(distinct)]
    if len(cases) < MIN_CASES:
        return None
    blind = [answer(case.truth) for case in cases[:CANDIDATES]]
    names = [_names(case) for case in cases]
    means = []
    for own, candidate in enumerate(blind):
        scores = [
            score(candidate, case.truth, names[position]).primary
            for position, case in enumerate(cases)
            if position != own
        ]
        means.append(math.fsum(scores) / len(scores))
    return max(means)


def _names(record: Record) -> Vocabulary:
    """Returns the names that the record's source declares, as the scorer takes them."""
    return {key: tuple(names) for key, names in record.vocabulary["names"].items()}

"""What the best blind answer earns: the floor that a yield is read against."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vlmbench_plugin.core import Answer, BlindAnswers, Scorer, Truth, Vocabulary
from vlmbench_plugin.record import Record

MIN_CASES = 8
"""Below this many cases there is no floor: the best of a few answers on fewer cases is luck."""
CANDIDATES = 8
CHOOSING = 100
"""The best candidate is chosen on this many cases: enough to tell them apart, and scoring each of
them on 1,000 cases took half as long as a stub run itself."""

CaseKey: TypeAlias = tuple[int, str, str]
"""Case index, source, image id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What the best blind answer earns on the cases of one category.

    Attributes:
        value: Its mean score in [0, 1].
        scores: Its score on each case, by ``case_of``; a case that the answer was taken from has
            none.
    """

    value: float
    scores: Mapping[CaseKey, float]


def case_of(record: Record) -> CaseKey:
    """Returns what tells one case of a category from another."""
    return record.case_index, record.source, record.image_id


def floor(
    records: Sequence[Record],
    score: Scorer,
    answer: Callable[[Truth], Answer],
    blind: BlindAnswers | None = None,
) -> Floor | None:
    """Returns what the best blind answer earns on the cases of one category.

    A blind answer is given without a look at the image. Up to eight are the right answers to other
    cases; none is scored on the case that it comes from, so such a candidate is averaged over all
    cases but its own. The others are those that the task names as functions of the request. A case
    that several models or modes answered counts once, and it does not matter what they answered.

    Args:
        records: Records of one category, of any models and modes.
        score: The task's scorer.
        answer: Truth -> the right answer, coordinates in pixels.
        blind: The task's own blind answers.

    Returns:
        The candidate of the highest mean score, chosen on the first hundred cases; None below
        eight cases.

    Raises:
        ValueError: If the records belong to more than one category.
    """
    categories = {record.category for record in records}
    if len(categories) > 1:
        raise ValueError(f"expected records of one category, got {sorted(categories)}")
    distinct = {case_of(record): record for record in records}
    cases = [distinct[key] for key in sorted(distinct)]
    if len(cases) < MIN_CASES:
        return None
    strategies: list[list[Answer | None]] = []
    for own, case in enumerate(cases[:CANDIDATES]):
        truth = answer(case.truth)
        strategies.append([None if at == own else truth for at in range(len(cases))])
    if blind is not None:
        named = (
            blind(c.question, (c.image_size[0], c.image_size[1]), vocabulary_of(c)) for c in cases
        )
        # One's own data may ask each image in its own words: what some cases lack is no strategy.
        strategies += [list(given) for given in zip(*named, strict=False)]
    facts = [(case_of(case), case.truth, vocabulary_of(case)) for case in cases]
    few = facts[:CHOOSING]
    best = max(strategies, key=lambda given: _earned(given[:CHOOSING], few, score).value)
    return _earned(best, facts, score)


def _earned(
    given: Sequence[Answer | None],
    cases: Sequence[tuple[CaseKey, Truth, Vocabulary]],
    score: Scorer,
) -> Floor:
    """Scores one blind answer per case."""
    scores = {
        case: score(answer, truth, vocabulary).primary
        for (case, truth, vocabulary), answer in zip(cases, given, strict=True)
        if answer is not None
    }
    return Floor(value=math.fsum(scores.values()) / len(scores), scores=scores)


def vocabulary_of(record: Record) -> Vocabulary:
    """Returns the names that the record's source declares, as the scorer takes them."""
    return {key: tuple(names) for key, names in record.vocabulary["names"].items()}

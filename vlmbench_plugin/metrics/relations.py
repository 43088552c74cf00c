"""Relations between named objects: precision, recall and F1 of triples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vlmbench_plugin.metrics.matching import f1

Triple: TypeAlias = tuple[str, str, str]
"""Subject, relation, object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TripleScore:
    """How well triples were found.

    Attributes:
        precision: Right triples of those predicted; None where none was predicted.
        recall: Right triples of those that are true; None where none is true.
        f1: In [0, 1]; nothing predicted where nothing is true is 1.
    """

    precision: float | None
    recall: float | None
    f1: float


def triple_f1(
    predicted: Sequence[Triple],
    truths: Sequence[Triple],
    *,
    inverse: Mapping[str, str],
    symmetric: frozenset[str],
    same: Callable[[str, str], bool],
) -> TripleScore:
    """Scores predicted triples over the pairs of objects that the truths name.

    Saying the same thing from the other side (``a left_of b``, ``b right_of a``) is the same
    triple, and a triple counts once however often it is repeated. A pair that is answered with more
    different triples than it has truths (one, as a rule) is wrong altogether, each of them a false
    positive. So is every triple on a pair that no truth names.

    Args:
        predicted: The answer.
        truths: The true triples.
        inverse: Relation -> its inverse; one direction of each is enough.
        symmetric: Relations that hold both ways.
        same: (answered name, true name) -> whether they mean the same. An answered name that means
            two true names means neither.
    """
    flips = {**{b: a for a, b in inverse.items()}, **inverse, **{r: r for r in symmetric}}
    names = sorted({name for subject, _, object_ in truths for name in (subject, object_)})
    true = {_canonical(triple, flips) for triple in truths}
    stated = {
        _canonical((_name(subject, names, same), relation, _name(object_, names, same)), flips)
        for subject, relation, object_ in predicted
    }
    right = 0
    for pair in {_pair(triple) for triple in true}:
        wanted = {triple for triple in true if _pair(triple) == pair}
        given = {triple for triple in stated if _pair(triple) == pair}
        right += len(wanted & given) if len(given) <= len(wanted) else 0
    return TripleScore(
        precision=right / len(stated) if stated else None,
        recall=right / len(true) if true else None,
        f1=f1(right, len(stated), len(true)),
    )


def _pair(triple: Triple) -> frozenset[str]:
    return frozenset((triple[0], triple[2]))


def _name(answered: str, names: Sequence[str], same: Callable[[str, str], bool]) -> str:
    if answered in names:
        return answered
    fits = [name for name in names if same(answered, name)]
    # The mark keeps a name that means nothing apart from all true names.
    return fits[0] if len(fits) == 1 else f"?{answered}"


def _canonical(triple: Triple, flips: Mapping[str, str]) -> Triple:
    """The triple told from the side of the name that sorts first, where it can be turned."""
    subject, relation, object_ = triple
    if object_ < subject and relation in flips:
        return object_, flips[relation], subject
    return triple

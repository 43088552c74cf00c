"""What tasks share: overlaps of label-compatible instances, and triples over named pairs."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from vlmbench_plugin import labels
from vlmbench_plugin.core import Answer, Score, Truth
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.fields import list_of, text
from vlmbench_plugin.metrics import matching
from vlmbench_plugin.metrics.relations import triple_f1
from vlmbench_plugin.scenes.spatial import ask_pairs

ACCEPTED = list_of(text(128, at_least=1, unicode=True), at_least=1, at_most=20)
"""Several right answers, in one's own label."""

Labels = Sequence[str]
Overlaps = Sequence[Sequence[float]]


def same_label(names: Sequence[str]) -> Callable[[str, str], bool]:
    """Returns tolerant label equality within a vocabulary: (answered, true) -> bool."""
    return lambda answered, true: labels.match(answered, true, names) is not None


def score_relations(
    answer: Answer,
    truth: Truth,
    names: Sequence[str],
    *,
    key: str,
    inverse: Mapping[str, str],
    symmetric: frozenset[str],
) -> Score:
    """Scores the triples of an answer over the pairs that the truth names.

    Args:
        answer: Its ``relations`` each have a subject, an object, and a relation under ``key``.
        truth: The same, one relation for each named pair.
        names: All names that the source declares.
        key: The field that holds the relation.
        inverse: Relation -> its inverse; one direction of each is enough.
        symmetric: Relations that hold both ways.
    """
    given, true = (
        [(r["subject"], r[key], r["object"]) for r in relations["relations"]]
        for relations in (answer, truth)
    )
    result = triple_f1(given, true, inverse=inverse, symmetric=symmetric, same=same_label(names))
    return Score(
        primary=result.f1, secondary={"precision": result.precision, "recall": result.recall}
    )


def same_for_all(
    pairs: Sequence[tuple[str, str]], key: str, relations: Sequence[str]
) -> list[Answer]:
    """Returns one blind answer per relation: every pair has it.

    Args:
        pairs: The named pairs, subject first.
        key: The field that holds the relation.
        relations: The relations to try.
    """
    return [
        {"relations": [{"subject": a, key: relation, "object": b} for a, b in pairs]}
        for relation in relations
    ]


def named_pairs(truth: Truth) -> str:
    """Returns the question that names the pairs of a truth's ``relations``."""
    return ask_pairs([(r["subject"], r["object"]) for r in truth["relations"]])


def each_pair_once(label: Answer) -> Truth:
    """Makes sure that one's own ``relations`` ask something, and no pair twice.

    Raises:
        DataError: If there are none, if an object is related to itself, or if a pair stands there
            twice, whichever comes first in it.
    """
    relations = label.get("relations", ())
    if not relations:
        raise DataError("expected at least one relation, got none", hint="or leave the image out")
    asked: set[frozenset[str]] = set()
    for relation in relations:
        names = relation["subject"], relation["object"]
        pair = frozenset(map(labels.normalise, names))
        if len(pair) == 1:
            raise DataError(
                f"expected a relation of two objects, got {names[0]!r} and {names[1]!r}",
                hint="tell objects of one kind apart, such as red cup and white cup",
            )
        if pair in asked:
            raise DataError(
                f"expected one relation for each pair, got two for {names[0]!r} and {names[1]!r}",
                hint="a pair is asked about once: keep one of them",
            )
        asked.add(pair)
    return label


def mean(values: Sequence[float]) -> float | None:
    """Returns the mean, or None of nothing."""
    return sum(values) / len(values) if values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """One-to-one matches at a least overlap.

    Attributes:
        f1: F1 of the matches.
        overlaps: The overlap of each matched pair.
    """

    f1: float
    overlaps: tuple[float, ...]


def match_instances(
    overlaps: Overlaps,
    answered: Labels,
    true: Labels,
    same: Callable[[str, str], bool],
    *,
    at_least: float,
    excused: Container[int] = (),
) -> Matched:
    """Matches answered to true instances one to one where their labels are compatible.

    Args:
        overlaps: A row per answered, a column per true instance.
        answered: Their labels.
        true: Their labels.
        same: Whether two labels are compatible.
        at_least: The least overlap of a match.
        excused: Answered instances that do not count where they match nothing.
    """
    allowed = matching.masked(overlaps, lambda i, j: same(answered[i], true[j]))
    pairs = matching.assign(allowed, at_least=at_least)
    matched = {i for i, _ in pairs}
    counted = sum(i in matched or i not in excused for i in range(len(answered)))
    return Matched(
        f1=matching.f1(len(pairs), counted, len(true)),
        overlaps=tuple(overlaps[i][j] for i, j in pairs),
    )

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench_plugin.metrics.relations import Triple, TripleScore, triple_f1

INVERSE = {"left_of": "right_of", "above": "below"}
FLIP = {"left_of": "right_of", "right_of": "left_of", "above": "below", "below": "above"}
NAMES = ("red cup", "dog", "blue book")
ALL = [(a, r, b) for a, b in product(NAMES, NAMES) if a != b for r in (*FLIP, "on", "next_to")]
TRIPLES = st.lists(st.sampled_from(ALL), max_size=6)


def same(answered: str, true: str) -> bool:
    return answered.casefold() == true or answered in true.split()


def score(predicted: list[Triple], truths: list[Triple]) -> TripleScore:
    symmetric = frozenset({"next_to"})
    return triple_f1(predicted, truths, inverse=INVERSE, symmetric=symmetric, same=same)


TRUTHS = [("red cup", "left_of", "dog"), ("dog", "next_to", "blue book")]
RIGHT = ("red cup", "left_of", "dog")
INVERTED = ("dog", "right_of", "red cup")
TURNED = ("blue book", "next_to", "dog")
WRONG = ("red cup", "above", "dog")


@pytest.mark.parametrize(
    ("predicted", "right", "given_"),
    [
        ([], 0, 0),
        (TRUTHS, 2, 2),
        ([INVERTED, TURNED], 2, 2),
        ([RIGHT], 1, 1),
        ([RIGHT, RIGHT], 1, 1),
        ([RIGHT, INVERTED], 1, 1),
        ([RIGHT, WRONG], 0, 2),
        ([RIGHT, ("dog", "left_of", "red cup")], 0, 2),
        ([("dog", "left_of", "red cup")], 0, 1),
        ([RIGHT, ("red cup", "above", "blue book")], 1, 2),
        ([RIGHT, ("red cup", "above", "cat")], 1, 2),
        ([RIGHT, ("cat", "above", "cat"), ("cat", "above", "cat")], 1, 2),
        ([("cup", "left_of", "DOG")], 1, 1),
        ([("red cup", "left_of", "red cup")], 0, 1),
    ],
)
def test_hand_table(predicted: list[Triple], right: int, given_: int) -> None:
    result = score(predicted, TRUTHS)
    assert result.f1 == pytest.approx(2 * right / (given_ + 2))
    assert result.recall == right / 2
    assert result.precision == (pytest.approx(right / given_) if given_ else None)


def test_a_name_that_fits_two_means_neither() -> None:
    truths = [("red cup", "on", "red book")]
    assert score([("red", "on", "red book")], truths).f1 == 0
    assert score([("red cup", "on", "red")], truths).f1 == 0
    assert score([("cup", "on", "book")], truths).f1 == 1


@pytest.mark.parametrize("relation", FLIP)
@pytest.mark.parametrize(("a", "b"), [("dog", "red cup"), ("red cup", "dog")])
def test_one_direction_of_an_inverse_is_enough(relation: str, a: str, b: str) -> None:
    assert score([(b, FLIP[relation], a)], [(a, relation, b)]).f1 == 1
    assert score([(b, relation, a)], [(a, relation, b)]).f1 == 0


def test_a_relation_that_cannot_be_turned_has_a_direction() -> None:
    assert score([("dog", "on", "blue book")], [("blue book", "on", "dog")]).f1 == 0
    assert score([("dog", "on", "blue book")], [("dog", "on", "blue book")]).f1 == 1


def test_nothing_where_nothing_is_true() -> None:
    assert score([], []) == TripleScore(precision=None, recall=None, f1=1.0)
    assert score([RIGHT], []) == TripleScore(precision=0.0, recall=None, f1=0.0)


def facts(triples: list[Triple]) -> set[Triple]:
    """Every triple with all that it implies: an independent way to compare two of them."""
    told = set(triples)
    for subject, relation, object_ in triples:
        other = FLIP.get(relation, "next_to" if relation == "next_to" else "")
        if other:
            told.add((object_, other, subject))
    return told


@given(
    TRIPLES, st.lists(st.sampled_from(ALL), max_size=3, unique_by=lambda t: frozenset((t[0], t[2])))
)
def test_one_truth_per_pair_is_judged_pair_by_pair(
    predicted: list[Triple], truths: list[Triple]
) -> None:
    right = 0
    for truth in truths:
        on_pair = [t for t in predicted if {t[0], t[2]} == {truth[0], truth[2]}]
        right += bool(on_pair) and all(facts([t]) == facts([truth]) for t in on_pair)
    stated = {frozenset(facts([triple])) for triple in predicted}
    total = len(stated) + len(truths)
    assert score(predicted, truths).f1 == pytest.approx(2 * right / total if total else 1.0)


@given(TRIPLES)
def test_saying_it_from_the_other_side_changes_nothing(predicted: list[Triple]) -> None:
    turned = [(c, FLIP[r], a) if r in FLIP else (a, r, c) for a, r, c in predicted]
    assert score(turned, TRUTHS) == score(predicted, TRUTHS)
    assert score(predicted[::-1], TRUTHS) == score(predicted, TRUTHS)

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit_tests.strategies import answers
from vlmbench_plugin.core import Vocabulary
from vlmbench_plugin.errors import DataError, FieldError
from vlmbench_plugin.fields import (
    Fields,
    boolean,
    box,
    choice,
    fields_object,
    integer,
    label,
    list_of,
    number,
    point,
    polygon,
    text,
)
from vlmbench_plugin.generic import field_score, words
from vlmbench_plugin.nodes import Node

SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]]
LINE = {"name": text(20), "amount": number(0, 999)}
ANIMALS: Vocabulary = {"animal": ("cat", "dog", "house cat")}

# node, answered, true, similarity by hand
VALUES: list[tuple[Node, Any, Any, float]] = [
    (choice("EUR", "USD"), "EUR", "EUR", 1),
    (choice("EUR", "USD"), "EUR", "USD", 0),
    (boolean(), False, False, 1),
    (boolean(), False, True, 0),
    (integer(0, 999), 100, 100, 1),
    (integer(0, 999), 101, 100, 0),  # no tolerance for what is counted
    (label("animal"), "Dogs", "dog", 1),
    (label("animal"), "cat", "dog", 0),
    (label("elsewhere"), "The Dog", "dog", 1),
    (text(40), "ACME Ltd.", "acme ltd", 1),
    (text(40), "Acme Inc", "Acme Ltd", 0),
    (number(-999, 999), 101, 100, 1),
    (number(-999, 999), 0.99, 1.0, 1),  # off by exactly 1 %
    (number(-999, 999), 101.01, 100, 0),
    (number(-999, 999), -100, 100, 0),
    (number(-999, 999), -99, -100, 1),
    (number(-999, 999), 0, 0, 1),
    (number(-999, 999), 0.0001, 0, 0),
    (box(), [0, 0, 10, 10], [0, 0, 10, 10], 1),
    (box(), [0, 0, 10, 5], [0, 0, 10, 10], 0.5),
    (box(), [20, 0, 30, 10], [0, 0, 10, 10], 0),
    (polygon(9), SQUARE, SQUARE, 1),
    (polygon(9), [[0, 0], [10, 0], [0, 10]], SQUARE, 0.5),
    (point(), [103, 104], [100, 100], 1),  # 5 pixels off
    (point(), [106, 108], [100, 100], 1),  # 10
    (point(), [107, 108], [100, 100], 0),
    (list_of(integer(0, 9), 9), [], [], 1),
    (list_of(integer(0, 9), 9), [1], [], 0),
    (list_of(integer(0, 9), 9), [], [1], 0),
    (list_of(integer(0, 9), 9), [3, 1, 2], [1, 2, 3], 1),
    (list_of(integer(0, 9), 9), [1, 1, 1, 1], [1, 2], 2 * 1 / 6),  # one to one
    # Amounts agree, names do not: 1 + 0.5 of two and two.
    (
        list_of(LINE, 9),
        [{"name": "nut", "amount": 2}, {"name": "bolt", "amount": 1}],
        [{"name": "Bolt", "amount": 1}, {"name": "rivet", "amount": 2}],
        2 * 1.5 / 4,
    ),
    # The first item fits the first truth fully, the second fits it half and the other not at all.
    (
        list_of(LINE, 9),
        [{"name": "bolt", "amount": 5}, {"name": "bolt", "amount": 1}],
        [{"name": "bolt", "amount": 1}],
        2 * 1 / 3,
    ),
    (list_of(box(), 9), [[0, 0, 10, 5], [0, 0, 10, 10]], [[0, 0, 10, 10]], 2 * 1 / 3),
    (fields_object(LINE), {"name": "bolt", "amount": 5}, {"name": "bolt", "amount": 1}, 0.5),
]


def similarity(node: Node, answered: Any, true: Any, **options: float) -> float:
    score = field_score({"it": node}, **options)({"it": answered}, {"it": true}, ANIMALS)
    assert score.secondary == {"it": score.primary}
    return score.primary


@pytest.mark.parametrize(("node", "answered", "true", "expected"), VALUES)
def test_values(node: Node, answered: Any, true: Any, expected: float) -> None:
    assert similarity(node, answered, true) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Acme Ltd.", "acme ltd"),
        ("  ACME,\tLTD ", "Acme-Ltd"),
        ("O\u2019Brien & Sons", "O'BRIEN &  SONS"),
        ("Caf\u00e9", "Cafe\u0301"),
        ("Stra\u00dfe 5", "STRASSE 5"),
        ("INV-00123", "inv 00123"),
        ("INV/00123", "INV00123"),
        ("2026-03-05", "2026/03/05"),
        ("12.50 EUR", "12.50EUR"),
        ("$ 12.50", "$12.50"),
        ("\u22125.00", "-5.00"),
        ("\u20135.00", "-5.00"),
        ("No.5", "no. 5"),
        ("\u0939\u093f\u0928\u094d\u0926\u0940.", "\u0939\u093f\u0928\u094d\u0926\u0940"),
        ("?", " ? "),
    ],
)
def test_the_same_text(a: str, b: str) -> None:
    assert words(a) == words(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("12.50", "1250"),
        ("12.50", "12 50"),
        ("12.50", "12,50"),
        ("5", ".5"),
        ("-5.00", "5.00"),
        ("-$5.00", "$5.00"),
        ("(-5)", "(5)"),
        ("+5", "5"),
        ("$5", "\u20ac5"),
        ("$5", "5"),
        ("19 %", "19"),
        ("C++", "C"),
        ("INV-00123", "INV-123"),
        ("INV-00123", "INV-00132"),
        ("2026-03-05", "2026-05-03"),
        ("Acme", "Acne"),
        ("Cafe", "Caf\u00e9"),
        ("\u0939\u093f", "\u0939\u0940"),
        ("?", "!"),
        ("-", ""),
    ],
)
def test_not_the_same_text(a: str, b: str) -> None:
    assert words(a) != words(b)


@given(st.text(max_size=12))
def test_words_of_words_are_the_same(value: str) -> None:
    once = words(value)
    assert all(once) or not value.split()
    assert words(value.upper().lower()) == words(value.upper())
    assert words(f" {value}\n") == once


INVOICE: Fields = {
    "vendor": text(40),
    "currency": choice("EUR", "USD"),
    "lines": list_of({**LINE, "note": text(9, optional=True)}, 9),
    "due": text(10, optional=True),
}
RIGHT: dict[str, Any] = {
    "vendor": "Acme",
    "currency": "EUR",
    "lines": [{"name": "bolt", "amount": 1}],
}


def scored(answer: dict[str, Any], truth: dict[str, Any]) -> tuple[float, dict[str, float | None]]:
    score = field_score(INVOICE)(answer, truth, {})
    return score.primary, dict(score.secondary)


def test_the_primary_score_is_the_mean_of_the_fields() -> None:
    answer = {**RIGHT, "vendor": "Ajax", "lines": [{"name": "nut", "amount": 1}]}
    # The line: name wrong, amount right, note rightly absent.
    expected = {"vendor": 0, "currency": 1, "lines": pytest.approx(2 / 3), "due": 1}
    primary, secondary = scored(answer, RIGHT)
    assert secondary == expected
    assert list(secondary) == list(INVOICE)
    assert primary == pytest.approx((0 + 1 + 2 / 3 + 1) / 4)


@pytest.mark.parametrize(
    ("in_answer", "in_truth", "expected"),
    [
        ({}, {}, 1),
        ({"due": "2026"}, {}, 0),
        ({}, {"due": "2026"}, 0),
        ({"due": "2026"}, {"due": "2026"}, 1),
        ({"due": "2026"}, {"due": None}, None),
        ({}, {"due": None}, None),
    ],
)
def test_an_optional_field(
    in_answer: dict[str, Any], in_truth: dict[str, Any], expected: float | None
) -> None:
    assert scored(RIGHT | in_answer, RIGHT | in_truth)[1]["due"] == expected


def test_what_the_truth_does_not_know_is_not_scored() -> None:
    wrong = {**RIGHT, "currency": "USD"}
    for truth in ({**RIGHT, "currency": None}, {k: RIGHT[k] for k in ("vendor", "lines")}):
        primary, secondary = scored(wrong, truth)
        assert primary == 1
        assert secondary["currency"] is None
    unknown_amount = {**RIGHT, "lines": [{"name": "bolt", "amount": None}]}
    assert scored(RIGHT, unknown_amount)[0] == 1
    other_name = {**RIGHT, "lines": [{"name": "nut", "amount": 1}]}
    assert scored(other_name, unknown_amount)[1]["lines"] == 0.5  # the note is rightly absent


def test_an_item_of_which_nothing_is_known_is_still_one_item() -> None:
    score = field_score({"lines": list_of(LINE, 9)})
    truth = {"lines": [{"name": None, "amount": None}]}
    line = {"name": "bolt", "amount": 1}
    assert score({"lines": [line]}, truth, {}).primary == 1
    assert score({"lines": [line, line]}, truth, {}).primary == pytest.approx(2 / 3)
    nested = field_score({"line": fields_object(LINE), "paid": boolean()})
    partial = {"line": {"name": None, "amount": None}, "paid": True}
    found = nested({"line": line, "paid": True}, partial, {})
    assert (found.primary, dict(found.secondary)) == (1, {"line": None, "paid": 1})


def test_a_blind_answer_from_a_partial_truth_is_scored() -> None:
    assert scored({"vendor": "Acme", "currency": None}, RIGHT)[1] == {
        "vendor": 1,
        "currency": 0,
        "lines": 0,
        "due": 1,
    }


def test_a_truth_that_says_nothing() -> None:
    score = field_score({"vendor": text(9), "total": number(0, 9)})
    with pytest.raises(DataError, match="at least one of vendor, total"):
        score({"vendor": "a", "total": 1}, {"vendor": None, "other": 1}, {})


def test_tolerance_and_radius() -> None:
    assert similarity(number(0, 999), 100.01, 100, tolerance=0) == 0
    assert similarity(number(0, 999), 0.3, 0.3, tolerance=0) == 1
    assert similarity(number(0, 999), 120, 100, tolerance=0.2) == 1
    assert similarity(point(), [0, 0], [0, 1], radius=0) == 0
    assert similarity(point(), [0, 0], [30, 40], radius=50) == 1
    for options in ({"tolerance": -0.1}, {"radius": float("nan")}, {"tolerance": float("inf")}):
        with pytest.raises(FieldError, match="of at least 0"):
            field_score({"it": boolean()}, **options)


PAIRS = st.lists(
    st.fixed_dictionaries({"a": st.integers(0, 2), "b": st.integers(0, 2), "c": st.booleans()}),
    max_size=5,
)


@given(PAIRS, PAIRS)
def test_soft_f1_is_the_best_of_all_assignments(
    answered: list[dict[str, Any]], true: list[dict[str, Any]]
) -> None:
    node = list_of({"a": integer(0, 2), "b": integer(0, 2), "c": boolean()}, 5)
    few, many = sorted((answered, true), key=len)
    best = max(
        sum(sum(x[k] == y[k] for k in x) / 3 for x, y in zip(few, chosen, strict=True))
        for chosen in permutations(many, len(few))
    )
    expected = 2 * best / (len(few) + len(many)) if many else 1.0
    assert similarity(node, answered, true) == pytest.approx(expected)


EVERYTHING: Fields = {
    "name": text(8, unicode=True),
    "kind": choice("a", "b"),
    "animal": label("animal"),
    "count": integer(0, 3),
    "amount": number(-2, 2, optional=True),
    "sure": boolean(optional=True),
    "place": point(),
    "lines": list_of({"kind": choice("a", "b"), "name": text(2), "box": box(optional=True)}, 4),
}
ANSWERS = answers(fields_object(EVERYTHING).resolve(ANIMALS, "closed"))


@given(ANSWERS, ANSWERS, st.randoms(use_true_random=False))
def test_bounded_and_blind_to_the_order_of_lists(
    answer: dict[str, Any], truth: dict[str, Any], rng: Any
) -> None:
    score = field_score(EVERYTHING)
    found = score(answer, truth, ANIMALS)
    assert 0 <= found.primary <= 1
    assert all(type(value) is float and 0 <= value <= 1 for value in found.secondary.values())
    shuffled = {**answer, "lines": rng.sample(answer["lines"], len(answer["lines"]))}
    assert score(shuffled, truth, ANIMALS).primary == pytest.approx(found.primary)


@given(ANSWERS)
def test_the_right_answer_scores_1(truth: dict[str, Any]) -> None:
    for line in truth["lines"]:
        # A box without area overlaps nothing, not even itself: the metric is defined so.
        x, y, *_ = line.get("box", (0, 0))
        line |= {"box": [x, y, x + 5, y + 7]} if "box" in line else {}
    found = field_score(EVERYTHING)(truth, truth, ANIMALS)
    assert found.primary == pytest.approx(1)
    assert all(value == pytest.approx(1) for value in found.secondary.values())

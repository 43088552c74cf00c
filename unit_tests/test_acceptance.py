"""Selective labelling: bounds against scipy's tests, curves and sentences by hand."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from unit_tests.test_aggregate import error, item
from vlmbench_plugin.acceptance import (
    acceptances,
    lower_bound,
    needed,
    promise,
    sentence,
)
from vlmbench_plugin.findings import Acceptance, CurvePoint
from vlmbench_plugin.numeric import Number
from vlmbench_plugin.record import Record
from vlmbench_plugin.tasks import TASKS

CLASSES = "image_classification"


def sure(index: int, value: float | None, score: float | None = 1.0, **changes: Any) -> Record:
    """One answer of one's own image; the value is its mean log probability."""
    logprob = None if value is None else {"mean": value, "min": 2 * value}
    return item(index, score, **{"source": "own", "value_logprob": logprob} | changes)


def only(records: list[Record]) -> Acceptance:
    (found,) = acceptances(records, TASKS)
    return found


@given(st.integers(1, 400), st.data())
def test_the_bound_is_that_of_scipys_binomial_test(accepted: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, accepted))
    test = reference.binomtest(right, accepted, alternative="greater")
    expected = test.proportion_ci(0.95, method="exact").low
    assert lower_bound(right, accepted) == pytest.approx(expected, abs=1e-9)
    beta = 0.0 if right == 0 else reference.beta(right, accepted - right + 1).ppf(0.05)
    assert lower_bound(right, accepted) == pytest.approx(beta, abs=1e-9)


@pytest.mark.parametrize(("precision", "answers"), [(0.95, 59), (0.9, 29), (0.99, 299)])
def test_how_many_without_an_error_are_needed(precision: float, answers: int) -> None:
    assert needed(precision) == answers
    assert lower_bound(answers, answers) >= precision > lower_bound(answers - 1, answers - 1)


def test_a_curve_by_hand() -> None:
    values = [-0.1, -0.2, -0.3, None, -0.5, -0.5, -0.7, None, -0.8, -0.9]
    right = [True, True, False, False, True, True, False, True, False, True]
    found = promise(values, right)
    # Ten answers: a share of the grid is a whole number of them at every second step. The two of
    # -0.5 are fourth and fifth: a share of four leaves both out. Two are never accepted.
    assert [(p.coverage, p.accepted, p.right) for p in found.curve] == [
        (0.1, 1, 1),
        (0.2, 2, 2),
        (0.3, 3, 2),
        (0.5, 5, 4),
        (0.6, 6, 4),
        (0.7, 7, 4),
        (0.8, 8, 5),
    ]
    assert (found.coverage, found.threshold) == (None, None)


def test_the_walk_ends_at_the_first_share_that_fails() -> None:
    # Of 200: shares of 60 (no error allowed), 70, 80, 90, then one error is allowed from 93 on.
    values = [-float(rank) for rank in range(200)]
    right = [True] * 200
    assert promise(values, right).coverage == 1.0
    late = [rank not in (85, 86, 87) for rank in range(200)]
    found = promise(values, late)
    assert (found.coverage, found.threshold) == (0.4, -79.0)
    # Later shares pass on their own: 197 of 200. They are not asked any more.
    assert lower_bound(197, 200) >= 0.95
    early = [rank != 3 for rank in range(200)]
    assert promise(values, early).coverage is None


def test_equal_values_are_not_parted() -> None:
    values = [1.0] * 130 + [0.9] * 70
    found = promise(values, [True] * 130 + [False] * 70)
    assert (found.coverage, found.threshold) == (0.65, 1.0)
    assert found.curve == (
        CurvePoint(coverage=0.65, accepted=130, right=130),
        CurvePoint(coverage=1.0, accepted=200, right=130),
    )
    # One group alone: all or nothing.
    assert promise([0.5] * 100, [True] * 100).coverage == 1.0


def test_invalid_and_bounded_answers_are_never_accepted() -> None:
    records = [sure(index, -0.01 * index) for index in range(100)]
    records += [sure(100 + index, -0.001, at_bound=True) for index in range(50)]
    records += [sure(150 + index, -0.001, None) for index in range(40)]
    records += [sure(190 + index, None) for index in range(10)]
    records += [error(200, source="own")]
    found = only(records)
    assert (found.n, found.coverage, found.threshold) == (200, 0.5, -0.99)
    assert found.curve[-1] == CurvePoint(coverage=0.5, accepted=100, right=100)
    assert (found.order, found.needed, found.illustration) == ("value_logprob", 59, False)


def test_the_models_own_confidence_is_an_order_where_the_task_names_it() -> None:
    def stated(index: int, confidence: float | None, **changes: Any) -> Record:
        answer = {"label": "cat"} | ({} if confidence is None else {"confidence": confidence})
        return sure(index, None, prediction=answer, **changes)

    own = [stated(index, 1, category=CLASSES) for index in range(60)]
    own += [stated(60 + index, 0.5, category=CLASSES, passed=False) for index in range(30)]
    own += [stated(90 + index, None, category=CLASSES) for index in range(10)]
    found = only(own)
    assert (found.order, found.n, found.coverage, found.threshold) == ("confidence", 100, 0.6, 1.0)
    # The same answers of a task that names no such field, or that is not known.
    assert not acceptances([stated(0, 0.9, category="ocr_text")], TASKS)
    assert not acceptances([stated(0, 0.9, category=CLASSES)], {})
    both = [sure(0, -0.1, prediction={"confidence": 0.9}, category=CLASSES)]
    assert [one.order for one in acceptances(both, TASKS)] == ["value_logprob", "confidence"]


@pytest.mark.parametrize("stated", ["0.9", "high", [0.9], {"value": 0.9}, True])
def test_what_is_no_number_in_a_file_from_elsewhere_is_no_confidence(stated: Any) -> None:
    odd = [item(0, 1.0, prediction={"confidence": stated}, category=CLASSES)]
    assert acceptances(odd, TASKS) == ()
    (found,) = acceptances(
        [*odd, item(1, 1.0, prediction={"confidence": 1}, category=CLASSES)], TASKS
    )
    assert [(p.coverage, p.accepted) for p in found.curve if p.accepted] == [(0.5, 1)]


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_a_named_confidence_is_a_number_of_the_answer(task: Any) -> None:
    assert (task.confidence is not None) == ("confidence" in task.fields)
    if task.confidence is not None:
        node = task.fields[task.confidence]
        assert isinstance(node, Number)
        assert (node.low, node.high) == (0, 1)


def test_what_is_said() -> None:
    good = [sure(index, -0.01 * index, float(index < 130)) for index in range(200)]
    assert sentence(only(good)) == (
        "you can accept 65 % of images like these without a look; at least 95 % of them are right"
    )
    few = [sure(index, -0.01 * index) for index in range(58)]
    assert sentence(only(few)) == (
        "too few images: 59 accepted answers without an error would be needed"
    )
    bad = [sure(index, -0.01 * index, float(index % 4 > 0)) for index in range(200)]
    assert sentence(only(bad)) == (
        "none can be accepted without a look: 15 of the 60 surest answers are wrong, too many to "
        "show that 95 % are right"
    )
    drawn = [sure(index, -0.01 * index, source="synthetic") for index in range(59)]
    found = only(drawn)
    assert found.illustration
    assert sentence(found) == (
        "an illustration, on images that are not yours: you can accept 100 % of images like these "
        "without a look; at least 95 % of them are right"
    )


def test_a_share_is_never_rounded_up() -> None:
    # 65 of 104 is 62.5 %, and the next share of the grid brings errors.
    found = only([sure(index, -0.01 * index, float(index < 68)) for index in range(104)])
    assert found.coverage == pytest.approx(67 / 104)
    assert "accept 64 %" in sentence(found)


answers = st.tuples(
    st.one_of(st.none(), st.integers(-6, 0)),
    st.sampled_from([None, 0.0, 1.0]),
    st.booleans(),
)


@given(st.lists(answers, min_size=1, max_size=200), st.randoms())
def test_what_holds_of_every_outcome(
    drawn: list[tuple[int | None, float | None, bool]], shuffled: random.Random
) -> None:
    records = [
        sure(index, None if value is None else float(value), score, at_bound=full)
        for index, (value, score, full) in enumerate(drawn)
    ]
    found = acceptances(records, TASKS)
    shuffled.shuffle(records)
    assert acceptances(records, TASKS) == found
    for one in found:
        accepted = [point.accepted for point in one.curve]
        assert accepted == sorted(set(accepted))
        assert all(0 <= p.right <= p.accepted <= one.n for p in one.curve)
        assert (one.coverage is None) == (one.threshold is None)
        if one.coverage is not None and one.threshold is not None:
            taken = [
                record
                for record in records
                if record.schema_valid
                and not record.at_bound
                and record.value_logprob is not None
                and record.value_logprob["mean"] >= one.threshold
            ]
            right = sum(record.passed is True for record in taken)
            assert len(taken) == round(one.coverage * one.n)
            test = reference.binomtest(right, len(taken), 0.95, alternative="greater")
            assert test.pvalue <= 0.05 + 1e-9

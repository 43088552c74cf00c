from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vlmbench_plugin.metrics.ordering import kendall_tau, pairwise_accuracy


@pytest.mark.parametrize(
    ("predicted", "accuracy", "tau"),
    [
        ("abcd", 1.0, 1.0),
        ("dcba", 0.0, -1.0),
        ("bacd", 5 / 6, 2 / 3),
        ("abc", 0.5, 1.0),
        ("ba", 0.0, -1.0),
        ("a", 0.0, None),
        ("", 0.0, None),
        # The first of duplicates counts.
        ("abcda", 1.0, 1.0),
        ("dabcd", 0.5, 0.0),
        ("?a?b?c?d?", 1.0, 1.0),
    ],
)
def test_hand_table(predicted: str, accuracy: float, tau: float | None) -> None:
    names = [None if name == "?" else name for name in predicted]
    assert pairwise_accuracy(names, "abcd") == pytest.approx(accuracy)
    assert kendall_tau(names, "abcd") == (None if tau is None else pytest.approx(tau))


@pytest.mark.parametrize("truth", ["", "a"])
def test_fewer_than_two_have_no_order(truth: str) -> None:
    assert pairwise_accuracy(["a"], truth) is None
    assert kendall_tau(["a"], truth) is None


@given(st.permutations("abcdef"), st.integers(2, 6))
def test_tau_is_that_of_scipy(order: list[str], length: int) -> None:
    truth = "abcdef"[:length]
    kept = [name for name in order if name in truth]
    expected = stats.kendalltau(range(length), [kept.index(name) for name in truth]).statistic
    assert kendall_tau(order, truth) == pytest.approx(expected)


@given(st.lists(st.sampled_from([*"abcd", None]), max_size=8), st.permutations("abcd"))
def test_accuracy_counts_pairs(predicted: list[str | None], truth: list[str]) -> None:
    right = 0
    for near, far in combinations(truth, 2):
        seen = [name for name in predicted if name in (near, far)]
        right += near in seen and far in seen and seen[0] == near
    assert pairwise_accuracy(predicted, truth) == pytest.approx(right / 6)


@given(st.permutations("abcde"), st.permutations("abcde"))
def test_turning_the_answer_round_turns_the_score_round(a: list[str], b: list[str]) -> None:
    forward, backward = pairwise_accuracy(a, b), pairwise_accuracy(a[::-1], b)
    assert forward is not None
    assert backward == pytest.approx(1 - forward)

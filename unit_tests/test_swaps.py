from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats as reference

from vlmbench_plugin.stats import TaskScores
from vlmbench_plugin.swaps import Comparison, compare


def one_task(scores: list[list[float]]) -> tuple[list[TaskScores], int]:
    table = np.array(scores, dtype=float)
    return [TaskScores(images=np.arange(table.shape[1]), scores=table)], table.shape[1]


def shown(found: Comparison) -> set[tuple[int, int]]:
    return {pair for pair, differs in zip(found.pairs, found.different, strict=True) if differs}


def swapped(scores: NDArray[np.float64], image: int, a: int, b: int) -> None:
    scores[[a, b], image] = scores[[b, a], image]


def quotient(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Returns Student's paired t."""
    d = (a - b).tolist()
    if max(d) - min(d) < 1e-12:
        return math.inf if abs(d[0]) > 1e-12 else 0.0
    return float(abs(statistics.fmean(d)) / (statistics.stdev(d) / len(d) ** 0.5))


def by_enumeration(scores: list[list[float]]) -> set[tuple[int, int]]:
    """Swaps the two models of each pair on every set of images there is, and counts."""
    table = np.array(scores, dtype=float)
    pairs = list(itertools.combinations(range(len(table)), 2))
    observed = {pair: quotient(table[pair[0]], table[pair[1]]) for pair in pairs}
    as_large = dict.fromkeys(pairs, 0)
    subsets = list(itertools.product((False, True), repeat=table.shape[1]))
    for subset in subsets:
        largest = 0.0
        for a, b in pairs:
            two = table.copy()
            for image, swap in enumerate(subset):
                if swap:
                    swapped(two, image, a, b)
            largest = max(largest, quotient(two[a], two[b]))
        for pair in pairs:
            as_large[pair] += largest >= observed[pair] * (1 - 1e-9)
    return {pair for pair in pairs if as_large[pair] <= 0.05 * len(subsets)}


@given(
    st.integers(2, 3).flatmap(
        lambda k: st.integers(2, 8).flatmap(
            lambda n: st.lists(
                st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=n, max_size=n),
                min_size=k,
                max_size=k,
            )
        )
    )
)
@settings(max_examples=50, deadline=None)
def test_up_to_twelve_images_every_swap_is_made(scores: list[list[float]]) -> None:
    tasks, images = one_task(scores)
    assert shown(compare(tasks, images)) == by_enumeration(scores)


def test_the_enumeration_can_find_a_difference() -> None:
    """The test above compares empty sets only, unless differences this large are drawn."""
    scores = [[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.25, 1.0], [0.0] * 7 + [0.25], [1.0] * 8]
    assert by_enumeration(scores) == {(0, 1), (1, 2)}
    tasks, images = one_task(scores)
    assert shown(compare(tasks, images)) == {(0, 1), (1, 2)}


@pytest.mark.parametrize(("n", "differs"), [(5, False), (6, True)])
def test_five_images_show_nothing_six_may(n: int, differs: bool) -> None:
    """Always right against always wrong: 2 of 2^n swaps are as extreme, and 2 / 32 > 0.05."""
    tasks, images = one_task([[1.0] * n, [0.0] * n])
    found = compare(tasks, images)
    assert bool(found.different[0]) == differs
    assert math.isinf(found.point) != differs


def test_two_models_of_many_images_are_a_paired_t_test() -> None:
    generator = np.random.default_rng(2)
    table = generator.random((2, 400))
    tasks, images = one_task(table.tolist())
    found = compare(tasks, images)
    assert found.point == pytest.approx(1.96, abs=0.12)
    expected = reference.ttest_rel(table[0], table[1])
    low, high = expected.confidence_interval(0.95)
    assert found.differences[0] == pytest.approx((low + high) / 2)
    # The pseudo-images add 1 / (401 x 402) to the square.
    assert found.errors[0] ** 2 - 1 / (401 * 402) == pytest.approx(
        ((high - low) / 2 / reference.t.ppf(0.975, 399)) ** 2
    )


def test_many_equal_pairs_need_the_studentised_range() -> None:
    """Independent scores of twelve models: max-T over all pairs is Tukey's range over sqrt 2."""
    table = np.random.default_rng(5).normal(0.5, 0.1, (12, 300))
    tasks, images = one_task(table.tolist())
    tukey = reference.studentized_range.ppf(0.95, 12, 1e6) / 2**0.5
    assert compare(tasks, images).point == pytest.approx(tukey, abs=0.12)


def two_tasks(table: NDArray[np.float64], n: int) -> list[TaskScores]:
    return [
        TaskScores(images=np.arange(n), scores=table[:, :n]),
        TaskScores(images=np.arange(n, table.shape[1]), scores=table[:, n:]),
    ]


def test_each_task_counts_the_same_and_its_level_is_no_noise() -> None:
    generator = np.random.default_rng(3)
    table = generator.random((2, 60)) * 0.1
    table[0, :20] += 0.7
    table[1, 20:] += 0.6
    found = compare(two_tasks(table, 20), 60)
    difference = table[0] - table[1]
    parts = difference[:20], difference[20:]
    assert found.differences[0] == pytest.approx((parts[0].mean() + parts[1].mean()) / 2)
    within = sum(part.var(ddof=1) / len(part) for part in parts) / 4
    assert found.errors[0] ** 2 == pytest.approx(within + 1 / (61 * 62))
    assert found.different[0]


def test_an_image_of_two_tasks_is_one_image() -> None:
    table = np.random.default_rng(4).random((3, 15))
    once, images = one_task(table.tolist())
    twice = compare([*once, *once], images)
    alone = compare(once, images)
    assert twice.point == pytest.approx(alone.point)
    assert twice.errors == pytest.approx(alone.errors)


def test_one_image_per_task_is_compared_from_zero() -> None:
    tasks = [TaskScores(images=np.array([i]), scores=np.array([[1.0], [0.0]])) for i in range(6)]
    found = compare(tasks, 6)
    # The squares are the same for every swap, so the quotient is at most 1 x 6 / sqrt(6).
    assert found.different[0]
    assert found.errors[0] ** 2 == pytest.approx(6 / 36 + 1 / 56)


@given(st.integers(0, 10_000), st.permutations(range(4)))
@settings(max_examples=25, deadline=None)
def test_other_names_for_the_models_change_nothing_else(seed: int, order: list[int]) -> None:
    generator = np.random.default_rng(seed)
    table = generator.binomial(1, [[0.2], [0.5], [0.9], [0.9]], (4, 30)).astype(float)
    tasks, images = one_task(table.tolist())
    renamed, _ = one_task(table[order].tolist())
    first, second = compare(tasks, images), compare(renamed, images)
    assert first.point == pytest.approx(second.point)
    back = {tuple(sorted((order[a], order[b]))) for a, b in shown(second)}
    assert back == shown(first)


def test_models_that_answer_the_same_do_not_differ_and_are_not_certain() -> None:
    tasks, images = one_task([[1.0, 0.0, 1.0] * 10] * 3)
    found = compare(tasks, images)
    assert not found.different.any()
    assert found.point == 0.0
    assert (found.errors > 0).all()


def test_the_seed_decides_the_swaps() -> None:
    table = np.random.default_rng(6).random((3, 40)).tolist()
    tasks, images = one_task(table)
    assert compare(tasks, images).point == compare(tasks, images).point
    assert compare(tasks, images).point != compare(tasks, images, seed=1).point

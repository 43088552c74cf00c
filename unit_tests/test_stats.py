from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from vlmbench_plugin.folding import folds
from vlmbench_plugin.stats import (
    Interval,
    TaskScores,
    cell_interval,
    half_width,
    mean_intervals,
    paired_interval,
    weighted_means,
)


def of_tasks(per_task: list[list[float]], first: int = 0) -> list[TaskScores]:
    """Makes tasks with images of their own and one row."""
    tasks = []
    for scores in per_task:
        tasks.append(
            TaskScores(
                images=np.arange(first, first + len(scores)), scores=np.array([scores], dtype=float)
            )
        )
        first += len(scores)
    return tasks


def mean_interval(per_task: list[list[float]], seed: int = 0, draws: int = 2000) -> Interval:
    images = sum(map(len, per_task))
    (interval,) = mean_intervals(of_tasks(per_task), images, seed=seed, draws=draws)
    return interval


scores_of_a_cell = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@pytest.mark.parametrize(("right", "n"), [(0, 12), (5, 12), (12, 12), (3, 50), (99, 100), (1, 1)])
def test_scores_of_0_and_1_give_the_jeffreys_interval(right: int, n: int) -> None:
    scores = [1.0] * right + [0.0] * (n - right)
    jeffreys = reference.beta(right + 0.5, n - right + 0.5)
    low = 0.0 if right == 0 else jeffreys.ppf(0.025)
    high = 1.0 if right == n else jeffreys.ppf(0.975)
    # 2,000 draws: the standard error of a 2.5 % quantile is up to 0.01 at these n.
    assert cell_interval(scores, seed=3, draws=20_000) == pytest.approx((low, high), abs=0.012)


def test_without_scores_there_is_no_interval() -> None:
    assert cell_interval([]) is None
    assert paired_interval([]) is None


@given(scores_of_a_cell)
@settings(max_examples=60, deadline=None)
def test_an_interval_has_width_and_holds_its_mean(scores: list[float]) -> None:
    interval = cell_interval(scores, draws=200)
    assert interval is not None
    low, high = interval
    assert 0 <= low < high <= 1
    assert low <= sum(scores) / len(scores) + 1e-12
    assert high >= sum(scores) / len(scores) - 1e-12
    assert type(low) is float
    assert type(high) is float


@given(st.lists(scores_of_a_cell, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_an_interval_of_a_mean_over_tasks_has_width(tasks: list[list[float]]) -> None:
    interval = mean_interval(tasks, draws=200)
    assert 0 <= interval[0] < interval[1] <= 1


def test_one_task_is_a_cell() -> None:
    scores = [0.0, 0.25, 1.0, 1.0]
    assert mean_interval([scores], seed=5) == cell_interval(scores, seed=5)


def test_the_seed_decides() -> None:
    scores = [0.0, 0.5, 1.0]
    assert cell_interval(scores, seed=1) == cell_interval(scores, seed=1)
    assert cell_interval(scores, seed=1) != cell_interval(scores, seed=2)


def test_tasks_are_weighed_independently() -> None:
    """Two equal tasks halve the variance; with shared weights the width would stay the same."""
    scores = [0.0, 1.0] * 20
    two, four = mean_interval([scores] * 2), mean_interval([scores] * 4)
    assert (two[1] - two[0]) / (four[1] - four[0]) == pytest.approx(2**0.5, rel=0.12)


@pytest.mark.parametrize(
    ("n", "draw"),
    [
        (12, lambda g, n: g.binomial(1, 0.9, n)),
        (30, lambda g, n: g.binomial(1, 0.3, n)),
        (30, lambda g, n: g.beta(0.5, 0.5, n)),
        (30, lambda g, n: g.binomial(1, 0.5, n) * g.random(n)),
    ],
)
def test_an_interval_covers_the_truth_about_95_times_in_100(n: int, draw: object) -> None:
    assert callable(draw)
    generator = np.random.default_rng(7)
    truth = float(np.mean(draw(generator, 200_000)))
    covered = 0
    for repetition in range(300):
        interval = cell_interval(draw(generator, n).tolist(), seed=repetition, draws=400)
        assert interval is not None
        covered += interval[0] <= truth <= interval[1]
    # Simulated at length: 0.92-0.99; 300 repetitions add a standard error of 0.013.
    assert covered / 300 >= 0.89


@pytest.mark.parametrize(("n", "half"), [(12, 0.28), (50, 0.14), (100, 0.10)])
def test_half_width(n: int, half: float) -> None:
    assert round(half_width(n), 2) == half


def test_a_paired_interval_is_a_cell_interval_stretched_to_minus_one() -> None:
    scores = [0.0, 0.25, 0.25, 1.0, 0.5]
    low, high = cell_interval(scores, seed=4, draws=4000) or (0.0, 0.0)
    paired = paired_interval([2 * score - 1 for score in scores], seed=4, draws=4000)
    assert paired == pytest.approx((2 * low - 1, 2 * high - 1))
    assert paired_interval([]) is None


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_a_paired_interval_has_width_and_holds_its_mean(differences: list[float]) -> None:
    low, high = paired_interval(differences, draws=200) or (0.0, 0.0)
    assert -1 <= low < high <= 1
    assert low - 1e-12 <= sum(differences) / len(differences) <= high + 1e-12


@pytest.mark.parametrize("right", [0, 3, 17, 40])
def test_the_pseudo_images_join_all_images_of_a_mean_as_one_cell(right: int) -> None:
    """Of equal scores within each of many tasks only the number of images is left."""
    tasks = of_tasks([[right / 40] * 4] * 10)
    ((low, high),) = mean_intervals(tasks, 40, seed=1, draws=40_000)
    assert (low, high) == pytest.approx(cell_interval([right / 40] * 40, draws=40_000), abs=0.004)


def test_two_tasks_are_no_less_certain_than_one_cell_of_their_images() -> None:
    scores = [1.0, 0.0, 1.0, 1.0] * 10
    low, high = mean_interval([scores, scores], draws=20_000)
    assert (low, high) == pytest.approx(cell_interval(scores * 2, draws=20_000), abs=0.006)


def test_a_weighted_mean_by_hand() -> None:
    """The weights of a draw are those of the generator, in the order of the images."""
    shared = TaskScores(images=np.array([0, 2]), scores=np.array([[1.0, 0.0], [0.5, 0.5]]))
    own = TaskScores(images=np.array([1]), scores=np.array([[0.25], [1.0]]))
    means = weighted_means([shared, own], 3, seed=9, draws=4)
    for draw, (w0, _, w2) in enumerate(np.random.default_rng(9).standard_exponential((4, 3))):
        expected = [(w0 / (w0 + w2) + 0.25) / 2, (0.5 + 1.0) / 2]
        assert means[draw] == pytest.approx(expected)


def test_intervals_of_differences_over_tasks_have_their_own_span() -> None:
    tasks = of_tasks([[0.0] * 5, [0.0] * 5])
    ((low, high),) = mean_intervals(tasks, 10, span=(-1.0, 1.0))
    assert -1 < low < 0 < high < 1


served = st.dictionaries(
    st.tuples(st.text("abc", max_size=4)), st.sets(st.sampled_from("xyz"), min_size=1), max_size=60
)


@given(served, st.integers(2, 6), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_folds_are_even_and_do_not_depend_on_the_order(
    images: dict[tuple[str], set[str]], k: int, rng: random.Random
) -> None:
    found = folds(images, k)
    assert found.keys() == images.keys()
    sizes = [list(found.values()).count(fold) for fold in range(k)]
    assert max(sizes) - min(sizes) <= 1
    for group in {frozenset(tasks) for tasks in images.values()}:
        of_group = [found[image] for image, tasks in images.items() if tasks == group]
        sizes = [of_group.count(fold) for fold in range(k)]
        assert max(sizes) - min(sizes) <= 1
    shuffled = dict(rng.sample(list(images.items()), len(images)))
    assert folds(shuffled, k) == found


def test_folds_are_shuffled_by_the_seed() -> None:
    images = {(f"image-{index:03d}",): {"ocr_text"} for index in range(100)}
    assert folds(images) != folds(images, seed=1)
    in_order = [folds(images)[image] for image in sorted(images)]
    assert in_order != [position % 5 for position in range(100)]

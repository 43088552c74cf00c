"""Figures, intervals and the images that would decide, against independent references."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from vlmbench_plugin.gate_figures import (
    MIN_TIMED,
    RUN_TO_RUN,
    Figure,
    Timed,
    change_figure,
    difference_interval,
    images_needed,
    mean_figure,
    share_figure,
    speed_figure,
    unpaired_figure,
)
from vlmbench_plugin.stats import TaskScores, cell_interval, mean_intervals, paired_interval


def right(count: int, n: int) -> list[float]:
    return [1.0] * count + [0.0] * (n - count)


def found(figure: Figure | None) -> Figure:
    assert figure is not None
    return figure


@pytest.mark.parametrize(
    ("count", "n", "bar"),
    [(30, 50, 0.5), (30, 50, 0.7), (12, 12, 0.95), (0, 12, 0.05), (3, 4, 0.4)],
)
def test_for_0_and_1_the_images_needed_are_those_of_the_jeffreys_interval(
    count: int, n: int, bar: float
) -> None:
    """The reference looks at every number of images, one after the other."""
    mean = count / n

    def outside(images: int) -> bool:
        beta = reference.beta(images * mean + 0.5, images * (1 - mean) + 0.5)
        low, high = beta.ppf(0.025), beta.ppf(0.975)
        return bool(low >= bar if mean > bar else high <= bar)

    expected = next(images for images in range(n + 1, 10_000) if outside(images))
    assert images_needed(right(count, n), bar) == expected


@pytest.mark.parametrize(
    ("scores", "bar"),
    [
        ([0.3, 0.5, 0.9, 0.0, 0.7], 0.4),
        ([0.95, 0.9, 1.0, 0.97], 0.9),
        ([0.0, 0.0, 0.4, 0.1], 0.2),
        ([0.5, 0.5, 0.5], 0.45),
    ],
)
def test_graded_scores_need_what_repeating_them_needs(scores: list[float], bar: float) -> None:
    needed = images_needed(scores, bar)
    assert needed is not None

    def outside(images: float) -> bool:
        repeated = scores * max(1, round(images / len(scores)))
        low, high = cell_interval(repeated, draws=20_000) or (0.0, 1.0)
        return low >= bar or high < bar

    assert not outside(needed * 0.7)
    assert outside(needed * 1.4)


def test_no_number_of_images_decides_about_the_figure_itself() -> None:
    assert images_needed(right(6, 12), 0.5) is None
    assert images_needed(right(12, 12), 1.0) is None
    assert found(change_figure([0.0] * 9)).needed(0.0) is None
    tasks = [{("drawn", "1", name): 0.25, ("drawn", "2", name): 0.75} for name in "ab"]
    assert found(mean_figure(tasks)).needed(0.5) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_more_than_there_are_and_nearer_bars_take_more(scores: list[float], bar: float) -> None:
    mean = math.fsum(scores) / len(scores)
    needed = images_needed(scores, bar)
    nearer = images_needed(scores, (bar + mean) / 2)
    assume(needed is not None)
    assert needed is not None
    assert needed > len(scores)
    assert nearer is None or nearer >= needed


def test_shares_and_changes_have_the_intervals_of_a_cell() -> None:
    scores, changes = [0.0, 0.5, 1.0, 1.0], [0.25, -0.5, 0.0]
    share, change = found(share_figure(scores)), found(change_figure(changes))
    assert (share.value, share.interval, share.n) == (0.625, cell_interval(scores), 4)
    assert (change.value, change.interval, change.n) == (-0.25 / 3, paired_interval(changes), 3)
    assert share.needed(0.5) == images_needed(scores, 0.5)
    moved = [0.625, 0.25, 0.5]
    assert change.needed(-0.25) == images_needed(moved, 0.375)
    assert share_figure([]) is None
    assert change_figure([]) is None


def test_a_mean_over_tasks_has_its_interval_and_counts_all_images() -> None:
    first = {("drawn", f"{i:02d}", "a"): score for i, score in enumerate([0.0, 1.0, 1.0, 0.0] * 3)}
    second = {("drawn", f"{i:02d}", "b"): score for i, score in enumerate([1.0, 0.5] * 4)}
    at = {image: position for position, image in enumerate(sorted(first | second))}
    tasks = [TaskScores.of([scores], at) for scores in (first, second)]
    mean = found(mean_figure([first, second]))
    assert (mean.value, [mean.interval], mean.n) == (0.625, mean_intervals(tasks, 20), 20)
    low = mean.interval[0]
    halfway = (0.625 + low) / 2
    assert mean.needed(halfway) == pytest.approx(80, abs=1)  # half the distance, four times n
    assert mean_figure([first, {}]) is None


def test_a_difference_of_independent_images_is_newcombes() -> None:
    """His first example, 56 of 70 against 48 of 80, from the two score intervals."""

    def wilson(count: int, n: int) -> tuple[float, float]:
        z = 1.959964
        middle, half = count + z * z / 2, z * math.sqrt(count * (n - count) / n + z * z / 4)
        return (middle - half) / (n + z * z), (middle + half) / (n + z * z)

    interval = difference_interval(56 / 70, wilson(56, 70), 48 / 80, wilson(48, 80))
    assert interval == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_of_metrics_alone_the_change_is_less_sure() -> None:
    scores = right(30, 50)
    alone = found(unpaired_figure(scores, 0.6, cell_interval(scores) or (0.0, 1.0)))
    paired = found(change_figure([0.0] * 50))
    assert alone.value == paired.value == 0.0
    assert alone.interval[0] < paired.interval[0] < 0 < paired.interval[1] < alone.interval[1]
    assert unpaired_figure([], 0.6, (0.5, 0.7)) is None


def timed(images: Sequence[tuple[int, float, int, float]]) -> list[Timed]:
    names = ("tokens", "seconds", "old_tokens", "old_seconds")
    return [Timed(**dict(zip(names, image, strict=True))) for image in images]  # type: ignore[arg-type]


def test_a_ratio_of_speeds_by_hand() -> None:
    same = found(speed_figure(timed([(40, 1.0, 50, 2.0)] * 10)))
    assert same.value == pytest.approx(1.6)
    half = 1.959964 * RUN_TO_RUN
    assert same.interval == pytest.approx((1.6 * math.exp(-half), 1.6 * math.exp(half)))
    assert same.needed(1.55) is None  # nearer than two runs are to each other
    assert speed_figure(timed([(40, 1.0, 50, 2.0)] * (MIN_TIMED - 1))) is None


def test_an_interval_of_speeds_covers_what_new_images_would_give() -> None:
    """The spread of the ratio over many draws of images, against what one draw tells of it."""
    generator = np.random.default_rng(5)

    def draw() -> list[Timed]:
        tokens, old = generator.integers(20, 200, 60), generator.integers(20, 200, 60)
        busy, old_busy = (
            count / 50 * np.exp(generator.normal(0, 0.6, 60)) for count in (tokens, old)
        )
        rows = zip(tokens.tolist(), busy.tolist(), old.tolist(), old_busy.tolist(), strict=True)
        return timed(list(rows))

    figures = [found(speed_figure(draw())) for _ in range(300)]
    spread = float(np.std([math.log(figure.value) for figure in figures]))
    told = [math.log(figure.interval[1] / figure.interval[0]) / 2 / 1.959964 for figure in figures]
    expected = math.hypot(spread, RUN_TO_RUN)
    assert float(np.mean(told)) == pytest.approx(expected, rel=0.12)


def test_the_images_that_decide_about_a_speed_shrink_the_interval_to_the_bar() -> None:
    images = timed([(40, 1.0, 40, 1.0), (40, 1.6, 40, 1.0), (40, 0.8, 40, 1.0)] * 4)
    figure = found(speed_figure(images))
    needed = figure.needed(0.78)
    assert needed is not None
    more = found(speed_figure(images * round(1.05 * needed / len(images) + 1)))
    fewer = found(speed_figure(images * max(1, round(0.8 * needed / len(images)))))
    assert needed > 2 * len(images)
    assert fewer.interval[0] < 0.78 < more.interval[0]

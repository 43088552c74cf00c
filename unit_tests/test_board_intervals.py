"""Intervals of the leaderboard's means: hand-made cases, and a reference with explicit weights."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit_tests.test_aggregate import error, item
from vlmbench_plugin.board_intervals import ModelKey, board_intervals
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import Interval

KEY: ModelKey = ("m", "off", "json_mode")
TASKS = ("ocr_text", "segmentation")


def answers(scores: Sequence[float | None], robust: Sequence[bool], **where: Any) -> list[Record]:
    return [
        item(index, score, json_robust=is_robust, **where)
        for index, (score, is_robust) in enumerate(zip(scores, robust, strict=True))
    ]


def test_a_labeler_interval_by_hand() -> None:
    """All right and half of them robust: the share of robust ones, 5 of 10, has Beta(5.5, 5.5)."""
    found = board_intervals(answers([1.0] * 10, [True, False] * 5))
    assert found.labeler[KEY] == pytest.approx((0.224, 0.776), abs=0.02)
    # Ten right of ten: the lower end of Beta(10.5, 0.5).
    assert found.mean_yield[KEY] == pytest.approx((0.783, 1.0), abs=0.02)


def test_what_is_right_and_robust_by_turns_is_uncertain_in_both() -> None:
    """One half times one half: 0.25, between the squares of the ends that one half has."""
    low, high = board_intervals(answers([1.0, 0.0] * 20, [True] * 20 + [False] * 20)).labeler[KEY]
    share_low, share_high = board_intervals(answers([1.0, 0.0] * 20, [True] * 40)).mean_yield[KEY]
    assert share_low**2 < low < 0.25 < high < share_high**2
    assert low < 0.16
    assert high > 0.36


scores_of_tasks = st.lists(
    st.tuples(*[st.sampled_from([None, 0.0, 0.25, 0.5, 1.0])] * 2), min_size=1, max_size=12
)


def two_tasks(scores: Sequence[tuple[float | None, float | None]], robust: Any) -> list[Record]:
    return [
        item(index, score, category=category, json_robust=robust(index))
        for index, pair in enumerate(scores)
        for category, score in zip(TASKS, pair, strict=True)
    ]


@settings(max_examples=25)
@given(scores_of_tasks)
def test_where_all_is_robust_the_labeler_score_is_as_sure_as_the_yield(scores: Any) -> None:
    found = board_intervals(two_tasks(scores, lambda _: True))
    assert found.labeler[KEY] == pytest.approx(found.mean_yield[KEY], abs=1e-12)


@settings(max_examples=25)
@given(scores_of_tasks, st.sampled_from([0, 1, 2, 99]))
def test_no_interval_has_zero_width_and_each_holds_its_mean(scores: Any, every: int) -> None:
    def robust(index: int) -> bool:
        return bool(every) and index % every == 0

    found = board_intervals(two_tasks(scores, robust))
    share = np.mean([robust(index) for index in range(len(scores))])
    means = [np.mean([pair[task] or 0.0 for pair in scores]) for task in (0, 1)]
    for (low, high), mean in (
        (found.mean_yield[KEY], np.mean(means)),
        (found.labeler[KEY], np.mean(means) * share),
    ):
        assert 0 <= low < high <= 1
        assert low - 1e-12 <= mean <= high + 1e-12


@settings(max_examples=10)
@given(st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(rng: random.Random) -> None:
    records = [
        item(index, (index * step % 5) / 4, model=model, category=category, json_robust=index != at)
        for at, (model, step) in enumerate((("m", 2), ("other", 3)))
        for category in TASKS
        for index in range(7 + at)
    ]
    shuffled = rng.sample(records, len(records))
    assert board_intervals(shuffled) == board_intervals(records)


def by_explicit_weights(records: Sequence[Record], draws: int = 2000) -> Interval:
    """The labeler interval of one model, image by image and draw by draw."""
    images = sorted({record.image_id for record in records})
    weights = np.random.default_rng(0).standard_exponential((draws, len(images)))
    joins = np.random.default_rng([0, 1]).standard_gamma([len(images), 0.5, 0.5], (draws, 3))
    figures = []
    for of_images, (real, blank, full) in zip(weights, joins, strict=True):
        weight = dict(zip(images, of_images, strict=True))
        labelers = []
        for task in TASKS:
            own = [record for record in records if record.category == task]
            whole = sum(weight[r.image_id] for r in own)
            earned = sum(weight[r.image_id] * (r.primary_score or 0.0) for r in own) / whole
            robust = sum(weight[r.image_id] for r in own if r.json_robust) / whole
            labelers.append(earned * robust)
        figures.append((real * np.mean(labelers) + full * 1.0) / (real + blank + full))
    low, high = np.quantile(figures, [0.025, 0.975])
    return float(low), float(high)


def test_the_labeler_interval_is_that_of_explicit_weights() -> None:
    scores = [1.0, None, 0.25, 0.75, 0.0, 1.0, 0.5, None]
    records = answers(scores, [True, False, True, True] * 2, category="ocr_text")
    # Five of the images serve the second task too.
    records += answers(scores[3:], [False, True, True, True, True], category="segmentation")
    assert board_intervals(records).labeler[KEY] == pytest.approx(by_explicit_weights(records))


def test_errors_are_no_answers() -> None:
    records = answers([1.0, 0.0, 0.5], [True, True, False])
    assert board_intervals([*records, error(9)]) == board_intervals(records)
    assert board_intervals([error(0)]).labeler == {}


def test_the_ends_are_plain_numbers() -> None:
    found = board_intervals(two_tasks([(1.0, 0.5), (None, 0.0)], lambda _: True))
    for interval in (*found.labeler.values(), *found.mean_yield.values()):
        assert [type(end) for end in interval] == [float, float]

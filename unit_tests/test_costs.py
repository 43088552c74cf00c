"""What right labels take: a table by hand, and the front against all pairs."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit_tests.test_aggregate import error, item
from vlmbench_plugin.costs import costs, seconds_text, tokens_text
from vlmbench_plugin.findings import Choice
from vlmbench_plugin.record import Record

M = Choice(model="m", reasoning="off", mode="json_mode")


def by_hand() -> list[Record]:
    depth = {"category": "depth_analysis"}
    return [
        item(0, 1.0, busy_s=1.0, output_tokens=50, finish_reason="stop"),
        item(1, 0.8, busy_s=1.0, output_tokens=70, finish_reason="length"),  # right all the same
        item(2, None, busy_s=4.0, output_tokens=256, finish_reason="length", failure="truncated"),
        item(3, None, busy_s=2.0, output_tokens=100, finish_reason="loop", failure="looping"),
        error(4, busy_s=None),
        item(0, 0.1, busy_s=2.0, output_tokens=24, finish_reason="stop", **depth),
        item(1, 1.0, **depth),  # time and tokens unknown: in neither share
    ]


def test_every_figure_by_hand() -> None:
    overall, depth, ocr = costs(by_hand(), price_per_hour=3.6)
    expected: dict[str, Any] = {
        "choice": dataclasses.asdict(M),
        "category": "ocr_text",
        "n": 4,
        "n_right": 2,
        "yield_": pytest.approx(1.8 / 4),
        "labels_per_hour": pytest.approx(4 / 8 * 3600),
        "seconds_per_right": pytest.approx(8 / 2),
        "tokens_per_right": pytest.approx(476 / 2),
        "wasted_tokens": 356,
        "money_per_million": pytest.approx(4000),  # 4 s at 0.001 a second, a million times
        "on_front": False,
    }
    assert dataclasses.asdict(ocr) == expected
    assert (depth.n, depth.n_right) == (2, 1)
    assert depth.yield_ == pytest.approx(0.55)
    # The one whose time is known is wrong.
    assert depth.labels_per_hour == pytest.approx(1800)
    assert (depth.seconds_per_right, depth.tokens_per_right) == (None, None)
    assert (depth.money_per_million, depth.wasted_tokens) == (None, 0)
    assert (overall.category, overall.n, overall.n_right) == (None, 6, 3)
    assert overall.yield_ == pytest.approx((1.8 / 4 + 1.1 / 2) / 2)
    assert overall.seconds_per_right == pytest.approx(10 / 2)
    assert overall.tokens_per_right == pytest.approx(500 / 2)
    assert overall.labels_per_hour == pytest.approx(5 / 10 * 3600)
    assert overall.on_front


def test_unknown_is_none_and_none_right_is_said() -> None:
    known, _ = costs([item(0, None, busy_s=1.0, output_tokens=9, finish_reason="stop")])
    assert (known.seconds_per_right, known.tokens_per_right, known.wasted_tokens) == (None, None, 0)
    assert (seconds_text(known), tokens_text(known)) == ("none right", "none right")
    unknown, _ = costs([item(0, 1.0)], price_per_hour=2.0)
    figures = dataclasses.asdict(unknown)
    nothing = ("labels_per_hour", "seconds_per_right", "tokens_per_right", "wasted_tokens")
    assert [figures[name] for name in (*nothing, "money_per_million")] == [None] * 5
    assert (seconds_text(unknown), unknown.on_front) == ("unknown", False)
    assert costs([]) == costs([error(0)]) == ()


def test_words_of_figures() -> None:
    (found, _) = costs([item(0, 1.0, busy_s=1.256, output_tokens=1234)])
    assert (seconds_text(found), tokens_text(found)) == ("1.26 s", "1,234")


def test_who_lacks_a_task_is_not_on_the_front() -> None:
    whole = [item(0, 0.2, busy_s=1.0), item(0, 0.2, busy_s=1.0, category="depth_analysis")]
    part = [item(0, 1.0, busy_s=0.5, model="fast")]
    front = {cost.choice.model: cost.on_front for cost in costs(whole + part) if not cost.category}
    assert front == {"m": True, "fast": False}


grid = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from([0.5, 1.0, 2.0, 4.0])),
    min_size=1,
    max_size=8,
)


@given(grid, st.randoms())
def test_the_front_is_what_nobody_beats(
    choices: list[tuple[float, float]], shuffled: random.Random
) -> None:
    records = [
        item(image, score, busy_s=seconds, model=f"m{at}")
        for at, (score, seconds) in enumerate(choices)
        for image in range(3)
    ]
    found = costs(records)
    front = {cost.choice.model for cost in found if cost.on_front}
    expected = {
        f"m{at}"
        for at, (score, seconds) in enumerate(choices)
        if not any(
            other >= score and took <= seconds and (other, took) != (score, seconds)
            for other, took in choices
        )
    }
    assert front == expected
    shuffled.shuffle(records)
    assert costs(records) == found

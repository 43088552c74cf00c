"""What constraining changes: a table by hand, and properties."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit_tests.test_aggregate import error, item
from vlmbench_plugin.core import MODES
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import paired_interval
from vlmbench_plugin.tax import taxes


def both(index: int, free: float | None, held: float | None, **tokens: Any) -> list[Record]:
    """One image in both modes; None is an invalid answer."""
    before, after = (tokens.get(name) for name in ("before", "after"))
    return [
        item(index, free, output_tokens=before),
        item(index, held, mode="constrained", output_tokens=after),
    ]


def by_hand() -> list[Record]:
    return [
        *both(0, 1.0, 0.9, before=40, after=30),
        *both(1, 0.2, 0.8, before=40, after=50),
        *both(2, None, 1.0, before=100, after=20),  # to right
        *both(3, None, 0.1, before=60),  # to silent; one count is unknown
        *both(4, None, None),  # to caught
        *both(5, 0.5, None),  # constraining broke it
        item(6, 1.0),  # no image of the other mode
        *(error(7), item(7, 1.0, mode="constrained")),
    ]


def test_every_figure_by_hand() -> None:
    (found,) = taxes(by_hand())
    changes = [-0.1, 0.6, 1.0, 0.1, 0.0, -0.5]
    expected: dict[str, Any] = {
        "model": "m",
        "reasoning": "off",
        "category": "ocr_text",
        "n": 6,
        "yield_change": pytest.approx(1.1 / 6),
        "yield_interval": pytest.approx(paired_interval(changes), abs=1e-12),
        "tokens_change": pytest.approx((-10 + 10 - 80) / 3),
        "n_both": 2,
        "accuracy_change": pytest.approx(0.25),
        "to_right": 1,
        "to_silent": 1,
        "to_caught": 1,
    }
    assert dataclasses.asdict(found) == expected


def test_nothing_known_is_none() -> None:
    (found,) = taxes(both(0, None, 1.0))
    assert (found.tokens_change, found.n_both, found.accuracy_change) == (None, 0, None)
    assert taxes([]) == taxes([item(0, 1.0), item(1, 1.0, mode="constrained")]) == ()


def test_one_entry_per_model_reasoning_and_task() -> None:
    def named(**changes: str) -> list[Record]:
        return [item(0, 1.0, mode=mode, **changes) for mode in MODES]

    records = [
        *named(model="b"),
        *named(model="a", reasoning="on"),
        *named(model="a"),
        *named(model="a", category="depth_analysis"),
        *named(model="a", source="photo"),  # the same id of another source is another image
    ]
    assert [(one.model, one.reasoning, one.category, one.n) for one in taxes(records)] == [
        ("a", "off", "depth_analysis", 1),
        ("a", "off", "ocr_text", 2),
        ("a", "on", "ocr_text", 1),
        ("b", "off", "ocr_text", 1),
    ]


scores = st.one_of(st.none(), st.sampled_from([0.0, 0.3, 0.5, 1.0]))


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=20), st.randoms())
def test_the_counts_add_up_in_any_order(
    pairs: list[tuple[float | None, float | None]], shuffled: random.Random
) -> None:
    records = [one for index, pair in enumerate(pairs) for one in both(index, *pair)]
    (found,) = taxes(records)
    invalid = sum(free is None for free, _ in pairs)
    assert found.to_right + found.to_silent + found.to_caught == invalid
    assert found.yield_interval[0] <= found.yield_change <= found.yield_interval[1]
    shuffled.shuffle(records)
    assert taxes(records) == (found,)
    swapped = [one for index, (a, b) in enumerate(pairs) for one in both(index, b, a)]
    assert taxes(swapped)[0].yield_change == pytest.approx(-found.yield_change, abs=1e-12)

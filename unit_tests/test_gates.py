"""Gates: hand-made cells, and what holds for all of them."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unit_tests.test_aggregate import error, item
from vlmbench_plugin.aggregate import aggregate
from vlmbench_plugin.baselines import Baseline
from vlmbench_plugin.board_intervals import board_intervals
from vlmbench_plugin.core import Mode
from vlmbench_plugin.gates import Gate, Kind, Verdict, gates_of, verdicts
from vlmbench_plugin.record import Record
from vlmbench_plugin.settings import Settings

Cell = tuple[str, str, Mode]
CELL: Cell = ("m", "ocr_text", "json_mode")
ORDER = ("failed", "undecided", "held")
scores_of_a_cell = st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=25)


def records(scores: Sequence[float | None], **changes: Any) -> list[Record]:
    return [
        item(index, score, **{"truth": {"at": index}} | changes)
        for index, score in enumerate(scores)
    ]


def one(gate: Gate, found: list[Record], baseline: list[Record] | None = None) -> Verdict:
    earlier = None if baseline is None else Baseline.of(Path("old"), baseline)
    (verdict,) = verdicts([gate], found, [CELL], earlier)
    return verdict


def least_yield(bar: float) -> Gate:
    return Gate(kind="min-yield", category=None, bar=bar)


@pytest.mark.parametrize(
    ("bar", "outcome", "end"),
    [
        (0.4, "held", "at least 0.4 asked"),
        (0.5, "undecided", "at least 0.5 asked, about 96 images would decide"),
        (0.6, "undecided", "at least 0.6 asked, 1,000,000 images would not decide"),
        (0.8, "failed", "at least 0.8 asked"),
    ],
)
def test_thirty_of_fifty(bar: float, outcome: str, end: str) -> None:
    """Jeffreys: 0.46 to 0.73. Invalid answers count as 0."""
    verdict = one(least_yield(bar), records([1.0] * 30 + [0.0] * 8 + [None] * 12))
    assert (verdict.outcome, verdict.figure, verdict.n) == (outcome, 0.6, 50)
    assert verdict.interval == pytest.approx((0.461, 0.727), abs=0.012)
    low, high = verdict.interval or (0.0, 0.0)
    assert verdict.sentence == (
        f"gate {outcome}: m ocr_text json_mode: yield 0.600, 95 % interval {low:.3f} to "
        f"{high:.3f}, n 50, {end}"
    )
    assert verdict.needed == (96 if bar == 0.5 else None)


def test_the_figures_are_those_of_the_metrics() -> None:
    found = [*records([1.0, 0.25, None, 0.5] * 4), error(90)]
    (row,) = aggregate(found, categories=("ocr_text",))
    earned = one(least_yield(0.5), found)
    valid = one(Gate(kind="min-valid", category="ocr_text", bar=0.5), found)
    assert (earned.figure, earned.interval) == (row.effective_yield, row.effective_yield_interval)
    assert (earned.n, valid.n, valid.figure) == (row.n, row.n, row.schema_valid_rate)
    assert "valid share 0.750" in valid.sentence


def test_a_cell_without_a_scored_item_fails() -> None:
    for found in ([], [error(0), error(1)]):
        for kind in ("min-yield", "min-valid", "max-regression", "min-speed-ratio"):
            verdict = one(Gate(kind=kind, category=None, bar=0.0), found, records([1.0]))
            assert (verdict.outcome, verdict.figure, verdict.interval) == ("failed", None, None)
            assert "m ocr_text json_mode: no item scored" in verdict.sentence


def test_a_category_has_its_own_bar_or_that_of_all_or_none() -> None:
    found = [
        record
        for category in ("ocr_text", "segmentation", "depth_analysis")
        for record in records([1.0] * 20, category=category)
    ]
    cells: list[Cell] = [("m", r, "json_mode") for r in ("segmentation", "ocr_text", "none")]
    own = Gate(kind="min-yield", category="ocr_text", bar=0.75)
    told = verdicts([least_yield(0.5), own], found, cells)
    assert [(v.category, v.gate.bar) for v in told] == [
        ("segmentation", 0.5),
        ("ocr_text", 0.75),
        ("none", 0.5),
    ]
    assert [v.category for v in verdicts([own], found, cells)] == ["ocr_text"]
    assert verdicts([], found, cells) == ()


def test_a_mean_is_that_of_the_leaderboard() -> None:
    found = records([1.0, 0.0, 0.5, None] * 5) + records([0.5, 0.75] * 5, category="segmentation")
    cells: list[Cell] = [CELL, ("m", "segmentation", "json_mode")]
    gate = Gate(kind="min-yield", category="all", bar=0.5)
    (verdict,) = verdicts([gate], found, cells)
    assert verdict.interval == board_intervals(found).mean_yield["m", "off", "json_mode"]
    assert (verdict.category, verdict.figure, verdict.n) == (None, 0.5, 30)
    assert "m mean of 2 categories json_mode: yield 0.500" in verdict.sentence
    cells.append(("m", "depth_analysis", "json_mode"))
    (verdict,) = verdicts([gate], found, cells)
    assert verdict.outcome == "failed"
    assert "no item scored in depth_analysis, at least 0.5 asked" in verdict.sentence


def test_reasoning_makes_a_cell_of_its_own() -> None:
    found = records([1.0] * 30) + records([0.0] * 30, reasoning="on")
    told = verdicts([least_yield(0.5)], found, [CELL])
    assert [(v.reasoning, v.outcome) for v in told] == [("off", "held"), ("on", "failed")]
    assert "m (reasoning on) ocr_text" in told[1].sentence


@pytest.mark.parametrize(
    ("lost", "bar", "outcome"),
    [(0, 0.05, "held"), (10, 0.05, "undecided"), (30, 0.05, "failed"), (30, 0.25, "held")],
)
def test_a_loss_is_judged_image_by_image(lost: int, bar: float, outcome: str) -> None:
    """200 images, on ``lost`` of which 1 became 0: a mean of -lost / 200."""
    others: list[float | None] = [1.0, 0.5, 0.0, None] * 40
    old = records([*[1.0] * 40, *others])
    new = records([*[0.0] * lost, *[1.0] * (40 - lost), *others])
    gate = Gate(kind="max-regression", category=None, bar=bar)
    verdict = one(gate, list(reversed(new)), old)
    assert (verdict.outcome, verdict.n) == (outcome, 200)
    assert verdict.figure == pytest.approx(-lost / 200)
    assert f"yield changed by {-lost / 200 + 0.0:+.3f}" in verdict.sentence
    assert f"a loss of at most {bar} allowed" in verdict.sentence


def test_other_images_other_truths_and_errors_are_no_pair() -> None:
    new = records([1.0] * 12)
    old = [
        *records([1.0] * 3),
        item(3, 1.0, truth={"at": 99}),
        item(4, 1.0, truth={"at": 4}, dataset="synthetic-blind"),
        item(5, 1.0, truth={"at": 5}, source="photo"),
        item(6, 1.0, truth={"at": 6}, model="other"),
        item(7, 1.0, truth={"at": 7}, reasoning="on"),
        item(8, 1.0, truth={"at": 8}, mode="constrained"),
        item(9, 1.0, truth={"at": 9}, category="segmentation"),
        error(10, truth={"at": 10}),
    ]
    gate = Gate(kind="max-regression", category=None, bar=1.0)
    assert one(gate, new, old).n == 3
    none = one(gate, new, old[3:])
    assert none.outcome == "failed"
    assert "no scored image in common with the baseline" in none.sentence


@pytest.mark.parametrize(
    ("seconds", "bar", "outcome"),
    [(1.0, 0.85, "held"), (1.0, 1.0, "undecided"), (2.0, 0.85, "failed"), (0.5, 1.5, "held")],
)
def test_a_speed_is_a_ratio(seconds: float, bar: float, outcome: str) -> None:
    new, old = (
        [dataclasses.replace(r, output_tokens=40 + at, busy_s=s) for at, r in enumerate(found)]
        for found, s in ((records([1.0] * 20), seconds), (records([0.0] * 20), 1.0))
    )
    verdict = one(Gate(kind="min-speed-ratio", category=None, bar=bar), new, old)
    assert verdict.outcome == outcome
    assert verdict.figure == pytest.approx(1 / seconds)
    assert f"{1 / seconds:.3f} times the baseline's tokens/s" in verdict.sentence
    untimed = one(verdict.gate, records([1.0] * 20), old)
    assert untimed.outcome == "failed"
    assert "too few images with times here and in the baseline" in untimed.sentence


@given(
    scores_of_a_cell, st.floats(0, 1), st.floats(0, 1), st.sampled_from(["min-yield", "min-valid"])
)
@settings(max_examples=100, deadline=None)
def test_a_higher_bar_is_never_easier(
    scores: list[float | None], one_bar: float, other_bar: float, kind: Kind
) -> None:
    found = records(scores)
    lower, higher = sorted((one_bar, other_bar))
    easy, hard = (one(Gate(kind=kind, category=None, bar=b), found) for b in (lower, higher))
    assert ORDER.index(easy.outcome) >= ORDER.index(hard.outcome)


@given(scores_of_a_cell, st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_a_larger_loss_is_never_less_allowed(
    scores: list[float | None], one_bar: float, other_bar: float
) -> None:
    new, old = records(scores), records(list(reversed(scores)))
    smaller, larger = sorted((one_bar, other_bar))
    hard, easy = (
        one(Gate(kind="max-regression", category=None, bar=b), new, old) for b in (smaller, larger)
    )
    assert ORDER.index(easy.outcome) >= ORDER.index(hard.outcome)


@given(scores_of_a_cell, st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_the_interval_and_the_bar_alone_tell_the_outcome(
    scores: list[float | None], bar: float
) -> None:
    verdict = one(least_yield(bar), records(scores))
    low, high = verdict.interval or (math.nan, math.nan)
    assert [bar <= low, low < bar <= high, high < bar].count(True) == 1
    assert verdict.outcome == ("held" if bar <= low else "failed" if high < bar else "undecided")
    assert (verdict.needed is None) or verdict.outcome == "undecided"


@given(scores_of_a_cell, st.floats(0, 1), st.integers(2, 6))
@settings(max_examples=100, deadline=None)
def test_more_of_the_same_images_never_undo_a_verdict(
    scores: list[float | None], bar: float, times: int
) -> None:
    few = one(least_yield(bar), records(scores))
    low, high = few.interval or (0.0, 1.0)
    assume(few.outcome != "undecided" and min(abs(bar - low), abs(bar - high)) > 0.02)
    assert one(least_yield(bar), records(scores * times)).outcome == few.outcome


@given(scores_of_a_cell, st.randoms())
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_records_is_no_matter(scores: list[float | None], random: Any) -> None:
    found, old = records(scores), records(list(reversed(scores)))
    gate = Gate(kind="max-regression", category=None, bar=0.05)
    first = one(gate, found, old)
    random.shuffle(found)
    assert one(gate, found, old) == first


def test_a_verdict_is_plain_json() -> None:
    verdict = one(least_yield(0.5), records([1.0, 0.5]))
    values = json.loads(json.dumps(dataclasses.asdict(verdict), allow_nan=False))
    assert values["gate"] == {"kind": "min-yield", "category": None, "bar": 0.5}
    assert values["interval"] == list(verdict.interval or ())


def test_settings_become_gates() -> None:
    assert gates_of(Settings()) == ()
    found = gates_of(
        Settings(
            min_yield=((None, 0.4), ("all", 0.5)),
            min_valid=(("ocr_text", 0.9),),
            max_regression=((None, 0.05),),
            min_speed_ratio=0.9,
        )
    )
    assert [(gate.kind, gate.category, gate.bar, gate.least) for gate in found] == [
        ("min-yield", None, 0.4, 0.4),
        ("min-yield", "all", 0.5, 0.5),
        ("min-valid", "ocr_text", 0.9, 0.9),
        ("max-regression", None, 0.05, -0.05),
        ("min-speed-ratio", None, 0.9, 0.9),
    ]

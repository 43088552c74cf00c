from __future__ import annotations

import dataclasses
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmbench_plugin.aggregate import (
    LeaderboardRow,
    aggregate,
    comparable,
    leaderboard,
)
from vlmbench_plugin.board_intervals import board_intervals
from vlmbench_plugin.cells import MetricsRow, bucket
from vlmbench_plugin.core import ModelSpec
from vlmbench_plugin.floors import Floor, case_of
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import cell_interval, paired_interval

PUBLISHED = Path(__file__).parents[1] / "vlmbench_plugin/assets/published/grid.json"


def item(index: int, score: float | None, **changes: Any) -> Record:
    """Fabricates the record of a clean valid answer with this score, or of an invalid one."""
    values: dict[str, Any] = {field.name: None for field in dataclasses.fields(Record)}
    passed = score is not None and score >= 0.5
    values |= {
        "model": "m",
        "reasoning": "off",
        "category": "ocr_text",
        "mode": "json_mode",
        "image_id": f"image-{index:04d}",
        "key": f"key-{index}",
        "key_parts": {},
        "case_index": index,
        "runner": "vlm",
        "dataset": "synthetic",
        "source": "synthetic",
        "vocabulary": {"rule": "closed", "names": {}},
        "status": "passed" if passed else "missed",
        "primary_score": score,
        "schema_valid": score is not None,
        "json_robust": True,
        "passed": passed,
        "failure": None if passed else "wrong_answer" if score is not None else "missing_field",
        "repairable": score is not None,
        "constraint": "none",
    }
    return Record(**(values | changes))


def error(index: int, **changes: Any) -> Record:
    blank = dict.fromkeys(("schema_valid", "json_robust", "passed", "failure", "repairable"))
    return item(index, None, **{**blank, "status": "error", "constraint": None, **changes})


def one_row(records: list[Record], **options: Any) -> MetricsRow:
    (row,) = aggregate(records, categories=("ocr_text",), **options)
    return row


def by_hand() -> list[Record]:
    return [
        item(0, 1.0, output_tokens=30, busy_s=0.5, secondary={"cer": 0.25, "anls": None}),
        item(1, 0.6, output_tokens=50, busy_s=1.5, secondary={"cer": 0.75, "anls": None}),
        item(2, 0.2, json_robust=False, output_tokens=20, busy_s=None),
        item(3, None, json_robust=False, failure="truncated", repairable=True),
        item(4, None, failure="missing_field"),
        error(5),
    ]


def test_every_figure_by_hand() -> None:
    row = one_row(by_hand())
    assert (row.n, row.n_errors, row.passed) == (5, 1, 2)
    assert row.primary_score_mean == pytest.approx(1.8 / 3)
    assert row.schema_valid_rate == pytest.approx(3 / 5)
    assert row.json_robustness == pytest.approx(3 / 5)
    assert row.effective_yield == pytest.approx(1.8 / 5)
    assert row.labeler_score == pytest.approx(1.8 / 3 * 3 / 5 * 3 / 5)
    assert row.clean_yield == pytest.approx(1.6 / 5)
    assert (row.right, row.silent, row.caught) == (2 / 5, 1 / 5, 2 / 5)
    assert row.output_tokens == 100
    assert row.busy_s == 2.0
    assert row.tokens_per_sec == 40.0
    assert row.failures == {"truncated": 1, "missing_field": 1, "wrong_answer": 1}
    assert row.repairable == 1
    assert row.secondary == {"cer": 0.5}
    assert row.constraints == {"none": 5}
    assert row.effective_yield_interval == cell_interval([1.0, 0.6, 0.2, 0.0, 0.0])
    assert row.bucket == "insufficient"
    assert (row.runner, row.dataset, row.source) == ("vlm", "synthetic", "synthetic")


def test_where_nothing_was_scored_every_figure_is_none() -> None:
    row = one_row([error(0), error(1)])
    assert (row.n, row.n_errors, row.passed, row.repairable) == (0, 2, 0, 0)
    assert row.failures == row.secondary == row.constraints == {}
    measured = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    given = {"model", "reasoning", "category", "mode", "runner", "dataset", "source"}
    counted = {"n", "n_errors", "passed", "repairable", "failures", "secondary", "constraints"}
    assert {name for name, value in measured.items() if value is not None} == given | counted


def test_without_a_valid_answer_yields_are_zero_and_the_mean_score_is_none() -> None:
    row = one_row([item(index, None) for index in range(4)])
    assert row.primary_score_mean is None
    assert row.effective_yield == row.labeler_score == row.clean_yield == row.right == 0.0
    assert row.caught == 1.0
    assert row.json_robustness == 1.0
    assert row.tokens_per_sec is None


def test_a_score_of_zero_is_no_missing_score() -> None:
    row = one_row([item(0, 0.0), item(1, 0.0)])
    assert row.primary_score_mean == 0.0
    assert row.silent == 1.0


def test_a_lift_needs_eight_items_and_a_floor() -> None:
    eight = [item(index, 0.75) for index in range(8)]
    # The blind answer comes from the first case, so that the first case has no blind score.
    blind = [0.0, 0.0, 0.25, 0.25, 0.25, 0.5, 0.5]
    scores = {case_of(r): score for r, score in zip(eight[1:], blind, strict=True)}
    floors = {"ocr_text": Floor(value=0.25, scores=scores)}
    row = one_row(eight, floors=floors)
    assert (row.floor, row.lift) == (0.25, 0.5)
    assert row.lift_interval == paired_interval([0.75 - score for score in blind])
    assert one_row(eight).lift is None
    few = one_row(eight[:7], floors=floors)
    assert (few.floor, few.lift, few.lift_interval) == (None, None, None)


def test_the_vocabulary_rule_is_given_where_there_are_names() -> None:
    names = {"rule": "open", "names": {"label": ["cat"]}}
    assert one_row([item(0, 1.0, vocabulary=names)]).vocabulary == "open"
    assert one_row([item(0, 1.0)]).vocabulary is None


def test_differing_sources_are_joined() -> None:
    row = one_row([item(0, 1.0, source="photo"), item(1, 1.0), error(2, source="photo")])
    assert row.source == "photo + synthetic"


def test_rows_come_in_the_order_asked_for() -> None:
    records = [
        item(0, 1.0, model=model, category=category, mode=mode, reasoning=reasoning)
        for model in ("a", "b", "c")
        for category in ("p", "q", "r")
        for mode in ("constrained", "json_mode")
        for reasoning in ("on", "off")
    ]
    rows = aggregate(records, categories=("r", "p"), models=("b",))
    keys = [(row.model, row.reasoning, row.category, row.mode) for row in rows]
    assert keys == [
        (model, reasoning, category, mode)
        for model in ("b", "a", "c")
        for reasoning in ("off", "on")
        for category in ("r", "p", "q")
        for mode in ("json_mode", "constrained")
    ]


@st.composite
def records_of_a_cell(draw: st.DrawFn) -> list[Record]:
    scores = draw(st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=25))
    return [
        item(
            index,
            score,
            json_robust=draw(st.booleans()),
            output_tokens=draw(st.none() | st.integers(0, 900)),
            busy_s=draw(st.none() | st.floats(0, 60)),
            secondary={"iou": draw(st.none() | st.floats(0, 1))},
        )
        for index, score in enumerate(scores)
    ]


@given(records_of_a_cell(), st.randoms())
@settings(max_examples=60, deadline=None)
def test_the_order_of_records_does_not_matter(
    records: list[Record], shuffler: random.Random
) -> None:
    expected = aggregate(records, categories=())
    shuffled = list(records)
    shuffler.shuffle(shuffled)
    assert aggregate(shuffled, categories=()) == expected


@given(records_of_a_cell())
@settings(max_examples=60, deadline=None)
def test_the_identities_between_figures_hold(records: list[Record]) -> None:
    row = one_row(records)
    assert row.right is not None
    assert row.silent is not None
    assert row.caught is not None
    assert math.isclose(row.right + row.silent + row.caught, 1)
    assert row.schema_valid_rate is not None
    assert row.effective_yield is not None
    assert row.clean_yield is not None
    product = (row.primary_score_mean or 0.0) * row.schema_valid_rate
    assert math.isclose(row.effective_yield, product, abs_tol=1e-12)
    assert row.clean_yield <= row.effective_yield + 1e-12
    assert (row.labeler_score or 0.0) <= row.effective_yield + 1e-12
    assert sum(row.failures.values()) == row.n - row.passed
    assert row.passed == round(row.right * row.n)


def test_a_row_holds_plain_values() -> None:
    for value in dataclasses.asdict(one_row(by_hand())).values():
        assert type(value) in (str, int, float, dict, tuple, type(None))


# --- the leaderboard


def spec(name: str, **changes: Any) -> ModelSpec:
    return ModelSpec(name=name, hub_id=f"Qwen/{name}", frame="norm_0_1000", **changes)


def cell(score: float | None, n: int = 4, **changes: Any) -> list[Record]:
    return [item(index, score, **changes) for index in range(n)]


def board_of(records: list[Record], **options: Any) -> dict[str, LeaderboardRow]:
    rows = aggregate(records, categories=("ocr_text", "segmentation"))
    board = leaderboard(rows, options.pop("specs", {}), **options)
    return {row.model: row for row in board}


def test_the_published_means_come_out_as_published() -> None:
    published = json.loads(PUBLISHED.read_text())
    records = []
    for category, yields in published["effective_yield"].items():
        for model, figure in yields.items():
            where = {"model": model, "category": category}
            if figure is None:
                records += cell(None, n=2, **where)
            elif figure <= 0.5:
                records += [item(0, 2 * figure, **where), item(1, None, **where)]
            else:
                records += cell(figure, n=2, **where)
    rows = aggregate(records, categories=tuple(published["effective_yield"]))
    for row in rows:
        figure = published["effective_yield"][row.category][row.model]
        assert row.effective_yield == pytest.approx(figure or 0.0)
        assert (row.primary_score_mean is None) == (figure is None)
    means = {row.model: row.mean_yield for row in leaderboard(rows, {})}
    assert len(means) == 10
    for model, figure in published["mean_yield"].items():
        assert round(means[model] or 0.0, 3) == figure


def test_the_buckets_part_the_published_models() -> None:
    for model in json.loads(PUBLISHED.read_text())["ranking"]:
        assert bucket([0.95, 0.5], model["labeler_score"]) == model["bucket"]


def test_a_bucket_by_hand() -> None:
    assert bucket([0.9, 1.0], 0.4) == "ship"
    assert bucket([0.89, 1.0], 0.4) == "finetune-candidate"
    assert bucket([1.0, 1.0], 0.39) == "insufficient"
    # 0.1 + 0.3 and the like: on the bar on paper, an ulp below it in floating point.
    assert bucket([27 / 30], 0.8 - 0.4 - 1e-16) == "ship"


def test_a_leaderboard_by_hand() -> None:
    records = [
        *cell(0.8, model="big", output_tokens=10, busy_s=1.0),
        *cell(None, model="big", category="segmentation", output_tokens=30, busy_s=1.0),
        *cell(0.8, model="big", mode="constrained"),
        *cell(0.6, model="big", category="segmentation", mode="constrained"),
        *cell(0.5, model="small"),
        *cell(0.5, model="small", category="segmentation"),
    ]
    specs = {"big": spec("big", total_params=30, active_params=3), "small": spec("small", toy=True)}
    board = board_of(records, specs=specs, intervals=board_intervals(records))
    big, small = board["big"], board["small"]
    assert list(board) == ["small", "big"]
    assert (small.rank, big.rank) == (1, 2)
    assert big.labeler_score == pytest.approx(0.4)
    assert big.mean_yield == pytest.approx(0.4)
    # No task has two different scores, and four photographs serve both.
    assert big.mean_yield_interval == pytest.approx(cell_interval([0.4] * 4), abs=0.02)
    assert big.mean_yield_constrained == pytest.approx(0.7)
    assert (big.best_mode, small.best_mode) == ("constrained", "json_mode")
    assert (big.native_valid, big.constrained_valid) == (0.5, 1.0)
    assert (small.native_valid, small.constrained_valid) == (1.0, None)
    assert big.tokens_per_sec == 20.0
    assert (big.total_params, big.active_params, big.toy, small.toy) == (30, 3, False, True)
    assert (big.bucket, small.bucket) == ("ship", "ship")
    assert big.wrong_labels == 0.0
    assert big.incomplete == small.incomplete == ()


def test_wrong_labels_are_counted_among_valid_answers() -> None:
    records = [item(0, 1.0), item(1, 0.0), item(2, 0.0), item(3, None)]
    assert board_of(records)["m"].wrong_labels == pytest.approx(2 / 3)
    assert board_of(cell(None))["m"].wrong_labels is None


def test_a_model_that_lacks_a_category_is_shown_but_not_ranked() -> None:
    records = [
        *cell(0.3, model="whole"),
        *cell(0.3, model="whole", category="segmentation"),
        *cell(0.9, model="partial"),
    ]
    board = board_of(records)
    assert list(board) == ["whole", "partial"]
    partial = board["partial"]
    assert partial.rank is None
    assert partial.incomplete == ("lacks segmentation",)
    assert partial.bucket is None
    assert partial.best_mode is None
    assert partial.labeler_score == pytest.approx(0.9)


@pytest.mark.parametrize(("errors", "rank"), [(0, 1), (1, 1), (2, None)])
def test_more_than_two_percent_of_errors_take_the_rank(errors: int, rank: int | None) -> None:
    records = cell(0.5, n=49) + [error(50 + index) for index in range(errors)]
    row = board_of(records)["m"]
    assert row.rank == rank
    if errors == 2:
        assert row.incomplete == ("2 of 51 are errors in ocr_text",)


def test_errors_in_the_other_mode_only_hide_its_figures() -> None:
    records = cell(0.5) + cell(0.9, mode="constrained") + [error(9, mode="constrained")]
    row = board_of(records)["m"]
    assert row.rank == 1
    assert row.mean_yield_constrained is None
    assert row.constrained_valid is None
    assert row.best_mode == "json_mode"


def test_equal_scores_share_a_rank_in_the_order_of_names() -> None:
    records = [
        record
        for model in ("c", "a", "b")
        for record in cell(0.2 if model == "b" else 0.7, model=model)
    ]
    board = board_of(records)
    assert [(row.model, row.rank) for row in board.values()] == [("a", 1), ("c", 1), ("b", 3)]


def test_scores_that_differ_in_the_last_place_alone_share_a_rank() -> None:
    rows = aggregate(cell(0.3, model="a") + cell(0.3, model="b"), categories=())
    odd = [dataclasses.replace(rows[0], labeler_score=0.3), rows[1]]
    odd[1] = dataclasses.replace(rows[1], labeler_score=0.1 + 0.2)
    assert [(row.model, row.rank) for row in leaderboard(odd, {})] == [("a", 1), ("b", 1)]


def test_the_interval_of_an_incomplete_model_is_over_what_it_has() -> None:
    records = [*cell(0.5), error(0, category="segmentation")]
    assert board_intervals(records).mean_yield == {
        ("m", "off", "json_mode"): cell_interval([0.5] * 4)
    }
    row = board_of(records)["m"]
    assert (row.mean_yield, row.incomplete) == (0.5, ("1 of 1 are errors in segmentation",))


def test_without_json_mode_the_first_mode_ranks() -> None:
    row = board_of(cell(0.7, mode="constrained"))["m"]
    assert row.ranking_mode == "constrained"
    assert row.labeler_score == pytest.approx(0.7)
    assert row.native_valid is None
    assert row.mean_yield_constrained == pytest.approx(0.7)


def test_thinking_and_not_are_two_lines() -> None:
    records = cell(0.7) + cell(0.8, reasoning="on")
    board = leaderboard(aggregate(records, categories=()), {})
    assert [(row.reasoning, row.rank) for row in board] == [("on", 1), ("off", 2)]


def test_no_rows_no_leaderboard() -> None:
    assert aggregate([], categories=()) == ()
    assert leaderboard((), {}) == ()


def test_models_are_compared_on_the_images_that_all_have() -> None:
    long = [item(i, 1.0 if i < 3 else 0.0, model="long") for i in range(10)]
    short = [item(i, 1.0, model="short") for i in range(3)]
    broken = [error(1, model="long", mode="constrained"), item(1, 1.0, mode="constrained")]
    shared = comparable([*long, *short, *broken])
    assert [r.image_id for r in shared if r.model == "long" and r.status != "error"] == [
        f"image-{i:04d}" for i in range(3)
    ]
    assert broken[0] in shared
    assert broken[1] in shared
    board = leaderboard(aggregate(shared[:6], categories=("ocr_text",)), {})
    assert [row.rank for row in board] == [1, 1]
    assert comparable(long) == tuple(long)


def test_the_same_image_id_of_another_source_is_another_image() -> None:
    here = item(0, 1.0, model="a", source="photo")
    there = item(0, 1.0, model="b", source="synthetic")
    assert comparable([here, there]) == ()


def test_numbers_over_all_images_join_the_secondary_means() -> None:
    seen = []

    def over_category(items: Any) -> dict[str, float | None]:
        seen.append([(answer, truth["t"]) for answer, truth, _ in items])
        return {"of_all": 0.75, "unknown": None}

    records = [
        item(2, 1.0, prediction={"a": 2}, truth={"t": 2}, secondary={"each": 0.5}),
        item(1, None, truth={"t": 1}),
        error(0, truth={"t": 0}),
    ]
    row = one_row(records, over_category={"ocr_text": over_category})
    assert row.secondary == {"each": 0.5, "of_all": 0.75}
    # In the order of the source; an invalid answer is there as None, an error is not there.
    assert seen == [[(None, 1), ({"a": 2}, 2)]]


def test_an_image_that_one_model_failed_on_is_not_compared() -> None:
    records = [item(0, 1.0, model="a"), item(1, 1.0, model="a")]
    records += [error(0, model="b"), item(1, 0.0, model="b")]
    kept = [(r.model, r.image_id) for r in comparable(records) if r.status != "error"]
    assert kept == [("a", "image-0001"), ("b", "image-0001")]


def test_an_image_weighs_the_same_in_all_tasks_modes_and_models() -> None:
    """The second model earns 1 - the first's score, and so it does in each draw."""
    scores = [0.0, 1.0, 0.25, 0.5, 1.0, 0.0, 0.75, 0.0, 1.0, 1.0]
    records = [
        item(index, score if model == "a" else 1 - score, model=model, mode=mode, category=category)
        for index, score in enumerate(scores)
        for model in ("a", "b")
        for mode in ("json_mode", "constrained")
        for category in ("ocr_text", "segmentation")
    ]
    found = board_intervals(records, seed=3).mean_yield
    low, high = found["a", "off", "json_mode"]
    assert found["b", "off", "json_mode"] == pytest.approx((1 - high, 1 - low), abs=0.02)
    assert found["a", "off", "constrained"] == found["a", "off", "json_mode"]
    # The same photographs in both tasks tell no more than in one; scenes drawn for each task do.
    drawn = [dataclasses.replace(record, difficulty="easy") for record in records]
    own_low, own_high = board_intervals(drawn, seed=3).mean_yield["a", "off", "json_mode"]
    assert (high - low) / (own_high - own_low) == pytest.approx(2**0.5, rel=0.1)


@given(st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_intervals_of_means_do_not_depend_on_the_order(rng: random.Random) -> None:
    records = [
        item(index, index % 7 / 6, model=model, category=category, mode=mode)
        for index in range(9)
        for model, category, mode in (
            ("a", "ocr_text", "json_mode"),
            ("a", "segmentation", "json_mode"),
            ("b", "ocr_text", "json_mode"),
            ("b", "ocr_text", "constrained"),
        )
    ]
    shuffled = rng.sample(records, len(records))
    found, expected = board_intervals(shuffled), board_intervals(records)
    assert found == expected
    assert list(found.mean_yield) == list(expected.mean_yield)
    assert list(found.labeler) == list(expected.labeler)

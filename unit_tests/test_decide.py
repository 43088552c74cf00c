from __future__ import annotations

import dataclasses
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit_tests.test_ranking import cell, mixed, of
from vlmbench_plugin.core import ModelSpec
from vlmbench_plugin.decide import PARAMETERS, SECONDS, recommendations
from vlmbench_plugin.findings import Recommendation
from vlmbench_plugin.ranking import rankings
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import TaskScores, cell_interval, loss_bounds


def spec(name: str, active: float | None) -> ModelSpec:
    return ModelSpec(name=name, hub_id=name, frame="norm_0_1000", active_params=active)


SPECS = {"big": spec("big", 27.0), "small": spec("small", 4.0), "tiny": spec("tiny", 2.0)}


def untimed(records: list[Record]) -> list[Record]:
    return [dataclasses.replace(record, busy_s=None) for record in records]


def first(records: list[Record], **options: Any) -> Recommendation:
    return recommendations(records, SPECS, **options)[0]


def nearly_equal(n: int = 200) -> list[Record]:
    """Two models that differ on two images in a hundred, and one that is far behind."""
    right = [float(index % 2) for index in range(n)]
    small = [0.0 if index % 100 == 1 else score for index, score in enumerate(right)]
    return [*cell("big", right), *cell("small", small), *cell("tiny", [0.0] * n)]


def test_the_cheapest_shown_to_be_within_the_margin_is_taken() -> None:
    found = first(untimed(nearly_equal()), margin=0.05)
    assert (found.choice, found.leader) == (of("small"), of("big"))
    assert found.shown
    assert found.leader_yield == 0.5
    assert (found.margin, found.cost_basis) == (0.05, PARAMETERS)
    # Two losses of 200: the upper 95 % point of a Jeffreys bound of them is 0.028, and the pseudo-
    # images lie at -1 and +1 here.
    assert found.loss_bound == pytest.approx(0.028, abs=0.008)
    # The one that is cheaper still is nowhere near.
    assert found.images_needed is None


def test_where_none_is_shown_the_leader_is_taken_with_the_images_needed() -> None:
    found = first(untimed(nearly_equal(40)), margin=0.05)
    assert (found.choice, found.leader) == (of("big"), of("big"))
    assert not found.shown
    assert found.loss_bound is None
    # One loss among 40: 0.025, so that 0.025 of the margin is left.
    error = ((40 * 1 - 1) / 39 / 40**2 + 1 / (41 * 42)) ** 0.5
    assert found.images_needed == pytest.approx(
        40 * ((1.645 + 0.842) * error / 0.025) ** 2, rel=0.01
    )


def test_not_shown_to_be_worse_is_no_reason_to_take_a_model() -> None:
    """Eight images: small loses two of them, which no test calls a difference."""
    big = [1.0] * 8
    records = untimed([*cell("big", big), *cell("small", [0.0, 0.0, *big[2:]])])
    assert rankings(records)[0].better == ()
    found = first(records)
    assert found.choice == of("big")
    assert found.images_needed is None


def test_the_margins_of_all_tasks_and_of_one() -> None:
    records = untimed(nearly_equal())
    assert [one.margin for one in recommendations(records, SPECS)] == [0.03, 0.05]
    assert [one.margin for one in recommendations(records, SPECS, 0.2)] == [0.2, 0.2]
    assert [one.category for one in recommendations(records, SPECS)] == [None, "ocr_text"]


def test_a_mode_is_chosen_with_the_model() -> None:
    right = [1.0, 0.0] * 100
    records = untimed([
        *cell("small", [0.0] * 200),
        *cell("small", right, mode="constrained"),
        *cell("big", right),
        *cell("big", [0.0] * 200, mode="constrained"),
    ])  # fmt: skip
    found = first(records)
    assert found.choice == found.leader == of("small", "constrained")
    assert not found.shown


def test_of_one_model_the_best_mode_is_taken() -> None:
    records = untimed([*cell("big", [0.5] * 9), *cell("big", [0.75] * 9, mode="constrained")])
    found = first(records)
    assert found.choice == found.leader == of("big", "constrained")
    assert found.leader_yield == 0.75
    assert rankings(records) == ()


def test_seconds_decide_where_one_runner_timed_every_item() -> None:
    records = [
        dataclasses.replace(record, busy_s={"big": 1.0, "small": 3.0, "tiny": 2.0}[record.model])
        for record in nearly_equal()
    ]
    found = first(records, margin=0.05)
    assert found.cost_basis == SECONDS
    assert found.choice == of("big")
    other = [
        dataclasses.replace(record, runner="openai") if record.model == "tiny" else record
        for record in records
    ]
    assert first(other, margin=0.05).cost_basis == PARAMETERS
    gap = [dataclasses.replace(records[0], busy_s=None), *records[1:]]
    found = first(gap, margin=0.05)
    assert (found.cost_basis, found.choice) == (PARAMETERS, of("small"))


def test_seconds_per_item_weigh_each_task_the_same() -> None:
    """big is slow in the task of few images: 1.5 s against 1.4 s, over items 1.05 s against 1.4."""
    records = [
        dataclasses.replace(record, busy_s=seconds)
        for model, category, n, seconds in (
            ("big", "ocr_text", 95, 1.0),
            ("big", "segmentation", 5, 2.0),
            ("small", "ocr_text", 95, 1.4),
            ("small", "segmentation", 5, 1.4),
        )
        for record in cell(model, [1.0] * n, category=category)
    ]
    assert first(records).leader == of("small")


def test_a_model_of_unknown_cost_is_never_the_cheapest() -> None:
    records = untimed(nearly_equal())
    unknown = {**SPECS, "small": spec("small", None)}
    assert recommendations(records, unknown, 0.05)[0].choice == of("big")
    assert recommendations(records, {}, 0.05)[0].choice == of("big")


def test_incomplete_choices_are_left_out() -> None:
    records = untimed([*nearly_equal(), *cell("big", [1.0] * 20, category="segmentation")])
    overall, ocr, segmentation = recommendations(records, SPECS, 0.05)
    assert overall.choice == of("big")
    assert ocr.choice == of("small")
    assert segmentation.choice == of("big")
    assert recommendations([], SPECS) == ()


def test_below_five_images_per_task_nothing_is_shown_or_held_out() -> None:
    records = untimed([*cell("big", [1.0] * 4), *cell("small", [1.0] * 4)])
    found = first(records, margin=1.0)
    # Of equal yields the cheapest leads, so that nothing needs to be shown.
    assert found.choice == of("small")
    worse = untimed([*cell("big", [1.0] * 4), *cell("small", [0.99] * 4)])
    assert first(worse, margin=1.0).choice == of("big")
    assert first(worse, margin=1.0).held_out is None
    five = untimed([*cell("big", [1.0] * 5), *cell("small", [0.99] * 5)])
    assert first(five, margin=1.0).choice == of("small")
    assert first(five, margin=1.0).held_out == pytest.approx(1.0)


def test_the_held_out_figure_of_one_choice_is_its_mean() -> None:
    scores = [index / 20 for index in range(21)]
    found = first(cell("big", scores))
    assert found.held_out == pytest.approx(0.5)
    assert found.held_out_interval == pytest.approx(cell_interval(scores), abs=1e-9)


def test_the_held_out_figure_does_without_the_luck_of_the_leader() -> None:
    """Twenty models that guess: the best of them looks good on its own images alone."""
    generator = np.random.default_rng(8)
    table = generator.binomial(1, 0.5, (20, 40)).astype(float)
    records = [record for model in range(20) for record in cell(f"m{model}", table[model].tolist())]
    found = first(records)
    assert found.leader_yield == pytest.approx(table.mean(axis=1).max())
    assert found.leader_yield >= 0.6
    assert found.held_out is not None
    assert found.held_out < 0.56
    low, high = found.held_out_interval or (0.0, 0.0)
    assert low < found.held_out < high


def test_a_loss_bound_of_one_task_joins_two_pseudo_images() -> None:
    """No loss in n images: (g1 - g2) / (G + g1 + g2), its 95 % point simulated directly."""
    tasks = [TaskScores(images=np.arange(30), scores=np.ones((2, 30)))]
    weights = np.random.default_rng(0).standard_gamma([30, 0.5, 0.5], (200_000, 3))
    expected = np.quantile((weights[:, 1] - weights[:, 2]) / weights.sum(axis=1), 0.95)
    bounds = loss_bounds(tasks, 30, 0, draws=20_000)
    assert bounds == pytest.approx([expected, expected], abs=0.003)


def test_a_loss_bound_over_tasks_is_close_to_the_normal_one() -> None:
    generator = np.random.default_rng(1)
    tasks = [
        TaskScores(images=np.arange(i * 100, i * 100 + 100), scores=generator.random((2, 100)))
        for i in range(4)
    ]
    losses = np.array([task.scores[0] - task.scores[1] for task in tasks])
    error = np.sqrt((losses.var(axis=1) / 100).sum() / 16)
    bounds = loss_bounds(tasks, 400, 0, draws=20_000)
    assert bounds[0] > 0
    assert bounds[1] == pytest.approx(losses.mean() + 1.645 * error, abs=0.002)


@given(st.integers(0, 1000), st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_the_order_of_records_does_not_matter(seed: int, rng: random.Random) -> None:
    records = mixed(seed)
    shuffled = rng.sample(records, len(records))
    assert recommendations(shuffled, {}) == recommendations(records, {})


@given(st.integers(0, 1000), st.floats(0.0, 0.5), st.sampled_from([{}, {"m0": spec("m0", 1.0)}]))
@settings(max_examples=25, deadline=None)
def test_the_parts_of_a_recommendation_agree(
    seed: int, margin: float, specs: dict[str, ModelSpec]
) -> None:
    for one in recommendations(mixed(seed), specs, margin):
        assert one.shown == (one.choice != one.leader) == (one.loss_bound is not None)
        assert one.loss_bound is None or one.loss_bound <= margin
        assert one.images_needed is None or one.images_needed >= 5
        assert one.held_out is not None
        assert one.held_out_interval is not None
        assert one.held_out_interval[0] <= one.held_out <= one.held_out_interval[1]
        assert type(one.leader_yield) is float
        assert type(one.held_out) is float

"""Routers against a search through every assignment, by hand, and in any order."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Mapping
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit_tests.test_aggregate import error, item
from vlmbench_plugin.core import MODES
from vlmbench_plugin.findings import Choice
from vlmbench_plugin.record import Record
from vlmbench_plugin.routing import FOLDS, grid_of, routers

TASKS = ("depth_analysis", "ocr_text")


def cell(
    model: str, category: str, scores: Iterable[float | None], mode: str = "json_mode"
) -> list[Record]:
    """The records of one model in one task, one image a score."""
    return [
        item(index, score, model=model, category=category, mode=mode, difficulty="easy")
        for index, score in enumerate(scores)
    ]


def specialists() -> list[Record]:
    """Two models, each good at one task in one mode, and a third that is fair at both."""
    return [
        *cell("reader", "ocr_text", [1.0] * 20),
        *cell("reader", "ocr_text", [0.0] * 20, mode="constrained"),
        *cell("reader", "depth_analysis", [0.0] * 20),
        *cell("ranger", "ocr_text", [0.0] * 20),
        *cell("ranger", "depth_analysis", [0.25] * 20),
        *cell("ranger", "depth_analysis", [1.0, 0.6] * 10, mode="constrained"),
        *cell("fair", "ocr_text", [0.6] * 20),
        *cell("fair", "depth_analysis", [None, 1.0] * 10),
    ]


def choice(model: str, mode: str = "json_mode") -> Choice:
    return Choice(model=model, reasoning="off", mode="json_mode" if mode == MODES[0] else MODES[1])


def test_a_pair_of_specialists_by_hand() -> None:
    one, two, three = routers(specialists(), max_models=3)
    assert (one.max_models, one.models, one.recommended) == (1, ("fair",), True)
    assert one.tasks == {name: choice("fair") for name in TASKS}
    assert one.naive == pytest.approx(0.55)
    assert one.held_out == pytest.approx(0.55)
    assert (one.gain, one.gain_interval) == (None, None)
    assert two.models == ("ranger", "reader")
    assert two.tasks == {
        "depth_analysis": choice("ranger", "constrained"),
        "ocr_text": choice("reader"),
    }
    assert two.naive == pytest.approx(0.9)
    assert two.held_out == pytest.approx(0.9)
    assert two.gain == pytest.approx(0.35)
    assert two.gain_interval is not None
    assert 0 < two.gain_interval[0] < 0.35 < two.gain_interval[1]
    assert two.recommended
    # A third model adds nothing: the router of at most three is that pair.
    assert dataclasses.replace(three, max_models=2) == two


def test_a_held_out_image_is_answered_by_what_the_others_choose() -> None:
    """Of two coins each is best where it happened to fall well: naive looks better than it is."""
    records = [
        *cell("a", "ocr_text", [1.0, 0.0, 0.0, 1.0, 1.0]),
        *cell("b", "ocr_text", [0.0, 1.0, 1.0, 0.0, 0.0]),
    ]
    (found, _) = routers(records)
    assert found.naive == pytest.approx(0.6)
    # Each image is its own fold. Where a is right the other four have two of each: a, by name;
    # where b is right, a leads the others by three to one.
    assert found.held_out == pytest.approx(0.6)
    flipped = [
        *cell("b", "ocr_text", [1.0, 0.0, 0.0, 1.0, 1.0]),
        *cell("a", "ocr_text", [0.0, 1.0, 1.0, 0.0, 0.0]),
    ]
    (found, _) = routers(flipped)
    assert found.models == ("b",)
    assert found.held_out == 0.0


def test_too_few_images_leave_the_held_out_figures_unknown() -> None:
    records = [*cell("a", "ocr_text", [1.0] * (FOLDS - 1)), *cell("b", "ocr_text", [0.5] * 4)]
    one, two = routers(records)
    assert (one.naive, one.held_out, one.held_out_interval) == (1.0, None, None)
    assert (two.gain, two.gain_interval, two.recommended) == (None, None, False)


def test_only_images_that_all_have_count() -> None:
    records = [*cell("a", "ocr_text", [0.0] * 3 + [1.0] * 10), *cell("b", "ocr_text", [0.5] * 3)]
    assert routers(records)[0].models == ("b",)
    apart = [item(0, 1.0, model="a"), item(1, 1.0, model="b")]
    assert routers(apart) == routers([]) == routers([error(0)]) == ()


def test_a_model_that_lacks_a_task_serves_beside_another() -> None:
    records = [
        *cell("whole", "ocr_text", [0.5] * 10),
        *cell("whole", "depth_analysis", [0.5] * 10),
        *cell("part", "ocr_text", [1.0, 0.9] * 5),
    ]
    one, two = routers(records)
    assert (one.models, two.models) == (("whole",), ("part", "whole"))
    assert two.tasks["depth_analysis"] == choice("whole")
    # Nobody can do both: no router of one model.
    (pair,) = routers([r for r in records if r.model == "part" or r.category == TASKS[0]])
    assert (pair.max_models, pair.gain, pair.recommended) == (2, None, False)


def test_a_choice_with_errors_lacks_the_task() -> None:
    records = [*cell("a", "ocr_text", [1.0] * 20), error(20, model="a")]
    records += cell("b", "ocr_text", [0.5] * 20)
    assert [found.models for found in routers(records)] == [("b",)]
    many = [*cell("a", "ocr_text", [1.0] * 49), error(49, model="a")]
    assert routers([*many, *cell("b", "ocr_text", [0.5] * 49)])[0].models == ("a",)


def test_equal_routers_use_the_fewest_models_and_the_first_by_name() -> None:
    records = [one for name in "cab" for task in TASKS for one in cell(name, task, [0.5] * 6)]
    assert [found.models for found in routers(records, max_models=3)] == [("a",)] * 3
    assert [found.recommended for found in routers(records, max_models=3)] == [True, False, False]


def by_brute_force(records: Iterable[Record], most: int) -> float:
    """The highest mean yield of any assignment of choices to tasks by at most so many models."""
    cells: dict[str, dict[Choice, list[float]]] = {}
    for r in records:
        who = Choice(model=r.model, reasoning=r.reasoning, mode=r.mode)
        cells.setdefault(r.category, {}).setdefault(who, []).append(r.primary_score or 0.0)
    means = [{who: float(np.mean(got)) for who, got in found.items()} for found in cells.values()]
    return max(
        float(np.mean([found[who] for who, found in zip(assigned, means, strict=True)]))
        for assigned in product(*means)
        if len({who.model for who in assigned}) <= most
    )


grids = st.integers(2, 4).flatmap(
    lambda models: st.lists(  # task by task: (model, mode) by image
        st.lists(
            st.lists(st.sampled_from([None, 0.0, 0.4, 1.0]), min_size=6, max_size=6),
            min_size=2 * models,
            max_size=2 * models,
        ),
        min_size=1,
        max_size=3,
    )
)


def of(grid: list[list[list[float | None]]]) -> list[Record]:
    return [
        record
        for task, rows in enumerate(grid)
        for at, scores in enumerate(rows)
        for record in cell(f"m{at // 2}", f"task{task}", scores, mode=MODES[at % 2])
    ]


@given(grids, st.randoms())
@settings(max_examples=60)
def test_it_is_the_best_of_every_assignment(
    grid: list[list[list[float | None]]], shuffled: random.Random
) -> None:
    records = of(grid)
    found = routers(records, max_models=3)
    for router in found:
        best = by_brute_force(records, router.max_models)
        assert router.naive == pytest.approx(best, abs=1e-8)
        assert len(router.models) <= router.max_models
        assert {one.model for one in router.tasks.values()} == set(router.models)
        taken = [
            r.primary_score or 0.0
            for r in records
            if router.tasks[r.category] == Choice(model=r.model, reasoning="off", mode=r.mode)
        ]
        assert float(np.mean(taken)) == pytest.approx(router.naive)
    shuffled.shuffle(records)
    assert routers(records, max_models=3) == found


@given(grids)
@settings(max_examples=30)
def test_held_out_figures_are_those_of_a_plain_loop(grid: list[list[list[float | None]]]) -> None:
    records = of(grid)
    laid_out = grid_of(records)
    assert laid_out is not None
    fold_of = {
        (category, image): int(laid_out.folds[position])
        for category, positions in zip(laid_out.categories, laid_out.images, strict=True)
        for image, position in zip(_images(records, category), positions, strict=True)
    }

    def held_out(most: int) -> Mapping[tuple[str, str], float]:
        found = {}
        for fold in range(FOLDS):
            outside = [r for r in records if fold_of[r.category, r.image_id] != fold]
            tasks = _first_best(outside, most)
            for r in records:
                who = Choice(model=r.model, reasoning=r.reasoning, mode=r.mode)
                if fold_of[r.category, r.image_id] == fold and tasks[r.category] == who:
                    found[r.category, r.image_id] = r.primary_score or 0.0
        return found

    one, two = routers(records)
    single, pair = held_out(1), held_out(2)
    assert one.held_out == pytest.approx(np.mean(list(single.values())))
    assert two.held_out == pytest.approx(np.mean(list(pair.values())))
    assert two.gain == pytest.approx(np.mean([pair[key] - single[key] for key in single]), abs=1e-9)
    assert two.recommended == (two.gain_interval is not None and two.gain_interval[0] > 0)


def _images(records: Iterable[Record], category: str) -> list[str]:
    return sorted({r.image_id for r in records if r.category == category})


def _position(who: Choice) -> tuple[str, int]:
    return who.model, MODES.index(who.mode)


def _first_best(records: list[Record], most: int) -> Mapping[str, Choice]:
    """The first of the best sets, smaller ones first; in a task the first of its best choices."""
    cells: dict[str, dict[Choice, list[float]]] = {}
    for r in records:
        who = Choice(model=r.model, reasoning=r.reasoning, mode=r.mode)
        cells.setdefault(r.category, {}).setdefault(who, []).append(r.primary_score or 0.0)
    means = {
        task: {who: round(float(np.mean(got)), 9) for who, got in found.items()}
        for task, found in cells.items()
    }
    names = sorted({who.model for found in means.values() for who in found})
    best: tuple[float, Mapping[str, Choice]] = (-1.0, {})
    for size in range(1, most + 1):
        for members in combinations(names, size):
            tasks = {}
            for task, found in means.items():
                usable = sorted((who for who in found if who.model in members), key=_position)
                tasks[task] = max(usable, key=lambda who: means[task][who])
            value = round(sum(means[task][who] for task, who in tasks.items()) / len(tasks), 8)
            if value > best[0]:
                best = value, tasks
    return best[1]

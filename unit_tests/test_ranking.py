from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmbench_plugin.findings import Choice, Ranking
from vlmbench_plugin.ranking import Answers, Matrix, ranking, rankings
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import TaskScores

BLANK: dict[str, Any] = dict.fromkeys(field.name for field in dataclasses.fields(Record))


def item(model: str, index: int, score: float | None, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "model": model,
        "reasoning": "off",
        "category": "ocr_text",
        "mode": "json_mode",
        "image_id": f"image-{index:04d}",
        "source": "photo",
        "status": "missed",
        "primary_score": score,
        "schema_valid": score is not None,
        "json_robust": True,
        "runner": "vlm",
        "busy_s": 1.0,
    }
    return Record(**(BLANK | values | changes))


def cell(model: str, scores: Iterable[float | None], **changes: Any) -> list[Record]:
    return [item(model, index, score, **changes) for index, score in enumerate(scores)]


def of(model: str, mode: Any = "json_mode") -> Choice:
    return Choice(model=model, reasoning="off", mode=mode)


def standings(found: Ranking) -> list[tuple[str, float, int, int, bool]]:
    return [(one.choice.model, one.value, one.best, one.worst, one.tied) for one in found.standings]


def test_a_ranking_by_hand() -> None:
    """Seven images: always right beats never right, 2 of 128 swaps are as extreme."""
    records = [
        *cell("good", [1.0] * 7),
        *cell("bad", [0.0] * 7),
        *cell("fair", [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.5]),
    ]
    overall, alone = rankings(records)
    assert (overall.category, alone.category) == (None, "ocr_text")
    assert standings(overall) == [
        ("good", 1.0, 1, 2, True),
        ("fair", 0.5, 1, 3, True),
        ("bad", 0.0, 2, 3, False),
    ]
    assert overall.better == ((of("good"), of("bad")),)
    assert overall.images == {"ocr_text": 7}
    assert overall.mode == "json_mode"
    assert dataclasses.replace(alone, category=None) == overall


def test_what_could_have_been_shown_by_hand() -> None:
    """Two models, 100 images, differing by 1 on every second one, in turn for and against."""
    a = [1.0, 1.0, 0.0, 1.0] * 25
    b = [0.0, 1.0, 1.0, 1.0] * 25
    (found, _) = rankings([*cell("a", a), *cell("b", b)])
    # 50 squares of 1: variance 50 / 99, and 1 / 102 for the pseudo-images, each over about 100.
    error = (50 / 99 / 100 + 1 / (101 * 102)) ** 0.5
    assert found.smallest_difference == pytest.approx((1.96 + 0.8416) * error, rel=0.06)
    assert found.images_needed[0.05] == pytest.approx(100 * (2.8016 * error / 0.05) ** 2, rel=0.01)
    assert found.images_needed[0.02] == pytest.approx(found.images_needed[0.10] * 25, rel=0.01)
    assert found.better == ()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_of_five_images_nothing_could_have_been_shown(n: int) -> None:
    (found, _) = rankings([*cell("good", [1.0] * n), *cell("bad", [0.0] * n)])
    assert found.smallest_difference is None
    assert standings(found) == [
        ("good", 1.0, 1, 2, True),
        ("bad", 0.0, 1, 2, True),
    ]
    assert found.images_needed[0.1] > 5


def test_what_is_compared_is_the_clean_yield() -> None:
    records = [
        *cell("fenced", [1.0] * 8),
        *cell("prose", [1.0] * 8, json_robust=False),
        *cell("invalid", [None] * 8),
    ]
    assert standings(rankings(records)[0]) == [
        ("fenced", 1.0, 1, 1, True),
        ("invalid", 0.0, 2, 3, False),
        ("prose", 0.0, 2, 3, False),
    ]


def test_each_task_counts_the_same() -> None:
    records = [
        *cell("a", [1.0] * 20),
        *cell("a", [0.0] * 6, category="segmentation"),
        *cell("b", [0.0] * 20),
        *cell("b", [1.0] * 6, category="segmentation"),
    ]
    found = rankings(records)
    assert [one.category for one in found] == [None, "ocr_text", "segmentation"]
    assert [one.value for one in found[0].standings] == [0.5, 0.5]
    assert found[0].better == ()
    assert found[1].better == ((of("a"), of("b")),)
    assert found[2].better == ((of("b"), of("a")),)
    assert found[0].images == {"ocr_text": 20, "segmentation": 6}


def test_one_model_or_none_is_no_ranking() -> None:
    assert rankings([]) == ()
    assert rankings(cell("a", [1.0] * 9)) == ()
    assert rankings([*cell("a", [1.0] * 9), *cell("a", [0.5] * 9, mode="constrained")]) == ()


def test_the_first_mode_ranks_where_there_is_no_json_mode() -> None:
    records = [*cell("a", [1.0] * 9, mode="constrained"), *cell("b", [0.0] * 9, mode="constrained")]
    assert {one.mode for one in rankings(records)} == {"constrained"}
    both = [*records, *cell("a", [0.5] * 9), *cell("b", [0.5] * 9)]
    assert {one.mode for one in rankings(both)} == {"json_mode"}


def test_an_incomplete_model_is_left_out_where_it_is_incomplete() -> None:
    records = [
        record
        for name, category in (
            ("a", "ocr_text"),
            ("b", "ocr_text"),
            ("half", "ocr_text"),
            ("a", "segmentation"),
            ("b", "segmentation"),
        )
        for record in cell(name, [0.5] * 8, category=category)
    ]
    overall, ocr, segmentation = rankings(records)
    names = [
        {one.choice.model for one in found.standings} for found in (overall, ocr, segmentation)
    ]
    assert names == [{"a", "b"}, {"a", "b", "half"}, {"a", "b"}]


@pytest.mark.parametrize(("errors", "ranked"), [(1, True), (2, False)])
def test_more_than_two_percent_of_errors_leave_a_model_out(errors: int, ranked: bool) -> None:
    blank: dict[str, Any] = {
        "status": "error",
        "primary_score": None,
        "schema_valid": None,
        "json_robust": None,
    }
    records = [*cell("a", [0.5] * 50), *cell("b", [0.5] * 50), *cell("c", [0.5] * 50)]
    for index in range(errors):
        records[100 + index] = dataclasses.replace(records[100 + index], **blank)
    found = rankings(records)[0]
    assert ("c" in {one.choice.model for one in found.standings}) == ranked
    # An image that one of those compared failed on is not compared.
    assert found.images == {"ocr_text": 49 if ranked else 50}


def test_models_without_a_common_image_are_not_ranked() -> None:
    records = [item("a", 0, 1.0), item("b", 1, 1.0)]
    assert rankings(records) == ()
    shared = [*cell("a", [1.0] * 6, category="segmentation")]
    shared += cell("b", [0.0] * 6, category="segmentation")
    assert [one.category for one in rankings([*records, *shared])] == ["segmentation"]


def test_thinking_is_another_choice() -> None:
    records = [*cell("a", [1.0] * 8), *cell("a", [0.0] * 8, reasoning="on")]
    found = rankings(records)[0]
    assert [one.choice.reasoning for one in found.standings] == ["off", "on"]
    assert len(found.better) == 1


def test_a_scene_is_drawn_for_one_task_and_a_photograph_may_serve_two() -> None:
    answers = Answers.of(
        record
        for category in ("ocr_text", "segmentation")
        for record in (
            item("a", 0, 1.0, category=category),
            item("a", 0, 1.0, category=category, source="synthetic", difficulty="easy"),
        )
    )
    matrix = answers.matrix([of("a")], ["ocr_text", "segmentation"])
    assert matrix is not None
    assert matrix.served == {
        ("photo", "image-0000", ""): ["ocr_text", "segmentation"],
        ("synthetic", "image-0000", "ocr_text"): ["ocr_text"],
        ("synthetic", "image-0000", "segmentation"): ["segmentation"],
    }


def mixed(seed: int) -> list[Record]:
    rng = random.Random(seed)
    return [
        item(f"m{model}", index, rng.choice([0.0, 0.5, 1.0]) if rng.random() < skill else 0.0,
             category=category, mode=mode)
        for model, skill in enumerate((0.2, 0.9, 0.9))
        for category in ("ocr_text", "segmentation")
        for mode in ("json_mode", "constrained")
        for index in range(14)
    ]  # fmt: skip


@given(st.integers(0, 1000), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_the_order_of_records_does_not_matter(seed: int, rng: random.Random) -> None:
    records = mixed(seed)
    assert rankings(rng.sample(records, len(records))) == rankings(records)


@given(st.integers(0, 1000), st.permutations(["m0", "m1", "m2"]))
@settings(max_examples=15, deadline=None)
def test_other_names_change_nothing_but_the_names(seed: int, names: list[str]) -> None:
    records = mixed(seed)
    new = dict(zip(["m0", "m1", "m2"], names, strict=True))
    renamed = [dataclasses.replace(record, model=new[record.model]) for record in records]
    for before, after in zip(rankings(records), rankings(renamed), strict=True):
        assert sorted((new[m], *rest) for m, *rest in standings(before)) == sorted(standings(after))
        assert before.smallest_difference == pytest.approx(after.smallest_difference)
        assert before.images_needed == after.images_needed


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_the_parts_of_a_ranking_agree(seed: int) -> None:
    for found in rankings(mixed(seed)):
        values = [one.value for one in found.standings]
        assert values == sorted(values, reverse=True)
        value = {one.choice: one.value for one in found.standings}
        assert all(value[winner] > value[loser] for winner, loser in found.better)
        for one in found.standings:
            assert one.best == 1 + sum(loser == one.choice for _, loser in found.better)
            assert one.worst == 3 - sum(winner == one.choice for winner, _ in found.better)
            assert one.tied == (one.best == 1)
            assert type(one.value) is float
            assert type(one.best) is int
        assert found.standings[0].tied


def test_images_per_task_are_the_harmonic_mean() -> None:
    """Tasks of 10 and 40 images are as uncertain as two of 16."""
    tasks = {
        "a": TaskScores(images=np.arange(10), scores=np.zeros((2, 10))),
        "b": TaskScores(images=np.arange(10, 50), scores=np.zeros((2, 40))),
    }
    images = tuple(("photo", str(index), "") for index in range(50))
    matrix = Matrix(choices=(of("a"), of("b")), tasks=tasks, images=images)
    assert matrix.per_task == pytest.approx(16)
    assert ranking(matrix, None).standings[0].value == 0.0

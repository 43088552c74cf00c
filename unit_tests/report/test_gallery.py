"""Which cases the page shows, and what it says of them."""

from __future__ import annotations

import io
import json
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unit_tests.report.conftest import item
from vlmbench_plugin.core import FAILURES, Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.fields import box, integer, label, list_of, number, polygon
from vlmbench_plugin.record import Record
from vlmbench_plugin.report.differences import Difference, differences
from vlmbench_plugin.report.gallery import RAW_CHARACTERS, gallery
from vlmbench_plugin.report.reasons import FAMILIES, reason
from vlmbench_plugin.report.sampling import CASES, PER_CELL, sample

LENS = "The image has fx = 100, fy = 100, cx = 60, cy = 40."


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    return Score(primary=0.0)


TASK = VisionTask(
    category="own",
    title="t",
    fields={
        "things": list_of({"name": label("name"), "at": box()}, 4),
        "count": integer(0, 9),
    },
    prompt="",
    score=score,
    answer_tokens=9,
)
TRUTH = {"things": [{"name": "cat", "at": [10, 10, 30, 30]}], "count": 1}


def record(index: int = 0, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "model": "m",
        "category": "own",
        "mode": "json_mode",
        "truth": TRUTH,
        "image_size": [120, 80],
        "right_at": 0.5,
        "raw_text": "{}",
        "finish_reason": "stop",
    }
    return item(index, 0.2, **(values | changes))


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (640, 480), (10, 200, 30)).save(buffer, format="PNG")
    return buffer.getvalue()


@given(
    st.lists(st.sampled_from([*FAILURES, None]), min_size=1, max_size=60),
    st.randoms(use_true_random=False),
)
def test_a_cell_shows_misses_first_and_every_kind(
    kinds: list[Any], shuffler: random.Random
) -> None:
    records = [
        record(i, failure=kind, status="passed" if kind is None else "missed")
        for i, kind in enumerate(kinds)
    ]
    shown = sample(records, ())
    assert len(shown) == min(PER_CELL, len(records))
    states = [one.status for one in shown]
    assert states == sorted(states)  # "missed" before "passed"
    missed = {one.failure for one in records if one.failure}
    told = {one.failure for one in shown if one.failure}
    assert told == missed or len(told) >= PER_CELL * 3 // 4
    if "passed" in {one.status for one in records}:
        assert "passed" in states
    mixed = list(records)
    shuffler.shuffle(mixed)
    assert sample(mixed, ()) == shown


def test_models_are_shown_on_the_same_images_where_they_can_be() -> None:
    every = [record(i, model="a", failure="truncated") for i in range(0, 40, 2)]
    late = [record(i, model="b", failure="truncated") for i in range(40)]
    shown = sample([*every, *late], ())
    images = {model: {r.image_id for r in shown if r.model == model} for model in "ab"}
    assert images["a"] == images["b"]


def test_tasks_stand_in_their_order_and_cells_in_turn() -> None:
    records = [
        record(i, category=name, failure="truncated") for name in ("x", "y", "z") for i in range(3)
    ]
    assert [r.category for r in sample(records, ("z", "x", "y"))] == ["z", "x", "y"] * 3


def test_many_cells_share_the_room_and_none_is_left_out() -> None:
    records = [record(i, model=f"m{m}", failure="empty") for m in range(400) for i in range(5)]
    shown = sample(records, ())
    assert len({r.model for r in shown}) == 400
    assert len(shown) <= CASES
    assert sample([], ()) == []


def test_pictures_are_small_shared_and_asked_for_once() -> None:
    asked: list[str] = []

    def read(name: str) -> bytes | None:
        asked.append(name)
        return png() if "0001" in name else None

    records = [record(i % 3, model=model, failure="empty") for model in "ab" for i in range(3)]
    found = gallery(records, {"own": TASK}, read)
    assert sorted(asked) == [f"own/image-000{i}.png" for i in range(3)]
    assert list(found.pictures) == ["own/image-0001.png"]
    (uri,) = found.pictures.values()
    assert re.fullmatch(r"data:image/webp;base64,[A-Za-z0-9+/=]{50,4000}", uri)
    pictures = {case["picture"] for case in found.cases}
    assert pictures == {None, "own/image-0001.png"}
    assert "2 of the images shown have no small copy" in found.notes[0]


def test_a_damaged_picture_is_told_and_left_out() -> None:
    found = gallery([record(failure="empty")], {}, lambda _: b"no image")
    assert found.pictures == {}
    assert found.notes == ("1 small copies could not be read: their files are damaged.",)


def test_a_long_answer_is_cut_and_the_page_says_so() -> None:
    (case,) = gallery([record(raw_text="x" * 9000)], {"own": TASK}, lambda _: None).cases
    assert case["raw"] == "x" * RAW_CHARACTERS
    assert case["cut"] == 9000 - RAW_CHARACTERS
    assert case["parsed"] is None


def test_an_invalid_answer_shows_what_reading_found() -> None:
    text = 'Sure: {"bbox_2d": [1, 2], "label": "<b>"}'
    (case,) = gallery(
        [record(raw_text=text, failure="native_schema", prediction=None)],
        {"own": TASK},
        lambda _: None,
    ).cases
    assert json.loads(case["parsed"])["bbox_2d"] == [1, 2]
    assert case["raw"] == text
    assert case["valid"] is False
    assert case["answer_marks"] == []


def test_overlays_are_numbers_in_pixels() -> None:
    prediction = {"things": [{"name": "<i>dog", "at": [0.04, 5, 20, 25.5]}], "count": 2}
    (case,) = gallery([record(prediction=prediction)], {"own": TASK}, lambda _: None).cases
    (truth,), (answer,) = case["truth_marks"], case["answer_marks"]
    assert truth == {
        "path": "M10,10L30,10L30,30L10,30L10,10",
        "dots": [],
        "name": "cat",
        "at": [10, 10, 30],
    }
    assert answer["path"] == "M0,5L20,5L20,25.5L0,25.5L0,5"
    assert answer["name"] == "<i>dog"
    assert case["rows"] == [
        ["things 1 name", "cat", "<i>dog", False, ""],
        ["things 1 at", "[10, 10, 30, 30]", "[0.04, 5, 20, 25.5]", False, "IoU 0.24"],
        ["count", "1", "2", False, "+1"],
    ]


@pytest.mark.parametrize(
    ("fields", "truth", "lines"),
    [
        (
            {
                "objects": list_of(
                    {
                        "center": list_of(number(-9, 9), 3, at_least=3),
                        "size": list_of(number(0, 9), 3, at_least=3),
                        "yaw": number(-180, 180),
                    },
                    2,
                )
            },
            {"objects": [{"center": [0, 0, 5], "size": [1, 1, 1], "yaw": 0}]},
            12,
        ),
        (
            {"yaw": number(-180, 180), "pitch": number(-90, 90), "roll": number(-180, 180)},
            {"yaw": None, "pitch": None, "roll": 20},
            1,
        ),
        ({"edge": polygon(5)}, {"edge": [[0, 0], [9, 0], [9, 9]]}, 1),
    ],
)
def test_solids_horizons_and_outlines_of_truth_and_answer(
    fields: Any, truth: Any, lines: int
) -> None:
    task = VisionTask(
        category="own", title="t", fields=fields, prompt="", score=score, answer_tokens=9,
        answer=lambda t: {k: v or 0 for k, v in t.items()},
    )  # fmt: skip
    answer = {key: value or 3 for key, value in truth.items()}
    (case,) = gallery(
        [record(truth=truth, prediction=answer, question=LENS)], {"own": task}, lambda _: None
    ).cases
    for marks in (case["truth_marks"], case["answer_marks"]):
        assert sum(mark["path"].count("M") for mark in marks) >= lines
        for mark in marks:
            assert re.fullmatch(r"(M-?[\d.]+,-?[\d.]+(L-?[\d.]+,-?[\d.]+)+)+", mark["path"])


def test_an_unknown_task_is_shown_without_overlays() -> None:
    (case,) = gallery([record()], {}, lambda _: None).cases
    assert "rows" not in case
    assert case["raw"] == "{}"


def test_an_error_is_shown_as_one() -> None:
    broken = record(status="error", error="out of memory", failure=None, raw_text=None)
    (case,) = gallery([broken], {"own": TASK}, lambda _: None).cases
    assert (case["failure"], case["raw"]) == ("error", None)
    assert "says nothing about the model: out of memory" in case["reason"]


def test_the_items_of_lists_are_paired_by_name_then_by_order() -> None:
    truth = {"things": [{"name": "cat", "at": [0, 0, 9, 9]}, {"name": "dog", "at": [0, 0, 5, 5]}]}
    answer = {
        "things": [
            {"name": "cow", "at": [1, 1, 2, 2]},
            {"name": "Cat", "at": [0, 0, 9, 9]},
            {"name": "hen", "at": [3, 3, 4, 4]},
        ],
        "count": 3,
    }
    found = list(differences(TASK, truth, answer))
    assert [(d.path, d.truth, d.answer) for d in found if d.path.endswith("name")] == [
        ("things 1 name", "cat", "Cat"),
        ("things 2 name", "dog", "cow"),
        ("things 3 name", "", "hen"),
    ]
    assert found[1] == Difference(
        path="things 1 at", truth="[0, 0, 9, 9]", answer="[0, 0, 9, 9]", same=True
    )
    assert found[-1] == Difference(path="count", truth="", answer="3", same=False)


def test_empty_lists_on_both_sides_are_the_same() -> None:
    found = list(differences(TASK, {"things": [], "count": 0}, {"things": [], "count": 0}))
    assert [(d.truth, d.same) for d in found] == [("[]", True), ("0", True)]


def test_every_failure_has_a_family_and_a_reason() -> None:
    assert sorted(kind for kinds in FAMILIES.values() for kind in kinds) == sorted(FAILURES)
    for kind in FAILURES:
        assert reason(record(failure=kind)).endswith("It scores 0.20; 0.5 would have been enough.")
    assert reason(record(failure="empty", primary_score=None)) == "The model answered nothing."
    passed = reason(record(failure=None, status="passed", primary_score=1.0))
    assert passed == "The answer is valid and right. It scores 1.00; 0.5 is enough."

"""What is drawn on a picture, and the sheets and examples made of such pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vlmbench_plugin.contact_sheets import (
    CASES,
    EXAMPLE_SIDE,
    contact_sheet,
    contact_sheets,
    example_image,
)
from vlmbench_plugin.core import Answer, Case, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.errors import UnknownNameError
from vlmbench_plugin.fields import (
    Fields,
    box,
    choice,
    label,
    list_of,
    number,
    point,
    polygon,
    text,
)
from vlmbench_plugin.overlays import Mark, View, answer_marks, marks, overlay, words
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

WHITE = (255, 255, 255)
LENS = "The image has fx = 100, fy = 50, cx = 60, cy = 40."
each_task = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))


def no_score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    return Score(primary=0.0)


def task_of(fields: Fields) -> VisionTask:
    return VisionTask(
        category="own", title="t", fields=fields, prompt="", score=no_score, answer_tokens=9
    )


def case_of(truth: Truth, question: str | None = None) -> Case:
    return Case(
        category="own",
        image_id="one",
        source="own",
        index=0,
        size=(120, 80),
        truth=truth,
        image=lambda: Image.new("RGB", (120, 80), WHITE),
        question=question,
    )


def shown(fields: Fields, truth: Truth, question: str | None = None) -> list[Mark]:
    return list(marks(task_of(fields), case_of(truth, question)))


def test_every_kind_of_position_is_drawn_under_its_own_label() -> None:
    fields: Fields = {
        "things": list_of({"name": label("name"), "at": box()}, 4),
        "edge": polygon(5, optional=True),
        "spot": point(),
    }
    truth = {
        "things": [{"name": "cat", "at": [1, 2, 5, 9]}, {"name": "dog", "at": [0, 0, 3, 3]}],
        "edge": [[0, 0], [4, 0], [4, 3]],
        "spot": [7, 8],
    }
    found = shown(fields, truth)
    assert [mark.name for mark in found] == ["cat", "dog", "", ""]
    chains = [list(line) for mark in found for line in mark.lines]
    assert chains[0] == [(1, 2), (5, 2), (5, 9), (1, 9), (1, 2)]
    assert chains[2:] == [[(0, 0), (4, 0), (4, 3), (0, 0)], [(7, 8)]]
    assert len(shown(fields, {**truth, "edge": None})) == 3


def test_a_box_in_space_is_seen_through_the_stated_lens() -> None:
    fields: Fields = {
        "solids": list_of(
            {
                "name": label("name"),
                "center": list_of(number(-9, 9), 3, at_least=3),
                "size": list_of(number(0, 9), 3, at_least=3),
                "yaw": number(-180, 180),
            },
            4,
        )
    }
    solid = {"name": "box", "center": [1, 0, 5], "size": [2, 4, 2], "yaw": 0}
    (mark,) = shown(fields, {"solids": [solid]}, LENS)
    spots = {spot for line in mark.lines for spot in line}
    assert mark.name == "box"
    assert len(mark.lines) == 12
    # Corners at x 0 and 2, y -2 and 2, z 4 and 6.
    assert len(spots) == 8
    assert (60.0, 40 - 50 * 2 / 4) in spots
    assert (60 + 100 * 2 / 4, 40 + 50 * 2 / 4) in spots
    assert (60 + 100 * 2 / 6, 40 + 50 * 2 / 6) in spots
    assert shown(fields, {"solids": [solid]}) == []
    assert shown(fields, {"solids": [{**solid, "center": [1, 0, 0.5]}]}, LENS) == []


TURN: Fields = {axis: number(-180, 180) for axis in ("yaw", "pitch", "roll")}


def test_the_horizon_climbs_to_the_right_with_roll_and_sinks_with_pitch() -> None:
    (level,) = shown(TURN, {"yaw": None, "pitch": None, "roll": 0})
    assert level.name == "horizon"
    assert all(y == pytest.approx(40) for line in level.lines for _, y in line)
    (rolled,) = shown(TURN, {"yaw": None, "pitch": None, "roll": 45})
    assert all(y - 40 == pytest.approx(60 - x) for line in rolled.lines for x, y in line)
    lens = "fx = 100, fy = 100, cx = 60, cy = 40"
    horizon, north = shown(TURN, {"yaw": 45, "pitch": 0, "roll": 0}, lens)
    # What lies 45 degrees to the left appears a focal length left of the centre.
    assert all(x == pytest.approx(60 - 100) for line in north.lines for x, _ in line)
    up, _ = shown(TURN, {"yaw": 0, "pitch": 10, "roll": 0}, lens)
    assert all(y > 50 for line in up.lines for _, y in line)
    assert horizon.lines != up.lines
    assert shown(TURN, {"yaw": 0, "pitch": 10, "roll": 0}) == []


def test_names_are_numbered_where_the_truth_tells_their_places() -> None:
    fields: Fields = {"order": list_of(label("name"), 4)}
    truth = {"order": ["cat", "dog"], "places": {"dog": [5, 6], "cat": [1, 2]}}
    first, second = shown(fields, truth)
    assert first == Mark(lines=(((1, 2),),), name="1", dots=True)
    assert second == Mark(lines=(((5, 6),),), name="2", dots=True)
    answer = {"order": ["The Dog", "hen", "cat"]}
    view = View(size=(120, 80), question=None)
    found = [
        (mark.name, mark.lines[0][0]) for mark in answer_marks(task_of(fields), answer, truth, view)
    ]
    assert found == [("1", (5, 6)), ("3", (1, 2))]
    assert words(task_of(fields), case_of(truth)) == ["order 1: cat", "order 2: dog"]
    assert shown(fields, {"order": ["cat", "dog"]}) == []


def test_words_say_all_but_positions() -> None:
    fields: Fields = {
        "things": list_of({"name": label("name"), "at": box()}, 4),
        "order": list_of(label("name"), 4),
        "kind": choice("a", "b"),
        "note": text(20, optional=True),
        "none": list_of(label("name"), 2),
        "share": number(0, 1),
    }
    truth: dict[str, Any] = {
        "things": [{"name": "cat", "at": [1, 2, 5, 9]}],
        "order": ["dog", "cat"],
        "kind": "a",
        "none": [],
        "share": 0.5,
        "extra": ["é"],
    }
    assert words(task_of(fields), case_of(truth)) == [
        "things 1: cat",
        "order 1: dog",
        "order 2: cat",
        "kind: a",
        "none: none",
        "share: 0.5",
        'extra = ["é"]',
    ]


def test_an_overlay_marks_the_box_and_leaves_the_case_alone() -> None:
    task = task_of({"at": box()})
    one = Image.new("RGB", (120, 80), WHITE)
    case = case_of({"at": [30, 20, 90, 60]})
    drawn = overlay(task, case)
    dark = np.asarray(drawn).astype(int).sum(axis=2) < 700
    ys, xs = np.nonzero(dark)
    assert drawn.size == (120, 80)
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == pytest.approx((30, 20, 90, 60), abs=3)
    assert not dark[30:50, 40:80].any()
    assert case.image().tobytes() == one.tobytes()
    half = overlay(task, case, within=(60, 60))
    ys, xs = np.nonzero(np.asarray(half).astype(int).sum(axis=2) < 700)
    assert half.size == (60, 40)
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == pytest.approx((15, 10, 45, 30), abs=3)


def test_marks_far_outside_the_picture_do_no_harm() -> None:
    task = task_of({"name": label("name"), "at": box()})
    drawn = overlay(task, case_of({"name": "far", "at": [-900, -900, -800, -800]}))
    assert (np.asarray(drawn) == 255).all()


@each_task
def test_each_task_has_marks_or_words_for_every_smoke_case(task: VisionTask) -> None:
    source = load_cases(task, Settings(dataset="smoke", n=9))
    for index in range(len(source)):
        case = source[index]
        assert list(marks(task, case)) or words(task, case)


def test_sheets_are_one_png_a_task_with_rows_of_four(tmp_path: Path) -> None:
    tasks = [TASKS["bbox_grounding"], TASKS["depth_analysis"]]
    folder = tmp_path / "new" / "sheets"
    written = contact_sheets(tasks, Settings(dataset="synthetic", n=3), folder)
    assert [path.name for path in written] == ["bbox_grounding.png", "depth_analysis.png"]
    for path in written:
        with Image.open(path) as sheet:
            assert sheet.format == "PNG"
            assert sheet.width == 4 * 410 + 10
            assert sheet.height > 4 * 300
    with pytest.raises(UnknownNameError):
        contact_sheets([task_of({"at": box()})], Settings(), folder)


def test_a_sheet_has_as_many_rows_as_its_cases_need() -> None:
    task = TASKS["image_classification"]
    source = load_cases(task, Settings(n=CASES))
    cases = [source[i] for i in range(5)]
    assert contact_sheet(task, cases).height > contact_sheet(task, cases[:4]).height
    assert contact_sheet(task, []).height > 0


@each_task
def test_examples_are_small_and_the_same_each_time(task: VisionTask) -> None:
    image = example_image(task)
    assert image.mode == "RGB"
    assert max(image.size) <= EXAMPLE_SIDE
    assert image.tobytes() == example_image(task).tobytes()


def test_the_documents_hold_one_small_image_a_task() -> None:
    folder = Path(__file__).parents[1] / "docs" / "images"
    files = {category: folder / f"{category}.jpg" for category in TASKS}
    assert sum(path.stat().st_size for path in files.values()) < 400_000
    for category, path in files.items():
        with Image.open(path) as image:
            shown, drawn = np.asarray(image).astype(int), np.asarray(example_image(TASKS[category]))
        # JPEG: the same picture, but not the same bytes.
        assert shown.shape == drawn.shape
        assert np.abs(shown - drawn).mean() < 8, f"{path} shows another case: write it again"

"""Each task's score and secondary numbers by hand, where two compositions would differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from vlmbench_plugin.core import Vocabulary
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.tasks import TASKS

NAMES = ("cup", "tree", "hot dog")


def square(x: float, width: float = 10) -> list[list[float]]:
    return [[x, 0], [x + width, 0], [x + width, 10], [x, 10]]


def boxed(*objects: tuple[str, list[float]], count: int = 0) -> dict[str, Any]:
    return {"detections": [{"label": n, "box": b} for n, b in objects], "count": count}


def outlined(*objects: tuple[str, list[list[float]]]) -> dict[str, Any]:
    return {"instances": [{"label": n, "polygon": p} for n, p in objects]}


def related(key: str, *triples: tuple[str, str, str]) -> dict[str, Any]:
    return {"relations": [{"subject": s, key: r, "object": o} for s, r, o in triples]}


def solids(*objects: tuple[str, list[float]]) -> dict[str, Any]:
    return {"objects": [{"label": n, "center": c, "size": [1, 1, 1], "yaw": 0} for n, c in objects]}


def turned(yaw: float, pitch: float = 0, roll: float = 0) -> dict[str, Any]:
    return {"yaw": yaw, "pitch": pitch, "roll": roll}


CUP, OTHER = ("cup", square(0)), ("tree", square(20))
LEFT, ON = ("cup", "left_of", "tree"), ("cup", "inside", "tree")
NEAR = {"order": ["cup", "tree", "hot dog"]}
TEN = {"answers": ["cup"] * 2 + ["tree"] * 8}


@pytest.mark.parametrize(
    ("category", "answer", "truth", "primary", "secondary"),
    [
        ("image_classification", {"label": "cup tree"}, {"label": "cup"}, 0, {"strict": 0}),
        ("image_classification", {"label": "a red cup"}, {"label": "cup"}, 1, {"strict": 0}),
        ("bbox_grounding", boxed(("cup", [0, 0, 10, 5])), boxed(("cup", [0, 0, 10, 10])), 1, {}),
        ("bbox_grounding", boxed(("cup", [0, 0, 10, 4.9])), boxed(("cup", [0, 0, 10, 10])), 0, {}),
        ("bbox_grounding", boxed(("tree", [0, 0, 9, 9])), boxed(("cup", [0, 0, 9, 9])), 0, {}),
        ("bbox_grounding", boxed(count=1), boxed(("cup", [0, 0, 9, 9])), 0, {"count_exact": 1}),
        ("bbox_grounding", boxed(count=0), boxed(("cup", [0, 0, 9, 9])), 0, {"count_exact": 0}),
        ("data_type_differentiation", {"format": "toml"}, {"format": "toml"}, 1, {}),
        ("data_type_differentiation", {"format": "xml"}, {"format": "xsd"}, 0, {}),
        (
            "structural_spatial_awareness",
            related("relation", ("tree", "left_of", "cup")),
            related("relation", LEFT),
            0,
            {"precision": 0, "recall": 0},
        ),
        (
            "structural_spatial_awareness",
            related("relation", ("the cup", "left_of", "tree")),
            related("relation", LEFT),
            1,
            {},
        ),
        ("depth_analysis", {"order": ["Cups", "the tree", "hotdog"]}, NEAR, 1, {"kendall_tau": 1}),
        (
            "subject_fixation",
            {"subject": "cup", "box": [0, 0, 10, 5]},
            {"subject": "cup", "box": [0, 0, 10, 10]},
            1,
            {"iou": 0.5, "label": 1},
        ),
        ("segmentation", outlined(CUP), outlined(CUP, OTHER), 0.5, {"matched_iou": 1}),
        ("segmentation", outlined(CUP, OTHER), outlined(CUP), 0.5, {"matched_iou": 1}),
        ("segmentation", outlined(), outlined(), 1, {"without_labels": 1, "f1": 1}),
        ("segmentation", outlined(("cup", square(0, 4))), outlined(CUP), 0.4, {"f1": 0}),
        ("geometric_3d_object_id", solids(("cup", [0, 0, 2])), solids(("tree", [0, 0, 2])), 0, {}),
        (
            "geometric_3d_object_id",
            solids(("cup", [0, 0, 3.5])),
            solids(("cup", [0, 0, 2])),
            0,
            {"f1_0.5m": 0, "f1_1m": 0, "f1_2m": 1, "center_error_m": None},
        ),
        (
            "geometric_3d_object_id",
            solids(("cup", [0, 0, 2.2]), ("tree", [4, 0, 2])),
            solids(("cup", [0, 0, 2]), ("tree", [4, 0, 2])),
            1,
            {"center_error_m": 0.1},
        ),
        ("camera_rotational_offset", turned(30), turned(0), 1, {"all_within_10": 0}),
        ("camera_rotational_offset", turned(10, 10, 10), turned(0), 1, {"all_within_10": 1}),
        ("camera_rotational_offset", turned(11), turned(0), 1, {"all_within_10": 0}),
        (
            "semantic_association",
            related("predicate", ("tree", "contains", "cup"), ("cup", "inside", "hot dog")),
            related("predicate", ON),
            2 / 3,
            {"precision": 0.5, "recall": 1},
        ),
        (
            "semantic_association",
            related("predicate", ("the cup", "inside", "tree")),
            related("predicate", ON),
            1,
            {},
        ),
        ("vit_accuracy_to_prompt", {"answer": "cup"}, TEN, 0.6, {}),
        ("vit_accuracy_to_prompt", {"answer": "tree"}, TEN, 1, {}),
        (
            "style_structural_awareness",
            {"style": "flat", "structure": "grid"},
            {"style": "flat", "structure": None},
            1,
            {"structure": None},
        ),
    ],
)
def test_a_score_by_hand(
    category: str,
    answer: Mapping[str, Any],
    truth: Mapping[str, Any],
    primary: float,
    secondary: Mapping[str, float | None],
) -> None:
    vocabulary: Vocabulary = {"label": NAMES, "object": NAMES}
    score = TASKS[category].score(answer, truth, vocabulary)
    assert score.primary == pytest.approx(primary)
    for name, value in secondary.items():
        assert score.secondary[name] == (None if value is None else pytest.approx(value))


def crowded(*objects: tuple[str, list[float]], crowd: tuple[str, list[float]]) -> dict[str, Any]:
    return {**boxed(*objects), "ignore": boxed(crowd)["detections"]}


@pytest.mark.parametrize(
    ("answer", "primary"),
    [
        (boxed(("cup", [0, 0, 10, 10])), 1),
        (boxed(("cup", [0, 0, 10, 10]), ("cup", [50, 0, 60, 10])), 1),  # within the crowd
        (boxed(("cup", [0, 0, 10, 10]), ("cup", [45, 0, 55, 10])), 1),  # half within
        (boxed(("cup", [0, 0, 10, 10]), ("cup", [44, 0, 54, 10])), 2 / 3),
        (boxed(("cup", [0, 0, 10, 10]), ("tree", [50, 0, 60, 10])), 2 / 3),  # another label
        (boxed(("cup", [50, 0, 60, 10])), 0),  # excused, and the truth is not found
    ],
)
def test_a_box_in_a_crowd_does_not_count(answer: dict[str, Any], primary: float) -> None:
    truth = crowded(("cup", [0, 0, 10, 10]), crowd=("cup", [50, 0, 100, 10]))
    score = TASKS["bbox_grounding"].score(answer, truth, {"label": NAMES})
    assert score.primary == pytest.approx(primary)
    assert score.secondary["count_exact"] is None


def test_coco_map_leaves_crowds_out() -> None:
    over_category = TASKS["bbox_grounding"].over_category
    assert over_category is not None
    answer = {
        "detections": [
            {"label": "cup", "box": [50, 0, 60, 10], "score": 0.9},
            {"label": "cup", "box": [0, 0, 10, 10], "score": 0.5},
        ]
    }
    truth = crowded(("cup", [0, 0, 10, 10]), crowd=("cup", [50, 0, 100, 10]))
    crowd_free = {k: v for k, v in truth.items() if k != "ignore"}
    assert over_category([(answer, truth, {"label": NAMES})]) == {"coco_map": pytest.approx(1)}
    assert over_category([(answer, crowd_free, {"label": NAMES})]) == {
        "coco_map": pytest.approx(0.5)
    }


@pytest.mark.parametrize(
    ("category", "label", "truth"),
    [
        ("bbox_grounding", boxed(count=0), boxed(count=0)),
        (
            "bbox_grounding",
            {"detections": [{"label": "cup", "box": [0, 0, 9, 9]}]},
            {"detections": [{"label": "cup", "box": [0, 0, 9, 9]}], "count": 1},
        ),
        (
            "ocr_text",
            {"lines": [{"text": "Exit only"}, {"text": "No. 7"}]},
            {"lines": ["Exit only", "No. 7"], "answers": ["Exit only No. 7"], "words": 4},
        ),
        (
            "ocr_text",
            {"lines": [{"text": "Exit"}], "answers": ["exit"], "words": 9},
            {"lines": ["Exit"], "answers": ["exit"], "words": 9},
        ),
        ("ocr_text", {"answers": ["exit"], "words": 9}, {"answers": ["exit"], "words": 9}),
        ("vit_accuracy_to_prompt", {"answer": "two"}, {"answers": ["two"]}),
        ("vit_accuracy_to_prompt", {"answers": ["2", "two"]}, {"answers": ["2", "two"]}),
        ("vit_accuracy_to_prompt", TEN, TEN),
        ("vit_accuracy_to_prompt", {"answers": [*"abcdefghi"]}, {"answers": [*"abcdefghi"]}),
        (
            "vit_accuracy_to_prompt",
            {"answer": "Two", "answers": ["2", "a pair"]},
            {"answer": "Two", "answers": ["2", "a pair"]},
        ),
        ("depth_analysis", NEAR, NEAR),
        (
            "structural_spatial_awareness",
            related("relation", LEFT, ("cup", "above", "hot dog")),
            related("relation", LEFT, ("cup", "above", "hot dog")),
        ),
        ("semantic_association", related("predicate", ON), related("predicate", ON)),
        ("camera_rotational_offset", {"roll": 5}, {"yaw": None, "pitch": None, "roll": 5}),
    ],
)
def test_ones_own_label_is_completed(
    category: str, label: Mapping[str, Any], truth: Mapping[str, Any]
) -> None:
    complete = TASKS[category].complete
    assert complete is not None
    assert complete(label) == truth


@pytest.mark.parametrize(
    ("category", "label", "expected"),
    [
        ("ocr_text", {"answers": ["exit"]}, "the number of words"),
        ("ocr_text", {"words": 3}, "all lines of the image"),
        ("camera_rotational_offset", {}, "yaw, pitch or roll"),
        ("bbox_grounding", boxed(("cup", [0, 0, 9, 9]), count=5), "got 1 and a count of 5"),
        ("bbox_grounding", boxed(count=3), "got 0 and a count of 3"),
        ("vit_accuracy_to_prompt", {"answers": [*"abcdefghij"]}, "10 annotators, got 10 different"),
        (
            "vit_accuracy_to_prompt",
            {"answer": "green", "answers": ["red"]},
            "got 'green' and 'red'",
        ),
        ("depth_analysis", {}, "at least 2 names, got 0"),
        ("depth_analysis", {"order": ["cup"]}, "at least 2 names, got 1"),
        ("depth_analysis", {"order": ["cup", "tree", "The Cup"]}, "every name once, got cup, tree"),
        *(
            (category, related(key, *triples), expected)
            for category, key in (
                ("structural_spatial_awareness", "relation"),
                ("semantic_association", "predicate"),
            )
            for triples, expected in (
                ((), "at least one relation, got none"),
                ((("cup", "above", "Cup"),), "a relation of two objects, got 'cup' and 'Cup'"),
                ((LEFT, ("cup", "above", "tree")), "got two for 'cup' and 'tree'"),
                ((LEFT, ("tree", "right_of", "cup")), "got two for 'tree' and 'cup'"),
            )
        ),
    ],
)
def test_a_label_that_cannot_be_completed_says_why(
    category: str, label: Mapping[str, Any], expected: str
) -> None:
    complete = TASKS[category].complete
    assert complete is not None
    with pytest.raises(DataError, match=expected):
        complete(label)


@pytest.mark.parametrize(
    ("category", "truth", "expected"),
    [
        ("depth_analysis", NEAR, "near to far: cup, hot dog, tree"),
        ("structural_spatial_awareness", related("relation", LEFT), "cup - tree"),
        ("semantic_association", related("predicate", ON, LEFT), "cup - tree; cup - tree"),
    ],
)
def test_a_question_that_follows_from_the_truth_does_not_tell_it(
    category: str, truth: Mapping[str, Any], expected: str
) -> None:
    question = TASKS[category].question
    assert question is not None
    assert question(truth).endswith(expected)


@pytest.mark.parametrize("category", TASKS)
def test_half_a_relation_or_order_is_no_right_answer(category: str) -> None:
    stricter = {"structural_spatial_awareness", "semantic_association", "depth_analysis"}
    assert TASKS[category].right_at == (0.75 if category in stricter else 0.5)

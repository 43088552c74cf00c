from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from vlmbench_plugin.metrics.boxes import (
    COCO_THRESHOLDS,
    Box,
    Detection,
    TrueBox,
    average_precision,
    covered,
    iou,
    iou_matrix,
)

Image = tuple[Sequence[Detection], Sequence[TrueBox]]
COORDINATE = st.integers(0, 40)
HIT_A, HIT_B, MISS = (0, 0, 9, 9), (50, 50, 60, 60), (80, 0, 90, 9)
BOX = st.tuples(COORDINATE, COORDINATE, COORDINATE, COORDINATE)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),
        ((0, 0, 10, 10), (0, 0, 5, 5), 0.25),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((0, 0, 10, 10), (20, 20, 30, 30), 0.0),
        ((0, 0, 0, 10), (0, 0, 0, 10), 0.0),
        ((10, 10, 0, 0), (0, 0, 10, 10), 0.0),
        ((10, 10, 0, 0), (10, 10, 0, 0), 0.0),
        ((0.5, 0.0, 1.5, 1.0), (0.0, 0.0, 1.0, 1.0), 1 / 3),
    ],
)
def test_iou(a: Box, b: Box, expected: float) -> None:
    assert iou(a, b) == pytest.approx(expected)


@given(BOX, BOX)
def test_iou_counts_pixels(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    masks = []
    for x1, y1, x2, y2 in (a, b):
        mask = np.zeros((40, 40), dtype=bool)
        if x2 > x1 and y2 > y1:
            mask[y1:y2, x1:x2] = True
        masks.append(mask)
    union = (masks[0] | masks[1]).sum()
    expected = (masks[0] & masks[1]).sum() / union if union else 0.0
    assert iou(a, b) == pytest.approx(expected)
    assert iou(a, b) == iou(b, a)
    assert type(iou(a, b)) is float


def test_iou_matrix_has_a_row_per_prediction() -> None:
    matrix = iou_matrix([(0, 0, 2, 2), (0, 0, 1, 2), (5, 5, 6, 6)], [(0, 0, 2, 2), (1, 0, 2, 2)])
    assert matrix == [[1.0, 0.5], [0.5, 0.0], [0.0, 0.0]]
    assert iou_matrix([], [(0, 0, 1, 1)]) == []


def reference(images: Sequence[Image], crowds: Sequence[Sequence[TrueBox]] = ()) -> float:
    """The same by pycocotools; annotation ids start at 1, for it tests them for truth."""
    names = sorted({x[0] for pair in (*images, crowds) for part in pair for x in part})
    numbers = {name: i + 1 for i, name in enumerate(names)}
    annotations: list[dict[str, object]] = []
    results: list[dict[str, object]] = []
    for k, (detections, truths) in enumerate(images):
        for name, (x1, y1, x2, y2) in truths:
            shape = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            facts = {"id": len(annotations) + 1, "image_id": k, "category_id": numbers[name]}
            annotations.append({**shape, **facts, "iscrowd": 0})
        for name, (x1, y1, x2, y2) in crowds[k] if crowds else ():
            shape = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            facts = {"id": len(annotations) + 1, "image_id": k, "category_id": numbers[name]}
            annotations.append({**shape, **facts, "iscrowd": 1})
        for name, (x1, y1, x2, y2), score in detections:
            shape = {"bbox": [x1, y1, x2 - x1, y2 - y1]}
            results.append(
                {**shape, "image_id": k, "category_id": numbers[name], "score": float(score)}
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": k} for k in range(len(images))],
            "categories": [{"id": number} for number in numbers.values()],
            "annotations": annotations,
        }
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return float(run.stats[0])


def drawn_images(seed: int, scores: Sequence[float]) -> list[Image]:
    """Truths, and detections that are moved truths, mislabelled ones, repeats, and noise."""
    rng = random.Random(seed)
    images: list[Image] = []
    for _ in range(8):
        truths, detections = [], []
        for _ in range(rng.randint(0, 5)):
            x, y = rng.uniform(0, 80), rng.uniform(0, 80)
            box = (x, y, x + rng.uniform(4, 40), y + rng.uniform(4, 40))
            truths.append((rng.choice("abc"), box))
        for label, box in truths * 2:
            if rng.random() < 0.6:
                moved = tuple(value + rng.uniform(-3, 3) for value in box[:2]) + box[2:]
                name = label if rng.random() < 0.8 else rng.choice("abcd")
                detections.append((name, moved, rng.choice(scores)))
        images.append((detections, truths))
    return images


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("scores", [[1.0], [0.2, 0.5, 0.5, 0.9], [i / 97 for i in range(97)]])
def test_average_precision_is_that_of_pycocotools(seed: int, scores: list[float]) -> None:
    images = drawn_images(seed, scores)
    assert average_precision(images) == pytest.approx(reference(images), abs=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_crowded_images_agree_with_pycocotools(seed: int) -> None:
    rng = random.Random(seed)

    def near() -> Box:
        return (rng.choice([0, 1, 2]), rng.choice([0, 1, 2]), rng.choice([9, 10]), 10)

    images: list[Image] = []
    for _ in range(3):
        truths = [("a", near()) for _ in range(4)]
        images.append(([("a", near(), rng.choice([0.1, 0.2])) for _ in range(5)], truths))
    assert average_precision(images) == pytest.approx(reference(images), abs=1e-9)


def test_no_more_than_a_hundred_detections_count() -> None:
    for misses, expected in ((99, 0.01), (100, 0.0)):
        detections = [("a", MISS, 1.0)] * misses + [("a", HIT_A, 0.5)]
        images: list[Image] = [(detections, [("a", HIT_A)])]
        assert average_precision(images) == pytest.approx(expected)
        assert reference(images) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        # Recall 1/2 at precision 1/2, recall 1 at 2/3: the envelope is 2/3 everywhere.
        ((MISS, HIT_A, HIT_B), 2 / 3),
        # 51 of the 101 recalls lie at or below 1/2.
        ((HIT_A, MISS, HIT_B), (51 + 50 * 2 / 3) / 101),
        ((HIT_A, HIT_B, MISS), 1.0),
        ((HIT_A,), 51 / 101),
        ((), 0.0),
    ],
)
def test_equal_scores_rank_in_the_order_of_the_output(order: list[Box], expected: float) -> None:
    images: list[Image] = [([("a", box, 1.0) for box in order], [("a", HIT_A), ("a", HIT_B)])]
    assert average_precision(images) == pytest.approx(expected)


def test_average_precision_by_hand() -> None:
    half: Image = ([("a", (0, 0, 10, 10), 1.0)], [("a", (0, 0, 10, 20))])
    assert average_precision([half]) == pytest.approx(0.1)
    assert average_precision([half], thresholds=[0.5]) == 1.0
    assert average_precision([half, ([], [("b", HIT_A)])], thresholds=[0.5]) == 0.5
    assert average_precision([([("a", HIT_A, 1.0)], [])]) is None
    assert average_precision([]) is None
    assert pytest.approx(COCO_THRESHOLDS) == [0.5 + i / 20 for i in range(10)]


@given(st.lists(st.tuples(st.sampled_from("ab"), BOX), min_size=1, max_size=5))
def test_right_boxes_score_one_and_wrong_labels_zero(truths: list[TrueBox]) -> None:
    truths = [(label, (x1, y1, x1 + x2 + 1, y1 + y2 + 1)) for label, (x1, y1, x2, y2) in truths]
    value = average_precision([([(label, box, 1.0) for label, box in truths], truths)])
    assert value == pytest.approx(1.0)
    assert type(value) is float
    assert average_precision([([("c", box, 1.0) for _, box in truths], truths)]) == 0.0


@pytest.mark.parametrize("seed", range(16))
@pytest.mark.parametrize("scores", [[1.0], [0.2, 0.5, 0.9]])
def test_crowd_regions_agree_with_pycocotools(seed: int, scores: list[float]) -> None:
    rng = random.Random(seed)
    images = drawn_images(seed, scores)
    crowds: list[list[TrueBox]] = []
    for detections, truths in images:
        around = [box for _, box, _ in detections if rng.random() < 0.5]
        grown = [(x1 - 3, y1 - 2, x2 + rng.uniform(-6, 20), y2 + 3) for x1, y1, x2, y2 in around]
        # pycocotools leaves out a class that has crowds alone; ours has no truth there either.
        known = sorted({label for label, _ in truths}) or ["a"]
        crowds.append([(rng.choice(known), box) for box in grown])
    labels = {label for _, truths in images for label, _ in truths}
    crowds = [[(label, box) for label, box in part if label in labels] for part in crowds]
    expected = reference(images, crowds)
    assert average_precision(images, crowds=crowds) == pytest.approx(expected, abs=1e-9)
    assert average_precision(images) != pytest.approx(expected, abs=1e-9)


def test_a_detection_in_a_crowd_does_not_count_but_a_truth_comes_first() -> None:
    crowd: list[TrueBox] = [("a", (0, 0, 20, 20))]
    inside, truth = ("a", (1, 1, 5, 5), 0.9), ("a", (0, 0, 9, 9))
    right = ("a", (0, 0, 9, 9), 0.5)
    images: list[Image] = [([inside, right], [truth])]
    assert average_precision(images) == pytest.approx(0.5)
    assert average_precision(images, crowds=[crowd]) == pytest.approx(1.0)
    assert average_precision(images, crowds=[[("b", (0, 0, 20, 20))]]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("a", "b", "share"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 50, 50), 0.5),
        ((0, 0, 10, 10), (20, 0, 30, 10), 0.0),
        ((0, 0, 0, 10), (0, 0, 30, 10), 0.0),
    ],
)
def test_covered(a: Box, b: Box, share: float) -> None:
    assert covered(a, b) == pytest.approx(share)

"""Axis-aligned boxes: overlap, and COCO's average precision.

A box is ``x1, y1, x2, y2`` in pixels, x right and y down. Corners are not swapped: a box with
``x2 <= x1`` or ``y2 <= y1`` is empty and overlaps nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Box: TypeAlias = Sequence[float]
Detection: TypeAlias = tuple[str, Box, float]
"""Label, box, score."""
TrueBox: TypeAlias = tuple[str, Box]

COCO_THRESHOLDS: tuple[float, ...] = tuple(float(t) for t in np.linspace(0.5, 0.95, 10))
_RECALLS = np.linspace(0.0, 1.0, 101)
# COCO looks at no more than this many detections per image and class.
_MOST_DETECTIONS = 100


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    area_a, area_b = _area(a), _area(b)
    if area_a <= 0 or area_b <= 0:
        return 0.0
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return min(1.0, shared / (area_a + area_b - shared))


def iou_matrix(predictions: Sequence[Box], truths: Sequence[Box]) -> list[list[float]]:
    """``iou`` of every prediction (row) with every truth (column)."""
    return [[iou(prediction, truth) for truth in truths] for prediction in predictions]


def average_precision(
    images: Sequence[tuple[Sequence[Detection], Sequence[TrueBox]]],
    thresholds: Sequence[float] = COCO_THRESHOLDS,
) -> float | None:
    """COCO's mean average precision over a set of images.

    Definition: cocodataset.org, "Detection Evaluation". Per class, detections of all images are
    ranked by score and take, image by image, the best free truth of at least the threshold;
    precision is made monotone, read at 101 recalls, and averaged over recalls, thresholds, and the
    classes that have a truth. There are no crowd regions. Equal scores rank in the order of the
    images and of the output.

    Args:
        images: Per image the detections and the truths. Labels are compared as they are.
        thresholds: The overlaps at which a detection counts.

    Returns:
        A value in [0, 1], or None where there is no truth.
    """
    labels = sorted({label for _, truths in images for label, _ in truths})
    if not labels:
        return None
    of_label: dict[str, list[tuple[list[tuple[float, Box]], list[Box]]]] = {x: [] for x in labels}
    for detections, truths in images:
        here = {label for label, *_ in detections} | {label for label, _ in truths}
        for label in here & of_label.keys():
            ranked = [(score, box) for name, box, score in detections if name == label]
            ranked.sort(key=lambda item: -item[0])
            boxes = [box for name, box in truths if name == label]
            of_label[label].append((ranked[:_MOST_DETECTIONS], boxes))
    values = [_class_precision(per_image, thresholds) for per_image in of_label.values()]
    return sum(values) / len(values)


def _area(box: Box) -> float:
    width, height = box[2] - box[0], box[3] - box[1]
    return width * height if width > 0 and height > 0 else 0.0


def _class_precision(
    images: Sequence[tuple[Sequence[tuple[float, Box]], Sequence[Box]]],
    thresholds: Sequence[float],
) -> float:
    """Average precision of one class, the mean over the thresholds."""
    total = sum(len(truths) for _, truths in images)
    scores = np.array([score for ranked, _ in images for score, _ in ranked], dtype=float)
    order = np.argsort(-scores, kind="stable")
    overlaps = [iou_matrix([box for _, box in ranked], truths) for ranked, truths in images]
    values = []
    for threshold in thresholds:
        hits = np.array([hit for matrix in overlaps for hit in _hits(matrix, threshold)], bool)
        values.append(_interpolated(hits[order], total))
    return sum(values) / len(values)


def _hits(overlaps: Sequence[Sequence[float]], threshold: float) -> list[bool]:
    """Whether each detection, the best first, takes a truth that is still free."""
    # COCO's own bound, so that a threshold of 1 can be met in floating point.
    threshold = min(threshold, 1 - 1e-10)
    taken: set[int] = set()
    hits = []
    for row in overlaps:
        # Of equal overlaps the last truth is taken, as pycocotools does.
        free = [(value, j) for j, value in enumerate(row) if value >= threshold and j not in taken]
        if free:
            taken.add(max(free)[1])
        hits.append(bool(free))
    return hits


def _interpolated(hits: NDArray[np.bool_], total: int) -> float:
    """Mean over 101 recalls of the highest precision at that recall or beyond."""
    found = np.cumsum(hits)
    recall = found / total
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, _RECALLS, side="left")
    return float(envelope[places[places < len(envelope)]].sum() / len(_RECALLS))

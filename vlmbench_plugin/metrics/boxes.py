"""Axis-aligned boxes: overlap, and COCO's average precision.

A box is ``x1, y1, x2, y2`` in pixels, x right and y down. Corners are not swapped: a box with
``x2 <= x1`` or ``y2 <= y1`` is empty and overlaps nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


def covered(a: Box, b: Box) -> float:
    """Share of the first box that lies in the second, in [0, 1]: COCO's overlap with a crowd."""
    area = _area(a)
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return min(1.0, width * height / area) if area > 0 and width > 0 and height > 0 else 0.0


def average_precision(
    images: Sequence[tuple[Sequence[Detection], Sequence[TrueBox]]],
    thresholds: Sequence[float] = COCO_THRESHOLDS,
    *,
    crowds: Sequence[Sequence[TrueBox]] = (),
) -> float | None:
    """COCO's mean average precision over a set of images.

    Definition: cocodataset.org, "Detection Evaluation". Per class, detections of all images are
    ranked by score and take, image by image, the best free truth of at least the threshold;
    precision is made monotone, read at 101 recalls, and averaged over recalls, thresholds, and the
    classes that have a truth. A detection that takes no truth and lies in a crowd region of its
    class does not count. Equal scores rank in the order of the images and of the output.

    Args:
        images: Per image the detections and the truths. Labels are compared as they are.
        thresholds: The overlaps at which a detection counts.
        crowds: Per image the regions of uncounted objects; empty where there are none at all.

    Returns:
        A value in [0, 1], or None where there is no truth.
    """
    labels = sorted({label for _, truths in images for label, _ in truths})
    if not labels:
        return None
    of_label: dict[str, list[_OfClass]] = {label: [] for label in labels}
    for at, (detections, truths) in enumerate(images):
        here = {label for label, *_ in detections} | {label for label, _ in truths}
        for label in here & of_label.keys():
            ranked = [(score, box) for name, box, score in detections if name == label]
            ranked.sort(key=lambda item: -item[0])
            found = [box for _, box in ranked[:_MOST_DETECTIONS]]
            true = [box for name, box in truths if name == label]
            regions = [box for name, box in (crowds[at] if crowds else ()) if name == label]
            of_label[label].append(
                _OfClass(
                    scores=[score for score, _ in ranked[:_MOST_DETECTIONS]],
                    truths=len(true),
                    overlaps=iou_matrix(found, true),
                    crowded=[max((covered(a, b) for b in regions), default=0.0) for a in found],
                )
            )
    values = [_class_precision(per_image, thresholds) for per_image in of_label.values()]
    return sum(values) / len(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfClass:
    """One class in one image, detections the best first.

    Attributes:
        scores: Of the detections.
        truths: How many there are.
        overlaps: IoU of each detection with each truth.
        crowded: Largest share of each detection in a crowd region.
    """

    scores: Sequence[float]
    truths: int
    overlaps: Sequence[Sequence[float]]
    crowded: Sequence[float]


def _area(box: Box) -> float:
    width, height = box[2] - box[0], box[3] - box[1]
    return width * height if width > 0 and height > 0 else 0.0


def _class_precision(images: Sequence[_OfClass], thresholds: Sequence[float]) -> float:
    """Average precision of one class, the mean over the thresholds."""
    total = sum(image.truths for image in images)
    scores = np.array([score for image in images for score in image.scores], dtype=float)
    values = []
    for threshold in thresholds:
        hits = [hit for image in images for hit in _hits(image, threshold)]
        counted = np.array([hit is not None for hit in hits], dtype=bool)
        order = np.argsort(-scores[counted], kind="stable")
        right = np.array([hit for hit in hits if hit is not None], dtype=bool)
        values.append(_interpolated(right[order], total))
    return sum(values) / len(values)


def _hits(image: _OfClass, threshold: float) -> list[bool | None]:
    """Whether each detection takes a truth that is still free; None where it does not count."""
    # COCO's own bound, so that a threshold of 1 can be met in floating point.
    threshold = min(threshold, 1 - 1e-10)
    taken: set[int] = set()
    hits: list[bool | None] = []
    for row, crowded in zip(image.overlaps, image.crowded, strict=True):
        # Of equal overlaps the last truth is taken, as pycocotools does.
        free = [(value, j) for j, value in enumerate(row) if value >= threshold and j not in taken]
        if free:
            taken.add(max(free)[1])
        hits.append(True if free else None if crowded >= threshold else False)
    return hits


def _interpolated(hits: NDArray[np.bool_], total: int) -> float:
    """Mean over 101 recalls of the highest precision at that recall or beyond."""
    found = np.cumsum(hits)
    recall = found / total
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, _RECALLS, side="left")
    return float(envelope[places[places < len(envelope)]].sum() / len(_RECALLS))

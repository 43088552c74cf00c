"""Polygons: overlap of two outlines.

A polygon is a list of ``[x, y]`` points in pixels, not closed. A ring that crosses itself encloses
what the even-odd rule says (a bow-tie keeps both wings).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import shapely
from shapely.geometry.base import BaseGeometry

Ring: TypeAlias = Sequence[Sequence[float]]


def iou(a: Ring, b: Ring) -> float:
    """Intersection over union of two polygons, in [0, 1].

    A polygon of fewer than three points, or of no area, overlaps nothing.
    """
    return _overlap(_shape(a), _shape(b))


def iou_matrix(predictions: Sequence[Ring], truths: Sequence[Ring]) -> list[list[float]]:
    """``iou`` of every prediction (row) with every truth (column)."""
    columns = [_shape(truth) for truth in truths]
    return [[_overlap(shape, other) for other in columns] for shape in map(_shape, predictions)]


def _shape(ring: Ring) -> BaseGeometry:
    if len(ring) < 3:
        return shapely.Polygon()
    shape = shapely.Polygon(ring)
    if shape.is_valid:
        return shape
    # A repaired ring may carry stray lines, and GEOS 3.14 raises on such a mixture and nothing.
    repaired = shapely.make_valid(shape)
    return shapely.union_all([part for part in shapely.get_parts(repaired) if part.area > 0])


def _overlap(a: BaseGeometry, b: BaseGeometry) -> float:
    shared = float(a.intersection(b).area)
    union = float(a.area + b.area - shared)
    return min(1.0, shared / union) if shared > 0 else 0.0

"""Masks: from run lengths to pixels, from pixels to a polygon of few points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from vlmbench_plugin.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

_FINEST = 0.5
_COARSER = 1.05


def decode(encoded: bytes, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Decodes COCO's compressed run lengths (the format of its mask API).

    Runs of unset and set pixels take turns, column by column. Each is five bits a byte, the lowest
    first, from the character "0" on: 32 says that more follow, 16 in the last that it is negative;
    from the fourth run on it is the difference to the run before the last.

    Args:
        encoded: The ``counts``.
        size: Width and height of the image.

    Returns:
        Height x width.

    Raises:
        DataError: If these are no run lengths of an image of that size.
    """
    runs: list[int] = []
    value = shift = 0
    for byte in encoded:
        bits = byte - ord("0")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits & 16) >> 4 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    width, height = size
    if shift or min(runs, default=0) < 0 or sum(runs) != width * height:
        raise DataError(
            f"expected run lengths of a mask of {width} x {height}, got {encoded[:20]!r}",
            hint="the table's layout has changed, or the mirror is of another table",
        )
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape((height, width), order="F")


def covered(mask: NDArray[np.bool_]) -> BaseGeometry:
    """The area that the set pixels cover, pixel (row y, column x) from (x, y) to (x + 1, y + 1)."""
    steps = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    y, left = np.nonzero(steps == 1)
    right = np.nonzero(steps == -1)[1]
    return shapely.union_all(shapely.box(left, y, right, y + 1))


def outline(
    mask: NDArray[np.bool_], *, most_points: int, least_iou: float
) -> list[list[int]] | None:
    """One polygon that follows a mask.

    It is the outer edge of the largest part in a row, by Douglas and Peucker's rule as coarse as
    the number of points asks for.

    Args:
        mask: Height x width.
        most_points: The most corners.
        least_iou: The least IoU of the polygon with all that the mask covers, other parts and holes
            counted.

    Returns:
        ``[x, y]`` in pixels, not closed; None where no such polygon was found.
    """
    area = covered(mask)
    if area.is_empty:
        return None
    largest = max(shapely.get_parts(area), key=lambda part: part.area)
    edge = shapely.Polygon(largest.exterior)
    ring: BaseGeometry = edge
    tolerance = _FINEST
    while shapely.get_num_coordinates(ring) - 1 > most_points:
        ring = edge.simplify(tolerance, preserve_topology=True)
        tolerance *= _COARSER
    shared = ring.intersection(area).area
    if shared < least_iou * (ring.area + area.area - shared):
        return None
    return [[int(x), int(y)] for x, y in shapely.get_coordinates(ring)[:-1]]

"""Polygons that hide parts of each other, and what is left to see of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import shapely

from vlmbench_plugin.scenes.canvas import Box, Points, Size, bounds

if TYPE_CHECKING:
    import random

LEAST_SEEN = 0.6
"""At least this share of a polygon's area is visible."""

_MOST_SEEN = 0.95
_MOST_CORNERS = 20
_MARGIN = 2
_TRIES = 2


def visible(back: Points, front: Points) -> Points | None:
    """What is seen of one polygon behind another.

    Args:
        back: The corners of the one behind, in pixels.
        front: Those of the one before it.

    Returns:
        The corners of the visible part, to tenths of a pixel; None where it is not one piece
        without holes, has more corners than any truth (20, or the polygon's own number where that
        is larger), or where the part that is hidden is too small or too large.
    """
    whole = shapely.Polygon(back)
    left = whole.difference(shapely.Polygon(front))
    if not isinstance(left, shapely.Polygon) or left.interiors:
        return None
    ring = [(round(x, 1), round(y, 1)) for x, y in left.exterior.coords[:-1]]
    rounded = shapely.Polygon(ring)
    fits = len(set(ring)) == len(ring) <= max(_MOST_CORNERS, len(back)) and rounded.is_valid
    if not fits or not LEAST_SEEN <= rounded.area / whole.area <= _MOST_SEEN:
        return None
    return ring


def crowd(
    rng: random.Random, size: Size, rings: Sequence[Points], colours: Sequence[str], wanted: int
) -> tuple[list[Points], list[Points]]:
    """Moves some polygons towards another of a different colour until one hides part of the other.

    A polygon is one of at most one such pair, and no third one is touched, so that what is visible
    is decided by the two alone.

    Args:
        rng: Where the randomness comes from.
        size: Width and height of the image in pixels.
        rings: Polygons that are apart, in the order in which they are painted.
        colours: Their colours: between two of the same no edge would be seen.
        wanted: How many pairs to make, if there is room for them.

    Returns:
        The polygons as painted, and what is visible of each.
    """
    painted, seen = list(rings), list(rings)
    boxes = [bounds(ring) for ring in rings]
    free = rng.sample(range(len(rings)), len(rings))
    while wanted > 0 and len(free) > 1:
        mover = free.pop()
        others = [i for i in free if colours[i] != colours[mover]]
        others.sort(key=lambda i: math.dist(_middle(boxes[i]), _middle(boxes[mover])))
        for target in others[:_TRIES]:
            back, front = sorted((mover, target))
            moved = _moved(rng, size, painted, boxes, (mover, target))
            if moved is None:
                continue
            pair = {mover: moved, target: painted[target]}
            left = visible(pair[back], pair[front])
            if left is not None:
                painted[mover], boxes[mover] = moved, bounds(moved)
                seen[front], seen[back] = pair[front], left
                free.remove(target)
                wanted -= 1
                break
    return painted, seen


def _moved(
    rng: random.Random,
    size: Size,
    rings: Sequence[Points],
    boxes: Sequence[Box],
    pair: tuple[int, int],
) -> Points | None:
    """The first of a pair moved straight into the second; None where another is in the way."""
    mover, target = pair
    (ax, ay), (bx, by) = _middle(boxes[mover]), _middle(boxes[target])
    gap = shapely.Polygon(rings[mover]).distance(shapely.Polygon(rings[target]))
    sides = [side for i in pair for side in _sides(boxes[i])]
    reach = min(gap + rng.uniform(0.25, 0.5) * min(sides), math.hypot(bx - ax, by - ay))
    turn = math.atan2(by - ay, bx - ax)
    dx, dy = reach * math.cos(turn), reach * math.sin(turn)
    ring = [(round(x + dx, 1), round(y + dy, 1)) for x, y in rings[mover]]
    x1, y1, x2, y2 = bounds(ring)
    inside = x1 >= _MARGIN and y1 >= _MARGIN and x2 <= size[0] - _MARGIN and y2 <= size[1] - _MARGIN
    clear = all(
        x2 + _MARGIN < left or right + _MARGIN < x1 or y2 + _MARGIN < top or bottom + _MARGIN < y1
        for i, (left, top, right, bottom) in enumerate(boxes)
        if i not in pair
    )
    return ring if inside and clear else None


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _sides(box: Box) -> tuple[float, float]:
    return box[2] - box[0], box[3] - box[1]

"""What stands behind and before an object to make it harder to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vlmbench_plugin.scenes.canvas import (
    COLOURS,
    PALETTE,
    RGB,
    Fill,
    Points,
    Size,
    place,
    spin,
    stroke,
)
from vlmbench_plugin.scenes.overlaps import visible
from vlmbench_plugin.scenes.shapes import SHAPES

if TYPE_CHECKING:
    import random

    from vlmbench_plugin.core import Difficulty

_GREY: RGB = (148, 148, 154)
"""Of what stands before an object: of no name, and apart from all that have one."""
_TRIES = 6


def faint_shapes(rng: random.Random, size: Size, paper: RGB, difficulty: Difficulty) -> list[Fill]:
    """Faint polygons and strokes to stand behind an object; none when easy."""
    count = {"easy": 0, "medium": 6, "hard": 14}[difficulty]
    fills: list[Fill] = []
    for _ in range(count):
        tint = PALETTE[rng.choice(COLOURS)]
        red, green, blue = (round(0.84 * p + 0.16 * t) for p, t in zip(paper, tint, strict=True))
        start = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        if rng.random() < 0.5:
            end = rng.uniform(0, size[0]), rng.uniform(0, size[1]) + 1
            points = stroke(start, end, rng.uniform(2, 7))
        else:
            shape = SHAPES[rng.choice(("circle", "triangle", "hexagon"))].corners
            circle = (*start, min(size) * rng.uniform(0.05, 0.14))
            points = place(spin(shape, rng.uniform(0, 360)), circle)
        fills.append((points, (red, green, blue)))
    return fills


def grey_piece(rng: random.Random, at: tuple[float, float], radius: float) -> Fill:
    """A grey triangle, square or hexagon within a circle about a place."""
    shape = SHAPES[rng.choice(("triangle", "square", "hexagon"))].corners
    return place(spin(shape, rng.uniform(0, 360)), (*at, radius)), _GREY


def cover(rng: random.Random, points: Points, radius: float) -> tuple[Fill, Points] | None:
    """A grey piece that hides a part of a polygon, and what is left to see of the polygon.

    Args:
        rng: Where the randomness comes from.
        points: The polygon's corners in pixels.
        radius: Of a circle about the polygon.

    Returns:
        The piece and the visible corners; None where no try left one visible piece.
    """
    for _ in range(_TRIES):
        piece = grey_piece(rng, rng.choice(points), radius * rng.uniform(0.25, 0.5))
        left = visible(points, piece[0])
        if left is not None:
            return piece, left
    return None

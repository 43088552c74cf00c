"""Six ways of arranging shapes on a picture."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping

from vlmbench_plugin.scenes.canvas import (
    COLOURS,
    PALETTE,
    RGB,
    Fill,
    Points,
    Size,
    scatter,
)


def _polygon(x: float, y: float, radius: float, corners: int, turn: float) -> Points:
    angles = [turn + 2 * math.pi * i / corners for i in range(corners)]
    return [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles]


def _colours(rng: random.Random, count: int) -> list[RGB]:
    return [PALETTE[name] for name in rng.sample(COLOURS, count)]


def _corners(rng: random.Random) -> int:
    """How many corners a shape has; forty look round."""
    return rng.choice((3, 4, 5, 6, 40))


def _grid(rng: random.Random, size: Size) -> list[Fill]:
    """Equal shapes in rows and columns."""
    columns, rows = rng.randint(3, 6), rng.randint(3, 6)
    corners, turn, colours = _corners(rng), rng.uniform(0, math.pi), _colours(rng, 3)
    across, down = size[0] / columns, size[1] / rows
    radius = min(across, down) * rng.uniform(0.3, 0.42)
    return [
        (
            _polygon((i + 0.5) * across, (j + 0.5) * down, radius, corners, turn),
            rng.choice(colours),
        )
        for j in range(rows)
        for i in range(columns)
    ]


def _radial(rng: random.Random, size: Size) -> list[Fill]:
    """Rings of shapes around a disc in the middle, all pointing outwards."""
    x, y = size[0] / 2, size[1] / 2
    reach = min(size) / 2
    spokes, rings, corners = rng.randint(6, 10), rng.randint(2, 3), _corners(rng)
    colours = _colours(rng, rings + 1)
    start = rng.uniform(0, math.pi)
    fills: list[Fill] = [(_polygon(x, y, reach * 0.16, 40, 0), colours[-1])]
    for ring in range(rings):
        distance = reach * (0.36 + 0.5 * ring / (rings - 1))
        radius = 0.8 * distance * math.sin(math.pi / spokes)
        radius = min(radius, reach * 0.12)
        for spoke in range(spokes):
            angle = start + 2 * math.pi * spoke / spokes
            at = (x + distance * math.cos(angle), y + distance * math.sin(angle))
            fills.append((_polygon(*at, radius, corners, angle), colours[ring]))
    return fills


def _symmetric(rng: random.Random, size: Size) -> list[Fill]:
    """Different shapes in the left half, mirrored in the right half."""
    width, height = size
    radii = [rng.uniform(0.07, 0.2) * min(size) for _ in range(rng.randint(4, 6))]
    fills: list[Fill] = []
    for x, y, radius in scatter(rng, (width // 2, height), radii, gap=4):
        points = _polygon(x, y, radius, rng.choice((3, 4, 5)), rng.uniform(0, math.pi))
        colour = PALETTE[rng.choice(COLOURS)]
        fills += [(points, colour), ([(width - px, py) for px, py in points], colour)]
    return fills


def _diagonal(rng: random.Random, size: Size) -> list[Fill]:
    """Shapes in a line from corner to corner, between two parallel bands."""
    width, height = size
    falling = rng.random() < 0.5
    corners, count, colours = _corners(rng), rng.randint(5, 8), _colours(rng, 4)
    length = math.hypot(width, height)
    radius = 0.36 * length / (count + 1)
    turn = rng.uniform(0, math.pi)
    # The band keeps its distance across, measured along the vertical.
    offset = (radius * 1.7 + 0.02 * length) * length / width
    thick = rng.uniform(0.04, 0.08) * length
    fills: list[Fill] = []
    for low in (-offset - thick, offset):
        band = [(0, low), (width, height + low), (width, height + low + thick), (0, low + thick)]
        fills.append((band, colours[3]))
    for i in range(count):
        part = (i + 1) / (count + 1)
        at = (part * width, part * height)
        fills.append((_polygon(*at, radius, corners, turn), colours[i % 3]))
    if falling:
        return fills
    return [([(width - x, y) for x, y in points], colour) for points, colour in fills]


def _framed(rng: random.Random, size: Size) -> list[Fill]:
    """A border of bars and corner pieces around one large shape."""
    width, height = size
    thick = rng.uniform(0.08, 0.13) * min(size)
    edge = rng.uniform(0.03, 0.06) * min(size)
    bar, corner, middle = _colours(rng, 3)
    inner = edge + thick
    fills: list[Fill] = [
        (_rectangle(edge, edge, width - edge, inner), bar),
        (_rectangle(edge, height - inner, width - edge, height - edge), bar),
        (_rectangle(edge, edge, inner, height - edge), bar),
        (_rectangle(width - inner, edge, width - edge, height - edge), bar),
    ]
    half = edge + thick / 2
    fills += [
        (_polygon(x, y, thick * 0.75, 4, math.pi / 4), corner)
        for x in (half, width - half)
        for y in (half, height - half)
    ]
    radius = (min(size) / 2 - inner) * rng.uniform(0.6, 0.85)
    turn = rng.uniform(0, math.pi)
    fills.append((_polygon(width / 2, height / 2, radius, _corners(rng), turn), middle))
    return fills


def _rectangle(left: float, top: float, right: float, bottom: float) -> Points:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _scattered(rng: random.Random, size: Size) -> list[Fill]:
    """Different shapes of different sizes without order."""
    radii = [rng.uniform(0.04, 0.15) * min(size) for _ in range(rng.randint(9, 14))]
    return [
        (
            _polygon(x, y, radius, _corners(rng), rng.uniform(0, math.pi)),
            PALETTE[rng.choice(COLOURS)],
        )
        for x, y, radius in scatter(rng, size, radii, gap=2)
    ]


ARRANGERS: Mapping[str, Callable[[random.Random, Size], list[Fill]]] = {
    "grid": _grid,
    "radial": _radial,
    "symmetric": _symmetric,
    "diagonal": _diagonal,
    "framed": _framed,
    "scattered": _scattered,
}
"""Structure -> coloured polygons in pixels, in the order in which they are painted."""

STRUCTURES: tuple[str, ...] = tuple(ARRANGERS)
"""The vocabulary of structures."""

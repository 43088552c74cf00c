"""Coloured geometric shapes: detection boxes and instance polygons.

Some shapes hide a part of another; boxes and polygons are those of what is visible.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from vlmbench_plugin.scenes.canvas import (
    COLOURS,
    PALETTE,
    RGB,
    Circle,
    Fill,
    Points,
    Size,
    bounds,
    choose_backdrop,
    choose_size,
    into_unit_circle,
    place,
    render,
    scatter,
    spin,
)
from vlmbench_plugin.scenes.overlaps import crowd
from vlmbench_plugin.sources import Scene

if TYPE_CHECKING:
    import random

    from vlmbench_plugin.core import Difficulty


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A kind of shape.

    Attributes:
        corners: Its polygon within the unit circle about the origin.
        turn: Degrees that it may be rotated either way and keep its name.
    """

    corners: Points
    turn: float


def _regular(corners: int, first: float = 0.0) -> Points:
    angles = [math.radians(first) + 2 * math.pi * i / corners for i in range(corners)]
    return [(math.cos(a), math.sin(a)) for a in angles]


def _star(inner: float) -> Points:
    ring = _regular(10, first=-90)
    return [(x, y) if i % 2 == 0 else (x * inner, y * inner) for i, (x, y) in enumerate(ring)]


def _cross(half: float) -> Points:
    arm = [(-half, -1.0), (half, -1.0), (half, -half)]
    return into_unit_circle([p for k in range(4) for p in spin(arm, 90 * k)])


SHAPES: Mapping[str, Shape] = {
    "circle": Shape(corners=_regular(40), turn=0),
    "square": Shape(corners=_regular(4, first=45), turn=15),
    "triangle": Shape(corners=_regular(3, first=-90), turn=180),
    "star": Shape(corners=_star(0.42), turn=180),
    "diamond": Shape(corners=[(0, -1), (0.62, 0), (0, 1), (-0.62, 0)], turn=12),
    "hexagon": Shape(corners=_regular(6), turn=180),
    "cross": Shape(corners=_cross(0.34), turn=14),
    "arrow": Shape(
        corners=into_unit_circle(
            [(0, 0.36), (0.55, 0.36), (0.55, 0.1), (1, 0.5), (0.55, 0.9), (0.55, 0.64), (0, 0.64)]
        ),
        turn=180,
    ),
    "l shape": Shape(
        corners=into_unit_circle([(0, 0), (0.36, 0), (0.36, 0.7), (0.8, 0.7), (0.8, 1), (0, 1)]),
        turn=180,
    ),
}
"""Shape name -> shape."""

FLAT_SHAPES: tuple[str, ...] = (
    "circle",
    "square",
    "triangle",
    "star",
    "diamond",
    "hexagon",
    "cross",
)
POLYGONS: Mapping[str, Shape] = {
    **{name: shape for name, shape in SHAPES.items() if name != "diamond"},
    "circle": Shape(corners=_regular(20), turn=0),
}
"""Shapes of at most 20 corners, drawn as their truth says: a circle is a 20-gon."""

LABELS: tuple[str, ...] = tuple(f"{c} {s}" for c in COLOURS for s in FLAT_SHAPES)
"""All names of the grounding and spatial scenes."""

INSTANCE_LABELS: tuple[str, ...] = tuple(f"{c} {s}" for c in COLOURS for s in POLYGONS)
"""All names of the segmentation scenes."""

_GROUNDED: Mapping[Difficulty, tuple[int, int]] = {
    "easy": (1, 3),
    "medium": (3, 7),
    "hard": (6, 12),
}
_INSTANCES: Mapping[Difficulty, tuple[int, int]] = {
    "easy": (1, 2),
    "medium": (1, 3),
    "hard": (2, 4),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A shape placed in an image.

    Attributes:
        label: Colour and shape, "red circle".
        points: Its corners in pixels, to a tenth.
        seen: Those of its visible part; the same where nothing hides it.
    """

    label: str
    points: Points
    seen: Points

    @property
    def colour_name(self) -> str:
        """The first word of the label."""
        return self.label.split(" ", 1)[0]

    @property
    def shape_name(self) -> str:
        """What the label says after the colour."""
        return self.label.split(" ", 1)[1]

    @property
    def rgb(self) -> RGB:
        """The colour it is painted in."""
        return PALETTE[self.colour_name]

    @property
    def box(self) -> list[float]:
        """Its visible extent x1, y1, x2, y2 in pixels."""
        return list(bounds(self.seen))

    @property
    def fill(self) -> Fill:
        """How it is painted."""
        return self.points, self.rgb


def figure(
    label: str, circle: Circle, degrees: float = 0.0, kinds: Mapping[str, Shape] = SHAPES
) -> Figure:
    """Puts the shape that a label names into a circle of the image."""
    corners = kinds[label.split(" ", 1)[1]].corners
    points = place(spin(corners, degrees), circle)
    return Figure(label=label, points=points, seen=points)


def radii_for(rng: random.Random, size: Size, count: int, difficulty: Difficulty) -> list[float]:
    """Radii in pixels with which ``count`` shapes fill about a quarter of the image."""
    side = min(math.sqrt(size[0] * size[1] / count), 0.8 * min(size))
    low, high = {"easy": (0.26, 0.36), "medium": (0.2, 0.36), "hard": (0.15, 0.36)}[difficulty]
    return [side * rng.uniform(low, high) for _ in range(count)]


def choose_labels(
    rng: random.Random, labels: Sequence[str], count: int, difficulty: Difficulty
) -> list[str]:
    """Names for ``count`` shapes; when hard, some of more than two are alike."""
    kinds = max(min(count, 2), count * 2 // 3) if difficulty == "hard" else count
    pool = rng.sample(labels, kinds)
    return pool + rng.choices(pool, k=count - kinds)


def lay_out(
    rng: random.Random,
    size: Size,
    labels: Sequence[str],
    difficulty: Difficulty,
    kinds: Mapping[str, Shape] = SHAPES,
) -> list[Figure]:
    """Places one shape per label at random, none overlapping.

    They stand upright when easy, else each is rotated as far as it keeps its name.
    """
    circles = scatter(rng, size, radii_for(rng, size, len(labels), difficulty), gap=4)
    figures: list[Figure] = []
    for label, circle in zip(labels, circles, strict=True):
        turn = 0.0 if difficulty == "easy" else kinds[label.split(" ", 1)[1]].turn
        figures.append(figure(label, circle, rng.uniform(-turn, turn), kinds))
    return figures


def push_together(
    rng: random.Random, size: Size, figures: Sequence[Figure], difficulty: Difficulty
) -> list[Figure]:
    """Moves shapes until some hide a part of another; in the order in which they are painted.

    None when easy, one pair when medium, when hard one for every four shapes, each where there is
    room for it.
    """
    wanted = {"easy": 0, "medium": 1, "hard": max(1, len(figures) // 4)}[difficulty]
    rings, colours = [f.points for f in figures], [f.colour_name for f in figures]
    painted, seen = crowd(rng, size, rings, colours, wanted)
    return [
        replace(figure, points=whole, seen=part)
        for figure, whole, part in zip(figures, painted, seen, strict=True)
    ]


def grounding_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """One to twelve coloured shapes with the boxes of what is visible of them.

    When hard, several may bear the same name.
    """
    size = choose_size(rng, difficulty)
    backdrop = choose_backdrop(rng, difficulty, size)
    labels = choose_labels(rng, LABELS, rng.randint(*_GROUNDED[difficulty]), difficulty)
    figures = push_together(rng, size, lay_out(rng, size, labels, difficulty), difficulty)
    return Scene(
        size=size,
        truth={
            "detections": [{"label": f.label, "box": f.box} for f in figures],
            "count": len(figures),
        },
        draw=partial(render, backdrop, [f.fill for f in figures]),
    )


def segmentation_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """One to four convex and concave shapes with the polygons of what is visible of them."""
    size = choose_size(rng, difficulty)
    backdrop = choose_backdrop(rng, difficulty, size)
    count = rng.randint(*_INSTANCES[difficulty])
    labels = choose_labels(rng, INSTANCE_LABELS, count, difficulty)
    apart = lay_out(rng, size, labels, difficulty, POLYGONS)
    figures = push_together(rng, size, apart, difficulty)
    return Scene(
        size=size,
        truth={
            "instances": [{"label": f.label, "polygon": [list(p) for p in f.seen]} for f in figures]
        },
        draw=partial(render, backdrop, [f.fill for f in figures]),
    )

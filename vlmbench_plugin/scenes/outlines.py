"""One silhouette on a ground of distractors: its name and its outline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from vlmbench_plugin.scenes.canvas import (
    COLOURS,
    PALETTE,
    Points,
    choose_backdrop,
    choose_size,
    into_unit_circle,
    place,
    render,
    spin,
)
from vlmbench_plugin.scenes.distractors import cover, faint_shapes
from vlmbench_plugin.scenes.shapes import SHAPES
from vlmbench_plugin.sources import Scene

if TYPE_CHECKING:
    import random

    from vlmbench_plugin.core import Difficulty


def _heart() -> Points:
    """A heart: x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t.

    Without the four corners next to notch and tip, so close that shaking would cross its edges.
    """
    turns = [2 * math.pi * i / 20 for i in range(20) if i not in {1, 9, 11, 19}]
    return [
        (
            16 * math.sin(t) ** 3,
            -13 * math.cos(t) + 5 * math.cos(2 * t) + 2 * math.cos(3 * t) + math.cos(4 * t),
        )
        for t in turns
    ]


def _moon() -> Points:
    """A crescent: eleven points of a disc's edge, nine of the disc that bites into it."""
    outer = [math.radians(60 + 24 * i) for i in range(11)]
    tip_x, tip_y = math.cos(outer[0]), math.sin(outer[0])
    radius = math.hypot(tip_x - 0.62, tip_y)
    half = math.degrees(math.atan2(tip_y, tip_x - 0.62))
    inner = [math.radians(-half - (360 - 2 * half) * i / 10) for i in range(1, 10)]
    return [(math.cos(a), math.sin(a)) for a in outer] + [
        (0.62 + radius * math.cos(a), radius * math.sin(a)) for a in inner
    ]


def _mirrored(right: Points) -> Points:
    """Closes a right half, given from the top down, with its mirror image about x = 0."""
    return [*right, *((-x, y) for x, y in reversed(right) if x)]


SILHOUETTES: Mapping[str, Points] = {
    "star": SHAPES["star"].corners,
    "arrow": SHAPES["arrow"].corners,
    "cross": SHAPES["cross"].corners,
    "heart": _heart(),
    "moon": _moon(),
    "lightning bolt": (
        *((0.6, 0), (0.15, 0.55), (0.45, 0.55), (0.3, 1)),
        *((0.85, 0.38), (0.54, 0.38), (0.78, 0)),
    ),
    "crown": (
        *((0, 0.85), (0, 0.2), (0.25, 0.5), (0.5, 0.05)),
        *((0.75, 0.5), (1, 0.2), (1, 0.85)),
    ),
    "house": (
        *((0.5, 0), (0.68, 0.17), (0.68, 0.04), (0.8, 0.04), (0.8, 0.28), (1, 0.47)),
        *((0.86, 0.47), (0.86, 1), (0.14, 1), (0.14, 0.47), (0, 0.47)),
    ),
    "fish": (
        *((0, 0.5), (0.1, 0.36), (0.28, 0.26), (0.38, 0.1), (0.52, 0.25), (0.7, 0.4)),
        *((1, 0.2), (0.9, 0.5), (1, 0.8), (0.7, 0.6)),
        *((0.54, 0.74), (0.42, 0.86), (0.34, 0.75), (0.12, 0.65)),
    ),
    "tree": _mirrored(
        (
            *((0, 0), (0.26, 0.34), (0.13, 0.34), (0.36, 0.62), (0.19, 0.62), (0.45, 0.86)),
            *((0.08, 0.86), (0.08, 1)),
        )
    ),
    "bottle": _mirrored([(0.09, 0), (0.09, 0.3), (0.24, 0.44), (0.24, 0.97), (0.2, 1)]),
    "hammer": (
        *((0, 0.06), (0.12, 0), (0.88, 0), (0.88, 0.28), (0.58, 0.28)),
        *((0.58, 1), (0.42, 1), (0.42, 0.28), (0.12, 0.28), (0, 0.2)),
    ),
    "boat": (
        *((0.47, 0), (0.9, 0.62), (0.53, 0.62), (0.53, 0.7), (1, 0.7)),
        *((0.82, 1), (0.18, 1), (0, 0.7), (0.47, 0.7)),
    ),
    "key": (
        *((0, 0.3), (0.1, 0.12), (0.28, 0.12), (0.38, 0.24), (1, 0.24), (1, 0.52), (0.9, 0.52)),
        *((0.9, 0.36), (0.8, 0.36), (0.8, 0.47), (0.7, 0.47), (0.7, 0.36), (0.38, 0.36)),
        *((0.28, 0.48), (0.1, 0.48)),
    ),
}

OUTLINES: tuple[str, ...] = tuple(SILHOUETTES)
"""All names of the outline scenes."""

_COVERED: Mapping[Difficulty, float] = {"easy": 0.0, "medium": 0.4, "hard": 0.8}
"""How often a grey piece is put before the silhouette, if it leaves one visible piece."""


def _irregular(rng: random.Random, points: Points, difficulty: Difficulty) -> Points:
    """Stretches, shakes and tilts a silhouette; it keeps its name and crosses itself nowhere."""
    wide, tall = rng.uniform(0.8, 1.25), rng.uniform(0.8, 1.25)
    flip = rng.choice((-1, 1))
    shake = {"easy": 0.0, "medium": 0.012, "hard": 0.022}[difficulty]
    tilt = {"easy": 0.0, "medium": 15.0, "hard": 35.0}[difficulty]
    shaken = [
        (flip * wide * x + rng.uniform(-shake, shake), tall * y + rng.uniform(-shake, shake))
        for x, y in into_unit_circle(points)
    ]
    return into_unit_circle(spin(shaken, rng.uniform(-tilt, tilt)))


def outline_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """One silhouette before faint distractors, often with a grey piece before it when not easy.

    The truth is the visible outline of at most 20 corners, often concave.
    """
    size = choose_size(rng, difficulty)
    backdrop = choose_backdrop(rng, difficulty, size)
    name = rng.choice(OUTLINES)
    radius = min(size) * rng.uniform(0.26, 0.46)
    reach = radius + 3
    centre = rng.uniform(reach, size[0] - reach), rng.uniform(reach, size[1] - reach)
    points = place(_irregular(rng, SILHOUETTES[name], difficulty), (*centre, radius))
    colour = PALETTE[rng.choice(COLOURS)]
    fills = [*faint_shapes(rng, size, backdrop.colour, difficulty), (points, colour)]
    outline = points
    if rng.random() < _COVERED[difficulty] and (covered := cover(rng, points, radius)):
        piece, outline = covered
        fills.append(piece)
    return Scene(
        size=size,
        truth={"label": name, "polygon": [list(p) for p in outline]},
        draw=partial(render, backdrop, fills),
    )

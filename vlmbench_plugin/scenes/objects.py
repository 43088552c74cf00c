"""Everyday objects as lists of polygons in the unit square, y down.

A part is a polygon and a tone: ``main`` is the object's own colour, ``shade`` a darker one of it,
the other tones are fixed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

from vlmbench_plugin.scenes.canvas import RGB, Box, Point, Points, ellipse, stroke

Tone = Literal["main", "shade", "dark", "light", "wood", "leaf", "glass", "steel", "sun", "cream"]
Part: TypeAlias = tuple[Points, Tone]

FIXED_TONES: Mapping[str, RGB] = {
    "dark": (48, 44, 48),
    "light": (252, 252, 250),
    "wood": (142, 92, 48),
    "leaf": (52, 148, 66),
    "glass": (150, 202, 236),
    "steel": (128, 134, 146),
    "sun": (252, 196, 24),
    "cream": (226, 204, 166),
}


def _rect(x1: float, y1: float, x2: float, y2: float) -> Points:
    return (x1, y1), (x2, y1), (x2, y2), (x1, y2)


def _disc(x: float, y: float, radius: float, corners: int = 28) -> Points:
    return ellipse((x - radius, y - radius, x + radius, y + radius), corners)


def _arc(box: Box, first: float, last: float, steps: int = 14) -> list[Point]:
    """Points of an ellipse from one angle to another, degrees clockwise from the right."""
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    rx, ry = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    angles = [math.radians(first + (last - first) * i / steps) for i in range(steps + 1)]
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


def _band(box: Box, width: float, first: float = 0, last: float = 360) -> Points:
    """A bent stroke along the inside of an ellipse; a whole ring closes on itself in a seam."""
    inner = (box[0] + width, box[1] + width, box[2] - width, box[3] - width)
    return [*_arc(box, first, last, 24), *reversed(_arc(inner, first, last, 24))]


def _around(x: float, y: float, radius: float, count: int) -> list[Point]:
    turns = [2 * math.pi * i / count for i in range(count)]
    return [(x + radius * math.sin(t), y - radius * math.cos(t)) for t in turns]


_HOUSE: tuple[Part, ...] = (
    (_rect(0.7, 0.06, 0.8, 0.35), "shade"),
    (_rect(0.14, 0.44, 0.86, 1), "main"),
    (((0, 0.47), (0.5, 0), (1, 0.47)), "shade"),
    (_rect(0.42, 0.64, 0.59, 1), "wood"),
    (_rect(0.2, 0.56, 0.36, 0.74), "glass"),
    (_rect(0.66, 0.56, 0.81, 0.74), "glass"),
    (_disc(0.56, 0.83, 0.015, 10), "sun"),
)
_TREE: tuple[Part, ...] = (
    (((0.44, 0.5), (0.56, 0.5), (0.61, 1), (0.39, 1)), "wood"),
    *((_disc(x, y, 0.21), "leaf") for x, y in ((0.28, 0.42), (0.72, 0.42), (0.5, 0.21))),
    (_disc(0.5, 0.44, 0.26), "leaf"),
    *(
        (_disc(x, y, 0.035, 12), "main")
        for x, y in ((0.26, 0.4), (0.5, 0.2), (0.72, 0.38), (0.45, 0.45), (0.6, 0.56), (0.36, 0.58))
    ),
)
_CAR: tuple[Part, ...] = (
    (((0.18, 0.5), (0.32, 0.25), (0.68, 0.25), (0.86, 0.5)), "main"),
    (((0.25, 0.48), (0.35, 0.3), (0.49, 0.3), (0.49, 0.48)), "glass"),
    (((0.53, 0.48), (0.53, 0.3), (0.66, 0.3), (0.78, 0.48)), "glass"),
    (((0, 0.52), (0.18, 0.47), (0.86, 0.47), (1, 0.54), (1, 0.72), (0, 0.72)), "main"),
    (_rect(0, 0.67, 1, 0.73), "shade"),
    (_rect(0.94, 0.55, 1, 0.61), "sun"),
    *((_disc(x, 0.73, 0.12), "dark") for x in (0.23, 0.77)),
    *((_disc(x, 0.73, 0.055, 16), "steel") for x in (0.23, 0.77)),
)
_CUP: tuple[Part, ...] = (
    (_band((0.52, 0.34, 0.98, 0.76), 0.08), "shade"),
    (((0.04, 0.2), (0.72, 0.2), (0.66, 0.86), (0.56, 0.95), (0.2, 0.95), (0.1, 0.86)), "main"),
    (ellipse((0.04, 0.12, 0.72, 0.29)), "shade"),
    (ellipse((0.09, 0.155, 0.67, 0.28)), "wood"),
)
_SCALLOPS = [
    point
    for k in range(4)
    for point in _arc((0.75 - 0.25 * k, 0.46, 1 - 0.25 * k, 0.6), 0, -180, 6)
]
_UMBRELLA: tuple[Part, ...] = (
    (_rect(0.485, 0, 0.515, 0.9), "wood"),
    (_band((0.485, 0.8, 0.685, 1), 0.03, 0, 180), "wood"),
    ([*_arc((0, 0.06, 1, 1.0), 180, 360, 24), *_SCALLOPS], "main"),
    (
        [
            *_arc((0.25, 0.06, 0.75, 1.0), 180, 360, 20),
            *_arc((0.5, 0.46, 0.75, 0.6), 0, -180, 6),
            *_arc((0.25, 0.46, 0.5, 0.6), 0, -180, 6),
        ],
        "shade",
    ),
)
_FISH: tuple[Part, ...] = (
    (((0.68, 0.5), (1, 0.22), (0.93, 0.5), (1, 0.78)), "shade"),
    (((0.3, 0.34), (0.48, 0.12), (0.62, 0.34)), "shade"),
    (((0.38, 0.64), (0.5, 0.86), (0.58, 0.62)), "shade"),
    (ellipse((0, 0.24, 0.78, 0.76)), "main"),
    (_band((-0.1, 0.28, 0.3, 0.72), 0.02, -55, 55), "shade"),
    (_disc(0.15, 0.43, 0.055, 18), "light"),
    (_disc(0.14, 0.43, 0.028, 14), "dark"),
)
_FLOWER: tuple[Part, ...] = (
    (_rect(0.48, 0.4, 0.525, 1), "leaf"),
    (((0.5, 0.86), (0.6, 0.68), (0.82, 0.62), (0.74, 0.8)), "leaf"),
    (((0.5, 0.94), (0.4, 0.78), (0.18, 0.72), (0.26, 0.88)), "leaf"),
    *((_disc(x, y, 0.125), "main") for x, y in _around(0.5, 0.31, 0.185, 7)),
    (_disc(0.5, 0.31, 0.115), "wood"),
)
_LADDER: tuple[Part, ...] = (
    *((_rect(0.3, y, 0.7, y + 0.045), "shade") for y in (0.08, 0.22, 0.36, 0.5, 0.64, 0.78, 0.9)),
    (_rect(0.27, 0, 0.335, 1), "main"),
    (_rect(0.665, 0, 0.73, 1), "main"),
)
_CLOCK: tuple[Part, ...] = (
    (_disc(0.5, 0.5, 0.5, 48), "main"),
    (_disc(0.5, 0.5, 0.41, 48), "light"),
    *(
        (stroke(outer, inner, 0.025), "dark")
        for outer, inner in zip(
            _around(0.5, 0.5, 0.38, 12), _around(0.5, 0.5, 0.32, 12), strict=True
        )
    ),
    (stroke((0.5, 0.52), (0.66, 0.36), 0.045), "dark"),
    (stroke((0.51, 0.54), (0.42, 0.2), 0.03), "dark"),
    (_disc(0.5, 0.5, 0.035, 16), "dark"),
)
_ENVELOPE: tuple[Part, ...] = (
    (_rect(0, 0.18, 1, 0.82), "main"),
    (stroke((0.01, 0.8), (0.42, 0.46), 0.02), "shade"),
    (stroke((0.99, 0.8), (0.58, 0.46), 0.02), "shade"),
    (((0, 0.18), (1, 0.18), (0.5, 0.58)), "shade"),
    (((0.05, 0.18), (0.95, 0.18), (0.5, 0.545)), "main"),
    (_disc(0.5, 0.5, 0.06, 20), "light"),
)
_KEY: tuple[Part, ...] = (
    (_band((0, 0.3, 0.4, 0.7), 0.09), "main"),
    (_rect(0.38, 0.46, 1, 0.54), "main"),
    (_rect(0.76, 0.54, 0.82, 0.67), "main"),
    (_rect(0.88, 0.54, 0.94, 0.7), "main"),
    (_rect(0.4, 0.43, 0.45, 0.57), "shade"),
)
_BOAT: tuple[Part, ...] = (
    (_rect(0.475, 0.02, 0.51, 0.75), "wood"),
    (((0.53, 0.04), (0.53, 0.64), (0.92, 0.64)), "glass"),
    (((0.455, 0.14), (0.455, 0.64), (0.16, 0.64)), "cream"),
    (((0, 0.7), (1, 0.7), (0.84, 0.96), (0.16, 0.96)), "main"),
    (((0, 0.7), (1, 0.7), (0.97, 0.76), (0.03, 0.76)), "shade"),
)
_MUSHROOM: tuple[Part, ...] = (
    (((0.39, 0.48), (0.61, 0.48), (0.68, 0.97), (0.32, 0.97)), "cream"),
    ([*_arc((0.02, 0.04, 0.98, 1.04), 180, 360, 24), (0.9, 0.6), (0.1, 0.6)], "main"),
    *(
        (_disc(x, y, r, 20), "light")
        for x, y, r in ((0.3, 0.3, 0.08), (0.6, 0.2, 0.07), (0.77, 0.42, 0.07), (0.5, 0.45, 0.055))
    ),
)
_CHAIR: tuple[Part, ...] = (
    (_rect(0.22, 0, 0.29, 0.62), "main"),
    (_rect(0.72, 0, 0.79, 0.62), "main"),
    *((_rect(0.29, y, 0.72, y + 0.08), "shade") for y in (0.05, 0.2, 0.35)),
    (_rect(0.26, 0.62, 0.31, 0.86), "shade"),
    (_rect(0.7, 0.62, 0.75, 0.86), "shade"),
    (((0.22, 0.54), (0.79, 0.54), (0.88, 0.68), (0.13, 0.68)), "main"),
    (_rect(0.13, 0.68, 0.88, 0.74), "shade"),
    (_rect(0.14, 0.74, 0.21, 1), "main"),
    (_rect(0.8, 0.74, 0.87, 1), "main"),
)
_HAMMER: tuple[Part, ...] = (
    (_rect(0.44, 0.1, 0.56, 0.62), "wood"),
    (_rect(0.425, 0.6, 0.575, 1), "main"),
    (((0.3, 0.06), (0.72, 0.06), (0.98, 0.2), (0.96, 0.28), (0.7, 0.24), (0.3, 0.24)), "steel"),
    (_rect(0.14, 0.03, 0.32, 0.27), "dark"),
)
_BALLOON: tuple[Part, ...] = (
    (_band((0.5, 0.72, 0.62, 1.04), 0.018, 110, 250), "dark"),
    (((0.5, 0.66), (0.57, 0.76), (0.43, 0.76)), "shade"),
    (ellipse((0.22, 0, 0.78, 0.7)), "main"),
    (ellipse((0.32, 0.1, 0.42, 0.28), 20), "light"),
)
_CACTUS: tuple[Part, ...] = (
    (_band((0.12, 0.2, 0.7, 0.6), 0.11, 90, 180), "leaf"),
    (_band((0.3, 0.14, 0.88, 0.52), 0.11, 0, 90), "leaf"),
    ([*_arc((0.39, 0, 0.61, 0.24), 180, 360), (0.61, 0.76), (0.39, 0.76)], "leaf"),
    *((stroke((x, 0.14), (x, 0.7), 0.014), "dark") for x in (0.46, 0.54)),
    (((0.24, 0.72), (0.76, 0.72), (0.68, 1), (0.32, 1)), "main"),
    (_rect(0.2, 0.7, 0.8, 0.79), "shade"),
)
_ROCKET: tuple[Part, ...] = (
    (((0.38, 0.8), (0.62, 0.8), (0.5, 1)), "sun"),
    (((0.36, 0.52), (0.16, 0.84), (0.38, 0.8)), "shade"),
    (((0.64, 0.52), (0.84, 0.84), (0.62, 0.8)), "shade"),
    (
        (
            (0.5, 0),
            (0.63, 0.22),
            (0.68, 0.46),
            (0.63, 0.82),
            (0.37, 0.82),
            (0.32, 0.46),
            (0.37, 0.22),
        ),
        "main",
    ),
    (((0.5, 0), (0.63, 0.22), (0.37, 0.22)), "shade"),
    (_disc(0.5, 0.4, 0.1), "light"),
    (_disc(0.5, 0.4, 0.075), "glass"),
)
_PENCIL: tuple[Part, ...] = (
    (_rect(0, 0.41, 0.09, 0.59), "dark"),
    (_rect(0.08, 0.41, 0.16, 0.59), "steel"),
    (_rect(0.16, 0.41, 0.8, 0.59), "main"),
    (_rect(0.16, 0.47, 0.8, 0.53), "shade"),
    (((0.8, 0.41), (1, 0.5), (0.8, 0.59)), "cream"),
    (((0.93, 0.4685), (1, 0.5), (0.93, 0.5315)), "dark"),
)
_GLASSES: tuple[Part, ...] = (
    (_disc(0.23, 0.5, 0.19), "glass"),
    (_disc(0.77, 0.5, 0.19), "glass"),
    (_band((0.02, 0.29, 0.44, 0.71), 0.045), "main"),
    (_band((0.56, 0.29, 0.98, 0.71), 0.045), "main"),
    (_band((0.4, 0.42, 0.6, 0.62), 0.04, 180, 360), "main"),
    (stroke((0.06, 0.42), (0, 0.3), 0.04), "shade"),
    (stroke((0.94, 0.42), (1, 0.3), 0.04), "shade"),
)
_APPLE: tuple[Part, ...] = (
    (ellipse((0.1, 0.24, 0.62, 0.94)), "main"),
    (ellipse((0.38, 0.24, 0.9, 0.94)), "main"),
    (stroke((0.5, 0.34), (0.55, 0.06), 0.05), "wood"),
    (((0.55, 0.2), (0.66, 0.06), (0.86, 0.04), (0.76, 0.18)), "leaf"),
    (ellipse((0.2, 0.38, 0.3, 0.58), 20), "light"),
)
OBJECTS: Mapping[str, tuple[Part, ...]] = {
    "house": _HOUSE,
    "tree": _TREE,
    "car": _CAR,
    "cup": _CUP,
    "umbrella": _UMBRELLA,
    "fish": _FISH,
    "flower": _FLOWER,
    "ladder": _LADDER,
    "clock": _CLOCK,
    "envelope": _ENVELOPE,
    "key": _KEY,
    "boat": _BOAT,
    "mushroom": _MUSHROOM,
    "chair": _CHAIR,
    "hammer": _HAMMER,
    "balloon": _BALLOON,
    "cactus": _CACTUS,
    "rocket": _ROCKET,
    "pencil": _PENCIL,
    "glasses": _GLASSES,
    "apple": _APPLE,
}

CLASSES: tuple[str, ...] = tuple(OBJECTS)
"""All names of the classification and fixation scenes."""

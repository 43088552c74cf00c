"""Pairs of shapes joined by something drawn: an arrow, a line, containment, contact."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from vlmbench_plugin.core import Scene
from vlmbench_plugin.scenes.canvas import (
    COLOURS,
    RGB,
    Circle,
    Fill,
    Point,
    choose_backdrop,
    choose_size,
    render,
    scatter,
    spin,
    stroke,
)
from vlmbench_plugin.scenes.shapes import FLAT_SHAPES, LABELS, figure
from vlmbench_plugin.scenes.spatial import ask_pairs

if TYPE_CHECKING:
    import random

    from vlmbench_plugin.core import Difficulty

PREDICATES: tuple[str, ...] = (
    "points_to",
    "pointed_to_by",
    "connected_to",
    "inside",
    "contains",
    "touches",
)
SYMMETRIC: frozenset[str] = frozenset({"connected_to", "touches"})
INVERSE: Mapping[str, str] = {
    "points_to": "pointed_to_by",
    "pointed_to_by": "points_to",
    "inside": "contains",
    "contains": "inside",
}
"""Predicate -> the one that holds for the pair turned round; symmetric ones are not listed."""

RELATED_LABELS: tuple[str, ...] = LABELS
"""All names of the semantic scenes."""

_INK: RGB = (84, 84, 92)
# Seen from its middle, each reaches exactly its radius along the axis on which two of them meet.
_MEETING = ("circle", "hexagon")
# Their incircles are at least 0.7 of their radius, room for a shape of 0.45.
_ROOMY = ("circle", "square", "hexagon")
_PAIRS: Mapping[Difficulty, tuple[int, int]] = {"easy": (2, 2), "medium": (2, 4), "hard": (3, 5)}


def _choose_pair(rng: random.Random, predicate: str, taken: set[str]) -> tuple[str, str]:
    """Two names of different colours that no other shape of the scene bears, the first acting."""
    firsts = {"touches": _MEETING, "contains": _ROOMY}.get(predicate, FLAT_SHAPES)
    seconds = _MEETING if predicate == "touches" else FLAT_SHAPES
    while True:
        one, two = rng.sample(COLOURS, 2)
        names = f"{one} {rng.choice(firsts)}", f"{two} {rng.choice(seconds)}"
        if taken.isdisjoint(names):
            taken.update(names)
            return names


def _arrow(tail: Point, tip: Point, width: float) -> list[Fill]:
    """A shaft from the tail, and a head that ends at the tip."""
    length = math.dist(tail, tip)
    ux, uy = (tip[0] - tail[0]) / length, (tip[1] - tail[1]) / length
    neck = tip[0] - 3.2 * width * ux, tip[1] - 3.2 * width * uy
    side = 1.9 * width
    head = (
        tip,
        (neck[0] - uy * side, neck[1] + ux * side),
        (neck[0] + uy * side, neck[1] - ux * side),
    )
    return [(stroke(tail, neck, width), _INK), (head, _INK)]


def _draw_pair(
    predicate: str, names: tuple[str, str], circle: Circle, degrees: float
) -> list[Fill]:
    """Paints two shapes within a circle so that the first stands in the relation to the second.

    Args:
        predicate: One of points_to, connected_to, contains, touches.
        names: The labels of the two.
        circle: Where they go.
        degrees: Direction from the first to the second.
    """
    cx, cy, radius = circle
    ((ux, uy),) = spin([(1.0, 0.0)], degrees)

    def along(share: float, radius_share: float) -> Circle:
        return cx + share * radius * ux, cy + share * radius * uy, radius_share * radius

    if predicate == "contains":
        outer, inner = along(0, 0.8), along(0, 0.36)
        return [figure(names[0], outer).fill, figure(names[1], inner).fill]
    if predicate == "touches":
        shift = 0.45 - 0.5 / radius  # a pixel of overlap, or anti-aliasing shows a gap
        ends = along(-shift, 0.45), along(shift, 0.45)
        return [figure(n, e, degrees).fill for n, e in zip(names, ends, strict=True)]
    first, second = along(-0.68, 0.3), along(0.68, 0.3)
    width = max(2.5, 0.045 * radius)
    start, end = (first[0], first[1]), (second[0], second[1])
    if predicate == "points_to":
        tip = along(0.34, 0)
        link = _arrow(start, (tip[0], tip[1]), width)
    else:
        link = [(stroke(start, end, width), _INK)]
    return [*link, figure(names[0], first).fill, figure(names[1], second).fill]


def semantic_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """Two to five pairs of shapes, each pair in exactly one drawn relation, apart from the others.

    A pair may be asked from either side, so the direction of arrows and containment matters. When
    hard, shapes that stand in no relation are strewn in.
    """
    size = choose_size(rng, difficulty)
    backdrop = choose_backdrop(rng, difficulty, size)
    count = rng.randint(*_PAIRS[difficulty])
    strays = rng.randint(1, 3) if difficulty == "hard" else 0
    side = min(math.sqrt(size[0] * size[1] / count), 0.9 * min(size))
    radii = [side * rng.uniform(0.36, 0.42)] * count + [side * 0.1] * strays
    circles = scatter(rng, size, radii, gap=side * 0.04)
    taken: set[str] = set()
    fills: list[Fill] = []
    relations: list[dict[str, str]] = []
    for circle in circles[:count]:
        asked = rng.choice(PREDICATES)
        turned_round = asked in {"pointed_to_by", "inside"}
        drawn = INVERSE[asked] if turned_round else asked
        names = _choose_pair(rng, drawn, taken)
        fills += _draw_pair(drawn, names, circle, rng.uniform(0, 360))
        subject, other = (names[1], names[0]) if turned_round else names
        relations.append({"subject": subject, "predicate": asked, "object": other})
    for circle, name in zip(circles[count:], _spare(rng, taken, strays), strict=True):
        fills.append(figure(name, circle).fill)
    return Scene(
        size=size,
        truth={"relations": relations},
        draw=partial(render, backdrop, fills),
        question=ask_pairs([(r["subject"], r["object"]) for r in relations]),
    )


def _spare(rng: random.Random, taken: set[str], count: int) -> list[str]:
    return rng.sample([name for name in RELATED_LABELS if name not in taken], count)

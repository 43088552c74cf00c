"""Pairs of shapes joined by something drawn: an arrow, a line, containment, contact."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import shapely
from shapely.affinity import translate

from vlmbench_plugin.scenes.canvas import (
    COLOURS,
    RGB,
    Backdrop,
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
from vlmbench_plugin.scenes.shapes import FLAT_SHAPES, LABELS, SHAPES, figure
from vlmbench_plugin.scenes.spatial import ask_pairs
from vlmbench_plugin.sources import Scene

if TYPE_CHECKING:
    import random

    from PIL.Image import Image

    from vlmbench_plugin.core import Difficulty

Pair: TypeAlias = tuple[str, tuple[str, str], Circle, float]
"""What is drawn of two shapes: relation, their names, where, and the direction between them."""

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
_RIM = 1.0
_DIRECTIONS = 7
# Of the inscribed circle: what is left shows all around that one shape is within the other.
_FILLED = 0.75
_MEANINGS = (
    "An arrow from a to b means a points_to b and b pointed_to_by a; a plain line between them, "
    "connected_to. A shape drawn within another is inside it, and the other contains it; if "
    "their edges just meet, with neither arrow nor line, each touches the other. "
)
_PAIRS: Mapping[Difficulty, tuple[int, int]] = {"easy": (2, 2), "medium": (2, 4), "hard": (3, 5)}


def _choose_pair(rng: random.Random, taken: set[str]) -> tuple[str, str]:
    """Two names of different colours that no other shape of the scene bears.

    Whatever their relation is: the names tell nothing about it.
    """
    while True:
        one, two = rng.sample(COLOURS, 2)
        names = f"{one} {rng.choice(FLAT_SHAPES)}", f"{two} {rng.choice(FLAT_SHAPES)}"
        if taken.isdisjoint(names):
            taken.update(names)
            return names


def _room(name: str) -> float:
    """Radius of the largest circle about a shape's middle within it, in units of its own radius."""
    corners = SHAPES[name.split(" ")[1]].corners
    return float(shapely.Polygon(corners).exterior.distance(shapely.Point(0, 0)))


def _apart(pair: Sequence[shapely.Polygon], degrees: float) -> float:
    """How far the second is from the first, both about the origin, if moved until they meet."""
    first, second = pair
    ((ux, uy),) = spin([(1.0, 0.0)], degrees)
    # The corners of their boxes reach up to 1.42 times as far as the sides: 3 is clear of both.
    apart = 3 * max(map(abs, (*first.bounds, *second.bounds)))
    # Moved back by no more than the gap, it never skips the contact.
    while (gap := first.distance(translate(second, apart * ux, apart * uy))) > 0.05:
        apart -= gap
    return apart


def _touching(names: tuple[str, str], circle: Circle, degrees: float) -> list[Fill]:
    """Two upright shapes whose inks meet, though their outlines cut little into each other.

    They are moved together until they meet without a rim of a pixel each: where no more than the
    outlines met, anti-aliasing would show a gap, and a star's tip has no whole pixel of ink.

    Args:
        names: The labels of the two.
        circle: Where they go.
        degrees: A first direction from one to the other; of some spread evenly from it on, the one
            with the least overlap is taken, for past a slanting edge they would slide far.
    """
    cx, cy, radius = circle[0], circle[1], 0.45 * circle[2]
    whole = [shapely.Polygon(figure(name, (0, 0, radius)).points) for name in names]
    cores = [one.buffer(-_RIM, join_style="mitre", mitre_limit=20) for one in whole]
    turns = [degrees + 360 * k / _DIRECTIONS for k in range(_DIRECTIONS)]
    turn = min(turns, key=lambda turn: _apart(whole, turn) - _apart(cores, turn))
    ((dx, dy),) = spin([(_apart(cores, turn) / 2, 0.0)], turn)
    ends = (cx - dx, cy - dy, radius), (cx + dx, cy + dy, radius)
    return [figure(name, end).fill for name, end in zip(names, ends, strict=True)]


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
        inner_radius = min(0.36, 0.95 * _room(names[0]) * _FILLED)
        outer, inner = along(0, 0.95), along(0, inner_radius)
        return [figure(names[0], outer).fill, figure(names[1], inner).fill]
    if predicate == "touches":
        return _touching(names, circle, degrees)
    first, second = along(-0.68, 0.3), along(0.68, 0.3)
    width = max(2.5, 0.045 * radius)
    start, end = (first[0], first[1]), (second[0], second[1])
    if predicate == "points_to":
        tip = along(0.34, 0)
        link = _arrow(start, (tip[0], tip[1]), width)
    else:
        link = [(stroke(start, end, width), _INK)]
    return [*link, figure(names[0], first).fill, figure(names[1], second).fill]


def inks(pairs: Sequence[Pair], strays: Sequence[tuple[str, Circle]]) -> list[Fill]:
    """What is painted of pairs and of shapes that stand in no relation, in order."""
    joined = itertools.chain.from_iterable(_draw_pair(*pair) for pair in pairs)
    return [*joined, *(figure(name, circle).fill for name, circle in strays)]


def _paint(
    backdrop: Backdrop, pairs: Sequence[Pair], strays: Sequence[tuple[str, Circle]]
) -> Image:
    # Not before it is painted: where two shapes touch takes eight tenths of a scene's time.
    return render(backdrop, inks(pairs, strays))


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
    pairs: list[Pair] = []
    relations: list[dict[str, str]] = []
    for circle in circles[:count]:
        asked = rng.choice(PREDICATES)
        turned_round = asked in {"pointed_to_by", "inside"}
        drawn = INVERSE[asked] if turned_round else asked
        names = _choose_pair(rng, taken)
        pairs.append((drawn, names, circle, rng.uniform(0, 360)))
        subject, other = (names[1], names[0]) if turned_round else names
        relations.append({"subject": subject, "predicate": asked, "object": other})
    spare = zip(_spare(rng, taken, strays), circles[count:], strict=True)
    return Scene(
        size=size,
        truth={"relations": relations},
        draw=partial(_paint, backdrop, pairs, list(spare)),
        question=_MEANINGS + ask_pairs([(r["subject"], r["object"]) for r in relations]),
    )


def _spare(rng: random.Random, taken: set[str], count: int) -> list[str]:
    return rng.sample([name for name in RELATED_LABELS if name not in taken], count)

"""Scenes of everyday objects: one to be named, or one that outsizes all others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from vlmbench_plugin.scenes.canvas import (
    PALETTE,
    RGB,
    Backdrop,
    Circle,
    Fill,
    bounds,
    choose_backdrop,
    choose_size,
    darker,
    place,
    render,
    scatter,
    spin,
)
from vlmbench_plugin.scenes.distractors import faint_shapes, grey_piece
from vlmbench_plugin.scenes.objects import CLASSES, FIXED_TONES, OBJECTS, Part
from vlmbench_plugin.sources import Scene

if TYPE_CHECKING:
    import random

    from PIL.Image import Image

    from vlmbench_plugin.core import Difficulty

SUBJECTS: tuple[str, ...] = (
    *("house", "tree", "car", "cup", "umbrella", "fish", "clock", "envelope"),
    *("boat", "mushroom", "balloon", "apple"),
)
"""Objects solid enough to be a subject: ink over at least a sixth of the square about their circle.

Bystanders may be any object.
"""

OBJECT_COLOURS: tuple[str, ...] = tuple(name for name in PALETTE if name != "black")
"""Black would hide an object's own dark parts."""

_OTHERS: Mapping[Difficulty, tuple[int, int]] = {"easy": (1, 2), "medium": (2, 4), "hard": (3, 6)}


def _centred(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Moves an object's extent to the origin and its farthest corner to the unit circle."""
    x1, y1, x2, y2 = bounds([p for points, _ in parts for p in points])
    cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
    reach = max(math.hypot(x - cx, y - cy) for points, _ in parts for x, y in points)
    return tuple(
        ([((x - cx) / reach, (y - cy) / reach) for x, y in points], tone) for points, tone in parts
    )


_CENTRED: Mapping[str, tuple[Part, ...]] = {name: _centred(p) for name, p in OBJECTS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sprite:
    """An object placed in an image.

    Attributes:
        name: Which one.
        circle: Where it goes; it touches this circle from within before it is tilted.
        colour: A name of ``PALETTE``.
        degrees: Its tilt.
        mirrored: Whether left and right are swapped.
    """

    name: str
    circle: Circle
    colour: str
    degrees: float = 0.0
    mirrored: bool = False

    @property
    def fills(self) -> list[Fill]:
        """How it is painted."""
        main = PALETTE[self.colour]
        tones: dict[str, RGB] = {**FIXED_TONES, "main": main, "shade": darker(main)}
        side = -1 if self.mirrored else 1
        return [
            (
                place(spin([(side * x, y) for x, y in points], self.degrees), self.circle),
                tones[tone],
            )
            for points, tone in _CENTRED[self.name]
        ]

    @property
    def box(self) -> list[float]:
        """Its extent x1, y1, x2, y2 in pixels."""
        return list(bounds([point for points, _ in self.fills for point in points]))


def _paint(
    backdrop: Backdrop, sprites: Sequence[Sprite], behind: Sequence[Fill], before: Sequence[Fill]
) -> Image:
    inks = itertools.chain.from_iterable(s.fills for s in sprites)
    return render(backdrop, [*behind, *inks, *before])


def _sprite(rng: random.Random, name: str, circle: Circle, difficulty: Difficulty) -> Sprite:
    tilt = {"easy": 0.0, "medium": 8.0, "hard": 18.0}[difficulty]
    return Sprite(
        name=name,
        circle=circle,
        colour=rng.choice(OBJECT_COLOURS),
        degrees=rng.uniform(-tilt, tilt),
        mirrored=rng.random() < 0.5,
    )


def classification_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """One everyday object of varied colour, size, tilt and place before faint distractors.

    When hard, a grey piece hides a part of its edge in every other scene.
    """
    size = choose_size(rng, difficulty)
    backdrop = choose_backdrop(rng, difficulty, size)
    share = {"easy": (0.36, 0.48), "medium": (0.24, 0.46), "hard": (0.14, 0.44)}[difficulty]
    (circle,) = scatter(rng, size, [min(size) * rng.uniform(*share)], gap=0, margin=2)
    sprite = _sprite(rng, rng.choice(CLASSES), circle, difficulty)
    behind = faint_shapes(rng, size, backdrop.colour, difficulty)
    before = [_edge_piece(rng, circle)] if difficulty == "hard" and rng.random() < 0.5 else []
    return Scene(
        size=size,
        truth={"label": sprite.name},
        draw=partial(_paint, backdrop, [sprite], behind, before),
    )


def _edge_piece(rng: random.Random, circle: Circle) -> Fill:
    """A grey piece before the edge of an object in a circle; it hides less than a tenth of it."""
    x, y, radius = circle
    turn = rng.uniform(0, 2 * math.pi)
    reach = 0.7 * radius
    at = (x + reach * math.cos(turn), y + reach * math.sin(turn))
    return grey_piece(rng, at, radius * rng.uniform(0.18, 0.3))


def fixation_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """One subject before smaller bystanders of other names.

    They are apart; when hard, one reaches behind the subject. The subject shows at least twice the
    area of the next object: its ink covers at least ``4 r^2 / 6`` of its circle of radius r, and a
    bystander's box at most ``2 (0.4 r)^2``.
    """
    size = choose_size(rng, difficulty)
    backdrop = choose_backdrop(rng, difficulty, size)
    subject = rng.choice(SUBJECTS)
    count = rng.randint(*_OTHERS[difficulty])
    names = [subject, *rng.sample([name for name in CLASSES if name != subject], count)]
    reach = min(size) * rng.uniform(0.28, 0.38)
    radii = [reach, *(reach * rng.uniform(0.26, 0.4) for _ in range(count))]
    circles = scatter(rng, size, radii, gap=4)
    if difficulty == "hard":
        circles = _one_behind(rng, circles)
    sprites = [_sprite(rng, n, c, difficulty) for n, c in zip(names, circles, strict=True)]
    return Scene(
        size=size,
        truth={"subject": subject, "box": sprites[0].box},
        draw=partial(_paint, backdrop, sprites[::-1], (), ()),
    )


def _one_behind(rng: random.Random, circles: Sequence[Circle]) -> list[Circle]:
    """Moves the bystander nearest to the subject's circle, the first, partly into it."""
    (x, y, radius), *others = circles
    near = min(range(len(others)), key=lambda i: math.dist(others[i][:2], (x, y)) - others[i][2])
    ox, oy, own = others[near]
    away = math.dist((ox, oy), (x, y))
    share = (radius + own * rng.uniform(-0.2, 0.4)) / away
    moved = x + (ox - x) * share, y + (oy - y) * share, own
    rest = [other for i, other in enumerate(others) if i != near]
    if all(math.dist(moved[:2], other[:2]) > own + other[2] for other in rest):
        others[near] = moved
    return [circles[0], *others]

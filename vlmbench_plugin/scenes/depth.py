"""Objects standing on a ground plane at different distances.

The picture is a pinhole view over flat ground. With the camera at unit height and the focal length
f, a point on the ground at distance z appears f / z below the horizon, and an object of height h
is f * h / z tall: the farther, the smaller, the higher up, and hidden by what stands before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from vlmbench_plugin.scenes.canvas import (
    COLOURS,
    PALETTE,
    RGB,
    Backdrop,
    BackdropKind,
    Box,
    Fill,
    Points,
    Size,
    choose_size,
    darker,
    ellipse,
    render,
)
from vlmbench_plugin.sources import Scene

if TYPE_CHECKING:
    import random

    from PIL.Image import Image

    from vlmbench_plugin.core import Difficulty

# Parts of a kind, x in units of its height about its middle, y from 0 (foot) to -1 (top), each with
# the share of the colour's light that it shows.
_KINDS: Mapping[str, tuple[tuple[Points, float], ...]] = {
    "ball": (
        (ellipse((-0.5, -1, 0.5, 0)), 1.0),
        (ellipse((-0.28, -0.88, -0.06, -0.68)), 1.25),
    ),
    "box": (
        (((-0.45, -0.8), (0.25, -0.8), (0.25, 0), (-0.45, 0)), 1.0),
        (((0.25, -0.8), (0.5, -1), (0.5, -0.22), (0.25, 0)), 0.62),
        (((-0.45, -0.8), (-0.2, -1), (0.5, -1), (0.25, -0.8)), 0.82),
    ),
    "cone": (
        (((-0.06, -1), (0.06, -1), (0.3, -0.09), (-0.3, -0.09)), 1.0),
        (((0.01, -1), (0.06, -1), (0.3, -0.09), (0.12, -0.09)), 0.7),
        (((-0.42, -0.09), (0.42, -0.09), (0.42, 0), (-0.42, 0)), 0.7),
    ),
    "bottle": (
        (((-0.22, -0.6), (-0.09, -0.74), (0.09, -0.74), (0.22, -0.6), (0.22, 0), (-0.22, 0)), 1.0),
        (((-0.09, -0.96), (0.09, -0.96), (0.09, -0.72), (-0.09, -0.72)), 1.0),
        (((-0.11, -1), (0.11, -1), (0.11, -0.92), (-0.11, -0.92)), 0.6),
        (((-0.22, -0.46), (0.22, -0.46), (0.22, -0.2), (-0.22, -0.2)), 0.7),
    ),
    "pawn": (
        (((-0.12, -0.62), (0.12, -0.62), (0.28, -0.1), (-0.28, -0.1)), 1.0),
        (ellipse((-0.19, -1, 0.19, -0.6)), 1.0),
        (((-0.34, -0.12), (0.34, -0.12), (0.34, 0), (-0.34, 0)), 0.7),
    ),
}
DEPTH_LABELS: tuple[str, ...] = tuple(f"{c} {k}" for c in COLOURS for k in _KINDS)
"""All names of the depth scenes."""

_ASK = "Order these objects from near to far: "
_COUNTS: Mapping[Difficulty, tuple[int, int]] = {"easy": (3, 3), "medium": (3, 5), "hard": (4, 6)}
_SKY_KINDS: Mapping[Difficulty, tuple[BackdropKind, ...]] = {
    "easy": ("plain",),
    "medium": ("plain", "gradient"),
    "hard": ("gradient", "texture"),
}
_HILLS: tuple[RGB, ...] = ((186, 206, 190), (196, 202, 216), (206, 204, 190))
_CLOUDS: tuple[RGB, ...] = ((236, 240, 246), (224, 232, 242))
_SHADOW_DEPTH = 0.05
_MOST_HIDDEN = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One object on the ground.

    Attributes:
        label: Colour and kind, "red ball".
        distance: From the camera, in units of the nearest one's distance.
        foot: Where its foot's middle appears, x and y in pixels.
        height: How tall it appears in pixels.
    """

    label: str
    distance: float
    foot: tuple[float, float]
    height: float

    @property
    def box(self) -> Box:
        """Its whole extent in pixels, whether hidden or not."""
        parts = _KINDS[self.label.split(" ")[1]]
        half = max(abs(x) for points, _ in parts for x, _ in points) * self.height
        x, y = self.foot
        return x - half, y - self.height, x + half, y

    @property
    def middle(self) -> list[float]:
        """Where its middle appears, x and y in pixels."""
        return [self.foot[0], round(self.foot[1] - self.height / 2, 1)]

    def fills(self, ground: RGB) -> list[Fill]:
        """Its shadow on the ground, and its parts."""
        colour, kind = self.label.split(" ")
        x, y = self.foot
        x1, _, x2, _ = self.box
        flat = _SHADOW_DEPTH * self.height
        shadow: Fill = (ellipse((x1, y - flat, x2, y + flat)), darker(ground, 0.75))
        return [
            shadow,
            *(
                (
                    [(x + px * self.height, y + py * self.height) for px, py in points],
                    _lit(PALETTE[colour], light),
                )
                for points, light in _KINDS[kind]
            ),
        ]


def _lit(colour: RGB, light: float) -> RGB:
    red, green, blue = (min(255, round(c * light) + (40 if light > 1 else 0)) for c in colour)
    return red, green, blue


def _hidden_share(box: Box, nearer: list[Box]) -> float:
    """An upper bound of the share of a box that nearer boxes cover."""
    covered = 0.0
    for other in nearer:
        wide = min(box[2], other[2]) - max(box[0], other[0])
        tall = min(box[3], other[3]) - max(box[1], other[1])
        covered += max(0.0, wide) * max(0.0, tall)
    return covered / ((box[2] - box[0]) * (box[3] - box[1]))


def _stand_one(
    rng: random.Random, width: int, blank: Standing, nearer: list[Standing]
) -> Standing | None:
    """Shifts an object sideways until enough of it shows; None if it nowhere does."""
    boxes = [one.box for one in nearer]
    reach = 0.5 * blank.height + 2
    for _ in range(16):
        foot = round(rng.uniform(reach, width - reach), 1), blank.foot[1]
        one = replace(blank, foot=foot)
        if _hidden_share(one.box, boxes) <= _MOST_HIDDEN:
            return one
    return None


def stand(
    rng: random.Random, size: Size, labels: list[str], horizon: float, difficulty: Difficulty
) -> list[Standing]:
    """Puts objects on the ground, near to far, each at least a quarter farther than the last.

    Nearer objects' boxes cover at most two fifths of an object's own.
    """
    width, height = size
    below = height * rng.uniform(0.92, 0.96) - horizon
    tall = rng.uniform(0.55, 0.8) * (0.8 if width < height else 1.0)
    widest = 1.4 if difficulty == "hard" else 1.6
    while True:
        distance = 1.0
        standing: list[Standing] = []
        for label in labels:
            drop = below / distance
            blank = Standing(
                label=label, distance=distance, foot=(0.0, horizon + drop), height=drop * tall
            )
            one = _stand_one(rng, width, blank, standing)
            if one is None:
                break
            standing.append(one)
            distance *= rng.uniform(1.25, widest)
        else:
            return standing


def _floor(size: Size, horizon: float, ground: RGB) -> list[Fill]:
    """The ground with bands that narrow towards the horizon, as tiles of one depth do."""
    width, height = size
    fills: list[Fill] = [(((0, horizon), (width, horizon), (width, height), (0, height)), ground)]
    seam = darker(ground, 0.93)
    drop = height - horizon
    for k in range(1, 12, 2):
        top, bottom = horizon + drop / (1 + 0.45 * (k + 1)), horizon + drop / (1 + 0.45 * k)
        fills.append((((0, top), (width, top), (width, bottom), (0, bottom)), seam))
    return fills


def _hills(rng: random.Random, size: Size, horizon: float, difficulty: Difficulty) -> list[Fill]:
    """Pale hills and clouds far behind everything; none when easy."""
    count = {"easy": 0, "medium": 2, "hard": 6}[difficulty]
    fills: list[Fill] = []
    for _ in range(count):
        x, wide = rng.uniform(0, size[0]), size[0] * rng.uniform(0.15, 0.4)
        tall = horizon * rng.uniform(0.1, 0.4)
        y = horizon if rng.random() < 0.6 else horizon * rng.uniform(0.2, 0.5)
        colour = rng.choice(_HILLS if y == horizon else _CLOUDS)
        fills.append((ellipse((x - wide, y - tall, x + wide, y + tall)), colour))
    return fills


def _paint(
    backdrop: Backdrop, horizon: float, ground: RGB, standing: list[Standing], hills: list[Fill]
) -> Image:
    fills = [*hills, *_floor(backdrop.size, horizon, ground)]
    for one in reversed(standing):
        fills.extend(one.fills(ground))
    return render(backdrop, fills)


def depth_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """Three to six objects to be ordered from near to far.

    All are of one kind and size; when hard, of several kinds of one height.
    """
    size = choose_size(rng, difficulty)
    horizon = round(size[1] * rng.uniform(0.3, 0.42))
    ground = rng.choice(((206, 196, 176), (190, 204, 180), (200, 200, 206)))
    backdrop = Backdrop(
        size=size,
        kind=rng.choice(_SKY_KINDS[difficulty]),
        colour=(206, 226, 246),
        second=(246, 246, 246),
        seed=rng.getrandbits(32),
    )
    colours = rng.sample(COLOURS, rng.randint(*_COUNTS[difficulty]))
    kinds = tuple(_KINDS) if difficulty == "hard" else (rng.choice(tuple(_KINDS)),)
    labels = [f"{colour} {rng.choice(kinds)}" for colour in colours]
    standing = stand(rng, size, labels, horizon, difficulty)
    hills = _hills(rng, size, horizon, difficulty)
    shuffled = rng.sample(labels, len(labels))
    return Scene(
        size=size,
        truth={"order": labels, "places": {one.label: one.middle for one in standing}},
        draw=partial(_paint, backdrop, horizon, ground, standing, hills),
        question=ask_objects(shuffled),
    )


def ask_objects(names: Sequence[str]) -> str:
    """The question that names the objects to order; their order must not tell the answer."""
    return _ASK + ", ".join(names)


def asked_objects(question: str) -> list[str]:
    """The objects that a depth scene's question names, for baselines that see no image.

    Args:
        question: A depth scene's question.

    Returns:
        The labels in the order of the question, which is random; none where the question has
        another form, as one's own may have.
    """
    _, found, listed = question.partition(_ASK)
    return listed.split(", ") if found else []

"""What every drawn scene shares: sizes, colours, backgrounds, placement, and painting polygons.

Coordinates are continuous pixels: x right, y down, origin at the top left corner of the image, so
that pixel i covers [i, i + 1). Everything random is drawn before a scene is returned; painting
takes finished values only and gives the same bytes in every process.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from PIL import Image, ImageChops, ImageDraw

if TYPE_CHECKING:
    from vlmbench_plugin.core import Difficulty

RGB: TypeAlias = tuple[int, int, int]
Size: TypeAlias = tuple[int, int]
Point: TypeAlias = tuple[float, float]
Points: TypeAlias = Sequence[Point]
Box: TypeAlias = tuple[float, float, float, float]
Fill: TypeAlias = tuple[Points, RGB]
"""One polygon and its colour; a picture is a list of them, painted in order."""
Circle: TypeAlias = tuple[float, float, float]
"""Centre x, centre y, radius."""

BackdropKind = Literal["plain", "gradient", "texture", "clutter"]

PALETTE: Mapping[str, RGB] = {
    "red": (214, 30, 38),
    "orange": (255, 128, 10),
    "yellow": (248, 208, 0),
    "green": (30, 140, 52),
    "blue": (28, 84, 212),
    "purple": (124, 44, 164),
    "pink": (255, 128, 188),
    "black": (24, 24, 26),
}
"""Colour name -> RGB; apart from each other and from every background."""

COLOURS: tuple[str, ...] = tuple(PALETTE)

_PAPERS: tuple[RGB, ...] = (
    (255, 255, 255),
    (240, 240, 236),
    (228, 236, 244),
    (232, 242, 230),
    (246, 236, 226),
    (216, 218, 222),
)
_SIDES: Mapping[Difficulty, tuple[int, int]] = {
    "easy": (256, 352),
    "medium": (320, 512),
    "hard": (384, 640),
}
_SUPERSAMPLING = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdrop:
    """The ground on which a scene is painted.

    Attributes:
        size: Width and height in pixels.
        kind: How it is painted.
        colour: Its main colour.
        second: The other end of a gradient, or the colour of faint lines.
        vertical: Whether a gradient runs from top to bottom.
        seed: Of the texture and the lines.
    """

    size: Size
    kind: BackdropKind
    colour: RGB
    second: RGB
    vertical: bool = True
    seed: int = 0

    def paint(self) -> Image.Image:
        """Returns a new RGB image; the same bytes on every call."""
        image = Image.new("RGB", self.size, self.colour)
        if self.kind == "gradient":
            ramp = Image.linear_gradient("L")
            ramp = ramp if self.vertical else ramp.transpose(Image.Transpose.ROTATE_90)
            image.paste(self.second, mask=ramp.resize(self.size))
        elif self.kind == "texture":
            width, height = self.size
            noise = random.Random(self.seed).randbytes(width * height)
            grain = Image.frombytes("L", self.size, noise).point([i // 10 for i in range(256)])
            image = ImageChops.subtract(image, Image.merge("RGB", (grain, grain, grain)))
        elif self.kind == "clutter":
            self._scribble(image)
        return image

    def _scribble(self, image: Image.Image) -> None:
        rng = random.Random(self.seed)
        width, height = self.size
        pen = ImageDraw.Draw(image)
        for _ in range(28):
            ends = [(rng.uniform(0, width), rng.uniform(0, height)) for _ in range(2)]
            pen.line(ends, fill=self.second, width=rng.randint(1, 2))


def choose_size(rng: random.Random, difficulty: Difficulty) -> Size:
    """Width and height in pixels, 256 to 640 a side, with aspects between about 1:2 and 2:1."""
    low, high = _SIDES[difficulty]
    if difficulty == "easy":
        return rng.choice(((low, low), (high, low), (low, high), (320, 320), (320, 288)))
    return rng.randint(low, high), rng.randint(low, high)


def choose_backdrop(rng: random.Random, difficulty: Difficulty, size: Size) -> Backdrop:
    """A pale background: plain when easy, plain or gradient when medium, any kind when hard."""
    kinds: tuple[BackdropKind, ...] = {
        "easy": ("plain",),
        "medium": ("plain", "gradient", "texture"),
        "hard": get_args(BackdropKind),
    }[difficulty]
    kind = rng.choice(kinds)
    colour, second = rng.sample(_PAPERS, 2)
    if kind == "clutter":
        second = (colour[0] - 34, colour[1] - 34, colour[2] - 34)
    return Backdrop(
        size=size,
        kind=kind,
        colour=colour,
        second=second,
        vertical=rng.random() < 0.5,
        seed=rng.getrandbits(32),
    )


def scatter(
    rng: random.Random, size: Size, radii: Sequence[float], *, gap: float, margin: float = 4
) -> list[Circle]:
    """Places circles at random so that none overlap; all shrink together where they do not fit.

    Args:
        rng: Where the randomness comes from.
        size: Width and height in pixels.
        radii: Wanted radii in pixels.
        gap: Least distance between two circles in pixels.
        margin: Least distance to the image's edge in pixels.

    Returns:
        One circle per radius, in the given order.
    """
    order = sorted(range(len(radii)), key=lambda i: -radii[i])
    scale = 1.0
    while True:
        placed: dict[int, Circle] = {}
        for i in order:
            circle = _fit(rng, size, radii[i] * scale, list(placed.values()), gap, margin)
            if circle is None:
                break
            placed[i] = circle
        else:
            return [placed[i] for i in range(len(radii))]
        scale *= 0.9


def _fit(
    rng: random.Random, size: Size, radius: float, others: list[Circle], gap: float, margin: float
) -> Circle | None:
    reach = radius + margin
    if 2 * reach > min(size):
        return None
    for _ in range(24):
        x, y = rng.uniform(reach, size[0] - reach), rng.uniform(reach, size[1] - reach)
        if all(math.hypot(x - ox, y - oy) > radius + r + gap for ox, oy, r in others):
            return x, y, radius
    return None


def bounds(points: Points) -> Box:
    """The extent x1, y1, x2, y2 of a polygon."""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs), min(ys), max(xs), max(ys)


def stroke(start: Point, end: Point, width: float) -> Points:
    """The rectangle that a straight pen stroke with flat ends covers."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    half = width / (2 * math.hypot(dx, dy))
    nx, ny = -dy * half, dx * half
    return (
        (start[0] + nx, start[1] + ny),
        (end[0] + nx, end[1] + ny),
        (end[0] - nx, end[1] - ny),
        (start[0] - nx, start[1] - ny),
    )


def ellipse(box: Box, corners: int = 40) -> Points:
    """A regular polygon within a box, fine enough to look round."""
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    rx, ry = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    angles = [2 * math.pi * i / corners for i in range(corners)]
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


def fill_polygon(image: Image.Image, points: Points, colour: RGB) -> None:
    """Fills a polygon, anti-aliased: a pixel is tinted by the share of it that is covered."""
    x1, y1, x2, y2 = bounds(points)
    left, top = max(0, math.floor(x1)), max(0, math.floor(y1))
    right, bottom = min(image.width, math.ceil(x2)), min(image.height, math.ceil(y2))
    if right <= left or bottom <= top:
        return
    fine = _SUPERSAMPLING
    mask = Image.new("L", ((right - left) * fine, (bottom - top) * fine))
    # Pillow names a pixel by its centre: a half moves continuous coordinates there.
    corners = [((x - left) * fine - 0.5, (y - top) * fine - 0.5) for x, y in points]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    image.paste(colour, (left, top), mask.reduce(fine))


def render(backdrop: Backdrop, fills: Sequence[Fill]) -> Image.Image:
    """Paints the fills in order on the backdrop."""
    image = backdrop.paint()
    for points, colour in fills:
        fill_polygon(image, points, colour)
    return image


def darker(colour: RGB, share: float = 0.68) -> RGB:
    """The colour with its light scaled by ``share``."""
    return round(colour[0] * share), round(colour[1] * share), round(colour[2] * share)


def spin(points: Points, degrees: float) -> Points:
    """Turns points about the origin, clockwise as seen in the image."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(x * cos - y * sin, x * sin + y * cos) for x, y in points]


def place(points: Points, circle: Circle) -> Points:
    """Scales points of the unit circle to a circle of the image, to tenths of a pixel."""
    cx, cy, radius = circle
    return [(round(cx + x * radius, 1), round(cy + y * radius, 1)) for x, y in points]


def into_unit_circle(points: Points) -> Points:
    """Moves the middle of the points' extent to the origin and their farthest to distance 1."""
    x1, y1, x2, y2 = bounds(points)
    moved = [(x - (x1 + x2) / 2, y - (y1 + y2) / 2) for x, y in points]
    reach = max(math.hypot(x, y) for x, y in moved)
    return [(x / reach, y / reach) for x, y in moved]

"""Scenes in ten rendering styles, each in six structures."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from vlmbench_plugin.scenes.canvas import (
    RGB,
    Backdrop,
    Fill,
    Points,
    choose_backdrop,
    choose_size,
    fill_polygon,
    render,
)
from vlmbench_plugin.scenes.structures import ARRANGERS, STRUCTURES
from vlmbench_plugin.sources import Scene

if TYPE_CHECKING:
    from vlmbench_plugin.core import Difficulty

__all__ = ["STRUCTURES", "STYLES", "style_scene"]

_Numbers: TypeAlias = NDArray[Any]
_Style: TypeAlias = Callable[[Backdrop, Sequence[Fill], int], Image.Image]
"""(backdrop, polygons, seed) -> picture."""

_GRAPHITE: RGB = (58, 58, 64)
_INK: RGB = (24, 26, 40)


def _flat(backdrop: Backdrop, fills: Sequence[Fill], seed: int) -> Image.Image:
    """Even colours with clean edges."""
    del seed
    return render(backdrop, fills)


def _line_sketch(backdrop: Backdrop, fills: Sequence[Fill], seed: int) -> Image.Image:
    """Grey outlines on paper, each drawn three times with an unsteady hand."""
    rng = random.Random(seed)
    image = Image.new("RGB", backdrop.size, (250, 249, 244))
    for points, _ in fills:
        fill_polygon(image, points, (250, 249, 244))
        for _ in range(3):
            shaken = [(x + rng.uniform(-2, 2), y + rng.uniform(-2, 2)) for x, y in points]
            _outline(image, shaken, _GRAPHITE, 1)
    return image


def _outline(image: Image.Image, points: Points, colour: RGB, width: int) -> None:
    ImageDraw.Draw(image).line([*points, points[0]], fill=colour, width=width, joint="curve")


def _blueprint(backdrop: Backdrop, fills: Sequence[Fill], seed: int) -> Image.Image:
    """White outlines on squared blue paper, with a mark at each centre."""
    del seed
    image = Image.new("RGB", backdrop.size, (22, 66, 140))
    pen = ImageDraw.Draw(image)
    width, height = backdrop.size
    for step, colour in ((12, (38, 84, 158)), (60, (70, 116, 186))):
        for x in range(0, width, step):
            pen.line((x, 0, x, height), fill=colour)
        for y in range(0, height, step):
            pen.line((0, y, width, y), fill=colour)
    for points, _ in fills:
        _outline(image, points, (236, 242, 255), 2)
        middle_x, middle_y = (sum(p[axis] for p in points) / len(points) for axis in (0, 1))
        pen.line((middle_x - 5, middle_y, middle_x + 5, middle_y), fill=(236, 242, 255))
        pen.line((middle_x, middle_y - 5, middle_x, middle_y + 5), fill=(236, 242, 255))
    return image


def _pixel_art(backdrop: Backdrop, fills: Sequence[Fill], seed: int) -> Image.Image:
    """Large square pixels of few colours."""
    del seed
    base = render(backdrop, fills)
    cell = max(6, max(base.size) // 48)
    small = base.resize((base.width // cell, base.height // cell), Image.Resampling.BOX)
    few = small.quantize(12, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    return few.convert("RGB").resize(base.size, Image.Resampling.NEAREST)


def _pointillism(backdrop: Backdrop, fills: Sequence[Fill], seed: int) -> Image.Image:
    """Round dots of pure, slightly varied colours on a pale ground."""
    rng = random.Random(seed)
    base = render(backdrop, fills)
    image = Image.new("RGB", base.size, (250, 246, 234))
    pen = ImageDraw.Draw(image)
    spots = [
        (x + rng.uniform(-3, 3), y + rng.uniform(-3, 3))
        for y in range(0, base.height + 6, 6)
        for x in range(0, base.width + 6, 6)
    ]
    rng.shuffle(spots)
    for x, y in spots:
        red, green, blue = _pixel(base, x, y)
        shift = rng.randint(-34, 34)
        radius = rng.uniform(2.2, 3.8)
        pen.ellipse(
            (x - radius, y - radius, x + radius, y + radius),
            fill=(red + shift, green + shift // 2, blue - shift),
        )
    return image


def _pixel(image: Image.Image, x: float, y: float) -> RGB:
    """The colour at a place, kept away from the ends of the scale so that it can be varied."""
    at = (min(max(int(x), 0), image.width - 1), min(max(int(y), 0), image.height - 1))
    colour = image.getpixel(at)
    assert isinstance(colour, tuple)
    red, green, blue = (min(max(int(part), 34), 221) for part in colour)
    return red, green, blue


def _watercolour(backdrop: Backdrop, fills: Sequence[Fill], seed: int) -> Image.Image:
    """Pale, running washes with darker rims on grained paper."""
    rng = random.Random(seed)
    width, height = backdrop.size
    base = Image.new("RGB", backdrop.size, (252, 250, 244))
    for points, colour in fills:
        for reach in (5, 2):
            pale = _mix(colour, (252, 250, 244), 0.5 if reach == 5 else 0.38)
            moved = [(x + rng.gauss(0, reach), y + rng.gauss(0, reach)) for x, y in points]
            fill_polygon(base, moved, pale)
    soft = base.filter(ImageFilter.GaussianBlur(3.5))
    edge = soft.convert("L").filter(ImageFilter.FIND_EDGES).filter(ImageFilter.GaussianBlur(1))
    coarse = _noise(rng, (max(2, width // 40), max(2, height // 40)))
    blotches = np.asarray(coarse.resize(backdrop.size, Image.Resampling.BICUBIC), np.float32)
    grain = np.asarray(_noise(rng, backdrop.size), np.float32)
    light = 0.84 + 0.16 * blotches / 255 - 0.05 * grain / 255
    light = light - 0.5 * np.asarray(edge, np.float32) / 255
    pixels = 255 - (255 - np.asarray(soft, np.float32)) * (1.9 - light[..., None])
    return _image(pixels * (0.94 + 0.06 * light[..., None]))


def _mix(colour: RGB, other: RGB, share: float) -> RGB:
    """``share`` of the other colour in the first."""
    mixed = [round(a + (b - a) * share) for a, b in zip(colour, other, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def _noise(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    return Image.frombytes("L", size, rng.randbytes(size[0] * size[1]))


def _image(pixels: _Numbers) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _places(size: tuple[int, int]) -> tuple[_Numbers, _Numbers]:
    """Two arrays: x of every column, as one row; y of every row, as one column."""
    return np.arange(size[0])[None, :], np.arange(size[1])[:, None]


def _two_inks(drawn: _Numbers, ink: RGB, paper: RGB) -> Image.Image:
    return _image(np.where(drawn[..., None], np.array(ink), np.array(paper)))


def _on_white(backdrop: Backdrop, fills: Sequence[Fill]) -> Image.Image:
    """The tones of the shapes; ink on white paper shows no background."""
    white: RGB = (255, 255, 255)
    plain = Backdrop(size=backdrop.size, kind="plain", colour=white, second=white)
    return render(plain, fills).convert("L")


def _halftone(backdrop: Backdrop, fills: Sequence[Fill], seed: int) -> Image.Image:
    """One ink in a lattice of dots, the larger the darker."""
    ink = random.Random(seed).choice(((30, 30, 34), (170, 24, 60), (20, 60, 140)))
    cell = 8
    base = _on_white(backdrop, fills)
    tones = base.resize((-(-base.width // cell), -(-base.height // cell)), Image.Resampling.BOX)
    tone = np.kron(np.asarray(tones, np.float32), np.ones((cell, cell), np.float32))
    tone = tone[: base.height, : base.width]
    x, y = _places(base.size)
    distance = np.hypot(x % cell - (cell - 1) / 2, y % cell - (cell - 1) / 2)
    return _two_inks(distance < cell * 0.72 * (1 - tone / 255), ink, (252, 248, 236))


def _stained_glass(backdrop: Backdrop, fills: Sequence[Fill], seed: int) -> Image.Image:
    """Irregular panes of one colour each between dark leads."""
    base = render(backdrop, fills)
    owner, sites = _panes(base.size, max(12, max(base.size) // 28), random.Random(seed))
    colours = np.array([_pixel(base, x, y) for x, y in sites], np.float32)
    x, y = _places(base.size)
    glow = 0.9 + 0.16 * np.sin(x / 17 + y / 23)
    pixels = colours[owner] * glow[..., None]
    lead = np.zeros(owner.shape, bool)
    lead[:, 1:] |= owner[:, 1:] != owner[:, :-1]
    lead[1:] |= owner[1:] != owner[:-1]
    thick = Image.fromarray(lead.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(3))
    return _image(np.where((np.asarray(thick) > 0)[..., None], np.array(_INK), pixels))


def _panes(
    size: tuple[int, int], cell: int, rng: random.Random
) -> tuple[_Numbers, list[tuple[float, float]]]:
    """A Voronoi diagram of one site per lattice cell: each pixel's site, and the sites."""
    columns, rows = size[0] // cell + 3, size[1] // cell + 3
    sites = [
        ((i - 1 + rng.random()) * cell, (j - 1 + rng.random()) * cell)
        for j in range(rows)
        for i in range(columns)
    ]
    places = np.array(sites)
    x, y = _places(size)
    nearest = np.full((size[1], size[0]), np.inf)
    owner = np.zeros((size[1], size[0]), np.int64)
    for right in (-1, 0, 1):
        for down in (-1, 0, 1):
            site = (y // cell + 1 + down) * columns + x // cell + 1 + right
            distance = np.hypot(places[site, 0] - x, places[site, 1] - y)
            owner = np.where(distance < nearest, site, owner)
            nearest = np.minimum(distance, nearest)
    return owner, sites


def _low_poly(backdrop: Backdrop, fills: Sequence[Fill], seed: int) -> Image.Image:
    """A mesh of triangles, each of the colour at its middle, slightly varied."""
    rng = random.Random(seed)
    base = render(backdrop, fills)
    image = base.copy()
    pen = ImageDraw.Draw(image)
    cell = max(base.size) // 22
    corner = {
        (i, j): ((i - 1 + rng.uniform(0, 0.7)) * cell, (j - 1 + rng.uniform(0, 0.7)) * cell)
        for i in range(base.width // cell + 4)
        for j in range(base.height // cell + 4)
    }
    for i in range(base.width // cell + 3):
        for j in range(base.height // cell + 3):
            a, b, c, d = (corner[i + k, j + m] for k, m in ((0, 0), (1, 0), (1, 1), (0, 1)))
            for triangle in ((a, b, c), (a, c, d)):
                middle = [sum(p[axis] for p in triangle) / 3 for axis in (0, 1)]
                red, green, blue = _pixel(base, *middle)
                shift = rng.randint(-20, 20)
                pen.polygon(triangle, fill=(red + shift, green + shift, blue + shift))
    return image


def _hatching(backdrop: Backdrop, fills: Sequence[Fill], seed: int) -> Image.Image:
    """Ink lines, crossed where the picture is dark; shapes are outlined."""
    step = random.Random(seed).choice((6, 7, 8))
    base = _on_white(backdrop, fills)
    tone = np.asarray(base)
    x, y = _places(base.size)
    lines = ((x + y) % step < 2) & (tone < 205)
    lines |= ((x - y) % step < 2) & (tone < 120)
    lines |= (y % step < 2) & (tone < 60)
    image = _two_inks(lines, _INK, (253, 252, 247))
    for points, _ in fills:
        _outline(image, points, _INK, 2)
    return image


_STYLES: Mapping[str, _Style] = {
    "flat": _flat,
    "line sketch": _line_sketch,
    "blueprint": _blueprint,
    "pixel art": _pixel_art,
    "pointillism": _pointillism,
    "watercolour": _watercolour,
    "halftone": _halftone,
    "stained glass": _stained_glass,
    "low poly": _low_poly,
    "hatching": _hatching,
}

STYLES: tuple[str, ...] = tuple(_STYLES)
"""The vocabulary of rendering styles."""


def style_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """Shapes in one of six structures, rendered in one of ten styles.

    Args:
        rng: Where all randomness comes from.
        difficulty: Chooses resolution and background.

    Returns:
        A scene whose truth is ``{"style", "structure"}``, of ``STYLES`` and ``STRUCTURES``.
    """
    style, structure = rng.choice(STYLES), rng.choice(STRUCTURES)
    size = choose_size(rng, difficulty)
    backdrop = choose_backdrop(rng, difficulty, size)
    fills = ARRANGERS[structure](rng, size)
    seed = rng.getrandbits(32)

    def draw() -> Image.Image:
        return _STYLES[style](backdrop, fills, seed)

    return Scene(size=size, truth={"style": style, "structure": structure}, draw=draw)

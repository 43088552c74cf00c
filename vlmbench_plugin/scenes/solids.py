"""Painting a world of boxes on a gridded ground through a pinhole camera."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from PIL import Image, ImageDraw

from vlmbench_plugin.scenes.camera import (
    Camera,
    Vector,
    project,
    project_line,
    project_polygon,
)
from vlmbench_plugin.scenes.canvas import RGB
from vlmbench_plugin.scenes.fonts import load_font

_FINE = 2
"""Pictures are painted this many times larger and reduced, which smooths their edges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuboid:
    """A box that stands upright.

    Attributes:
        center: Its middle, in world metres (x right, y down, z forward).
        size: Extents along its own x (width), y (height) and z (depth) axes in metres.
        yaw: Degrees about the downward y axis, from z towards x: clockwise as seen from above.
            The box's own x axis points to (cos yaw, 0, -sin yaw).
        colour: Of its brightest face.
    """

    center: Vector
    size: Vector
    yaw: float
    colour: RGB

    def place(self, x: float, y: float, z: float) -> Vector:
        """A point given in half extents along the box's own axes, in the world."""
        sin, cos = math.sin(math.radians(self.yaw)), math.cos(math.radians(self.yaw))
        dx, dy, dz = x * self.size[0] / 2, y * self.size[1] / 2, z * self.size[2] / 2
        return (
            self.center[0] + cos * dx + sin * dz,
            self.center[1] + dy,
            self.center[2] - sin * dx + cos * dz,
        )

    def corners(self) -> list[Vector]:
        """The eight corners."""
        return [self.place(*signs) for signs in product((-1, 1), repeat=3)]

    def faces(self) -> list[tuple[list[Vector], RGB]]:
        """The faces that a camera at the origin sees, each with its shaded colour."""
        seen = []
        for axis, shade in ((0, 0.62), (1, 1.0), (2, 0.82)):
            for side in (-1, 1):
                normal = [0.0, 0.0, 0.0]
                normal[axis] = side
                middle = self.place(*normal)
                outward = [m - c for m, c in zip(middle, self.center, strict=True)]
                if sum(m * o for m, o in zip(middle, outward, strict=True)) >= 0:
                    continue
                red, green, blue = self.colour
                tint = (round(red * shade), round(green * shade), round(blue * shade))
                seen.append((self._rim(axis, side), tint))
        return seen

    def _rim(self, axis: int, side: int) -> list[Vector]:
        rim = []
        for a, b in ((-1, -1), (-1, 1), (1, 1), (1, -1)):
            signs = [a, b]
            signs.insert(axis, side)
            rim.append(self.place(*signs))
        return rim


class Painter:
    """An RGB picture of the world, painted back to front."""

    def __init__(self, camera: Camera, *, sky: tuple[RGB, RGB], ground: tuple[RGB, RGB]) -> None:
        width, height = camera.size
        self._camera = replace(
            camera, size=(width * _FINE, height * _FINE), focal=camera.focal * _FINE
        )
        self._image = _backdrop(self._camera, sky, ground)
        self._pen = ImageDraw.Draw(self._image)

    def polygon(self, points: Sequence[Vector], colour: RGB, rim: RGB | None = None) -> None:
        """Fills a flat polygon of the world."""
        image = [(x - 0.5, y - 0.5) for x, y in project_polygon(points, self._camera)]
        if len(image) > 2:
            self._pen.polygon(image, fill=colour)
            if rim:
                self._pen.line([*image, image[0]], fill=rim, width=_FINE)

    def line(self, points: Sequence[Vector], colour: RGB, width: float = 1) -> None:
        """Draws a chain of straight lines of the world, ``width`` pixels thick."""
        for piece in project_line(points, self._camera):
            self._pen.line(
                [(x - 0.5, y - 0.5) for x, y in piece], fill=colour, width=round(width * _FINE)
            )

    def sign(self, at: Vector, text: str, *, ink: RGB, paper: RGB, size: int) -> None:
        """Writes upright text on a small plate centred at a world point, if it is in view."""
        spot = project(at, self._camera)
        if spot is None:
            return
        font = load_font("sans_bold", size * _FINE)
        self._pen.rectangle(
            [
                side + pad
                for side, pad in zip(
                    self._pen.textbbox(spot, text, font=font, anchor="mm"),
                    (-4, -3, 4, 3),
                    strict=True,
                )
            ],
            fill=paper,
        )
        self._pen.text(spot, text, font=font, fill=ink, anchor="mm")

    def cuboids(self, boxes: Iterable[Cuboid]) -> None:
        """Paints boxes, the farthest first."""
        for box in sorted(boxes, key=lambda box: -math.hypot(*box.center)):
            for rim, colour in box.faces():
                self.polygon(rim, colour, rim=_rim_colour(box.colour))

    def finish(self) -> Image.Image:
        """The picture at its final size."""
        return self._image.reduce(_FINE)


def _rim_colour(colour: RGB) -> RGB:
    """Darker than the faces; lighter where they are too dark for that."""
    if sum(colour) < 150:
        return 128, 130, 136
    return colour[0] // 3, colour[1] // 3, colour[2] // 3


def _backdrop(camera: Camera, sky: tuple[RGB, RGB], ground: tuple[RGB, RGB]) -> Image.Image:
    """Sky and ground, each from its colour at the horizon to its colour at zenith or nadir."""
    width, height = camera.size
    cx, cy = camera.centre
    # Only the vertical part of each ray matters, and that is linear in the pixel.
    right, down, forward = camera.axes()
    xs = (np.arange(width, dtype=np.float32) + 0.5 - cx) / camera.focal
    ys = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - cy) / camera.focal
    drop = xs * right[1] + ys * down[1] + forward[1]
    sine = drop / np.sqrt(xs * xs + ys * ys + 1)
    part = np.sqrt(np.abs(sine))[..., None]
    near, far = (np.where((sine < 0)[..., None], *pair) for pair in zip(sky, ground, strict=True))
    pixels = near + (far - near) * part
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def paint_grid(
    painter: Painter, ground: float, *, reach: int, colour: RGB, strong: RGB | None = None
) -> None:
    """Draws lines at whole metres on the ground, stronger at x = 0 and at z = 5, 10, 15 ...

    Args:
        painter: Where to paint.
        ground: The ground's y: the camera's height in metres.
        reach: How far the grid reaches to each side, in metres.
        colour: Of the lines.
        strong: Of the stronger lines; None for a grid without.
    """
    for i in range(-reach, reach + 1):
        painter.line([(i, ground, -reach), (i, ground, reach)], colour)
        painter.line([(-reach, ground, i), (reach, ground, i)], colour)
    if strong:
        painter.line([(0, ground, -reach), (0, ground, reach)], strong, 2)
        for z in range(5, reach + 1, 5):
            painter.line([(-reach, ground, z), (reach, ground, z)], strong, 2)

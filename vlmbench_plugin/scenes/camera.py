"""A pinhole camera.

The world has the axes of a camera at rest, in metres: x right (east), y down, z forward (north),
with the camera's centre at the origin. Turning the camera turns nothing in the world.

The camera is turned by yaw, then pitch, then roll, each about its own axes as they stand after the
turns before: yaw positive to the right, pitch positive up, roll positive clockwise as seen from
behind the camera. So a camera with positive roll sees the horizon climb towards the right.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

from vlmbench_plugin.scenes.canvas import Point, Size

Vector: TypeAlias = tuple[float, float, float]
Segment: TypeAlias = tuple[Point, Point]

NEAR = 0.05
"""What lies less far in front of the camera, in metres, is not drawn."""

_NUMBER = r"(\d+(?:\.\d+)?)"
_LENS = re.compile(rf"fx = {_NUMBER}, fy = {_NUMBER}, cx = {_NUMBER}, cy = {_NUMBER}")
_FOCAL = re.compile(rf"of {_NUMBER} x {_NUMBER} pixels the image has a focal length of {_NUMBER}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """Where a camera looks and what its lens does.

    Attributes:
        size: Width and height of the image in pixels.
        focal: Focal length in pixels, the same in x and y.
        yaw: Degrees to the right.
        pitch: Degrees up.
        roll: Degrees clockwise as seen from behind.
    """

    size: Size
    focal: float
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    @property
    def centre(self) -> Point:
        """The principal point: the middle of the image."""
        return self.size[0] / 2, self.size[1] / 2

    def axes(self) -> tuple[Vector, Vector, Vector]:
        """The camera's right, down and forward directions in the world."""
        return _axes(self.yaw, self.pitch, self.roll)


@lru_cache(maxsize=64)
def _axes(yaw: float, pitch: float, roll: float) -> tuple[Vector, Vector, Vector]:
    """Cached: building a 3D scene, which projects many points, took 0.33 ms without, 0.16 with."""
    sin_y, cos_y = _sin_cos(yaw)
    sin_p, cos_p = _sin_cos(pitch)
    sin_r, cos_r = _sin_cos(roll)
    level = (cos_y, 0.0, -sin_y)
    below = (sin_y * sin_p, cos_p, cos_y * sin_p)
    right = tuple(cos_r * a + sin_r * b for a, b in zip(level, below, strict=True))
    down = tuple(cos_r * b - sin_r * a for a, b in zip(level, below, strict=True))
    forward = (sin_y * cos_p, -sin_p, cos_y * cos_p)
    return (right[0], right[1], right[2]), (down[0], down[1], down[2]), forward


def _sin_cos(degrees: float) -> tuple[float, float]:
    angle = math.radians(degrees)
    return math.sin(angle), math.cos(angle)


def direction(azimuth: float, elevation: float) -> Vector:
    """The unit vector that points ``azimuth`` degrees right of north, ``elevation`` degrees up."""
    sin_a, cos_a = _sin_cos(azimuth)
    sin_e, cos_e = _sin_cos(elevation)
    return sin_a * cos_e, -sin_e, cos_a * cos_e


def to_camera(point: Vector, camera: Camera) -> Vector:
    """A world point in the camera's own frame: x right, y down, z forward."""
    right, down, forward = camera.axes()
    return _dot(point, right), _dot(point, down), _dot(point, forward)


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _to_pixel(seen: Vector, camera: Camera) -> Point:
    cx, cy = camera.centre
    return cx + camera.focal * seen[0] / seen[2], cy + camera.focal * seen[1] / seen[2]


def project(point: Vector, camera: Camera) -> Point | None:
    """Where a world point appears, in pixels; None where it is not in front of the camera."""
    seen = to_camera(point, camera)
    return None if seen[2] < NEAR else _to_pixel(seen, camera)


def project_polygon(points: Sequence[Vector], camera: Camera) -> list[Point]:
    """The image of a flat convex polygon, cut at the near plane; empty where nothing is in front.

    The cut is one step of Sutherland and Hodgman, "Reentrant polygon clipping" (1974).
    """
    seen = [to_camera(point, camera) for point in points]
    kept: list[Vector] = []
    for a, b in zip(seen, [*seen[1:], seen[0]], strict=True):
        if a[2] >= NEAR:
            kept.append(a)
        if (a[2] >= NEAR) != (b[2] >= NEAR):
            kept.append(_at_near(a, b))
    return [_to_pixel(point, camera) for point in kept]


def project_line(points: Sequence[Vector], camera: Camera) -> list[Segment]:
    """The image of a chain of points as straight pieces, cut at the near plane."""
    seen = [to_camera(point, camera) for point in points]
    pieces = []
    for a, b in pairwise(seen):
        if max(a[2], b[2]) < NEAR:
            continue
        start = a if a[2] >= NEAR else _at_near(a, b)
        end = b if b[2] >= NEAR else _at_near(a, b)
        pieces.append((_to_pixel(start, camera), _to_pixel(end, camera)))
    return pieces


def _at_near(a: Vector, b: Vector) -> Vector:
    part = (NEAR - a[2]) / (b[2] - a[2])
    return a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1]), NEAR


@dataclass(frozen=True, slots=True, kw_only=True)
class Intrinsics:
    """What a pinhole camera does: (x, y, z) appears at (cx + fx x / z, cy + fy y / z), in pixels.

    Attributes:
        fx: Focal length across.
        fy: Focal length down.
        cx: Principal point across.
        cy: Principal point down.
    """

    fx: float
    fy: float
    cx: float
    cy: float


def stated_intrinsics(question: str) -> Intrinsics | None:
    """The intrinsics that a question states, in pixels of the image at full size.

    Either as ``fx = 525, fy = 525, cx = 320, cy = 240``, or as the size and one focal length, with
    the principal point in the centre; None where it states none.
    """
    if found := _LENS.search(question):
        fx, fy, cx, cy = map(float, found.groups())
        return Intrinsics(fx=fx, fy=fy, cx=cx, cy=cy)
    if found := _FOCAL.search(question):
        width, height, focal = map(float, found.groups())
        return Intrinsics(fx=focal, fy=focal, cx=width / 2, cy=height / 2)
    return None

"""Scenes seen by a pinhole camera: one asks how it is turned, one where boxes stand.

World and camera conventions are those of ``camera.py``; every question states them in full.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vlmbench_plugin.scenes.camera import Camera, direction, project
from vlmbench_plugin.scenes.canvas import COLOURS, PALETTE, RGB, Box, bounds
from vlmbench_plugin.scenes.solids import Cuboid, Painter, paint_grid
from vlmbench_plugin.sources import Scene

if TYPE_CHECKING:
    from PIL.Image import Image

    from vlmbench_plugin.core import Difficulty

__all__ = ["BOX_LABELS", "LARGEST_TURN", "boxes3d_scene", "camera_scene", "project"]

BOX_LABELS: tuple[str, ...] = tuple(f"{colour} box" for colour in COLOURS)
"""The names of the boxes in ``boxes3d_scene``."""

LARGEST_TURN = 45
"""Yaw, pitch and roll lie between minus and plus this, in degrees."""

_SKIES: tuple[tuple[RGB, RGB], ...] = (
    ((226, 238, 248), (96, 156, 222)),
    ((250, 232, 214), (120, 140, 200)),
    ((236, 238, 240), (150, 162, 176)),
)
_GROUNDS: tuple[tuple[RGB, RGB], ...] = (
    ((206, 210, 196), (146, 160, 120)),
    ((220, 212, 196), (176, 156, 122)),
    ((206, 206, 208), (150, 152, 156)),
)
_RED: RGB = (206, 24, 32)
_TRIES = 40
_MARGIN = 3
_MOST_HIDDEN = 0.4

_TURN_QUESTION = (
    "The camera stands {height} m above level ground. The red stripe on the ground and the red "
    "arc in the sky mark due north. Before it was turned, the camera looked due north with a level "
    "horizon. It was turned by yaw, then pitch, then roll, each about its own axes after the turns "
    "before. Yaw is positive when the camera turned to the right (east). Pitch is positive when it "
    "tilted up. Roll is positive when it turned clockwise as seen from behind it, so that the "
    "right end of the horizon appears higher. All three lie between -45 and 45 degrees. The plates "
    "at crossings of the thin lines of the sphere of directions read azimuth,elevation in degrees: "
    "+30,-15 is 30 degrees right of north and 15 degrees below the horizon. At its full size "
    "of {width} x {rows} pixels the image has a focal length of {focal} pixels and its principal "
    "point in its centre."
)
_BOX_QUESTION = (
    "A pinhole camera looks level (pitch 0, roll 0) over flat ground, {height} m above it. At its "
    "full size of {width} x {rows} pixels the image has the intrinsics fx = {focal}, fy = {focal}, "
    "cx = {cx}, cy = {cy}. Give positions in the camera's frame in metres: x right, y down, z "
    "forward, so the ground is y = {height}. The grid on the ground has cells of 1 m with lines at "
    "whole metres of x and z; the stronger lines are x = 0 and z = 5, 10, 15 and so on. Every box "
    "stands upright on the ground. Its center is the middle of its volume; its size is width, "
    "height, depth along its own x, y and z axes. Its yaw is its turn about the downward y axis in "
    "degrees, positive clockwise as seen from above: its own x axis points to (cos yaw, 0, -sin "
    "yaw). Yaw lies between -45 and 45."
)


def camera_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """A turned camera on a gridded plain under a dome of labelled directions.

    Args:
        rng: Where all randomness comes from.
        difficulty: Thins out the labels and adds clutter.

    Returns:
        A scene whose truth is ``{"yaw", "pitch", "roll"}`` in whole degrees, each uniform in
        [-45, 45]. Azimuth and elevation labels are in view however the camera is turned.
    """
    yaw, pitch, roll = (rng.randint(-LARGEST_TURN, LARGEST_TURN) for _ in range(3))
    bare = _camera(rng)
    camera = Camera(size=bare.size, focal=bare.focal, yaw=yaw, pitch=pitch, roll=roll)
    height = round(rng.uniform(1.4, 2.2), 1)
    count = {"easy": 2, "medium": 4, "hard": 8}[difficulty]
    clutter = [_clutter(rng, height) for _ in range(count)]
    step = 15 if difficulty == "easy" else 30
    sky, ground = rng.choice(_SKIES), rng.choice(_GROUNDS)

    def draw() -> Image:
        painter = Painter(camera, sky=sky, ground=ground)
        paint_grid(painter, height, reach=24, colour=_darker(ground[1], 0.82))
        stripe = [
            (-0.15, height, 0.3),
            (-0.15, height, 60),
            (0.15, height, 60),
            (0.15, height, 0.3),
        ]
        painter.polygon(stripe, _RED)
        painter.cuboids(clutter)
        _paint_dome(painter, step)
        return painter.finish()

    question = _TURN_QUESTION.format(
        height=height, width=camera.size[0], rows=camera.size[1], focal=round(camera.focal)
    )
    truth = {"yaw": yaw, "pitch": pitch, "roll": roll}
    return Scene(size=camera.size, truth=truth, draw=draw, question=question)


def _camera(rng: random.Random) -> Camera:
    """A camera at rest with a field of view between 60 and 80 degrees across."""
    width, height = rng.randint(480, 720), rng.randint(384, 544)
    focal = width / 2 / math.tan(math.radians(rng.uniform(60, 80)) / 2)
    return Camera(size=(width, height), focal=round(focal))


def _clutter(rng: random.Random, ground: float) -> Cuboid:
    """A post or a box somewhere ahead, off the red stripe."""
    azimuth = rng.choice((-1, 1)) * math.radians(rng.uniform(12, 85))
    distance = rng.uniform(5, 18)
    side = 0.25 if rng.random() < 0.5 else rng.uniform(0.6, 1.6)
    high = rng.uniform(2.0, 4.5) if side == 0.25 else rng.uniform(0.5, 2.0)
    name = rng.choice([colour for colour in COLOURS if colour != "red"])
    return Cuboid(
        center=(distance * math.sin(azimuth), ground - high / 2, distance * math.cos(azimuth)),
        size=(side, high, side),
        yaw=rng.uniform(-45, 45),
        colour=PALETTE[name],
    )


def _darker(colour: RGB, share: float) -> RGB:
    return round(colour[0] * share), round(colour[1] * share), round(colour[2] * share)


def _paint_dome(painter: Painter, step: int) -> None:
    """Lines of equal azimuth and elevation; every ``step`` and 15 degrees a plate names both."""
    thin = (92, 104, 128)
    azimuths, elevations = range(-180, 180, step), range(-75, 90, 15)
    for azimuth in azimuths:
        arc = [direction(azimuth, elevation) for elevation in range(-85, 86, 5)]
        painter.line(arc, thin)
    for elevation in elevations:
        ring = [direction(azimuth, elevation) for azimuth in range(-180, 181, 5)]
        painter.line(ring, (20, 40, 80) if elevation == 0 else thin, 2 if elevation == 0 else 1)
    painter.line([direction(0, elevation) for elevation in range(0, 86, 5)], _RED, 2)
    for azimuth in range(-150, 181, step):
        for elevation in elevations:
            if abs(elevation) < 75 or azimuth % 90 == 0:
                text = f"{azimuth:+d},{elevation:+d}"
                ink = _RED if azimuth == 0 else (24, 30, 48)
                painter.sign(
                    direction(azimuth, elevation), text, ink=ink, paper=(250, 250, 246), size=11
                )


def boxes3d_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """One to four boxes of different colours on a gridded plain.

    When hard, some hide a part of another, never more than two fifths of the box around its image.

    Args:
        rng: Where all randomness comes from.
        difficulty: Raises the number and the distance of the boxes, and lets them hide each other.

    Returns:
        A scene whose truth is ``{"objects": [{"label", "center", "size", "yaw"}]}`` in the frame
        of a level camera: metres, x right, y down, z forward; yaw in degrees about the downward
        axis, the box's own x axis pointing to (cos yaw, 0, -sin yaw); within [-40, 40], because
        a box turned by 90 degrees is another box not turned.
    """
    camera = _camera(rng)
    height = round(rng.uniform(1.4, 2.4), 1)
    count = rng.randint(*{"easy": (1, 2), "medium": (2, 3), "hard": (3, 4)}[difficulty])
    farthest = {"easy": 9.0, "medium": 12.0, "hard": 15.0}[difficulty]
    boxes: dict[str, Cuboid] = {}
    for name in rng.sample(COLOURS, count):
        taken = [(box, _extent(box, camera)) for box in boxes.values()]
        # Every second box stands before or behind the one before it: none is hidden by two.
        beside = taken[-1][0] if difficulty == "hard" and len(taken) % 2 else None
        box = _free_box(rng, camera, height, farthest, PALETTE[name], taken, beside)
        if box is not None:
            boxes[f"{name} box"] = box
    sky, ground = rng.choice(_SKIES), rng.choice(_GROUNDS)

    def draw() -> Image:
        painter = Painter(camera, sky=sky, ground=ground)
        paint_grid(
            painter,
            height,
            reach=24,
            colour=_darker(ground[1], 0.84),
            strong=_darker(ground[1], 0.5),
        )
        painter.cuboids(boxes.values())
        return painter.finish()

    objects = [
        {"label": label, "center": list(box.center), "size": list(box.size), "yaw": box.yaw}
        for label, box in boxes.items()
    ]
    cx, cy = camera.centre
    width, rows = camera.size
    question = _BOX_QUESTION.format(
        height=height, width=width, rows=rows, focal=round(camera.focal), cx=cx, cy=cy
    )
    return Scene(size=camera.size, truth={"objects": objects}, draw=draw, question=question)


def _extent(box: Cuboid, camera: Camera) -> Box:
    """The box around a cuboid's image, in pixels."""
    spots = [project(corner, camera) for corner in box.corners()]
    return bounds([spot for spot in spots if spot is not None])


def _free_box(
    rng: random.Random,
    camera: Camera,
    ground: float,
    farthest: float,
    colour: RGB,
    taken: Sequence[tuple[Cuboid, Box]],
    beside: Cuboid | None,
) -> Cuboid | None:
    """A box that is wholly in view and clear of those taken; None where no try found one.

    Where nothing is taken the last try always fits: it stands in the middle, far enough away. The
    first quarter of the tries stand near the line of sight of ``beside``: there one of two boxes
    may hide a part of the other.
    """
    half_width, half_height = (side / 2 for side in camera.size)
    for attempt in reversed(range(_TRIES)):
        size = tuple(round(rng.uniform(0.5, 1.8), 2) for _ in range(3))
        yaw = rng.randint(-40, 40)
        # Nearer than this, a box of this size cannot be wholly in view.
        nearest = 1.3 + max((ground + 0.1) * camera.focal / half_height, 2.5)
        z = round(rng.uniform(nearest, max(nearest, farthest)), 2)
        reach = 0.0 if attempt == 0 and not taken else half_width / camera.focal * z - 0.5
        near = beside if attempt >= _TRIES * 3 // 4 else None
        if near:
            x = round(near.center[0] / near.center[2] * z + rng.uniform(-1.6, 1.6), 2)
        else:
            x = round(rng.uniform(-reach, reach), 2)
        box = Cuboid(
            center=(x, round(ground - size[1] / 2, 3), z),
            size=(size[0], size[1], size[2]),
            yaw=yaw,
            colour=colour,
        )
        own = box, _extent(box, camera)
        if _in_view(own[1], camera) and all(
            _clear(own, other, may_hide=other[0] is near) for other in taken
        ):
            return box
    return None


def _in_view(extent: Box, camera: Camera) -> bool:
    return (
        extent[0] >= _MARGIN
        and extent[1] >= _MARGIN
        and extent[2] <= camera.size[0] - _MARGIN
        and extent[3] <= camera.size[1] - _MARGIN
    )


def _clear(one: tuple[Cuboid, Box], two: tuple[Cuboid, Box], *, may_hide: bool) -> bool:
    """Whether two boxes are apart in the picture, or one is far enough behind the other."""
    (box, a), (other, b) = one, two
    wide, tall = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if wide < -_MARGIN or tall < -_MARGIN:
        return True
    if not may_hide or wide <= 0 or tall <= 0:
        return False
    # So far apart in depth that no turn lets them meet, and painting by distance is right.
    apart = sum(math.hypot(c.size[0], c.size[2]) / 2 for c in (box, other))
    if abs(box.center[2] - other.center[2]) <= apart:
        return False
    hidden = a if box.center[2] > other.center[2] else b
    return wide * tall <= _MOST_HIDDEN * (hidden[2] - hidden[0]) * (hidden[3] - hidden[1])

"""SUN RGB-D: boxes of furniture in space, for a mirror that adds each camera's intrinsics.

Song et al. 2015, "SUN RGB-D: A RGB-D Scene Understanding Benchmark Suite". A box without its camera
cannot be answered from an image alone; the hub's copy has none, so that it cannot serve.

A box is nine numbers: centre and size in metres along x, y and z, and roll, pitch and yaw in
radians, as the public evaluation of the hub's copy reads them (``lmms_eval/tasks/sunrgbd/utils.py``
of EvolvingLMMs-Lab/lmms-eval): x and z span the ground, and the box's own x axis points to
(cos yaw, 0, sin yaw). That yaw turns the other way than this benchmark's, whose x axis points to
(cos yaw, 0, -sin yaw). A mirror must give boxes in the frame of the camera itself, x right, y down,
z forward: the hub's are levelled, and off by as much as the camera was tilted. The check that every
centre appears within the image does not see a small tilt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vlmbench_plugin.adapters.rows import (
    SMALLEST_SIDE,
    column,
    content_id,
    numbers,
    picture,
    texts,
)
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.scenes.camera import Intrinsics
from vlmbench_plugin.sources import Labelled, LeftOut, Row, Table

if TYPE_CHECKING:
    import random

SUNRGBD = Table(
    name="sunrgbd",
    title="SUN RGB-D",
    hub_ids=("kcz358/SUNRGBD-3D",),
    splits=("test",),
    columns=("image", "bboxes_3d", "labels", "intrinsics"),
    licence="none on the card",
    lacks="it has no intrinsics",
)

SUNRGBD_LABELS: tuple[str, ...] = (
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf",
    "picture", "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror",
    "floor mat", "clothes", "ceiling", "books", "refrigerator", "television", "paper", "towel",
    "shower curtain", "box", "whiteboard", "person", "night stand", "toilet", "sink", "lamp",
    "bathtub", "bag",
)  # fmt: skip
"""SUN RGB-D's 37 kinds; objects of other names are not asked about."""

MOST_OBJECTS = 4
FARTHEST = 100.0
"""Metres, the task's bound on positions and sizes."""

_QUESTION = (
    "A pinhole camera took the photograph. At its full size of {width} x {rows} pixels it has the "
    "intrinsics fx = {fx:g}, fy = {fy:g}, cx = {cx:g}, cy = {cy:g}. Give the boxes of these kinds "
    "of object, and no others: {kinds}. Positions are in the camera's frame in metres: x right, y "
    "down, z forward. A box's center is the middle of its volume; its size is width, height, depth "
    "along its own x, y and z axes. Its yaw is its turn about the downward y axis in degrees, "
    "positive clockwise as seen from above: its own x axis points to (cos yaw, 0, -sin yaw). Yaw "
    "lies between -45 and 45."
)


def boxes3d(row: Row, rng: random.Random) -> Labelled | LeftOut:
    """Row -> one to four upright boxes in the camera's frame; the question states the intrinsics.

    Raises:
        DataError: If a column is missing or of another form, boxes and labels are not of one
            number, or a box is not in metres.
    """
    image = picture(row)
    size = image.size()
    if min(size) < SMALLEST_SIDE:
        return LeftOut(f"an image below {SMALLEST_SIDE} pixels a side")
    lens = _intrinsics(row, size)
    objects = _objects(row)
    if isinstance(objects, LeftOut):
        return objects
    if not all(_shown(thing["center"], lens, size) for thing in objects):
        return LeftOut("an object whose centre is not in view")
    kinds = sorted({thing["label"] for thing in objects})
    question = _QUESTION.format(
        width=size[0],
        rows=size[1],
        fx=lens.fx,
        fy=lens.fy,
        cx=lens.cx,
        cy=lens.cy,
        kinds=", ".join(kinds),
    )
    return Labelled(
        image_id=content_id(image),
        image=image,
        size=size,
        truth={"objects": objects},
        question=question,
    )


def _intrinsics(row: Row, size: tuple[int, int]) -> Intrinsics:
    """A 3 x 3 matrix or fx, fy, cx, cy, in pixels of the image."""
    given = column(row, "intrinsics", list)
    if len(given) == 3:
        first, second, last = (numbers({"intrinsics": line}, "intrinsics", 3) for line in given)
        fx, skew, cx = first
        zero, fy, cy = second
        pinhole = [skew, zero, *last] == [0, 0, 0, 0, 1]
    else:
        fx, fy, cx, cy = numbers(row, "intrinsics", 4)
        pinhole = True
    if not (pinhole and fx > 0 and fy > 0 and 0 < cx < size[0] and 0 < cy < size[1]):
        raise DataError(
            "expected intrinsics as a pinhole camera's 3 x 3 matrix or as fx, fy, cx, cy, with the "
            f"principal point within the image of {size}, got {given!r}"
        )
    return Intrinsics(fx=round(fx, 2), fy=round(fy, 2), cx=round(cx, 2), cy=round(cy, 2))


def _objects(row: Row) -> list[dict[str, Any]] | LeftOut:
    boxes, labels = column(row, "bboxes_3d", list), texts(row, "labels")
    if len(boxes) != len(labels):
        raise DataError(f"expected as many labels as boxes, got {len(labels)} and {len(boxes)}")
    named = [
        (label, numbers({"bboxes_3d": box}, "bboxes_3d", 9))
        for label, box in zip(map(_cleaned, labels), boxes, strict=True)
        if label in SUNRGBD_LABELS
    ]
    if not 1 <= len(named) <= MOST_OBJECTS:
        return LeftOut(f"more than {MOST_OBJECTS} objects" if named else "no object of known kind")
    for _, box in named:
        if max(map(abs, box[:6])) > FARTHEST:
            raise DataError(f"expected centre and size in metres below {FARTHEST:g}, got {box}")
        if min(box[3:6]) <= 0:
            return LeftOut("a box without extent")
        if box[6] or box[7]:
            return LeftOut("a box that does not stand upright")
    return [_upright(label, box) for label, box in named]


def _cleaned(label: str) -> str:
    return " ".join(label.replace("_", " ").lower().split())


def _upright(label: str, box: Sequence[float]) -> dict[str, Any]:
    """The box in this benchmark's convention, told with the yaw of least size.

    Turned by 90 degrees, with width and depth exchanged, it is the same box.
    """
    x, y, z, wide, high, deep = (round(value, 3) for value in box[:6])
    yaw = -math.degrees(box[8])
    quarters = round(yaw / 90)
    if quarters % 2:
        wide, deep = deep, wide
    return {
        "label": label,
        "center": [x, y, z],
        "size": [wide, high, deep],
        "yaw": round(yaw - 90 * quarters, 1),
    }


def _shown(center: Sequence[float], lens: Intrinsics, size: tuple[int, int]) -> bool:
    """Whether a point in the camera's frame is before the camera and appears in the image."""
    x, y, z = center
    if z <= 0:
        return False
    across, down = lens.cx + lens.fx * x / z, lens.cy + lens.fy * y / z
    return 0 <= across < size[0] and 0 <= down < size[1]

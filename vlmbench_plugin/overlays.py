"""What a truth or an answer says of a picture, as lines on it, to be looked at.

What is drawn follows from the kind of a field's node, so that a task of one's own is drawn too. Two
sets of numbers have a place in the picture as well, wherever they stand together in one object: a
box in space (``center``, ``size``, ``yaw``) and the turn of a camera (``yaw``, ``pitch``,
``roll``). Names in a list are numbered where the truth tells their ``places`` (name -> x, y). What
has no place is told in words.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from PIL import Image, ImageDraw

from vlmbench_plugin.core import Answer, Case, Json, Truth, VisionTask
from vlmbench_plugin.fields import ListOf, Object, fields_object
from vlmbench_plugin.labels import normalise
from vlmbench_plugin.nodes import Node, Text
from vlmbench_plugin.numeric import Points
from vlmbench_plugin.scenes.camera import (
    Camera,
    Intrinsics,
    direction,
    project_line,
    stated_intrinsics,
)
from vlmbench_plugin.scenes.canvas import RGB, Point
from vlmbench_plugin.scenes.fonts import load_font
from vlmbench_plugin.scenes.solids import Cuboid

_CUBOID = frozenset({"center", "size", "yaw"})
_TURN = frozenset({"yaw", "pitch", "roll"})
_PLACES = "places"
_INKS: tuple[RGB, ...] = (
    (255, 235, 60),
    (80, 240, 255),
    (255, 130, 240),
    (150, 255, 120),
    (255, 180, 90),
    (190, 180, 255),
)
_DARK: RGB = (16, 16, 20)
_FONT_SIZE = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Lines that belong together.

    Attributes:
        lines: Chains of points, in pixels of the case's image.
        name: What is written beside them.
        dots: Whether the points of the lines are shown.
    """

    lines: tuple[tuple[Point, ...], ...]
    name: str = ""
    dots: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What decides where things of the world appear.

    Attributes:
        size: Width and height of the case's image in pixels.
        question: The case's question, which may state the lens.
        places: Normalised name -> where it is, in pixels.
    """

    size: tuple[int, int]
    question: str | None
    places: Mapping[str, Point] = field(default_factory=dict)


def overlay(task: VisionTask, case: Case, *, within: tuple[int, int] | None = None) -> Image.Image:
    """Returns a copy of a case's picture with the places of its truth drawn on it.

    Args:
        task: The case's task.
        case: The case.
        within: The picture is scaled to fit this width and height; None keeps its size. Lines and
            names keep their strength however small it is.
    """
    picture = case.image()
    width, height = picture.size
    scale = min(within[0] / width, within[1] / height) if within else 1.0
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = picture.resize(small, Image.Resampling.LANCZOS) if within else picture.copy()
    # Names come last: no line may cross them.
    found = list(marks(task, case))
    pen = ImageDraw.Draw(image)
    for index, mark in enumerate(found):
        _draw_lines(pen, mark, scale, _INKS[index % len(_INKS)])
    for index, mark in enumerate(found):
        if mark.name:
            _draw_name(pen, mark, scale, _INKS[index % len(_INKS)], small)
    return image


def words(task: VisionTask, case: Case) -> list[str]:
    """Returns what a case's truth says beside positions, one line per value or list item.

    What the truth holds beyond the answer's fields follows as JSON.
    """
    answer = _known(task, case.truth)
    lines: list[str] = []
    for key, node in task.fields.items():
        if answer.get(key) is None:
            continue
        if isinstance(node, ListOf) and not isinstance(node.item, Points):
            said = [_said(node.item, item) for item in answer[key]]
            lines += [f"{key} {i}: {text}" for i, text in enumerate(said, 1)] or [f"{key}: none"]
        elif text := _said(node, answer[key]):
            lines.append(f"{key}: {text}")
    drawn = {*task.fields, _PLACES}
    extras = {key: value for key, value in case.truth.items() if key not in drawn}
    return lines + [f"{key} = {json.dumps(v, ensure_ascii=False)}" for key, v in extras.items()]


def marks(task: VisionTask, case: Case) -> Iterator[Mark]:
    """Yields what a case's truth has to show, in pixels of its image."""
    yield from truth_marks(task, case.truth, View(size=case.size, question=case.question))


def truth_marks(task: VisionTask, truth: Truth, view: View) -> Iterator[Mark]:
    """Yields what a truth has to show, in pixels of the image."""
    seen = _with_places(view, task, truth)
    yield from _walk(fields_object(task.fields), _known(task, truth), seen, "")


def answer_marks(task: VisionTask, answer: Answer, truth: Truth, view: View) -> Iterator[Mark]:
    """Yields what a valid answer in pixels has to show, but for what its truth leaves open."""
    seen = _with_places(view, task, truth)
    yield from _walk(fields_object(task.fields), declared(answer, truth), seen, "")


def _with_places(view: View, task: VisionTask, truth: Truth) -> View:
    """The view with the places that a truth tells beside its fields."""
    told = {} if _PLACES in task.fields else truth.get(_PLACES) or {}
    return replace(view, places={normalise(name): (x, y) for name, (x, y) in told.items()})


def _known(task: VisionTask, truth: Truth) -> Answer:
    return declared(task.pixel_answer(truth), truth)


def declared(answer: Answer, truth: Truth) -> Answer:
    """Returns an answer without what the truth leaves open, such as an axis of the camera."""
    return {key: value for key, value in answer.items() if truth.get(key, value) is not None}


def _said(node: Node, value: Json) -> str:
    """A value in words; positions are drawn instead."""
    if isinstance(node, Points):
        return ""
    if isinstance(node, Object):
        parts = [_said(member, value[key]) for key, member in node.members if key in value]
        return " | ".join(part for part in parts if part)
    if isinstance(node, ListOf):
        return ", ".join(_said(node.item, item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)


def _walk(node: Node, value: Json, view: View, name: str) -> Iterator[Mark]:
    if isinstance(node, Points):
        yield _shape(node, value, name)
    elif isinstance(node, ListOf) and isinstance(node.item, Text):
        places = [view.places.get(normalise(item)) for item in value]
        yield from (
            Mark(lines=((place,),), name=str(at), dots=True)
            for at, place in enumerate(places, 1)
            if place is not None
        )
    elif isinstance(node, ListOf):
        for item in value:
            yield from _walk(node.item, item, view, name)
    elif isinstance(node, Object):
        own = " ".join(v for key, _ in node.members if isinstance(v := value.get(key), str))
        keys = {key for key, _ in node.members}
        if keys >= _CUBOID:
            yield from _cuboid(value, view, own or name)
        elif keys >= _TURN:
            yield from _horizon(value, view)
        else:
            for key, member in node.members:
                if value.get(key) is not None:
                    yield from _walk(member, value[key], view, own or name)


def _shape(node: Points, value: Json, name: str) -> Mark:
    if node.kind == "polygon":
        ring = [(x, y) for x, y in value]
        return Mark(lines=((*ring, ring[0]),), name=name, dots=True)
    if node.kind == "point":
        return Mark(lines=(((value[0], value[1]),),), name=name, dots=True)
    x1, y1, x2, y2 = value
    return Mark(lines=(((x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)),), name=name)


def _cuboid(value: Mapping[str, Json], view: View, name: str) -> Iterator[Mark]:
    """The edges of an upright box, seen with the intrinsics that the question states."""
    lens = stated_intrinsics(view.question or "")
    solid = Cuboid(
        center=tuple(value["center"]), size=tuple(value["size"]), yaw=value["yaw"], colour=_DARK
    )
    corners = solid.corners()
    if lens is None or any(z <= 0 for _, _, z in corners):
        return
    seen = [_seen(lens, corner) for corner in corners]
    # Corners differ in the signs of three axes: an edge joins those that differ in one of them.
    edges = [(seen[i], seen[i | bit]) for i in range(8) for bit in (1, 2, 4) if not i & bit]
    yield Mark(lines=tuple(edges), name=name)


def _seen(lens: Intrinsics, point: Sequence[float]) -> Point:
    x, y, z = point
    return lens.cx + lens.fx * x / z, lens.cy + lens.fy * y / z


def _horizon(value: Mapping[str, Json], view: View) -> Iterator[Mark]:
    """The horizon, and the arc above and below due north where the truth knows yaw.

    An axis that the truth does not declare is taken as not turned.
    """
    lens = stated_intrinsics(view.question or "")
    yaw, pitch, roll = (value.get(axis) for axis in ("yaw", "pitch", "roll"))
    # Without pitch the horizon is taken through the middle, and its slope needs no lens.
    focal = lens.fx if lens else float(max(view.size))
    if pitch and lens is None:
        return
    camera = Camera(size=view.size, focal=focal, yaw=yaw or 0, pitch=pitch or 0, roll=roll or 0)
    level = [direction(azimuth, 0) for azimuth in range(-180, 181, 5)]
    yield Mark(lines=tuple(project_line(level, camera)), name="horizon")
    if yaw is not None:
        north = [direction(0, elevation) for elevation in range(-85, 86, 5)]
        yield Mark(lines=tuple(project_line(north, camera)), name="north")


def _draw_lines(pen: ImageDraw.ImageDraw, mark: Mark, scale: float, ink: RGB) -> None:
    for colour, width in ((_DARK, 4), (ink, 2)):
        for line in mark.lines:
            spots = [(x * scale, y * scale) for x, y in line]
            for ends in pairwise(spots):
                pen.line(ends, fill=colour, width=width)
            if mark.dots:
                for x, y in spots:
                    reach = width - 0.5
                    pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)


def _draw_name(
    pen: ImageDraw.ImageDraw, mark: Mark, scale: float, ink: RGB, size: tuple[int, int]
) -> None:
    """Writes the name above the mark's top left corner, moved into the image."""
    spots = [(x * scale, y * scale) for line in mark.lines for x, y in line]
    inside = [(x, y) for x, y in spots if 0 <= x <= size[0] and 0 <= y <= size[1]]
    if not inside:
        return
    font = load_font("sans_bold", _FONT_SIZE)
    width, height = math.ceil(font.getlength(mark.name)) + 4, _FONT_SIZE + 4
    left = min(x for x, _ in inside)
    top = min(y for _, y in inside) - height
    x, y = max(0, min(left, size[0] - width)), max(0, min(top, size[1] - height))
    # A rim and no plate: less of what stands behind is hidden.
    pen.text((x + 2, y + 1), mark.name, font=font, fill=ink, stroke_width=2, stroke_fill=_DARK)

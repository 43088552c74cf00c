"""COCO val2017: boxes of 80 kinds of things in everyday photographs.

Lin et al. 2014, "Microsoft COCO: Common Objects in Context". Boxes are x1 y1 x2 y2 in pixels here,
not the x y width height of COCO's own files.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlmbench_plugin.adapters.rows import (
    SMALLEST_SIDE,
    class_name,
    column,
    numbers,
    picture,
    records,
)
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.scenes.spatial import ask_pairs, relation_of
from vlmbench_plugin.sources import Labelled, LeftOut, Row, Table
from vlmbench_plugin.synonyms import COCO as COCO_SYNONYMS

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from vlmbench_plugin.pictures import Picture

COCO = Table(
    name="coco",
    title="COCO val2017",
    hub_ids=("detection-datasets/coco",),
    splits=("val", "validation"),
    revision="cf0b22332314a937e9dc8a1957b21725430bb41d",
    columns=("image_id", "image", "width", "height", "objects"),
    licence="annotations CC-BY-4.0, each image under its own Flickr licence; the card has none",
)

COCO_NAMES: tuple[str, ...] = tuple(COCO_SYNONYMS)
"""The 80 names in the order of the table's numbers: person 0, toothbrush 79."""

FIRST_CROWD_ID = 900_100_000_000
"""Annotations of COCO from this id on are crowd regions; the table has no other mark of them.

A crowd's id is 900 * 10^9 + 10^8 * COCO's number of its kind + the image's; others are below 10^7.
"""

MOST_DETECTIONS = 12
PAIRS = (2, 6)
SMALLEST_BOX_SIDE = 4
"""In pixels. Rounding a smaller box to whole pixels can take it below IoU 0.5."""

_SPATIAL_SHARE = 0.01
_DOMINANT_SHARE = 0.1
_DOMINANT_FACTOR = 2
_ORIENTATION = 0x0112
# Boxes have decimals, images whole pixels.
_SLACK = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One annotated object.

    Attributes:
        id: Its number in COCO.
        label: One of ``COCO_NAMES``.
        box: x1, y1, x2, y2 in pixels, within the image.
        area: Visible pixels.
    """

    id: int
    label: str
    box: tuple[float, float, float, float]
    area: float

    @property
    def crowd(self) -> bool:
        """Whether it is a region of many objects that nobody told apart."""
        return self.id >= FIRST_CROWD_ID

    @property
    def side(self) -> float:
        """The shorter side of its box in pixels."""
        return min(self.box[2] - self.box[0], self.box[3] - self.box[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """One checked row.

    Attributes:
        image_id: Its number in COCO.
        image: The picture.
        size: Width and height in pixels as shown.
        things: The objects, crowd regions not among them.
        crowds: The crowd regions.
    """

    image_id: str
    image: Picture
    size: tuple[int, int]
    things: tuple[Thing, ...]
    crowds: tuple[Thing, ...]

    @property
    def pixels(self) -> int:
        """The image's area."""
        return self.size[0] * self.size[1]


def detections(row: Row, rng: random.Random) -> Labelled | LeftOut:
    """Row -> all boxes and their count; crowd regions are to be ignored."""
    photo = read_photo(row)
    if isinstance(photo, LeftOut):
        return photo
    if len(photo.things) > MOST_DETECTIONS:
        return LeftOut(f"more than {MOST_DETECTIONS} objects")
    if min(thing.side for thing in photo.things) < SMALLEST_BOX_SIDE:
        return LeftOut(f"an object below {SMALLEST_BOX_SIDE} pixels a side")
    truth = {
        "detections": [{"label": thing.label, "box": list(thing.box)} for thing in photo.things],
        "count": len(photo.things),
        "ignore": [{"label": thing.label, "box": list(thing.box)} for thing in photo.crowds],
    }
    return Labelled(image_id=photo.image_id, image=photo.image, size=photo.size, truth=truth)


def spatial(row: Row, rng: random.Random) -> Labelled | LeftOut:
    """Row -> how pairs of objects lie to each other, for pairs where that is clear.

    An object is named by its label, so that this must be the only one of its kind in the image. The
    generator chooses the pairs and which end of each is the subject.
    """
    photo = read_photo(row)
    if isinstance(photo, LeftOut):
        return photo
    of_kind = Counter(thing.label for thing in (*photo.things, *photo.crowds))
    named = [
        thing
        for thing in photo.things
        if of_kind[thing.label] == 1 and thing.area >= _SPATIAL_SHARE * photo.pixels
    ]
    relations = []
    for pair in itertools.combinations(named, 2):
        subject, other = rng.sample(pair, 2)
        relation = relation_of(subject.box, other.box)
        if relation is not None:
            relations.append(
                {"subject": subject.label, "relation": relation, "object": other.label}
            )
    least, most = PAIRS
    if len(relations) < least:
        return LeftOut(f"fewer than {least} pairs with a clear relation")
    asked = rng.sample(relations, min(most, len(relations)))
    return Labelled(
        image_id=photo.image_id,
        image=photo.image,
        size=photo.size,
        truth={"relations": asked},
        question=ask_pairs([(pair["subject"], pair["object"]) for pair in asked]),
    )


def subject(row: Row, rng: random.Random) -> Labelled | LeftOut:
    """Row -> the one dominant object and its box."""
    photo = read_photo(row)
    if isinstance(photo, LeftOut):
        return photo
    thing = dominant(photo)
    if isinstance(thing, LeftOut):
        return thing
    truth = {"subject": thing.label, "box": list(thing.box)}
    return Labelled(image_id=photo.image_id, image=photo.image, size=photo.size, truth=truth)


def dominant(photo: Photo) -> Thing | LeftOut:
    """The object that shows at least a tenth of the image and twice the area of any other."""
    largest, *others = sorted((*photo.things, *photo.crowds), key=lambda t: t.area, reverse=True)
    if largest.crowd or (others and largest.area < _DOMINANT_FACTOR * others[0].area):
        return LeftOut("no object of twice the area of the next")
    if largest.area < _DOMINANT_SHARE * photo.pixels:
        return LeftOut("no object that covers a tenth of the image")
    return largest


def read_photo(row: Row) -> Photo | LeftOut:
    """Checks what all adapters of this table need.

    Raises:
        DataError: If a column is missing or of another kind, the declared size is not the image's,
            or the boxes are no x1 y1 x2 y2 in pixels.
    """
    image = picture(row)
    size = image.size()
    declared = column(row, "width", int), column(row, "height", int)
    if min(size) < SMALLEST_SIDE:
        return LeftOut(f"an image below {SMALLEST_SIDE} pixels a side")
    if _doubtful_turn(image, declared):
        return LeftOut("an image that EXIF turns, labelled perhaps before that")
    if size != declared:
        raise DataError(f"expected an image of the declared {declared}, got {image.name} of {size}")
    objects = [_read_object(record) for record in records(row, "objects")]
    reason = _check_boxes(objects, size, image.name)
    if reason is not None:
        return reason
    things = [_within(thing, size) for thing in objects]
    if all(thing.crowd for thing in things):
        return LeftOut("no objects")
    return Photo(
        image_id=str(column(row, "image_id", int)),
        image=image,
        size=size,
        things=tuple(thing for thing in things if not thing.crowd),
        crowds=tuple(thing for thing in things if thing.crowd),
    )


def _doubtful_turn(image: Picture, declared: tuple[int, int]) -> bool:
    """Whether EXIF turns an image and the declared size does not tell that labels follow it."""
    stored = image.raw()
    if stored.getexif().get(_ORIENTATION, 1) == 1:
        return False
    return image.size() != declared or stored.size == declared


def _read_object(record: Row) -> Thing:
    x1, y1, x2, y2 = numbers(record, "bbox", 4)
    return Thing(
        id=column(record, "bbox_id", int),
        label=class_name(record, "category", COCO_NAMES),
        box=(x1, y1, x2, y2),
        area=column(record, "area", float),
    )


def _check_boxes(things: Sequence[Thing], size: tuple[int, int], name: str) -> LeftOut | None:
    """Decides over the whole row whether its boxes are what they should be.

    A box fits if its corners are in order and within the image, and the object's area within the
    box. An honest row has none that does not. Where some do not, but all would as x y width height,
    they are that; where most do not, they are something else; else one label is odd.

    Raises:
        DataError: If they are no x1 y1 x2 y2.
    """
    odd = [thing for thing in things if not _fits(thing.box, thing.area, size)]
    if not odd:
        return None
    hint = "this copy of COCO is not the one that is expected; use another mirror"
    came = f"got {list(odd[0].box)} of area {odd[0].area:g} in {name} of {size}"
    if all(_fits(_from_xywh(thing.box), thing.area, size) for thing in things):
        raise DataError(f"expected boxes x1 y1 x2 y2, {came}: x y width height", hint=hint)
    if 2 * len(odd) > len(things):
        raise DataError(f"expected boxes x1 y1 x2 y2 in pixels of the image, {came}", hint=hint)
    return LeftOut("a box that its object does not fit")


def _from_xywh(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x, y, width, height = box
    return x, y, x + width, y + height


def _fits(box: tuple[float, float, float, float], area: float, size: tuple[int, int]) -> bool:
    x1, y1, x2, y2 = box
    return (
        -_SLACK <= x1 <= x2 <= size[0] + _SLACK
        and -_SLACK <= y1 <= y2 <= size[1] + _SLACK
        and area <= (x2 - x1 + _SLACK) * (y2 - y1 + _SLACK)
    )


def _within(thing: Thing, size: tuple[int, int]) -> Thing:
    """Cuts a box to the image; COCO states hundredths of pixels, float32 blurs them."""
    x1, y1, x2, y2 = (
        round(min(max(value, 0.0), float(size[i % 2])), 2) for i, value in enumerate(thing.box)
    )
    return Thing(id=thing.id, label=thing.label, box=(x1, y1, x2, y2), area=thing.area)

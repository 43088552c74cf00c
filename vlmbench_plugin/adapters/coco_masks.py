"""COCO val2017 with its instance masks, which come from a second table without pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from vlmbench_plugin.adapters.coco import COCO, Photo, Thing, dominant, read_photo
from vlmbench_plugin.adapters.rows import column, numbers, record, records
from vlmbench_plugin.adapters.tracing import decode
from vlmbench_plugin.adapters.tracing import outline as trace
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.sources import Joined, Labelled, LeftOut, Row

if TYPE_CHECKING:
    import random

COCO_MASKS = dataclasses.replace(
    COCO,
    name="coco_masks",
    title="COCO val2017 with instance masks",
    licence=f"{COCO.licence}; masks: apache-2.0 on the hub's card",
    joined=Joined(
        name="masks",
        key="image_id",
        hub_ids=("ClownRat/COCO2017-Instance", "ClownRat/COCO2017"),
        splits=("val", "validation"),
        columns=("image_id", "objects"),
    ),
)

MOST_INSTANCES = 4
MOST_POINTS = 20
LEAST_IOU = 0.95
SMALLEST_SIDE = 16
"""In pixels. Rounding the corners of a smaller polygon moves too much of it."""

_SMALLEST_SHARE = 0.005
_UNFOLLOWED = LeftOut(f"an outline that {MOST_POINTS} points do not follow at IoU {LEAST_IOU}")

Masks: TypeAlias = Mapping[int, Mapping[str, Any]]
"""COCO's number of an object -> its run-length encoded mask."""


def segmentation(row: Row, rng: random.Random) -> Labelled | LeftOut:
    """Row -> the polygon of every object of an image that has at most four and no crowd."""
    found = _read(row)
    if isinstance(found, LeftOut):
        return found
    photo, masks = found
    if photo.crowds:
        return LeftOut("a crowd region")
    if len(photo.things) > MOST_INSTANCES:
        return LeftOut(f"more than {MOST_INSTANCES} objects")
    if any(_is_tiny(thing, photo) for thing in photo.things):
        return LeftOut("an object too small for an outline")
    instances = []
    for thing in photo.things:
        polygon = _polygon(masks[thing.id], photo)
        if polygon is None:
            return _UNFOLLOWED
        instances.append({"label": thing.label, "polygon": polygon})
    return Labelled(
        image_id=photo.image_id,
        image=photo.image,
        size=photo.size,
        truth={"instances": instances},
    )


def outline(row: Row, rng: random.Random) -> Labelled | LeftOut:
    """Row -> the polygon of the one dominant object."""
    found = _read(row)
    if isinstance(found, LeftOut):
        return found
    photo, masks = found
    thing = dominant(photo)
    if isinstance(thing, LeftOut):
        return thing
    polygon = _polygon(masks[thing.id], photo)
    if polygon is None:
        return _UNFOLLOWED
    truth = {"label": thing.label, "polygon": polygon}
    return Labelled(image_id=photo.image_id, image=photo.image, size=photo.size, truth=truth)


def _is_tiny(thing: Thing, photo: Photo) -> bool:
    return thing.side < SMALLEST_SIDE or thing.area < _SMALLEST_SHARE * photo.pixels


def _read(row: Row) -> tuple[Photo, Masks] | LeftOut:
    """Reads a row with its partner; objects of both tables are paired by COCO's numbers.

    Raises:
        DataError: As ``read_photo``; or if the two tables have no object in common.
    """
    photo = read_photo(row)
    if isinstance(photo, LeftOut):
        return photo
    objects = records(record(row, "masks"), "objects")
    masks = {column(entry, "ids", int): record(entry, "masks") for entry in objects}
    wanted = {thing.id for thing in (*photo.things, *photo.crowds)}
    if not wanted & masks.keys():
        raise DataError(
            f"expected masks of the objects {sorted(wanted)} of image {photo.image_id}, got "
            f"{sorted(masks)}",
            hint="the two tables do not number objects alike; see docs/known-limitations.md",
        )
    return (photo, masks) if wanted == masks.keys() else LeftOut("boxes and masks that differ")


def _polygon(encoded: Mapping[str, Any], photo: Photo) -> list[list[int]] | None:
    height, width = (int(side) for side in numbers(encoded, "size", 2))
    if (width, height) != photo.size:
        raise DataError(
            f"expected a mask of width and height {photo.size}, got {(width, height)} in image "
            f"{photo.image_id}"
        )
    mask = decode(column(encoded, "counts", bytes), photo.size)
    return trace(mask, most_points=MOST_POINTS, least_iou=LEAST_IOU)

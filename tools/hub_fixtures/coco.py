"""``detection-datasets/coco`` and the masks of ``ClownRat/COCO2017-Instance``, of our pictures."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import datasets
import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as run_lengths

from tools.hub_fixtures.images import cell, drawn, gray_jpeg, jpeg, photo, turned_jpeg
from vlmbench_plugin.adapters.coco import COCO_NAMES, FIRST_CROWD_ID
from vlmbench_plugin.scenes.canvas import Size
from vlmbench_plugin.scenes.everyday import Sprite

# As on the hub: a sequence of structs, which reads as a dict of lists.
FEATURES = datasets.Features(
    {
        "image_id": datasets.Value("int64"),
        "image": datasets.Image(),
        "width": datasets.Value("int64"),
        "height": datasets.Value("int64"),
        "objects": datasets.Sequence(
            {
                "bbox_id": datasets.Value("int64"),
                "category": datasets.ClassLabel(names=list(COCO_NAMES)),
                "bbox": datasets.Sequence(datasets.Value("float64"), length=4),
                "area": datasets.Value("float64"),
            }
        ),
    }
)
MASK_FEATURES = datasets.Features(
    {
        "image_id": datasets.Value("int64"),
        "image": datasets.Value("string"),
        "width": datasets.Value("int64"),
        "height": datasets.Value("int64"),
        "objects": {
            "areas": datasets.List(datasets.Value("float64")),
            "bboxes": datasets.List(datasets.List(datasets.Value("float64"))),
            "classes": datasets.List(datasets.Value("int64")),
            "ids": datasets.List(datasets.Value("int64")),
            "iscrowds": datasets.List(datasets.Value("int64")),
            "masks": datasets.List(
                {
                    "counts": datasets.Value("binary"),
                    "size": datasets.List(datasets.Value("int64")),
                }
            ),
        },
    }
)

_COLOURS = ("red", "blue", "green", "orange", "purple", "yellow", "pink")


@dataclass(frozen=True, kw_only=True)
class _Object:
    """``mask`` is height x width; None in a photograph, whose area is an estimate."""

    id: int
    label: str
    box: tuple[float, float, float, float]
    area: float
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True, kw_only=True)
class _Image:
    id: int
    encoded: bytes
    size: Size
    objects: Sequence[_Object]


def _mask(sprite: Sprite, size: Size) -> NDArray[np.bool_]:
    """The pixels whose centre one of the sprite's polygons covers; none overlaps another sprite."""
    ink = shapely.union_all([shapely.make_valid(shapely.Polygon(p)) for p, _ in sprite.fills])
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    return np.asarray(shapely.contains_xy(ink, x, y), dtype=bool)


def _object(number: int, sprite: Sprite, label: str, size: Size) -> _Object:
    mask = _mask(sprite, size)
    x1, y1, x2, y2 = (round(value, 2) for value in sprite.box)
    return _Object(id=number, label=label, box=(x1, y1, x2, y2), area=float(mask.sum()), mask=mask)


def _scene(
    number: int,
    size: Size,
    placed: Sequence[tuple[str, str, tuple[float, float, float]]],
    encode: Callable[[Image.Image], bytes] = jpeg,
) -> _Image:
    """Places (drawing, label, (centre x, centre y, radius)), numbered from ten times ``number``."""
    sprites = [
        Sprite(name=name, circle=circle, colour=_COLOURS[k % len(_COLOURS)])
        for k, (name, _, circle) in enumerate(placed)
    ]
    objects = [
        _object(number * 10 + k, sprite, label, size)
        for k, (sprite, (_, label, _)) in enumerate(zip(sprites, placed, strict=True))
    ]
    return _Image(id=number, encoded=encode(drawn(size, sprites)), size=size, objects=objects)


def _apart() -> _Image:
    """Four kinds clearly apart: detections, spatial relations, polygons."""
    return _scene(
        1000,
        (320, 240),
        [
            ("car", "car", (60, 60, 50)),
            ("envelope", "book", (250, 60, 45)),
            ("clock", "clock", (60, 190, 44)),
            ("tree", "potted plant", (250, 185, 46)),
        ],
    )


def _gray() -> _Image:
    return _scene(
        1001,
        (256, 256),
        [("car", "car", (110, 140, 104)), ("clock", "clock", (220, 40, 24))],
        gray_jpeg,
    )


def _turned() -> _Image:
    """Shown upright, 200 x 300; stored lying down."""
    return _scene(
        1002,
        (200, 300),
        [("clock", "clock", (100, 180, 90)), ("envelope", "book", (40, 40, 30))],
        turned_jpeg,
    )


def _doubtful() -> _Image:
    """The size that was declared is the stored one: nobody knows which way its boxes lie."""
    image = _scene(1003, (200, 300), [("car", "car", (100, 150, 80))], turned_jpeg)
    return _Image(id=1003, encoded=image.encoded, size=(300, 200), objects=image.objects)


def _crowded() -> _Image:
    """Two apples, and a crowd of six that nobody told apart."""
    size = (320, 240)
    crowd = [("apple", "apple", (40 + 48 * k, 200.0, 20.0)) for k in range(6)]
    image = _scene(
        1004,
        size,
        [("apple", "apple", (80, 80, 60)), ("apple", "apple", (230, 80, 60)), *crowd],
    )
    masks = [thing.mask for thing in image.objects[2:] if thing.mask is not None]
    together = np.logical_or.reduce(masks)
    xs, ys = np.flatnonzero(together.any(axis=0)), np.flatnonzero(together.any(axis=1))
    region = _Object(
        id=FIRST_CROWD_ID + 1004,
        label="apple",
        box=(float(xs[0]), float(ys[0]), float(xs[-1] + 1), float(ys[-1] + 1)),
        area=float(together.sum()),
        mask=together,
    )
    return _Image(id=1004, encoded=image.encoded, size=size, objects=[*image.objects[:2], region])


def _many() -> _Image:
    spots = [(40 + 60 * (k % 5), 40 + 70 * (k // 5), 24) for k in range(13)]
    return _scene(1005, (320, 240), [("cup", "cup", spot) for spot in spots])


def _empty() -> _Image:
    return _scene(1006, (160, 120), [])


def _intricate() -> _Image:
    """One dominant object whose outline twenty points do not follow."""
    return _scene(1007, (240, 240), [("flower", "potted plant", (120, 120, 110))])


def _cat() -> _Image:
    """A photograph. The table of masks has no row for it."""
    image = photo("chelsea.jpg")
    scale = image.width / 451
    cat = _Object(
        id=10080,
        label="cat",
        box=(0.0, 0.0, round(399 * scale, 2), float(image.height)),
        area=round(0.7 * 399 * scale * image.height, 2),
    )
    return _Image(id=1008, encoded=jpeg(image), size=image.size, objects=[cat])


def _random(number: int) -> _Image:
    """Three kinds at random places of a fixed grid."""
    rng = random.Random(number)
    kinds = [("tree", "potted plant"), ("clock", "clock"), ("envelope", "book"), ("car", "car")]
    spots = [(60, 60), (180, 60), (300, 60), (60, 180), (180, 180), (300, 180)]
    chosen = zip(rng.sample(kinds, 3), rng.sample(spots, 3), strict=True)
    placed = [(name, label, (x, y, rng.uniform(36, 54))) for (name, label), (x, y) in chosen]
    return _scene(number, (360, 240), placed)


@cache
def _images() -> tuple[_Image, ...]:
    special = (_apart, _gray, _turned, _doubtful, _crowded, _many, _empty, _intricate, _cat)
    return (*(build() for build in special), *(_random(1009 + k) for k in range(3)))


def _row(image: _Image) -> dict[str, Any]:
    return {
        "image_id": image.id,
        "image": cell(image.encoded),
        "width": image.size[0],
        "height": image.size[1],
        "objects": {
            "bbox_id": [o.id for o in image.objects],
            "category": [o.label for o in image.objects],
            "bbox": [list(o.box) for o in image.objects],
            "area": [o.area for o in image.objects],
        },
    }


def _mask_row(image: _Image) -> dict[str, Any]:
    encoded = [run_lengths.encode(np.asfortranarray(o.mask, dtype=np.uint8)) for o in image.objects]
    boxes = [(x1, y1, x2 - x1, y2 - y1) for x1, y1, x2, y2 in (o.box for o in image.objects)]
    return {
        "image_id": image.id,
        "image": f"val2017/{image.id:012d}.jpg",
        "width": image.size[0],
        "height": image.size[1],
        "objects": {
            "areas": [o.area for o in image.objects],
            "bboxes": [list(box) for box in boxes],
            "classes": [COCO_NAMES.index(o.label) for o in image.objects],
            "ids": [o.id for o in image.objects],
            "iscrowds": [int(o.id >= FIRST_CROWD_ID) for o in image.objects],
            "masks": [{"counts": e["counts"], "size": list(e["size"])} for e in encoded],
        },
    }


def boxes() -> datasets.Dataset:
    """The pictures with their boxes."""
    return datasets.Dataset.from_list([_row(image) for image in _images()], features=FEATURES)


def masks() -> datasets.Dataset:
    """The masks of the drawn pictures, in another order."""
    rows = [
        _mask_row(image)
        for image in reversed(_images())
        if all(o.mask is not None for o in image.objects)
    ]
    return datasets.Dataset.from_list(rows, features=MASK_FEATURES)


TABLES: Mapping[str, Callable[[], datasets.Dataset]] = {
    "detection-datasets/coco/data/val-00000-of-00001.parquet": boxes,
    "ClownRat/COCO2017-Instance/data/val-00000-of-00001.parquet": masks,
}

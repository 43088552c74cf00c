"""``maelic/PSG-coco-format``, of CC0 photographs of the package with relations of our own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import datasets

from tools.hub_fixtures.images import cell, gray_jpeg, jpeg, photo

FEATURES = datasets.Features(
    {
        "image": datasets.Image(),
        "image_id": datasets.Value("int64"),
        "width": datasets.Value("int64"),
        "height": datasets.Value("int64"),
        "file_name": datasets.Value("string"),
        "objects": datasets.List(
            {
                "id": datasets.Value("int64"),
                "category_id": datasets.Value("int64"),
                "bbox": datasets.List(datasets.Value("float64")),
                "area": datasets.Value("float64"),
                "iscrowd": datasets.Value("int64"),
                "segmentation": datasets.List(datasets.List(datasets.Value("float64"))),
            }
        ),
        "relations": datasets.List(
            {
                "id": datasets.Value("int64"),
                "subject_id": datasets.Value("int64"),
                "object_id": datasets.Value("int64"),
                "predicate_id": datasets.Value("int64"),
            }
        ),
    }
)

# The names as the hub spells them, in its order.
CATEGORIES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush", "banner", "blanket", "bridge", "cardboard", "counter",
    "curtain", "door-stuff", "floor-wood", "flower", "fruit", "gravel", "house", "light",
    "mirror-stuff", "net", "pillow", "platform", "playingfield", "railroad", "river", "road",
    "roof", "sand", "sea", "shelf", "snow", "stairs", "tent", "towel", "wall-brick", "wall-stone",
    "wall-tile", "wall-wood", "water-other", "window-blind", "window-other", "tree-merged",
    "fence-merged", "ceiling-merged", "sky-other-merged", "cabinet-merged", "table-merged",
    "floor-other-merged", "pavement-merged", "mountain-merged", "grass-merged", "dirt-merged",
    "paper-merged", "food-other-merged", "building-other-merged", "rock-merged",
    "wall-other-merged", "rug-merged",
)  # fmt: skip
PREDICATES = (
    "over", "in front of", "beside", "on", "in", "attached to", "hanging from", "on back of",
    "falling off", "going down", "painted on", "walking on", "running on", "crossing",
    "standing on", "lying on", "sitting on", "flying over", "jumping over", "jumping from",
    "wearing", "holding", "carrying", "looking at", "guiding", "kissing", "eating", "drinking",
    "feeding", "biting", "catching", "picking", "playing with", "chasing", "climbing", "cleaning",
    "playing", "touching", "pushing", "pulling", "opening", "cooking", "talking to", "throwing",
    "slicing", "driving", "riding", "parked on", "driving on", "about to hit", "kicking",
    "swinging", "entering", "exiting", "enclosing", "leaning on",
)  # fmt: skip
FIRST_ID = 1
"""The number of the first category and of the first predicate."""

Box = tuple[int, int, int, int]
"""x, y, width, height in thousandths of the image."""


def _row(
    number: int,
    name: str,
    encode: Callable[..., bytes],
    things: Sequence[tuple[str, Box]],
    relations: Sequence[tuple[int, str, int]],
) -> dict[str, Any]:
    image = photo(name)
    objects = []
    for k, (label, box) in enumerate(things):
        x, y, wide, high = (value * image.size[axis % 2] / 1000 for axis, value in enumerate(box))
        objects.append(
            {
                "id": number * 10 + k,
                "category_id": CATEGORIES.index(label) + FIRST_ID,
                "bbox": [round(value, 2) for value in (x, y, wide, high)],
                "area": round(wide * high, 2),
                "iscrowd": 0,
                "segmentation": [],
            }
        )
    return {
        "image": cell(encode(image)),
        "image_id": number,
        "width": image.width,
        "height": image.height,
        "file_name": f"{number:012d}.jpg",
        "objects": objects,
        "relations": [
            {
                "id": number * 10 + k,
                "subject_id": number * 10 + one,
                "object_id": number * 10 + two,
                "predicate_id": PREDICATES.index(predicate) + FIRST_ID,
            }
            for k, (one, predicate, two) in enumerate(relations)
        ],
    }


def graphs() -> datasets.Dataset:
    """A cup, a photographer in grey, and a cat with one relation only."""
    rows = [
        _row(
            501,
            "coffee.jpg",
            jpeg,
            [
                ("cup", (330, 130, 420, 560)),
                ("spoon", (560, 540, 330, 260)),
                ("dining table", (0, 0, 1000, 1000)),
            ],
            [(0, "on", 2), (1, "beside", 0), (1, "lying on", 2)],
        ),
        _row(
            502,
            "camera.jpg",
            gray_jpeg,
            [
                ("person", (250, 130, 350, 840)),
                ("grass-merged", (0, 700, 1000, 300)),
                ("sky-other-merged", (0, 0, 1000, 640)),
                ("building-other-merged", (460, 480, 540, 200)),
            ],
            [(0, "standing on", 1), (0, "in front of", 3), (2, "over", 3), (2, "over", 1)],
        ),
        _row(
            503,
            "chelsea.jpg",
            jpeg,
            [("cat", (0, 0, 880, 1000)), ("blanket", (0, 600, 300, 400))],
            [(0, "lying on", 1)],
        ),
    ]
    return datasets.Dataset.from_list(rows, features=FEATURES)


def categories() -> str:
    """``categories.json`` as the hub has it: numbers and names."""
    named = {
        kind: [{"id": k, "name": name} for k, name in enumerate(names, start=FIRST_ID)]
        for kind, names in (("categories", CATEGORIES), ("rel_categories", PREDICATES))
    }
    return json.dumps(named, indent=1) + "\n"


TABLES: Mapping[str, Callable[[], datasets.Dataset]] = {
    "maelic/PSG-coco-format/data/val-00000-of-00001.parquet": graphs,
}
FILES: Mapping[str, str] = {"maelic/PSG-coco-format/categories.json": categories()}

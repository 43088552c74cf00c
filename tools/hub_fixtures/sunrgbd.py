"""``kcz358/SUNRGBD-3D`` with the intrinsics that the hub's copy lacks, of drawn boxes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Any

import datasets

from tools.hub_fixtures.images import cell, gray_jpeg, jpeg
from vlmbench_plugin.core import Difficulty
from vlmbench_plugin.scenes.camera import stated_intrinsics
from vlmbench_plugin.scenes.perspective import boxes3d_scene

FEATURES = datasets.Features(
    {
        "image": datasets.Image(),
        "categories": datasets.List(datasets.Value("string")),
        "bboxes_3d": datasets.List(datasets.List(datasets.Value("float64"))),
        "labels": datasets.List(datasets.Value("string")),
        "intrinsics": datasets.List(datasets.List(datasets.Value("float64"))),
    }
)


def _row(seed: int, difficulty: Difficulty, *, gray: bool = False) -> dict[str, Any]:
    scene = boxes3d_scene(random.Random(seed), difficulty)
    lens = stated_intrinsics(scene.question or "")
    assert lens is not None
    objects = scene.truth["objects"]
    image = scene.draw()
    return {
        "image": cell(gray_jpeg(image) if gray else jpeg(image)),
        "categories": ["box"],
        "bboxes_3d": [
            [*thing["center"], *thing["size"], 0.0, 0.0, -math.radians(thing["yaw"])]
            for thing in objects
        ],
        "labels": ["box"] * len(objects),
        "intrinsics": [[lens.fx, 0.0, lens.cx], [0.0, lens.fy, lens.cy], [0.0, 0.0, 1.0]],
    }


def boxes() -> datasets.Dataset:
    """Boxes on a plain, which is all that is in them; the third picture is grey."""
    rows = [_row(1, "easy"), _row(2, "medium"), _row(3, "medium", gray=True)]
    return datasets.Dataset.from_list(rows, features=FEATURES)


TABLES: Mapping[str, Callable[[], datasets.Dataset]] = {
    "kcz358/SUNRGBD-3D/data/test-00000-of-00001.parquet": boxes,
}

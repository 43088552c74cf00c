"""``wyrx/NYUDepthv2_seg``, of rooms that are computed together with their exact depth."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import datasets
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.hub_fixtures.images import cell, gray_jpeg, jpeg, png

FEATURES = datasets.Features({name: datasets.Image() for name in ("image", "depth", "label")})

# As the hub's card has it: its test split is called "teset".
_CARD = """\
---
dataset_info:
  features:
    - name: image
      dtype: image
    - name: depth
      dtype: image
    - name: label
      dtype: image
configs:
  - config_name: default
    data_files:
      - split: teset
        path: data/test-*
---
Five rooms, computed for the tests of qwen-vlmbench. CC0.
"""

_SIZE = (320, 240)
_FOCAL = 260.0
_HIGH = 1.3
_FAR = 6.5


def room(seed: int, panels: int) -> tuple[Image.Image, NDArray[np.uint16]]:
    """Upright panels on a floor before a back wall, seen by a level camera 1.3 m above it.

    Args:
        seed: Which panel stands where, how tall it is, and its colour.
        panels: Their number; -1 is a bare wall that fills the image.

    Returns:
        The picture, and the depth along the view in millimetres, height x width.
    """
    rng = random.Random(seed)
    width, height = _SIZE
    x, y = np.meshgrid(np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2)
    depth = np.full((height, width), _FAR)
    floor = np.zeros((height, width), dtype=bool)
    if panels >= 0:
        below = np.where(y > 0, _FOCAL * _HIGH / np.maximum(y, 1e-9), np.inf)
        floor = below < _FAR
        depth = np.minimum(depth, below)
    # A checkered floor; walls and panels of one colour each, darker with distance.
    tiles = (np.floor(x * depth / _FOCAL) + np.floor(depth)) % 2
    colour = np.where(floor[..., None], np.stack([190 - 50 * tiles] * 3, axis=-1), (214, 206, 190))
    slots = rng.sample(range(panels), panels) if panels > 0 else []
    for k, slot in enumerate(slots):
        near = 1.5 * 1.3**k
        middle = (slot + rng.uniform(0.4, 0.6)) * width / panels - width / 2
        down = y * near / _FOCAL
        seen = (abs(x - middle) < 0.36 * width / panels) & (down < _HIGH)
        seen &= down > _HIGH - rng.uniform(0.9, 1.5)
        depth[seen] = near
        colour[seen] = [rng.randint(40, 230) for _ in range(3)]
    shaded = colour * (1.05 - 0.08 * depth)[..., None]
    picture = Image.fromarray(shaded.clip(0, 255).astype(np.uint8))
    return picture, np.round(depth * 1000).astype(np.uint16)


def _row(
    seed: int, panels: int, encode: Callable[[Image.Image], bytes] = jpeg, *, gaps: bool = False
) -> dict[str, Any]:
    picture, depth = room(seed, panels)
    if gaps:
        depth[::6, ::6] = 0
    kinds = Image.fromarray((depth // 500).astype(np.uint8))
    return {
        "image": cell(encode(picture)),
        "depth": cell(png(Image.fromarray(depth))),
        "label": cell(png(kinds)),
    }


def rooms() -> datasets.Dataset:
    """Two rooms, a grey one, one whose depth is full of gaps, a bare wall."""
    rows = [
        _row(1, 4),
        _row(2, 5),
        _row(3, 4, gray_jpeg),
        _row(4, 4, gaps=True),
        _row(5, -1),
    ]
    return datasets.Dataset.from_list(rows, features=FEATURES)


TABLES: Mapping[str, Callable[[], datasets.Dataset]] = {
    "wyrx/NYUDepthv2_seg/data/test-00000-of-00001.parquet": rooms,
}
FILES: Mapping[str, str] = {"wyrx/NYUDepthv2_seg/README.md": _CARD}

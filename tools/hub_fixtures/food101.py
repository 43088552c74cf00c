"""``ethz/food101`` of drawings that stand for dishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import datasets

from tools.hub_fixtures.images import cell, drawn, gray_jpeg, jpeg, turned_jpeg
from vlmbench_plugin.scenes.everyday import Sprite
from vlmbench_plugin.synonyms import FOOD101

FEATURES = datasets.Features(
    {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(FOOD101))}
)
_DISHES = {"apple_pie": "apple", "cup_cakes": "cup", "sashimi": "fish", "risotto": "mushroom"}


def validation() -> datasets.Dataset:
    """Three of each kind, in class runs as on the hub; one grayscale, one turned by EXIF."""
    rows: list[dict[str, Any]] = []
    for dish, name in _DISHES.items():
        for k, encode in enumerate((jpeg, gray_jpeg, turned_jpeg)):
            colour = ("red", "green", "blue")[k]
            sprite = Sprite(name=name, circle=(80, 64, 50 + 4 * k), colour=colour)
            rows.append({"image": cell(encode(drawn((160, 128), [sprite]))), "label": dish})
    return datasets.Dataset.from_list(rows, features=FEATURES)


TABLES: Mapping[str, Callable[[], datasets.Dataset]] = {
    "ethz/food101/data/validation-00000-of-00001.parquet": validation,
}

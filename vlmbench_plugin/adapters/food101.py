"""Food-101: dishes of 101 kinds (Bossard et al. 2014)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vlmbench_plugin.adapters.rows import SMALLEST_SIDE, class_name, content_id, picture
from vlmbench_plugin.sources import Labelled, LeftOut, Row, Table
from vlmbench_plugin.synonyms import FOOD101 as FOOD101_SYNONYMS

if TYPE_CHECKING:
    import random

FOOD101 = Table(
    name="food101",
    title="Food-101",
    hub_ids=("ethz/food101", "food101"),
    splits=("validation",),
    revision="83488de741c1bd1ce27aa6a2b33e19c7bdf92ca9",
    columns=("image", "label"),
    licence="unknown; the images are Foodspotting's, for scientific fair use",
)

# In the order of the table's numbers.
_CLASSES: tuple[str, ...] = tuple(FOOD101_SYNONYMS)

FOOD101_NAMES: tuple[str, ...] = tuple(name.replace("_", " ") for name in _CLASSES)
"""The 101 names as words: "apple pie"."""


def dish(row: Row, rng: random.Random) -> Labelled | LeftOut:
    """Row -> the name of the dish.

    Raises:
        DataError: If a column is missing, or the label is none of the 101.
    """
    image = picture(row)
    size = image.size()
    if min(size) < SMALLEST_SIDE:
        return LeftOut(f"an image below {SMALLEST_SIDE} pixels a side")
    name = class_name(row, "label", _CLASSES)
    return Labelled(
        image_id=f"{name}-{content_id(image)}",
        image=image,
        size=size,
        truth={"label": name.replace("_", " ")},
    )

"""``huggan/wikiart``, of drawn scenes in place of paintings."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import datasets
from PIL import Image

from tools.hub_fixtures.images import cell, gray_jpeg, jpeg
from vlmbench_plugin.scenes.styles import style_scene

STYLES = (
    "Abstract_Expressionism", "Action_painting", "Analytical_Cubism", "Art_Nouveau", "Baroque",
    "Color_Field_Painting", "Contemporary_Realism", "Cubism", "Early_Renaissance", "Expressionism",
    "Fauvism", "High_Renaissance", "Impressionism", "Mannerism_Late_Renaissance", "Minimalism",
    "Naive_Art_Primitivism", "New_Realism", "Northern_Renaissance", "Pointillism", "Pop_Art",
    "Post_Impressionism", "Realism", "Rococo", "Romanticism", "Symbolism", "Synthetic_Cubism",
    "Ukiyo_e",
)  # fmt: skip
GENRES = (
    "abstract_painting", "cityscape", "genre_painting", "illustration", "landscape",
    "nude_painting", "portrait", "religious_painting", "sketch_and_study", "still_life",
    "Unknown Genre",
)  # fmt: skip
FEATURES = datasets.Features(
    {
        "image": datasets.Image(),
        # Nothing here reads the artist: the 129 names are left out.
        "artist": datasets.ClassLabel(num_classes=129),
        "genre": datasets.ClassLabel(names=list(GENRES)),
        "style": datasets.ClassLabel(names=list(STYLES)),
    }
)


def _row(seed: int, style: str, encode: Callable[[Image.Image], bytes] = jpeg) -> dict[str, Any]:
    image = style_scene(random.Random(seed), "easy").draw()
    return {"image": cell(encode(image)), "artist": 0, "genre": 10, "style": style}


def paintings() -> datasets.Dataset:
    """Every fourth style; the third picture is grey."""
    rows = [_row(k, style, gray_jpeg if k == 2 else jpeg) for k, style in enumerate(STYLES[::4])]
    return datasets.Dataset.from_list(rows, features=FEATURES)


TABLES: Mapping[str, Callable[[], datasets.Dataset]] = {
    "huggan/wikiart/data/train-00000-of-00072.parquet": paintings,
}

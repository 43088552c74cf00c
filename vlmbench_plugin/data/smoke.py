"""The offline smoke set: the package's photographs, then a few drawn scenes."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from importlib import resources
from importlib.resources.abc import Traversable

from PIL import Image, ImageOps

from vlmbench_plugin.core import DIFFICULTIES, Case, Json, Packaged, Vocabulary
from vlmbench_plugin.data.synthetic import DrawnCases
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.settings import Settings

DRAWN_CASES = len(DIFFICULTIES)


def _folder() -> Traversable:
    return resources.files("vlmbench_plugin").joinpath("assets", "smoke")


def open_photo(name: str) -> Image.Image:
    """Decodes a packaged photograph as RGB, EXIF rotation applied.

    Raises:
        DataError: If the file is missing or no image.
    """
    try:
        with _folder().joinpath(name).open("rb") as file:
            return ImageOps.exif_transpose(Image.open(file)).convert("RGB")
    except OSError as error:
        raise DataError(
            f"expected a packaged photograph {name!r}, got {error}",
            hint="reinstall qwen-vlmbench; its package data are incomplete",
        ) from error


def _read_rows(category: str) -> list[dict[str, Json]]:
    path = _folder().joinpath(f"{category}.jsonl")
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, ValueError) as error:
        raise DataError(
            f"expected the packaged labels {path}, got {error}",
            hint="reinstall qwen-vlmbench; its package data are incomplete",
        ) from error


class SmokeCases:
    """A few cases of one task: photographs first, then one drawn scene per difficulty.

    Args:
        category: The task's name.
        source: What the smoke set holds for this task.
        settings: ``n`` caps the number of cases; ``seed`` seeds the drawn ones.
    """

    def __init__(self, category: str, source: Packaged, settings: Settings) -> None:
        self._category = category
        self._rows = _read_rows(category) if source.photos else []
        drawn = dataclasses.replace(settings, n=DRAWN_CASES, difficulty=DIFFICULTIES)
        self._drawn = DrawnCases(category, source.drawn, drawn)
        self._n = min(settings.n, len(self._rows) + DRAWN_CASES)
        self._vocabulary = _merge(source.drawn.vocabulary, source.vocabulary)

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: int, /) -> Case:
        if not 0 <= index < self._n:
            raise IndexError(f"expected a case from 0 to {self._n - 1}, got {index}")
        if index >= len(self._rows):
            case = self._drawn[index - len(self._rows)]
            return dataclasses.replace(case, index=index, vocabulary=self._vocabulary)
        row = self._rows[index]
        return Case(
            category=self._category,
            image_id=f"photo-{row['id']}",
            source="photo",
            index=index,
            size=(row["size"][0], row["size"][1]),
            truth=row["truth"],
            image=partial(open_photo, row["image"]),
            question=row["question"],
            vocabulary=self._vocabulary,
        )


def _merge(first: Vocabulary, second: Vocabulary) -> Vocabulary:
    keys = dict.fromkeys([*first, *second])
    return {key: tuple(dict.fromkeys([*first.get(key, ()), *second.get(key, ())])) for key in keys}

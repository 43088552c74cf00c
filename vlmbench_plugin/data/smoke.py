"""The offline smoke set: the package's photographs, then a few drawn scenes."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping
from functools import partial
from importlib import resources

from PIL import Image

from vlmbench_plugin.core import DIFFICULTIES, Case, Identity, Json, Vocabulary
from vlmbench_plugin.data.synthetic import DrawnCases
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.pictures import open_rgb
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.sources import Packaged

DRAWN_CASES = len(DIFFICULTIES)


def open_photo(name: str) -> Image.Image:
    """Decodes a packaged photograph as RGB, EXIF rotation applied.

    Raises:
        DataError: If the file is missing or no image.
    """
    return open_rgb(io.BytesIO(_read(name)), name)


def photo_vocabulary(category: str) -> Vocabulary | None:
    """The names that the photographs of one task add, by vocabulary key; None without photographs.

    Raises:
        DataError: If the packaged list of names is missing or malformed.
    """
    names = _parsed("vocabulary.json", _read("vocabulary.json")).get(category)
    return None if names is None else {key: tuple(value) for key, value in names.items()}


def _read(name: str) -> bytes:
    try:
        return resources.files("vlmbench_plugin").joinpath("assets", "smoke", name).read_bytes()
    except OSError as error:
        raise _incomplete(name, error) from error


def _parsed(name: str, text: bytes) -> Json:
    try:
        return json.loads(text)
    except ValueError as error:
        raise _incomplete(name, error) from error


def _incomplete(name: str, error: Exception) -> DataError:
    return DataError(
        f"expected the packaged file {name!r}, got {error}",
        hint="reinstall qwen-vlmbench; its package data are incomplete",
    )


def _read_rows(category: str) -> list[dict[str, Json]]:
    name = f"{category}.jsonl"
    return [_parsed(name, line) for line in _read(name).splitlines() if line]


class SmokeCases:
    """A few cases of one task: photographs first, then one drawn scene per difficulty.

    Args:
        category: The task's name.
        source: What the smoke set holds for this task.
        settings: ``n`` caps the number of cases; ``seed`` seeds the drawn ones.
    """

    def __init__(self, category: str, source: Packaged, settings: Settings) -> None:
        self._category = category
        added = photo_vocabulary(category)
        self._rows = [] if added is None else _read_rows(category)
        drawn = dataclasses.replace(settings, n=DRAWN_CASES, difficulty=DIFFICULTIES)
        self._drawn = DrawnCases(category, source.drawn, drawn)
        self._n = min(settings.n, len(self._rows) + DRAWN_CASES)
        self._vocabulary = _merge(source.drawn.vocabulary, added or {})

    def __len__(self) -> int:
        return self._n

    def describe(self) -> Mapping[str, Json]:
        """Returns what the manifest of a run says of these cases."""
        return {"source": "smoke", "photographs": min(self._n, len(self._rows))}

    def identity(self, index: int, /) -> Identity:
        """Returns what decides a case; no scene is built for it."""
        if len(self._rows) <= index < self._n:
            drawn = self._drawn.identity(index - len(self._rows))
            return dataclasses.replace(drawn, vocabulary=self._vocabulary)
        return self[index].identity

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

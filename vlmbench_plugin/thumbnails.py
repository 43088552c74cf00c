"""Small copies of the images, so that a report can be rebuilt without the data set."""

from __future__ import annotations

import io
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path

from PIL import Image

from vlmbench_plugin.data import CaseSource
from vlmbench_plugin.record import Record

FOLDER = "images"
"""In a results folder."""
MAX_SIDE = 512
"""Pixels of the longer side."""
MAX_PER_CATEGORY = 200


def thumbnails(
    records: Iterable[Record], sources: Mapping[str, CaseSource], have: Container[str] = ()
) -> Iterator[tuple[str, bytes]]:
    """Yields the file name and the PNG of each image that this run asked about.

    Args:
        records: Of the whole folder, in any order; those of other sources are left out.
        sources: Category -> its cases in this run.
        have: File names that exist already; an image is named by its case.

    Yields:
        A name such as ``ocr_text/drawn-0-easy-00007.png``, and the file's bytes.
    """
    wanted: dict[str, dict[int, str]] = {}
    for record in records:
        wanted.setdefault(record.category, {})[record.case_index] = record.image_id
    for category, cases in wanted.items():
        source = sources.get(category)
        if source is None:
            continue
        for index in sorted(cases)[:MAX_PER_CATEGORY]:
            name = file_name(category, cases[index])
            if name in have or index >= len(source) or source[index].image_id != cases[index]:
                continue
            yield name, _small(source[index].image())


def file_name(category: str, image_id: str) -> str:
    """Returns the name of an image's small copy, below the folder of them all."""
    return f"{category}/{image_id}.png"


def names(folder: Path) -> frozenset[str]:
    """Returns the names of the small copies that a results folder has."""
    images = folder / FOLDER
    return frozenset(path.relative_to(images).as_posix() for path in images.rglob("*.png"))


def reader(folder: Path) -> Callable[[str], bytes | None]:
    """Returns what reads a small copy of a results folder by its name; None where it has none.

    A name out of a record opens nothing but what lies in the folder of small copies.
    """
    have = names(folder)
    return lambda name: (folder / FOLDER / name).read_bytes() if name in have else None


def _small(image: Image.Image) -> bytes:
    copy = image.copy()
    copy.thumbnail((MAX_SIDE, MAX_SIDE))
    buffer = io.BytesIO()
    copy.save(buffer, format="PNG")
    return buffer.getvalue()

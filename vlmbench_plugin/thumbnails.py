"""Small copies of the images, so that a report can be rebuilt without the data set."""

from __future__ import annotations

import io
from collections.abc import Container, Iterable, Iterator, Mapping

from PIL import Image

from vlmbench_plugin.data import CaseSource
from vlmbench_plugin.record import Record

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


def _small(image: Image.Image) -> bytes:
    copy = image.copy()
    copy.thumbnail((MAX_SIDE, MAX_SIDE))
    buffer = io.BytesIO()
    copy.save(buffer, format="PNG")
    return buffer.getvalue()

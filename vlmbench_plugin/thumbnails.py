"""Small copies of the images, so that a report can be rebuilt without the data set."""

from __future__ import annotations

import hashlib
import io
import re
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

_LONGEST = 200
"""Bytes of a file's name, its ending left out: file systems take 255."""
_PLAIN = re.compile(r"[\w-][\w.-]{0,99}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def file_name(category: str, image_id: str) -> str:
    """Returns the name of an image's small copy, below the folder of them all.

    Names of a record from elsewhere may hold anything, such as ``../../x``: what is no plain name
    is told by its hash.
    """
    return f"{_plain(category)}/{_plain(image_id)}.png"


def _plain(name: str) -> str:
    if _PLAIN.fullmatch(name) and len(name.encode()) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{_UNSAFE.sub('-', name)[:40]}~{digest}"


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

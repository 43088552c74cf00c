"""One's own images and labels as cases: a folder per task, with a manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping
from functools import partial
from pathlib import Path

from vlmbench_plugin.core import Case, Identity, Json, VisionTask
from vlmbench_plugin.data.manifests import MANIFEST, Entry, read_manifest
from vlmbench_plugin.data.own_checks import outside
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.escapes import printable
from vlmbench_plugin.pictures import Picture, open_rgb
from vlmbench_plugin.settings import Settings

SOURCE = "own"


def own_categories(folder: Path) -> tuple[str, ...]:
    """Returns the names of the sub-folders that hold a manifest, sorted.

    Raises:
        DataError: If the folder cannot be read.
    """
    try:
        return tuple(sorted(path.name for path in folder.iterdir() if (path / MANIFEST).is_file()))
    except OSError as error:
        raise DataError(
            f"expected a folder of data, got {error}", hint=f"{folder}/<category>/{MANIFEST}"
        ) from error


def strangers(folder: Path, categories: Container[str]) -> tuple[str, ...]:
    """Returns the sub-folders with a manifest that are no category's, such as misspelt ones.

    Args:
        folder: The data folder.
        categories: The categories of all tasks, one's own among them.

    Raises:
        DataError: If the folder cannot be read.
    """
    return tuple(name for name in own_categories(folder) if name not in categories)


class LocalCases:
    """The cases of one's own manifest for one task, built one at a time when asked for.

    The order is that of a hash of seed and image id: an unbiased choice for every ``n``, which
    lines added later disturb as little as they can, and which takes the same images in every
    category that has them.

    Args:
        task: The task.
        settings: ``n``, ``seed`` and ``vocabulary`` are read.
        folder: The data folder; the manifest is ``<folder>/<category>/manifest.jsonl``.

    Raises:
        DataError: If any line is wrong, or its image missing: a run over broken truth would cost
            hours and mean nothing.
    """

    def __init__(self, task: VisionTask, settings: Settings, folder: Path) -> None:
        manifest = read_manifest(task, folder, settings.vocabulary)
        if manifest.problems:
            first, more = manifest.problems[0], len(manifest.problems) - 1
            raise DataError(
                f"{first} (and {more} more)" if more else str(first),
                hint="; ".join(filter(None, (first.hint, f"qwen-vlmbench data check {folder}"))),
            )
        self._task = task
        self._path = manifest.path
        self._lines = manifest.lines
        self._entries = sorted(
            manifest.entries,
            key=lambda entry: hashlib.sha256(f"{settings.seed}/{entry.image_id}".encode()).digest(),
        )[: settings.n]

    def __len__(self) -> int:
        return len(self._entries)

    def describe(self) -> Mapping[str, Json]:
        """Returns what the manifest of a run says of these cases."""
        return {"source": SOURCE, "path": self._path, "lines": self._lines}

    def identity(self, index: int, /) -> Identity | None:
        """Returns None: the bytes of the image are part of what decides a case."""
        return None

    def __getitem__(self, index: int, /) -> Case:
        if not 0 <= index < len(self):
            raise IndexError(f"expected a case from 0 to {len(self) - 1}, got {index}")
        entry = self._entries[index]
        case = case_of(self._task, entry, self._path, index)
        for fault in outside(entry.found, case.size):
            told = f"{self._path}:{entry.line}: {fault.args[0]}"
            raise DataError(printable(told), hint=fault.hint)
        return case


def case_of(task: VisionTask, entry: Entry, path: str, index: int) -> Case:
    """Returns the case of one line; reads the image's bytes, decodes no pixel.

    Args:
        task: The task.
        entry: The line.
        path: The manifest's name, for errors.
        index: The case's position.

    Raises:
        DataError: If the image cannot be read.
    """
    name = printable(f"{entry.image} ({path}:{entry.line})")
    try:
        encoded = entry.image.read_bytes()
    except OSError as error:
        raise DataError(f"expected an image, got {name}: {error}") from error
    digest = hashlib.sha256(entry.canonical.encode() + b"\0" + encoded)
    return Case(
        category=task.category,
        image_id=entry.image_id,
        source=SOURCE,
        index=index,
        size=Picture(encoded, name).size(),
        truth=entry.truth,
        image=partial(open_rgb, entry.image, name),
        question=entry.question,
        vocabulary=entry.vocabulary,
        revision=digest.hexdigest()[:16],
    )

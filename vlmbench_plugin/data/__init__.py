"""Where cases come from: one protocol, one module per kind of source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from vlmbench_plugin.core import Case, Identity, Json, VisionTask
from vlmbench_plugin.data.local import LocalCases, own_categories
from vlmbench_plugin.data.public import PublicCases
from vlmbench_plugin.data.smoke import SmokeCases
from vlmbench_plugin.data.synthetic import DrawnCases
from vlmbench_plugin.errors import DataError, UnknownNameError
from vlmbench_plugin.settings import OWN, Settings
from vlmbench_plugin.sources import Drawn, Packaged, Public

DATASETS: tuple[str, ...] = ("smoke", "synthetic", "full", "real")
MIRRORED: tuple[str, ...] = ("full", "real")
"""Those whose public tables a local mirror may hold."""


class CaseSource(Protocol):
    """A lazily built sequence of cases: its length is known without drawing or decoding."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Case: ...

    def identity(self, index: int, /) -> Identity | None:
        """Returns ``self[index].identity``; None where telling it takes building the case."""
        ...

    def describe(self) -> Mapping[str, Json]:
        """Returns what the manifest says of these cases: where they come from, what was left out.

        ``left_out``, where there is one, maps a reason to how many rows it kept out.
        """
        ...


def load_cases(task: VisionTask, settings: Settings) -> CaseSource:
    """Returns the cases of one task without drawing or decoding any image.

    Case k is the same whatever ``settings.n`` is.

    Args:
        task: The task.
        settings: ``dataset``, ``data_dir``, ``n``, ``seed`` and ``difficulty`` are read.

    Raises:
        UnknownNameError: If the task has no such data set.
        DataError: If the data set's files are missing or malformed.
    """
    if settings.dataset == OWN:
        return LocalCases(task, settings, own_folder(settings))
    source = task.ground_truth.get(settings.dataset)
    match source:
        case Drawn():
            return DrawnCases(task.category, source, settings)
        case Packaged():
            return SmokeCases(task.category, source, settings)
        case Public():
            return PublicCases(task.category, source, settings)
        case None:
            raise UnknownNameError(
                f"data set of {task.category}", settings.dataset, tuple(sorted(task.ground_truth))
            )


def lacking(task: VisionTask, settings: Settings) -> str | None:
    """Returns why a task has no cases in the data set that was asked for; None where it has."""
    if settings.dataset == OWN:
        folder = own_folder(settings)
        has = task.category in own_categories(folder)
        return None if has else f"no <category>/manifest.jsonl in {folder}"
    source = task.ground_truth.get(settings.dataset)
    if source is None:
        return f"no {settings.dataset} images"
    if isinstance(source, Public) and settings.data_dir is None:
        return source.table.lacks
    return None


def own_folder(settings: Settings) -> Path:
    """Returns the folder of one's own data.

    Raises:
        DataError: If none was given.
    """
    if settings.data_dir is None:
        raise DataError("your own data need a folder", hint="--data-dir DIR")
    return Path(settings.data_dir)

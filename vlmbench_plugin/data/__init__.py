"""Where cases come from: one protocol, one module per kind of source."""

from __future__ import annotations

from typing import Protocol

from vlmbench_plugin.core import Case, Drawn, VisionTask
from vlmbench_plugin.data.smoke import SmokeCases
from vlmbench_plugin.data.synthetic import DrawnCases
from vlmbench_plugin.errors import UnknownNameError
from vlmbench_plugin.settings import Settings

DATASETS: tuple[str, ...] = ("smoke", "synthetic")


class CaseSource(Protocol):
    """A lazily built sequence of cases: its length is known without drawing or reading."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Case: ...


def load_cases(task: VisionTask, settings: Settings) -> CaseSource:
    """Returns the cases of one task without drawing or decoding any image.

    Case k is the same whatever ``settings.n`` is.

    Args:
        task: The task.
        settings: ``dataset``, ``n``, ``seed`` and ``difficulty`` are read.

    Raises:
        UnknownNameError: If the task has no such data set.
        DataError: If the data set's files are missing or malformed.
    """
    source = task.ground_truth.get(settings.dataset)
    if source is None:
        raise UnknownNameError(
            f"data set of {task.category}", settings.dataset, tuple(sorted(task.ground_truth))
        )
    if isinstance(source, Drawn):
        return DrawnCases(task.category, source, settings)
    return SmokeCases(task.category, source, settings)

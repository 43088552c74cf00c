"""The most memory that a model took."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from vlmbench_plugin.core import Json

MB = 1_000_000
UNKNOWN: dict[str, Json] = {"peak_gpu_mb": None, "peak_resident_mb": None}


class PeakMemory:
    """Measures from its making on. Figures are in units of 1,000,000 bytes, rounded up.

    Args:
        cuda: ``torch.cuda`` where the model is on cards, else None.
        resident: Returns the process's peak since it began, in bytes.
    """

    def __init__(self, cuda: Any, resident: Callable[[], int | None] | None = None) -> None:
        self._cuda = cuda
        self._resident = resident or peak_resident_bytes
        self._before = self._resident()
        for card in range(cuda.device_count() if cuda is not None else 0):
            cuda.reset_peak_memory_stats(card)

    @classmethod
    def of(cls, device: Any) -> PeakMemory:
        """Measures on the cards where a torch device is one."""
        import torch

        return cls(torch.cuda if device.type == "cuda" else None)

    def facts(self) -> dict[str, Json]:
        """The peaks; None where a figure is not known.

        A process's own peak is never reset: where an earlier model of the same process took more,
        that of this one is unknown.
        """
        resident = self._resident()
        gpu = None
        if self._cuda is not None:
            cards = range(self._cuda.device_count())
            gpu = _mb(sum(self._cuda.max_memory_allocated(card) for card in cards))
        rose = resident is not None and resident > (self._before or 0)
        return {"peak_gpu_mb": gpu, "peak_resident_mb": _mb(resident or 0) if rose else None}


def peak_resident_bytes() -> int | None:
    """The most main memory that this process had since it began; None where it is not told."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else found * 1024


def _mb(size: int) -> int:
    return -(-size // MB)

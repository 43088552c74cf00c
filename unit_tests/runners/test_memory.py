"""The peak of a model, by a made-up card and a made-up process."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlmbench_plugin.runners._memory import PeakMemory, peak_resident_bytes


class Cuda:
    """Two cards whose counters begin with what an earlier model took."""

    def __init__(self) -> None:
        self.peaks = [9_000_000_000, 8_000_000_000]

    def device_count(self) -> int:
        return len(self.peaks)

    def reset_peak_memory_stats(self, card: int) -> None:
        self.peaks[card] = 0

    def max_memory_allocated(self, card: int) -> int:
        return self.peaks[card]


def test_the_cards_of_a_model_add_up() -> None:
    cuda = Cuda()
    peak = PeakMemory(cuda, lambda: None)
    cuda.peaks = [1_000_000, 2_000_001]
    assert peak.facts() == {"peak_gpu_mb": 4, "peak_resident_mb": None}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [(100, 5_000_000, 5), (100, 5_000_001, 6), (5_000_000, 5_000_000, None), (None, None, None)],
)
def test_what_an_earlier_model_took_is_not_this_ones(
    before: int | None, after: int | None, told: int | None
) -> None:
    figures = iter([before, after])
    assert PeakMemory(None, lambda: next(figures)).facts() == {
        "peak_gpu_mb": None,
        "peak_resident_mb": told,
    }


def test_a_process_knows_its_own_peak() -> None:
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("the kernel's own figure is only on Linux")

    def kernels() -> int:
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    before, told, after = kernels(), peak_resident_bytes(), kernels()
    assert told is not None
    assert before <= told + 1_000_000
    assert told <= after + 1_000_000

"""Reading the lines of a results file that may hold anything: lines without end, or garbage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

MAX_LINE = 16 * 2**20
"""Bytes of the longest line that is kept; 8,192 tokens of the longest kind take 1 MB of JSON."""
_SHOWN = 20
"""So many places of damaged lines are named."""


def bounded_lines(file: IO[bytes]) -> Iterator[tuple[bytes | None, int, bool]]:
    """Yields the lines of a file, none of which takes more memory than ``MAX_LINE`` bytes.

    Yields:
        The line, None for a longer one; its length in bytes; whether it has an end.
    """
    while line := file.readline(MAX_LINE):
        part, size = line, len(line)
        while not part.endswith(b"\n") and (part := file.readline(MAX_LINE)):
            size += len(part)
        yield line if size == len(line) else None, size, part.endswith(b"\n")


@dataclass(slots=True)
class _Run:
    """Damaged lines in a row: numbers of the first and the last, bytes before them and of them."""

    first: int
    last: int
    start: int
    size: int


@dataclass(slots=True)
class Damaged:
    """Where the lines are that are no records; their content stays in the file."""

    _runs: list[_Run] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self._runs)

    def add(self, number: int, start: int, size: int) -> None:
        """Remembers one line; a million in a row take no more memory than one.

        Args:
            number: Its number, from 1, higher than those before.
            start: Bytes of the file before it.
            size: Its own bytes.
        """
        if self._runs and self._runs[-1].last == number - 1:
            self._runs[-1].last = number
            self._runs[-1].size += size
        else:
            self._runs.append(_Run(number, number, start, size))

    def copied(self, path: Path) -> Iterator[bytes]:
        """Yields the lines as they stand in their file, piece by piece."""
        with path.open("rb") as file:
            for run in self._runs:
                file.seek(run.start)
                left = run.size
                while left and (piece := file.read(min(left, MAX_LINE))):
                    left -= len(piece)
                    yield piece

    def numbers(self) -> str:
        """Returns the lines' numbers as ``2, 5-9``; of many the first."""
        shown = [
            str(run.first) if run.first == run.last else f"{run.first}-{run.last}"
            for run in self._runs[:_SHOWN]
        ]
        more = sum(run.last - run.first + 1 for run in self._runs[_SHOWN:])
        return ", ".join(shown) + (f" and {more} more" if more else "")

"""Rows of parquet files by position, each row group read once and only the columns wanted."""

from __future__ import annotations

import bisect
import contextlib
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

_CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """One file, of which the footer was read.

    Attributes:
        path: A local path, or an address that ``fsspec`` knows.
        metadata: The footer, a ``pyarrow.parquet.FileMetaData``.
    """

    path: str
    metadata: Any

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return list(self.metadata.schema.to_arrow_schema().names)


def read_footers(paths: Sequence[str]) -> list[ParquetFile]:
    """Reads the footers of files, several at a time: a table may have a hundred files."""
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        return list(pool.map(_footer, paths))


def _footer(path: str) -> ParquetFile:
    with _opened(path) as file:
        return ParquetFile(path, file.metadata)


@contextlib.contextmanager
def _opened(path: str, metadata: Any = None) -> Iterator[Any]:
    import fsspec.core
    import pyarrow.parquet

    files, name = fsspec.core.url_to_fs(path)
    # pyarrow knows which ranges it wants, and joins neighbours; the 5 MB that fsspec would read
    # ahead each time are thrown away with the buffer.
    with files.open(name, "rb", cache_type="none") as file:
        yield pyarrow.parquet.ParquetFile(file, metadata=metadata, pre_buffer=True)


class ParquetRows:
    """All rows of several files, numbered through.

    Args:
        files: The files in order.
        columns: The columns to read.

    Attributes:
        count: How many rows there are.
    """

    def __init__(self, files: Sequence[ParquetFile], columns: Sequence[str]) -> None:
        self._columns = list(columns)
        self._groups = [
            (file, group) for file in files for group in range(file.metadata.num_row_groups)
        ]
        counts = [file.metadata.row_group(group).num_rows for file, group in self._groups]
        self._starts = list(itertools.accumulate(counts, initial=0))
        self.count = self._starts[-1]

    def by_group(self, positions: Sequence[int]) -> Iterator[list[int]]:
        """Yields positions in ascending order, those of one row group together."""

        def group_of(position: int) -> int:
            return bisect.bisect_right(self._starts, position) - 1

        for _, members in itertools.groupby(sorted(positions), key=group_of):
            yield list(members)

    def take(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        """Reads rows of one row group, as stored."""
        number = bisect.bisect_right(self._starts, positions[0]) - 1
        offsets = [position - self._starts[number] for position in positions]
        file, group = self._groups[number]
        with _opened(file.path, file.metadata) as opened:
            rows = opened.read_row_group(group, columns=self._columns).take(offsets)
        stored: list[dict[str, Any]] = rows.to_pylist()
        return stored

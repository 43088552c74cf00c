"""Rows of parquet files by position, each row group read once and only the columns wanted."""

from __future__ import annotations

import bisect
import contextlib
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

_CONNECTIONS = 8
_NEIGHBOURS = 65_536
"""Ranges that lie at most this many bytes apart are read as one."""

Range: TypeAlias = tuple[int, int]
"""First byte, and the byte after the last."""


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
def _opened(path: str, metadata: Any = None, ranges: Sequence[Range] = ()) -> Iterator[Any]:
    """Opens a file.

    Args:
        path: As in ``ParquetFile``.
        metadata: Its footer, if that is known.
        ranges: What will be read of it: fetched at once.
    """
    import fsspec.core
    import pyarrow.parquet

    files, name = fsspec.core.url_to_fs(path)
    # Without a cache fsspec reads no 5 MB ahead. pyarrow would join ranges by itself (pre_buffer),
    # in threads of its own that call back into Python: one of them alive at the interpreter's end
    # aborts the process.
    with files.open(name, "rb", cache_type="none") as plain:
        if not ranges:
            yield pyarrow.parquet.ParquetFile(plain, metadata=metadata, pre_buffer=False)
            return
        fetched = {}
        for begin, end in ranges:
            plain.seek(begin)
            fetched[begin, end] = plain.read(end - begin)
    parts = {"data": fetched, "strict": True}
    with files.open(name, "rb", cache_type="parts", cache_options=parts) as file:
        yield pyarrow.parquet.ParquetFile(file, metadata=metadata, pre_buffer=False)


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
        ranges = _ranges(file.metadata.row_group(group), self._columns)
        with _opened(file.path, file.metadata, ranges) as opened:
            table = opened.read_row_group(group, columns=self._columns, use_threads=False)
        stored: list[dict[str, Any]] = table.take(offsets).to_pylist()
        return stored


def _ranges(group: Any, columns: Sequence[str]) -> list[Range]:
    """Returns the bytes of a row group's columns, neighbours joined.

    Args:
        group: A ``pyarrow.parquet.RowGroupMetaData``.
        columns: The columns wanted; each may be stored as several.
    """
    found: list[Range] = []
    for number in range(group.num_columns):
        chunk = group.column(number)
        if chunk.path_in_schema.partition(".")[0] not in columns:
            continue
        begin = chunk.dictionary_page_offset or chunk.data_page_offset
        end = begin + chunk.total_compressed_size
        if found and begin - found[-1][1] <= _NEIGHBOURS:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return found

"""Rows of public tables as cases, chosen by seed from the whole table."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from PIL import Image

from vlmbench_plugin.core import Case, Identity, Json
from vlmbench_plugin.data import hub
from vlmbench_plugin.data.mirrors import Mirror, find_mirror
from vlmbench_plugin.data.rows import Index, RowCache
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.pictures import open_rgb
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.sources import Joined, Labelled, LeftOut, Public, Row, Table

SMALLEST_BATCH = 64


def in_seeded_order(rows: int, seed: str) -> Iterator[int]:
    """Yields every number below ``rows`` once, each order being equally likely.

    A Fisher-Yates shuffle that is carried out as far as it is read: the first positions are the
    same whatever number of them is wanted, and a table of millions costs no more than a small one.
    """
    rng = random.Random(seed)
    moved: dict[int, int] = {}
    for place in range(rows):
        drawn = rng.randrange(place, rows)
        yield moved.get(drawn, drawn)
        moved[drawn] = moved.pop(place, place)


class TableRows:
    """A table's rows in seeded order, from the cache as far as it holds them.

    All tasks that read one table walk it in the same order, so that a row is downloaded once. What
    the cache lacks is downloaded in batches, by one process at a time.

    Args:
        table: The table.
        settings: ``data_dir``, ``seed`` and ``n`` are read.

    Attributes:
        index: The commit, the split and the number of rows.

    Raises:
        DataError: If the table cannot be found or does not hold what it should.
        MissingExtraError: If something must be downloaded and ``datasets`` is not installed.
    """

    def __init__(self, table: Table, settings: Settings) -> None:
        self._table = table
        self._mirrors = _mirrors(table, settings.data_dir)
        self._cache = RowCache(table, tuple(mirror.revision() for mirror in self._mirrors))
        self._order = f"{settings.seed}/{table.name}"
        self._limit = max(1000, 20 * settings.n)
        self._batch = max(SMALLEST_BATCH, 2 * settings.n)
        self._opened: hub.HubTable | None = None
        self.index = self._cache.index() or self._first_index()

    def __iter__(self) -> Iterator[tuple[int, Row | LeftOut]]:
        """Yields position and row: at most 1000 of them, or twenty for each case wanted."""
        order = in_seeded_order(self.index.rows, self._order)
        positions = list(itertools.islice(order, self._limit))
        for place, position in enumerate(positions):
            row = self._cache.get(self.index, position)
            if row is None:
                # Batches begin at fixed places: after a kill the rest is read, and no row more.
                start = place - place % self._batch
                row = self._fetched(position, positions[start : start + self._batch])
            yield position, row if isinstance(row, LeftOut) else {**row, **self.index.files}

    def _first_index(self) -> Index:
        with self._cache.locked():
            index = self._cache.index()
            if index is None:
                self._opened = hub.open_table(self._table, self._mirrors)
                index = self._opened.index
                self._cache.keep_index(index)
        return index

    def _fetched(self, wanted: int, batch: list[int]) -> Row | LeftOut:
        """Stores what is lacking of a batch and returns one row of it."""
        with self._cache.locked():
            # Another process may have stored them while this one waited.
            lacking = [p for p in batch if self._cache.get(self.index, p) is None]
            if lacking:
                if self._opened is None:
                    self._opened = hub.open_table(self._table, self._mirrors, known=self.index)
                for position, row in self._opened.read(lacking):
                    self._cache.put(self.index, position, row)
        # Read back even by the process that stored it: the same values in every run.
        stored = self._cache.get(self.index, wanted)
        if stored is None:
            raise DataError(
                f"expected row {wanted} of {self._table.title} in {self._cache.folder} after it "
                "was written, got nothing that can be read",
                hint="check that disk, or set VLMBENCH_CACHE to a folder on another",
            )
        return stored


def _mirrors(table: Table, data_dir: str | None) -> tuple[Mirror, ...]:
    if data_dir is not None:
        tables: list[Table | Joined] = [table, table.joined] if table.joined else [table]
        return tuple(find_mirror(one, Path(data_dir)) for one in tables)
    if table.lacks is not None:
        raise DataError(
            f"expected {table.title} on the hub to serve, but {table.lacks}",
            hint="give a local copy that does with --data-dir DIR, in "
            f"DIR/{table.hub_ids[0]}, or leave this task out",
        )
    return ()


class PublicCases:
    """The cases of one task from a public table.

    Case k is the same whatever ``settings.n`` is. Fewer than n are there if the table ends, or if
    1000 rows, or twenty for each case wanted, gave no more.

    Args:
        category: The task's name.
        source: The table, and what makes a case of a row.
        settings: ``n``, ``seed`` and ``data_dir`` are read.

    Attributes:
        left_out: Reason -> number of rows that were looked at and make no case.

    Raises:
        DataError: If the table cannot be read, contradicts what it is known to hold, or has no
            case at all.
        MissingExtraError: If something must be downloaded and ``datasets`` is not installed.
    """

    left_out: Mapping[str, int]

    def __init__(self, category: str, source: Public, settings: Settings) -> None:
        rows = TableRows(source.table, settings)
        reasons: Counter[str] = Counter()
        self._index = rows.index
        self._cases: list[Case] = []
        seen: set[str] = set()
        for position, row in rows:
            seed = f"{settings.seed}/{source.table.name}/{category}/{position}"
            labelled = row if isinstance(row, LeftOut) else _adapted(source, row, position, seed)
            if isinstance(labelled, Labelled) and labelled.image_id in seen:
                # One image under two labels: its records could not be told apart.
                labelled = LeftOut("an image seen before")
            if isinstance(labelled, LeftOut):
                reasons[labelled.reason] += 1
                continue
            seen.add(labelled.image_id)
            index = len(self._cases)
            self._cases.append(_case(category, source, labelled, rows.index.revision, index))
            if len(self._cases) == settings.n:
                break
        self.left_out = MappingProxyType(dict(reasons))
        if not self._cases:
            raise _no_cases(category, source.table, rows.index, reasons)

    def __len__(self) -> int:
        return len(self._cases)

    def describe(self) -> Mapping[str, Json]:
        """Returns what the manifest of a run says of these cases."""
        return {
            "source": self._cases[0].source,
            "hub_id": self._index.hub_id,
            "revision": self._index.revision,
            "split": self._index.split,
            "rows": self._index.rows,
            "left_out": dict(self.left_out),
        }

    def identity(self, index: int, /) -> Identity:
        """Returns what decides a case."""
        return self[index].identity

    def __getitem__(self, index: int, /) -> Case:
        if not 0 <= index < len(self):
            raise IndexError(f"expected a case from 0 to {len(self) - 1}, got {index}")
        return self._cases[index]


def _adapted(source: Public, row: Row, position: int, seed: str) -> Labelled | LeftOut:
    try:
        return source.adapt(row, random.Random(seed))
    except DataError as error:
        message = f"{source.table.title}, row {position}: {error.args[0]}"
        raise DataError(message, hint=error.hint) from error


def _case(category: str, source: Public, labelled: Labelled, revision: str, index: int) -> Case:
    return Case(
        category=category,
        image_id=labelled.image_id,
        source=source.table.name,
        index=index,
        size=labelled.size,
        truth=labelled.truth,
        # The picture's name is its file in the cache: the bytes of a thousand photographs would
        # stay in memory otherwise, in every worker.
        image=partial(_shown, Path(labelled.image.name), labelled.view),
        question=labelled.question,
        vocabulary=source.vocabulary,
        revision=revision,
    )


def _shown(path: Path, view: Callable[[Image.Image], Image.Image] | None) -> Image.Image:
    image = open_rgb(path, str(path))
    return view(image) if view else image


def _no_cases(category: str, table: Table, index: Index, reasons: Mapping[str, int]) -> DataError:
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    return DataError(
        f"expected a case of {category} in {table.title} (split {index.split!r} of "
        f"{index.hub_id}, {index.rows} rows), got none; left out: {counts or 'nothing'}",
        hint="if a local copy is read, check that it is that split; else report this: the table "
        "may have changed",
    )

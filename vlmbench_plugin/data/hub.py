"""Rows of parquet tables on a hub or in a local copy of one, read by position.

``datasets`` says which files make up a split, and which columns are images and named classes.
The rows themselves are read with ``pyarrow``, one row group at a time and only the columns that
are wanted, because streaming through ``datasets`` (5.2.0) cannot choose rows evenly at that cost:
``IterableDataset.shuffle`` mixes within a buffer, so that rows come from the first files alone, and
``reshard().shard(k, i)`` does reach a row group but does not tell how many rows it holds, without
which no row is as likely as another; it also reads a file's footer anew for every row group.

Nothing here is imported before a row is wanted that the cache lacks. A token, if one is needed, is
the one that ``hf auth login`` stored.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from vlmbench_plugin.core import Json
from vlmbench_plugin.data.columns import read_row
from vlmbench_plugin.data.hub_errors import REMOTE, REPORT, Source, explained
from vlmbench_plugin.data.mirrors import Mirror
from vlmbench_plugin.data.parquet import ParquetFile, ParquetRows, read_footers
from vlmbench_plugin.data.rows import Index
from vlmbench_plugin.errors import DataError, MissingExtraError
from vlmbench_plugin.sources import Joined, LeftOut, Row, Table


class HubTable:
    """An opened table. Made by ``open_table``.

    Attributes:
        index: Where it was found, and how many rows it has.
    """

    def __init__(self, join: Joined | None, index: Index, splits: Sequence[_Split]) -> None:
        self._join = join
        self.index = index
        self._main, *self._joined = splits

    def read(self, positions: Sequence[int]) -> Iterator[tuple[int, Row | LeftOut]]:
        """Reads rows, each row group once; in order of position, whatever the order asked for.

        A row without an image, with one that cannot be decoded, or without its partner in the
        joined table is a ``LeftOut``.

        Raises:
            DataError: If a file cannot be read.
        """
        join = self._join
        partners = self._partners(join.key) if join else {}
        for position, row in self._main.read(positions):
            if join is None or isinstance(row, LeftOut):
                yield position, row
            elif row[join.key] in partners:
                yield position, {**row, join.name: partners[row[join.key]]}
            else:
                yield position, LeftOut(f"no partner in {join.name!r}")

    def _partners(self, key: str) -> dict[Any, Row]:
        """Reads the joined table, which has no pixels, as a whole."""
        rows = (row for split in self._joined for _, row in split.read(range(split.parquet.count)))
        return {row[key]: row for row in rows if not isinstance(row, LeftOut)}


def open_table(
    table: Table, mirrors: Sequence[Mirror] = (), *, known: Index | None = None
) -> HubTable:
    """Finds a table and reads how many rows each row group of the wanted split has.

    Args:
        table: The table.
        mirrors: Local copies of it and of its joined table; none for the hub.
        known: What it was found to be earlier; the same commits are opened again.

    Raises:
        DataError: If it cannot be found, or holds no such split or column.
        MissingExtraError: If ``datasets`` is not installed.
    """
    parts: list[Table | Joined] = [table, table.joined] if table.joined else [table]
    if mirrors:
        sources = [Source.local(mirror) for mirror in mirrors]
    else:
        pinned = known.revisions if known else tuple(part.revision for part in parts)
        sources = [_on_hub(part, commit) for part, commit in zip(parts, pinned, strict=True)]
    splits = [_open_split(*pair) for pair in zip(parts, sources, strict=True)]
    if known and known.rows != splits[0].parquet.count:
        raise DataError(
            f"expected {known.rows} rows in {sources[0].path}, as the cache says, got "
            f"{splits[0].parquet.count}",
            hint="the cache is damaged: remove its folder of that table (VLMBENCH_CACHE)",
        )
    index = known or Index(
        hub_id=sources[0].hub_id,
        revisions=tuple(source.revision for source in sources),
        split=splits[0].name,
        rows=splits[0].parquet.count,
        files={name: _small_file(name, sources[0]) for name in table.files},
    )
    return HubTable(table.joined, index, splits)


@dataclass(frozen=True, slots=True)
class _Split:
    """One split: its name, its rows, and what their columns are (``datasets.Features.to_dict``)."""

    name: str
    source: Source
    parquet: ParquetRows
    features: Mapping[str, Json]

    def read(self, positions: Sequence[int]) -> Iterator[tuple[int, Row | LeftOut]]:
        for members in self.parquet.by_group(positions):
            with explained(self.source):
                stored = self.parquet.take(members)
            for position, values in zip(members, stored, strict=True):
                yield position, read_row(values, self.features)


def _on_hub(table: Table | Joined, revision: str | None) -> Source:
    """Returns the first of a table's ids that the hub knows, with its commit in full."""
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import RepositoryNotFoundError
    except ImportError as error:
        raise MissingExtraError(f"data set {table.name!r} on the hub", "hub", error) from error
    for hub_id in table.hub_ids:
        with explained(Source(hub_id, revision or "main", hub_id, f"{REMOTE}{hub_id}")):
            try:
                commit = HfApi().dataset_info(hub_id, revision=revision).sha
            except RepositoryNotFoundError:
                continue
        return Source(hub_id, commit, hub_id, f"{REMOTE}{hub_id}@{commit}")
    raise DataError(
        f"expected the data set {table.name!r} on the hub, found none that is open to you under "
        f"{', '.join(table.hub_ids)}",
        hint=f"if you must ask for access, do so and run `hf auth login`; else {REPORT}",
    )


def _open_split(table: Table | Joined, source: Source) -> _Split:
    try:
        import datasets
        import pyarrow.parquet  # noqa: F401 (reported together with `datasets`)
    except ImportError as error:
        raise MissingExtraError(f"data set {table.name!r}", "hub", error) from error
    with explained(source), tempfile.TemporaryDirectory() as scratch:
        # A cache folder of its own: else a table that `datasets` once converted for another
        # program would be taken for the hub's.
        builder = datasets.load_dataset_builder(
            source.path,
            name=table.config,
            revision=None if source.mirrored else source.revision,
            cache_dir=scratch,
            **(_partial_copy(Path(source.base), table.config) if source.mirrored else {}),
        )
        found = {split: list(files) for split, files in builder.config.data_files.items()}
        split = _first_of(table, source, list(found))
        if source.mirrored:
            _refuse_strangers(found[split], source)
        files = read_footers(found[split])
        stored = datasets.Features.from_arrow_schema(files[0].metadata.schema.to_arrow_schema())
    columns = _columns(table)
    for file in files:
        _check_columns(columns, file, source)
    # What the card says comes first: a file that other programs wrote names no classes.
    features = {**stored.to_dict(), **(builder.info.features or stored).to_dict()}
    return _Split(split, source, ParquetRows(files, columns), features)


def _refuse_strangers(files: Sequence[str], source: Source) -> None:
    """Refuses files outside of a local copy, which the copy's own card may name."""
    for file in files:
        # Links have been looked at (mirrors.py); those inside the data folder are followed.
        if not Path(os.path.normpath(file)).is_relative_to(source.base):
            raise DataError(
                f"expected files inside {source.base}, got {file!r:.200}, which it names",
                hint="copy the table again, as it is on the hub",
            )


def _columns(table: Table | Joined) -> list[str]:
    """Returns the columns to read, the key of a join among them."""
    join = table if isinstance(table, Joined) else table.joined
    return list(dict.fromkeys([*table.columns, *([join.key] if join else [])]))


def _partial_copy(folder: Path, config: str | None) -> dict[str, Any]:
    """Returns arguments that make ``datasets`` take a copy that lacks files which its card names.

    A copy of one split is all that is needed, but ``datasets`` insists on every split, and on the
    card's first configuration; told which files to take, it no longer reads from the card what the
    columns are, so that is told too. Empty where the card names no files: then their names tell.
    """
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCard

    path = folder / "README.md"
    if not path.is_file():
        return {}
    card = DatasetCard.load(path).data
    configs = card.to_dict().get("configs") or []
    for pattern in _texts(configs):
        if "://" in pattern or PurePosixPath(pattern).is_absolute() or ".." in pattern.split("/"):
            raise DataError(
                f"expected names of files inside {folder}, got {pattern!r:.80} in its card",
                hint="copy the table again, as it is on the hub",
            )
    default = [entry for entry in configs if len(configs) == 1 or entry.get("default")]
    chosen = [entry for entry in configs if entry["config_name"] == (config or "default")]
    for entry in chosen or (default if config is None else []):
        files = entry.get("data_files")
        if not isinstance(files, list) or not all(isinstance(item, dict) for item in files):
            return {}
        here = [item for item in files if _any_file(folder, item["path"])]
        info = DatasetInfosDict.from_dataset_card_data(card).get(entry["config_name"])
        if here:
            patterns = {item["split"]: item["path"] for item in here}
            return {"data_files": patterns, "features": info and info.features}
    return {}


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _any_file(folder: Path, patterns: str | list[str]) -> bool:
    listed = [patterns] if isinstance(patterns, str) else patterns
    return any(any(folder.glob(pattern)) for pattern in listed)


def _first_of(table: Table | Joined, source: Source, splits: Sequence[str]) -> str:
    for split in table.splits:
        if split in splits:
            return split
    raise DataError(
        f"expected a split {' or '.join(map(repr, table.splits))} in {source.path}, "
        f"got {', '.join(map(repr, splits))}",
        hint="copy that split's files too" if source.mirrored else REPORT,
    )


def _check_columns(columns: Sequence[str], file: ParquetFile, source: Source) -> None:
    there = file.columns
    missing = [name for name in columns if name not in there]
    if missing:
        raise DataError(
            f"expected a column {missing[0]!r} in {source.path} "
            f"({file.path.rpartition('/')[2]}), got {', '.join(map(repr, there))}",
            hint="copy the table again, as it is on the hub" if source.mirrored else REPORT,
        )


def _small_file(name: str, source: Source) -> Json:
    import fsspec

    with explained(source), fsspec.open(f"{source.base}/{name}", "rb") as file:
        return json.loads(file.read())

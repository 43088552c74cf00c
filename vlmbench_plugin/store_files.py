"""``results.jsonl`` as bytes: reading it whole, and bringing a damaged one in order."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from vlmbench_plugin.errors import StoreError
from vlmbench_plugin.record import FORMAT_VERSION, Record
from vlmbench_plugin.result_lines import Damaged, bounded_lines

RESULTS = "results.jsonl"
STALE = "stale.jsonl"
CORRUPT = "corrupt.jsonl"

Item: TypeAlias = tuple[str, str, str, str, str, str]
"""Model, reasoning, category, mode, source and image id: what a folder holds one record of."""


@dataclass(slots=True, kw_only=True)
class Loaded:
    """What a ``results.jsonl`` holds.

    Attributes:
        records: Of each item the last record.
        replaced: Those that were followed by another of their item.
        damaged: Where the lines are that are no record.
        torn: Bytes of a last line that is cut off.
        whole: Bytes before it.
        open_end: Whether the last line is a record that lacks nothing but its newline.
    """

    records: dict[Item, Record] = field(default_factory=dict)
    replaced: list[Record] = field(default_factory=list)
    damaged: Damaged = field(default_factory=Damaged)
    torn: int = 0
    whole: int = 0
    open_end: bool = False

    def put(self, record: Record) -> None:
        """Makes ``record`` the one of its item; an earlier one joins ``replaced``."""
        earlier = self.records.get(item_of(record))
        if earlier is not None:
            self.replaced.append(earlier)
        self.records[item_of(record)] = record

    def stale(self) -> Iterator[tuple[Record, Record]]:
        """Yields each replaced record of another fingerprint, and the one that stands instead.

        The others were errors, or were scored again: nothing is lost by them.
        """
        for earlier in self.replaced:
            now = self.records[item_of(earlier)]
            if earlier.key != now.key and earlier.status != "error":
                yield earlier, now


def item_of(record: Record) -> Item:
    """Returns which item a record is of."""
    asked = record.model, record.reasoning, record.category, record.mode
    return *asked, record.source, record.image_id


def line_of(record: Record) -> bytes:
    """Returns the line of a record, its newline included."""
    return record.to_json().encode() + b"\n"


def load(path: Path) -> Loaded:
    """Reads a ``results.jsonl``; one that is not there is empty.

    Raises:
        StoreError: If a line is of a newer format version.
        OSError: If it cannot be read.
    """
    loaded = Loaded()
    if not path.exists():
        return loaded
    with path.open("rb") as file:
        for number, (line, size, ended) in enumerate(bounded_lines(file), 1):
            record = None if line is None else _read_line(line)
            if not ended:
                # No part of a JSON object is one: a record here lacks its newline alone.
                if record is None:
                    loaded.torn = size
                    break
                loaded.open_end = True
            if record is None:
                loaded.damaged.add(number, loaded.whole, size)
            else:
                loaded.put(record)
            loaded.whole += size
    return loaded


def _read_line(line: bytes) -> Record | None:
    """Returns the record, or None for a damaged line; raises StoreError for a newer version."""
    try:
        return Record.from_json(line.decode())
    except (UnicodeDecodeError, StoreError):
        version = _version_of(line)
        if version is None or version <= FORMAT_VERSION:
            return None
        raise


def _version_of(line: bytes) -> int | None:
    with contextlib.suppress(ValueError, RecursionError):
        values = json.loads(line)
        if isinstance(values, dict) and isinstance(values.get("format_version"), int):
            return int(values["format_version"])
    return None


def repair(folder: Path, loaded: Loaded) -> list[str]:
    """Ends the file of a killed run in a whole line, and copies damaged lines elsewhere.

    Returns:
        What was done, one line each.

    Raises:
        StoreError: If a file cannot be written.
    """
    notes = []
    if loaded.torn:
        with told(folder / RESULTS):
            os.truncate(folder / RESULTS, loaded.whole)
        notes.append(f"{RESULTS}: cut an unfinished last line of {loaded.torn} bytes")
    if loaded.open_end:
        append(folder / RESULTS, [b"\n"])
    if loaded.damaged:
        append(folder / CORRUPT, loaded.damaged.copied(folder / RESULTS))
        notes.append(f"{RESULTS}: moved damaged lines to {CORRUPT}: {loaded.damaged.numbers()}")
    return notes


def rewrite(folder: Path, loaded: Loaded) -> None:
    """Writes ``results.jsonl`` anew; replaced records of another fingerprint become stale.

    Raises:
        StoreError: If a file cannot be written.
    """
    # Stale lines first: a kill between the two steps doubles some and loses none.
    stale = [line_of(earlier) for earlier, _ in loaded.stale()]
    if stale:
        append(folder / STALE, stale)
    replace(folder / RESULTS, map(line_of, loaded.records.values()))


def append(path: Path, lines: Iterable[bytes]) -> None:
    """Adds lines to a file.

    Raises:
        StoreError: If it cannot be written.
    """
    with told(path), path.open("ab") as file:
        file.writelines(lines)


def replace(path: Path, chunks: Iterable[bytes]) -> None:
    """Writes a whole file beside ``path`` and renames it: a reader sees the old one or the new.

    Its temporary name is taken by nobody else while the folder is locked.

    Raises:
        StoreError: If it cannot be written; the old file is then as it was.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with told(path):
        try:
            # What a kill left, or a link that leads elsewhere, is not written to.
            temporary.unlink(missing_ok=True)
            with temporary.open("xb") as file:
                file.writelines(chunks)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns an error of the operating system into one that says what to do."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"expected to read and write {path}, got {type(error).__name__}: {error}",
            hint="free disk space or make the folder writable, then run the same command again: "
            "it goes on where it stopped; or choose another --report-dir",
        ) from error

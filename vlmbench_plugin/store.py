"""The results folder: one line of ``results.jsonl`` per item, written the moment it arrives.

``results.jsonl`` is a log while a run lives: a record that replaces another of the same item is
simply written after it, and the last one counts. When the folder is closed, and when it is opened
after a crash, replaced lines leave the file: those with another fingerprint go to ``stale.jsonl``,
an error that was tried again is dropped. A kill at any moment therefore loses at most the line that
is being written.

The lock is the operating system's (``flock``) on ``run.lock``, so that a killed run's lock is gone
with it; the file tells who holds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TypeAlias

from vlmbench_plugin.errors import StoreError
from vlmbench_plugin.folder_guard import refuse_links
from vlmbench_plugin.record import FORMAT_VERSION, Record
from vlmbench_plugin.result_lines import Damaged, bounded_lines

RESULTS = "results.jsonl"
STALE = "stale.jsonl"
CORRUPT = "corrupt.jsonl"
LOCK = "run.lock"
LOG = "run.log"

Item: TypeAlias = tuple[str, str, str, str, str, str]
"""Model, reasoning, category, mode, source and image id: what a folder holds one record of."""


def default_folder(dataset: str) -> Path:
    """Returns where a run on a data set writes unless told otherwise, relative to the root."""
    return Path("reports") / dataset


def fresh_folder(path: Path) -> Path:
    """Returns the first of ``path``, ``path-2``, ``path-3``, ... that is empty or not there."""
    names = itertools.chain([path.name], (f"{path.name}-{n}" for n in itertools.count(2)))
    paths = (path.with_name(name) for name in names)
    return next(p for p in paths if not p.exists() or (p.is_dir() and not any(p.iterdir())))


class Store:
    """An opened results folder; the only writer while it is open. Made by ``Store.open``.

    Attributes:
        folder: Where it is.
        notes: What had to be repaired when it was opened, one line each.
    """

    def __init__(self, folder: Path, lock: IO[str], loaded: _Loaded, notes: list[str]) -> None:
        self.folder = folder
        self.notes = notes
        self._lock = lock
        self._records = loaded.records
        self._replaced: list[Record] = []
        self._file = (folder / RESULTS).open("ab", buffering=0)

    @classmethod
    def open(cls, folder: Path, *, fresh: bool = False) -> Store:
        """Opens, and locks, a results folder; makes it if it is not there.

        Args:
            folder: The folder.
            fresh: Whether to open ``fresh_folder(folder)`` instead.

        Raises:
            StoreError: If another run is writing to it, it was written by another format version,
                or it cannot be read or written.
        """
        folder = fresh_folder(folder) if fresh else folder
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            refuse_links(folder, (RESULTS, STALE, CORRUPT, LOCK, LOG))
            lock = _acquire(folder / LOCK)
            try:
                loaded = _load(folder / RESULTS)
                return cls(folder, lock, loaded, _repair(folder, loaded))
            except BaseException:
                lock.close()
                raise

    @classmethod
    def read(cls, folder: Path) -> tuple[Record, ...]:
        """Returns the records of a folder that need not be locked; changes and requires nothing.

        Raises:
            StoreError: As ``open``.
        """
        return cls.look(folder)[0]

    @classmethod
    def look(cls, folder: Path) -> tuple[tuple[Record, ...], list[str]]:
        """Returns what ``read`` does, and what had to be left out of it, one line each.

        Raises:
            StoreError: As ``open``.
        """
        path, notes = folder / RESULTS, []
        with _told(folder):
            loaded = _load(path)
        if loaded.damaged:
            notes.append(f"{path}: left out damaged lines: {loaded.damaged.numbers()}")
        if loaded.torn:
            notes.append(f"{path}: left out an unfinished last line of {loaded.torn} bytes")
        return tuple(loaded.records.values()), notes

    @property
    def records(self) -> tuple[Record, ...]:
        """The record of every item, errors included, in the order of their first arrival."""
        return tuple(self._records.values())

    def append(self, record: Record) -> None:
        """Adds one record with one write; it replaces an earlier one of the same item.

        Raises:
            StoreError: If the line cannot be written; the file is then as it was before.
        """
        line = _line(record)
        with _told(self.folder / RESULTS):
            before = os.fstat(self._file.fileno()).st_size
            try:
                if self._file.write(line) < len(line):
                    raise OSError("only a part of the line could be written")
            except OSError:
                self._file.truncate(before)
                raise
        _put(record, self._records, self._replaced)

    def write(self, name: str, content: str | bytes) -> None:
        """Writes a whole file, or leaves the old one as it was.

        Args:
            name: Relative to the folder; a sub-folder is made.
            content: Text is written as UTF-8.

        Raises:
            StoreError: If it cannot be written.
        """
        path = self.folder / name
        # An answer may hold half a surrogate pair, which UTF-8 cannot.
        text = content.encode(errors="backslashreplace") if isinstance(content, str) else content
        refuse_links(self.folder, [str(part) for part in Path(name).parents][:-1])
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, [text])

    def log(self, line: str) -> None:
        """Adds one line with the time (UTC) to ``run.log``.

        Raises:
            StoreError: If it cannot be written.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        _append(self.folder / LOG, [f"{now} {' '.join(line.splitlines())}\n".encode()])

    def close(self) -> None:
        """Moves replaced records out of ``results.jsonl`` and releases the folder.

        Raises:
            StoreError: If the files cannot be written; the folder is released all the same.
        """
        if self._file.closed:
            return
        with self._lock, _told(self.folder):
            self._file.close()
            if self._replaced:
                _drop(self.folder, self._records, self._replaced)
            self._lock.truncate(0)


@dataclass(slots=True, kw_only=True)
class _Loaded:
    """What ``results.jsonl`` holds: of each item the last record, and what else was found."""

    records: dict[Item, Record] = field(default_factory=dict)
    replaced: list[Record] = field(default_factory=list)
    damaged: Damaged = field(default_factory=Damaged)
    torn: int = 0  # bytes of a last line without an end
    whole: int = 0  # bytes before it


def item_of(record: Record) -> Item:
    """Returns which item a record is of."""
    asked = record.model, record.reasoning, record.category, record.mode
    return *asked, record.source, record.image_id


def _line(record: Record) -> bytes:
    return record.to_json().encode() + b"\n"


def _put(record: Record, records: dict[Item, Record], replaced: list[Record]) -> None:
    """Makes ``record`` the one of its item; an earlier one joins ``replaced``."""
    earlier = records.get(item_of(record))
    if earlier is not None:
        replaced.append(earlier)
    records[item_of(record)] = record


def _load(path: Path) -> _Loaded:
    if not path.exists():
        return _Loaded()
    loaded = _Loaded()
    with path.open("rb") as file:
        for number, (line, size, ended) in enumerate(bounded_lines(file), 1):
            if not ended:
                loaded.torn = size
                break
            record = None if line is None else _read_line(line)
            if record is None:
                loaded.damaged.add(number, loaded.whole, size)
            else:
                _put(record, loaded.records, loaded.replaced)
            loaded.whole += size
    return loaded


def _read_line(line: bytes) -> Record | None:
    """Returns the record, or None for a damaged line; raises StoreError for another version."""
    try:
        return Record.from_json(line.decode())
    except (UnicodeDecodeError, StoreError):
        if _version_of(line) in (None, FORMAT_VERSION):
            return None
        raise


def _version_of(line: bytes) -> int | None:
    with contextlib.suppress(ValueError, RecursionError):
        values = json.loads(line)
        if isinstance(values, dict) and isinstance(values.get("format_version"), int):
            return int(values["format_version"])
    return None


def _repair(folder: Path, loaded: _Loaded) -> list[str]:
    """Brings the files of a killed or damaged run in order; returns what was done."""
    notes = []
    if loaded.torn:
        os.truncate(folder / RESULTS, loaded.whole)
        notes.append(f"{RESULTS}: cut an unfinished last line of {loaded.torn} bytes")
    if loaded.damaged:
        _append(folder / CORRUPT, loaded.damaged.copied(folder / RESULTS))
        notes.append(f"{RESULTS}: moved damaged lines to {CORRUPT}: {loaded.damaged.numbers()}")
    if loaded.damaged or loaded.replaced:
        _drop(folder, loaded.records, loaded.replaced)
    return notes


def _drop(folder: Path, records: dict[Item, Record], replaced: Iterable[Record]) -> None:
    """Writes ``results.jsonl`` anew; replaced records of another fingerprint become stale."""
    # Stale lines first: a kill between the two steps doubles some and loses none.
    stale = [record for record in replaced if record.key != records[item_of(record)].key]
    if stale:
        _append(folder / STALE, map(_line, stale))
    _replace(folder / RESULTS, map(_line, records.values()))


def _acquire(path: Path) -> IO[str]:
    """Opens and locks the lock file; closing it releases the lock."""
    lock = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        with lock:
            if not isinstance(error, BlockingIOError):
                raise
            lock.seek(0)
            holder = lock.read().strip() or "another run"
        raise StoreError(
            f"{path.parent} is in use by {holder}",
            hint="wait for that run, or use --fresh or another --report-dir",
        ) from error
    lock.truncate(0)
    lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    lock.flush()
    return lock


def _append(path: Path, lines: Iterable[bytes]) -> None:
    with _told(path), path.open("ab") as file:
        file.writelines(lines)


def _replace(path: Path, chunks: Iterable[bytes]) -> None:
    """Writes a file beside ``path`` and renames it; the folder's lock makes its name unique."""
    temporary = path.with_name(f".{path.name}.tmp")
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
def _told(path: Path) -> Iterator[None]:
    """Turns an error of the operating system into one that says what to do."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"expected to read and write {path}, got {type(error).__name__}: {error}",
            hint="free disk space or make the folder writable, then run the same command again: "
            "it goes on where it stopped; or choose another --report-dir",
        ) from error

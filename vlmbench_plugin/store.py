"""The results folder: one line of ``results.jsonl`` per item, written the moment it arrives.

``results.jsonl`` is a log while a run lives: a record that replaces another of the same item is
simply written after it, and the last one counts. When the folder is closed, and when it is opened
after a crash, replaced lines leave the file: those with another fingerprint go to ``stale.jsonl``,
an error that was tried again is dropped. A kill at any moment therefore loses at most the line that
is being written.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from vlmbench_plugin import stale, store_lock
from vlmbench_plugin.folder_guard import refuse_links
from vlmbench_plugin.record import Record
from vlmbench_plugin.store_files import (
    CORRUPT,
    RESULTS,
    STALE,
    Item,
    Loaded,
    append,
    line_of,
    load,
    repair,
    replace,
    rewrite,
    told,
)

LOCK = "run.lock"
LOG = "run.log"


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
        notes: What had to be repaired, one line each.
    """

    def __init__(self, folder: Path, lock: IO[str], left: str | None) -> None:
        self.folder = folder
        self.notes = [] if left is None else [f"{LOCK}: {left} ended without closing this folder"]
        self._path = folder / RESULTS
        self._lock = lock
        self._loaded = Loaded()
        self._stale: Counter[stale.Reason] = Counter()
        self._take_in()
        self._file = self._path.open("ab+", buffering=0)
        self._size = os.fstat(self._file.fileno()).st_size

    @classmethod
    def open(cls, folder: Path, *, fresh: bool = False) -> Store:
        """Opens, and locks, a results folder; makes it if it is not there.

        Args:
            folder: The folder.
            fresh: Whether to open ``fresh_folder(folder)`` instead.

        Raises:
            StoreError: If another run is writing to it, it was written by a newer format version,
                or it cannot be read or written.
        """
        folder = fresh_folder(folder) if fresh else folder
        with told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            refuse_links(folder, (RESULTS, STALE, CORRUPT, LOCK, LOG))
            lock, left = store_lock.acquire(folder / LOCK)
            try:
                return cls(folder, lock, left)
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
        with told(folder):
            loaded = load(path)
        if loaded.damaged:
            notes.append(f"{path}: left out damaged lines: {loaded.damaged.numbers()}")
        if loaded.torn:
            notes.append(f"{path}: left out an unfinished last line of {loaded.torn} bytes")
        return tuple(loaded.records.values()), notes

    @property
    def records(self) -> tuple[Record, ...]:
        """The record of every item, errors included, in the order of their first arrival."""
        return tuple(self._loaded.records.values())

    def record_of(self, item: Item) -> Record | None:
        """Returns the record of an item, None if it has none."""
        return self._loaded.records.get(item)

    def append(self, record: Record, line: str | None = None) -> None:
        """Adds one record with one write; it replaces an earlier one of the same item.

        Args:
            record: The record.
            line: ``record.to_json()``, where the caller has it.

        Raises:
            StoreError: If the line cannot be written; the file is then as it was before.
        """
        with told(self._path):
            before = os.fstat(self._file.fileno()).st_size
            own = line_of(record) if line is None else line.encode() + b"\n"
            written = self._open_line(before) + own
            rest = memoryview(written)
            try:
                while rest:  # a full disk takes a part, and tells why at the next attempt
                    rest = rest[self._file.write(rest) :]
            except OSError:
                self._file.truncate(before)
                raise
            self._size += len(written)
        self._loaded.put(record)

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
        with told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, [text])

    def log(self, text: str) -> None:
        """Adds one entry with the time (UTC) to ``run.log``; its further lines are indented.

        Raises:
            StoreError: If it cannot be written.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        # A message may hold whatever a server or a model said: half a surrogate pair, too.
        entry = "\n    ".join(text.splitlines()).encode(errors="backslashreplace")
        append(self.folder / LOG, [f"{now} ".encode() + entry + b"\n"])

    def stale_lines(self) -> list[str]:
        """Says how many records of earlier runs are set aside by this one, and why."""
        found = self._stale + Counter(stale.reason(*pair) for pair in self._loaded.stale())
        return stale.lines(found, STALE)

    def close(self) -> None:
        """Moves replaced records out of ``results.jsonl`` and releases the folder.

        Raises:
            StoreError: If the files cannot be written; the folder is released all the same.
        """
        if self._file.closed:
            return
        with told(self.folder):
            try:
                self._settle()
            finally:
                store_lock.release(self._lock)

    def _settle(self) -> None:
        changed = self._changed_by_another()
        self._file.close()
        if changed:
            self.notes.append(f"{RESULTS}: another program changed it during the run")
            self._take_in()
        elif self._loaded.replaced:
            rewrite(self.folder, self._loaded)

    def _open_line(self, size: int) -> bytes:
        """Returns what ends a line that another program has left without an end."""
        if size in (0, self._size) or os.pread(self._file.fileno(), 1, size - 1) == b"\n":
            return b""
        return b"\n"

    def _changed_by_another(self) -> bool:
        ours = os.fstat(self._file.fileno())
        if not self._path.exists():
            return True
        return ours.st_size != self._size or not os.path.samestat(ours, self._path.stat())

    def _take_in(self) -> None:
        """Reads the file and brings it in order; what only this run knows is written again."""
        known, found = self._loaded, load(self._path)
        lost = known.records.keys() - found.records.keys()
        found.records.update((item, known.records[item]) for item in known.records if item in lost)
        found.replaced += known.replaced if lost else []
        self.notes += repair(self.folder, found)
        if found.damaged or found.replaced or lost:
            rewrite(self.folder, found)
        self._stale.update(stale.reason(*pair) for pair in found.stale())
        found.replaced.clear()
        self._loaded = found

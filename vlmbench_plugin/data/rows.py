"""Rows of public tables on disk, so that a re-run needs neither a network nor ``datasets``.

One folder per table and way of reading it::

    <cache>/<table>/<key>/index.json            which commit, which split, how many rows
    <cache>/<table>/<key>/lock                  held by the one process that downloads
    <cache>/<table>/<key>/<revision>/17.json    one row, plain JSON
    <cache>/<table>/<key>/<revision>/ab12.jpeg  an image's bytes as they came, named by their hash

Every file is written under a temporary name and renamed. A file that is torn or altered counts as
absent: its row is read again.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmbench_plugin.core import Json
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.pictures import Picture
from vlmbench_plugin.sources import LeftOut, Row, Table

FORMAT = 1
"""Part of every key: raised whenever the same table would be stored otherwise."""

_BYTES, _IMAGE = "$bytes", "$image"
_UNFINISHED = ".tmp"
_DAMAGED = (OSError, ValueError, TypeError, KeyError, RecursionError)
_REVISION = re.compile(r"[A-Za-z0-9_-]+")


class _UnreadableError(Exception):
    """What is stored cannot be read back: it is torn or altered."""


def cache_folder() -> Path:
    """Returns ``$VLMBENCH_CACHE``, else ``qwen-vlmbench`` in the user's cache folder."""
    own = os.environ.get("VLMBENCH_CACHE")
    if own:
        return Path(own)
    users = os.environ.get("XDG_CACHE_HOME")
    return (Path(users) if users else Path.home() / ".cache") / "qwen-vlmbench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What a table was found to be when its first row was wanted.

    Attributes:
        hub_id: The id under which it was found.
        revisions: Its commit, and that of the joined table if there is one.
        split: The name of the split that is read.
        rows: How many rows that split has.
        files: File name -> parsed JSON, as ``Table.files`` asks for.
    """

    hub_id: str
    revisions: tuple[str, ...]
    split: str
    rows: int
    files: Mapping[str, Json] = field(default_factory=dict)

    @property
    def revision(self) -> str:
        """All commits in one word."""
        return "+".join(self.revisions)


def _is_sound(stored: Json) -> bool:
    """Whether what was read back can be an index that was stored."""
    revisions = all(isinstance(r, str) and _REVISION.fullmatch(r) for r in stored["revisions"])
    named = all(isinstance(stored[key], str) for key in ("hub_id", "split"))
    files = isinstance(stored.get("files", {}), dict)
    return revisions and named and files and type(stored["rows"]) is int


class RowCache:
    """The stored rows of one table.

    Args:
        table: The table; whatever of it decides what a row holds is part of the folder's name.
        mirrored: The revisions of a local mirror, empty for the hub.
    """

    def __init__(self, table: Table, mirrored: tuple[str, ...]) -> None:
        read = dataclasses.replace(table, title="", licence="", lacks=None)
        key = hashlib.sha256(f"{FORMAT} {read} {mirrored}".encode()).hexdigest()[:12]
        place = "mirror" if mirrored else "hub"
        self.folder = cache_folder() / table.name / f"{place}-{key}"

    def index(self) -> Index | None:
        """Returns what was found before, None where nothing was."""
        try:
            stored = json.loads((self.folder / "index.json").read_text(encoding="utf-8"))
            if not _is_sound(stored):
                return None
            return Index(**{**stored, "revisions": tuple(stored["revisions"])})
        except _DAMAGED:
            return None

    def keep_index(self, index: Index) -> None:
        """Stores what was found."""
        _write(self.folder / "index.json", _dumped(dataclasses.asdict(index)))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the table for the one process that writes; others wait.

        The lock is the operating system's, so that a killed process's lock is gone with it; what
        it left half written is removed.

        Raises:
            DataError: If the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("a")
        except OSError as error:
            raise DataError(
                f"expected a cache folder that can be written, got {error}",
                hint="set VLMBENCH_CACHE to a folder that can",
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for path in self.folder.rglob(f"*{_UNFINISHED}"):
                path.unlink()
            yield

    def get(self, index: Index, position: int) -> Row | LeftOut | None:
        """Returns one row, None where it is not stored or cannot be read back.

        A picture's name is the path of its file.
        """
        folder = self.folder / index.revision
        try:
            stored = json.loads((folder / f"{position}.json").read_text(encoding="utf-8"))
            if "left_out" in stored:
                return LeftOut(str(stored["left_out"]))
            return {name: _restored(value, folder) for name, value in stored["row"].items()}
        except (*_DAMAGED, AttributeError, _UnreadableError):
            return None

    def put(self, index: Index, position: int, row: Row | LeftOut) -> None:
        """Stores one row, its images first; whoever calls holds the lock."""
        folder = self.folder / index.revision
        folder.mkdir(exist_ok=True)
        stored = (
            {"left_out": row.reason}
            if isinstance(row, LeftOut)
            else {"row": {name: _plain(value, folder) for name, value in row.items()}}
        )
        _write(folder / f"{position}.json", _dumped(stored))


def _dumped(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f"{path.name}{_UNFINISHED}")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def _plain(value: Any, folder: Path) -> Json:
    """Returns a value as JSON; images go to files."""
    match value:
        case Picture():
            name = f"{_hash(value.encoded)}{Path(value.name).suffix}"
            if not _holds(folder / name, value.encoded):
                _write(folder / name, value.encoded)
            return {_IMAGE: name}
        case bytes():
            return {_BYTES: base64.b64encode(value).decode("ascii")}
        case Mapping():
            # A column of the table's own that looks like a marker gets a second sign.
            return {
                f"${key}" if key.startswith("$") else key: _plain(item, folder)
                for key, item in value.items()
            }
        case list():
            return [_plain(item, folder) for item in value]
        case _:
            return value


def _restored(value: Json, folder: Path) -> Any:
    match value:
        case {"$image": name}:
            path = folder / name
            encoded = path.read_bytes()
            if path.stem != _hash(encoded):
                raise _UnreadableError(path)
            return Picture(encoded, str(path))
        case {"$bytes": text}:
            return base64.b64decode(text, validate=True)
        case dict():
            return {key.removeprefix("$"): _restored(item, folder) for key, item in value.items()}
        case list():
            return [_restored(item, folder) for item in value]
        case _:
            return value


def _hash(encoded: bytes) -> str:
    return hashlib.sha256(encoded).hexdigest()[:32]


def _holds(path: Path, encoded: bytes) -> bool:
    """Tells whether a file is there and whole: many rows of a table may share one image."""
    try:
        return path.read_bytes() == encoded
    except OSError:
        return False

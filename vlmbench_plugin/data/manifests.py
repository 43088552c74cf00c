"""``<category>/manifest.jsonl``: from its lines to entries, or to all that is wrong with them.

A run and ``qwen-vlmbench data check`` read through the same functions, so that what the check
passes a run takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vlmbench_plugin.core import Json, Truth, VisionTask, Vocabulary, VocabularyRule
from vlmbench_plugin.data.own_checks import Leaf, did_you_mean
from vlmbench_plugin.data.own_lines import (
    AS_UTF8,
    KEYS,
    image_file,
    image_id,
    inside,
    question_of,
    read_record,
    vocabulary_of,
)
from vlmbench_plugin.data.own_truth import OwnTruth, legal, read_truth
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.escapes import printable

MANIFEST = "manifest.jsonl"

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, and where; made by ``of``, which escapes what a terminal would obey.

    Attributes:
        path: The manifest or folder, as its name was given.
        line: The line, from 1; None where the file or folder as a whole is meant.
        message: What was expected and what came.
        hint: What to do, or nothing.
    """

    path: str
    line: int | None
    message: str
    hint: str = ""

    @classmethod
    def of(cls, error: DataError, path: str, line: int | None) -> Problem:
        """Returns an error with its place."""
        return cls(
            path=printable(path),
            line=line,
            message=printable(str(error.args[0])),
            hint=printable(error.hint),
        )

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line whose label fits its task; its image has not been opened.

    Attributes:
        line: Its number, from 1.
        image_id: Unique, also where letter case does not count, if there are no problems.
        image: The file, which is inside the data folder.
        question: The per-image part of the prompt, or None.
        vocabulary: The line's.
        truth: As in ``Case``.
        found: The values of the right answer, with pixel coordinates.
        canonical: The line as JSON with sorted keys, whatever its white space.
    """

    line: int
    image_id: str
    image: Path
    question: str | None
    vocabulary: Vocabulary
    truth: Truth
    found: tuple[Leaf, ...]
    canonical: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What one manifest holds.

    Attributes:
        path: Its name, as given.
        lines: How many lines are not blank.
        entries: The lines with an image, an id and a truth, in order.
        problems: All that is wrong, in order.
    """

    path: str
    lines: int
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]


def read_manifest(task: VisionTask, folder: Path, rule: VocabularyRule) -> Manifest:
    """Reads and checks every line; of the images only whether they exist.

    Args:
        task: The task, whose category names the sub-folder.
        folder: The data folder; nothing outside of it is read.
        rule: Whether answers are held to the line's vocabulary.
    """
    path = folder / task.category / MANIFEST
    lines: list[tuple[int, bytes]] = []
    entries: list[Entry] = []
    problems: list[Problem] = []
    try:
        lines = _lines(path, folder)
    except DataError as error:
        problems.append(Problem.of(error, str(path), None))
    reader = _Reader(task, folder, rule)
    for number, line in lines:
        entry, faults = reader.read(number, line)
        problems += [Problem.of(fault, str(path), number) for fault in faults]
        if entry is not None:
            entries.append(entry)
    return Manifest(
        path=str(path), lines=len(lines), entries=tuple(entries), problems=tuple(problems)
    )


def _lines(path: Path, folder: Path) -> list[tuple[int, bytes]]:
    """Returns the lines that are not blank, with their numbers from 1.

    Raises:
        DataError: If the file cannot be read, or holds none.
    """
    inside(path, folder, "one JSON object a line")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"expected a file that can be read, got {error}") from error
    if content.startswith(_UTF16):
        raise DataError("expected UTF-8, got UTF-16", hint=AS_UTF8)
    numbered = enumerate(content.removeprefix(_BOM).split(b"\n"), 1)
    lines = [(number, line) for number, line in numbered if line.strip()]
    if not lines:
        raise DataError("expected one line per image, got an empty file")
    return lines


def _unknown_keys(record: Mapping[str, Json]) -> Iterator[DataError]:
    for key in record:
        if key not in KEYS:
            yield DataError(f"a line has no key {key!r}", hint=did_you_mean(key, KEYS))


class _Reader:
    """Reads the lines of one manifest in order; knows what earlier ones have said."""

    def __init__(self, task: VisionTask, folder: Path, rule: VocabularyRule) -> None:
        self._task = task
        self._folder = folder
        self._rule = rule
        self._ids: dict[str, int] = {}
        self._asked: dict[tuple[Path, str | None], Entry] = {}

    def read(self, number: int, line: bytes) -> tuple[Entry | None, list[DataError]]:
        """Returns the line's entry, None where it lacks a part; and all faults."""
        faults: list[DataError] = []

        def attempt(read: Callable[[], _Value]) -> _Value | None:
            try:
                return read()
            except DataError as error:
                faults.append(error)
                return None

        record = attempt(lambda: read_record(line))
        if record is None:
            return None, faults
        faults += _unknown_keys(record)
        here = self._folder / self._task.category
        image = attempt(lambda: image_file(record.get("image"), here, self._folder))
        name = attempt(lambda: self._id(record, number))
        vocabulary = attempt(lambda: vocabulary_of(record.get("vocabulary"), self._task))
        own = attempt(lambda: self._truth(record, vocabulary, faults))
        truth = None if own is None else own.truth
        question = attempt(lambda: question_of(record.get("question"), self._task, truth))
        if image is None or name is None or vocabulary is None or own is None:
            return None, faults
        entry = Entry(
            line=number,
            image_id=name,
            image=image,
            question=question,
            vocabulary=vocabulary,
            truth=own.truth,
            found=own.found,
            canonical=json.dumps(record, sort_keys=True, separators=(",", ":")),
        )
        attempt(lambda: self._unlike_earlier(entry))
        return entry, faults

    def _id(self, record: dict[str, Json], number: int) -> str:
        name = image_id(record.get("id"), record.get("image"))
        earlier = self._ids.setdefault(name.casefold(), number)
        if earlier != number:
            raise DataError(
                f"expected an id of its own, got {name!r}, which line {earlier} has",
                hint='give each line an "id"; without one it is the image path',
            )
        return name

    def _truth(
        self, record: dict[str, Json], vocabulary: Vocabulary | None, faults: list[DataError]
    ) -> OwnTruth | None:
        if vocabulary is None:
            return None
        built = legal(self._task, vocabulary, self._rule)
        own, found = read_truth(self._task, record.get("truth"), vocabulary, built)
        faults += found
        return own

    def _unlike_earlier(self, entry: Entry) -> None:
        earlier = self._asked.setdefault((entry.image.resolve(), entry.question), entry)
        if earlier is entry:
            return
        if earlier.truth == entry.truth:
            raise DataError(
                f"expected an image or a question of its own, got those of line {earlier.line}",
                hint="it would count twice: remove one of the two lines",
            )
        raise DataError(
            f"line {earlier.line} has the same image and question, but another truth",
            hint="which of the two is right?",
        )

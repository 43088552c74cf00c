"""The parts of one line of a manifest: each read from its JSON, or told why it cannot be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from vlmbench_plugin.core import Json, Truth, VisionTask, Vocabulary
from vlmbench_plugin.data.own_checks import did_you_mean, is_name, vocabulary_keys
from vlmbench_plugin.data.own_truth import called
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.numeric import DECIMALS

KEYS = ("image", "id", "question", "vocabulary", "truth")
LONGEST_ID = 100
LONGEST_ID_BYTES = 200
LONGEST_NAME = 64
AS_UTF8 = "save the file as UTF-8"

_ID = re.compile(r"[\w-][\w.-]*")
_UNSAFE = re.compile(r"[^\w.-]+")


def inside(path: Path, folder: Path, hint: str) -> Path:
    """Returns where a path really leads.

    Args:
        path: The path.
        folder: Out of which it must not lead.
        hint: What to do where nothing is there.

    Raises:
        DataError: If nothing is there, or if it leads out of the folder.
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a zero byte
        raise DataError(f"expected a file, got nothing at {path}", hint=hint) from error
    if not real.is_relative_to(folder.resolve()):
        raise DataError(
            f"expected a file inside {folder}, got {path}, a link that leads out of it",
            hint="copy the file into the folder",
        )
    return real


def read_record(line: bytes) -> dict[str, Json]:
    """Parses one line strictly: no key twice, no NaN; numbers are rounded to four decimals.

    Raises:
        DataError: If it is no JSON object in UTF-8.
    """
    try:
        value = _DECODER.decode(line.decode("utf-8").strip())
        # A lone surrogate has no UTF-8 encoding, and could be neither shown nor stored.
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"expected UTF-8, got the byte {line[error.start]:#x} at {error.start + 1}",
            hint=AS_UTF8,
        ) from error
    except json.JSONDecodeError as error:
        torn = error.pos >= len(error.doc) - 1 or error.msg.startswith("Unterminated")
        raise DataError(
            f"expected one JSON object, got a line that is none: {error.msg} at column "
            f"{error.colno}",
            hint="one whole object a line; is this one cut off?"
            if torn
            else "one object a line, in double quotes, without comments or trailing commas",
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"expected one JSON object, got one that cannot be read: {error}",
            hint="one plain object a line",
        ) from error
    if not isinstance(value, dict):
        raise DataError(
            f"expected one JSON object, got {value!r:.60}",
            hint='such as {"image": "1.png", "truth": {...}}',
        )
    return value


def image_file(name: Json, here: Path, folder: Path) -> Path:
    """Returns the file that a line names.

    Args:
        name: What stands under ``image``.
        here: The manifest's folder, to which names are relative.
        folder: The data folder, out of which none may lead.

    Raises:
        DataError: If there is no such file inside the folder.
    """
    relative = f"paths are relative to {here}, with / between folders"
    if not isinstance(name, str) or not name:
        raise DataError(f'expected "image", the path of a file, got {name!r}', hint=relative)
    windows = PureWindowsPath(name)
    if PurePosixPath(name).is_absolute() or windows.drive or windows.root:
        raise DataError(
            f"expected an image inside {here}, got the absolute path {name!r}", hint=relative
        )
    if ".." in windows.parts:
        raise DataError(
            f"expected an image inside {here}, got {name!r}", hint="'..' is not followed"
        )
    path = here / name
    if not inside(path, folder, relative).is_file():
        raise DataError(f"expected an image, got {path}, which is no file", hint=relative)
    return path


def image_id(given: Json, image: Json) -> str:
    """Returns a line's id, which names a thumbnail: its own, or the path without extension.

    Raises:
        DataError: If it cannot be part of a file name.
    """
    found = given
    if given is None and isinstance(image, str) and image:
        stem = image.removesuffix(PurePosixPath(image).suffix)
        found = _UNSAFE.sub("-", stem).lstrip(".")
    if (
        isinstance(found, str)
        and _ID.fullmatch(found)
        and len(found) <= LONGEST_ID
        and len(found.encode()) <= LONGEST_ID_BYTES
    ):
        return found
    raise DataError(
        f"expected an id of 1 to {LONGEST_ID} letters, digits, '.', '_' and '-', at most "
        f"{LONGEST_ID_BYTES} bytes in UTF-8, got {found!r}",
        hint='give the line an "id" of its own; it names files',
    )


def vocabulary_of(given: Json, task: VisionTask) -> Vocabulary:
    """Returns a line's vocabulary.

    Raises:
        DataError: If it is no object of lists of names, or has a key that the task has not.
    """
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise DataError(
            f"vocabulary: expected an object of lists of names, got {given!r:.60}",
            hint='such as {"label": ["cat", "dog"]}',
        )
    keys = vocabulary_keys(task.fields.values())
    for key, names in given.items():
        if key not in keys:
            raise DataError(
                f"vocabulary: {task.category} has no key {key!r}", hint=did_you_mean(key, keys)
            )
        if not (isinstance(names, list) and names):
            raise DataError(
                f"vocabulary.{key}: expected a list of names, got {names!r:.60}",
                hint="all names that the data set has, not those of one image",
            )
        for name in names:
            if not is_name(name, LONGEST_NAME):
                raise DataError(
                    f"vocabulary.{key}: expected names of 1 to {LONGEST_NAME} printable ASCII "
                    f"characters, without outer white space, ', ', '; ' or ' - ', got {name!r:.80}",
                    hint="shorten or transliterate the name; the signs part names in prompts",
                )
    return {key: tuple(dict.fromkeys(names)) for key, names in given.items()}


def question_of(given: Json, task: VisionTask, truth: Truth | None) -> str | None:
    """Returns the per-image part of the prompt: the line's own, else what follows from the truth.

    Raises:
        DataError: If the task needs a question and has none, or has no place for one.
    """
    if given is not None and (not isinstance(given, str) or not given.strip()):
        raise DataError(f"question: expected a text, got {given!r:.60}", hint="or leave it out")
    if "{question}" not in task.prompt:
        if given is None:
            return None
        raise DataError(
            f"question: {task.category} asks the same of every image, got {given!r:.60}",
            hint="leave it out",
        )
    if isinstance(given, str):
        return given
    ask = task.question
    if ask is None:
        raise DataError(
            f"question: expected what {task.category} asks about this image, got none",
            hint='add "question": "..." to the line',
        )
    return None if truth is None else called("question", lambda: ask(truth), truth)


def _unique(pairs: list[tuple[str, Json]]) -> Mapping[str, Json]:
    members: dict[str, Json] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"the key {name!r} stands in it twice")
        members[name] = value
    return members


def _rounded(digits: str) -> float:
    """Reads a number as answers state it: 511.71999999999997 is a sum of floats, not precision."""
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is no finite number")
    return round(number, DECIMALS)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_rounded, parse_constant=_rounded
)

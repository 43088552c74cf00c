"""Raw text -> JSON value -> verdict: the recovery walk and the form failures.

Nothing here raises on any text, and everything is linear in its length: the text comes from a
model, and a harness that hangs or dies on one answer loses the run.

The walk tries, in order: the whole text (``clean``), the inside of a code fence (``fenced``,
whether or not prose surrounds the fence), the first balanced object in prose, or where there is
none the first balanced array (``prose``). A value inside an unfinished or broken one is never
taken: the first detection of a truncated list is no answer.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import json_repair
from pydantic import BaseModel, ValidationError

from vlmbench_plugin.core import Failure, Json, Parsed, ParseStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DEPTH = 64
"""Deepest nesting that is read; json.loads recurses, and no task nests deeper than five."""

MAX_CHARACTERS = 1_000_000
"""Longest JSON text that is read."""

LOOP_TAIL = 512
LOOP_BLOCK = 128

REPAIR_CHARACTERS = 20_000
"""Longest text that is handed to json-repair, whose worst case is quadratic: two seconds here."""

NATIVE_KEYS = frozenset({"bbox_2d", "point_2d", "bbox_3d", "text_content"})
"""Keys of the answers that Qwen models were trained to give, from their cookbooks."""

_FENCES = 16
"""Fences tried per text; unclosed ones cost a scan of the rest each."""

# The string's closing quote is optional, so that an unclosed string is one token up to the end of
# the text and is not tried again from each of its escaped quotes.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
# A brace opens a value, however broken: the list inside a Python literal is no answer. Not so after
# a word, as in LaTeX's \boxed{, unless JSON follows. A bracket opens one only before what may stand
# in a JSON or Python list, because prose has "[sic]".
_OPENING = re.compile(
    r"""(?<!\w)\{|\{\s*+["}]|\[\s*+(?:[\]\[{"'\d-]|true|false|null|True|False|None)"""
)
_FENCE = re.compile(r"```[^\S\n]*+[\w+-]*+\s*+")
_FENCE_END = re.compile(r"\s*+(?:```|`{0,2}\Z)")
_THOUGHT = "</think>"
_SPACE = " \t\n\r"  # all that JSON allows around a value; str.strip() removes more


def read(raw_text: str, *, finished: bool) -> Parsed:
    """Finds the JSON value in a model's text.

    Thinking is cut at the last ``</think>``. Two texts need no such cut and may hold the tag inside
    a string: one that is JSON as a whole, and one that is JSON after its first ``</think>``, which
    is where a grammar begins.

    Args:
        raw_text: What the model wrote, stop token removed.
        finished: Whether the model ended by itself (finish reason ``stop``).

    Returns:
        Either a value or one of the failures empty, looping, truncated, not_json.
    """
    answer = raw_text.rpartition(_THOUGHT)[2].strip()
    texts = (raw_text, raw_text.partition(_THOUGHT)[2], raw_text.rpartition(_THOUGHT)[2])
    for text in dict.fromkeys(text.strip(_SPACE) for text in texts):
        found = _strict(text)
        if found:
            return Parsed(status="clean", value=found[0], failure=None)
    if not answer or answer.startswith("<think>"):
        return _nothing("empty")
    walk: tuple[tuple[ParseStatus, tuple[Json] | None], ...]
    walk = (("fenced", _in_fence(answer)), ("prose", _in_prose(answer)))
    for status, found in walk:
        if found:
            return Parsed(status=status, value=found[0], failure=None)
    if finished:
        return _nothing("not_json")
    return _nothing("looping" if is_looping(raw_text) else "truncated")


def is_looping(raw_text: str) -> bool:
    """Tells whether a text ends in one block of at most 128 characters, at least four times.

    The end is the last 512 characters; a shorter text does not loop. About 30 microseconds, so
    that a runner can ask after every step. Only an unfinished answer counts as looping.
    """
    tail = raw_text[-LOOP_TAIL:]
    if len(tail) < LOOP_TAIL:
        return False
    return any(tail.startswith(tail[period:]) for period in range(1, LOOP_BLOCK + 1))


def judge(value: Json, model: type[BaseModel]) -> Failure | None:
    """Validates a JSON value strictly against a task's model.

    Args:
        value: What ``read`` found.
        model: The task's model: strict, extra fields forbidden.

    Returns:
        None where the value is valid, else the first that applies of bare_array, native_schema,
        missing_field, extra_field, wrong_type, out_of_range.
    """
    try:
        # As JSON text, because strict validation of Python objects refuses a list for a tuple.
        model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        if isinstance(value, list):
            return "bare_array"
        if _has_native_key(value):
            return "native_schema"
        details = error.errors(include_url=False, include_context=False)
        kinds = {_kind(detail) for detail in details}
        order: tuple[Failure, ...] = ("missing_field", "extra_field", "wrong_type", "out_of_range")
        return next(failure for failure in order if failure in kinds)
    return None


def repairable(raw_text: str, model: type[BaseModel]) -> bool:
    """Tells whether the library json-repair, then validation, would have saved the text.

    A text of more than 20,000 characters after its thinking is never called repairable.
    """
    answer = raw_text.rpartition(_THOUGHT)[2]
    if len(answer) > REPAIR_CHARACTERS:
        return False
    try:
        return judge(json_repair.loads(answer), model) is None
    except (RecursionError, ValueError):  # too deep a nesting raises either, in the library
        return False


def _nothing(failure: Failure) -> Parsed:
    return Parsed(status="none", value=None, failure=failure)


def _strict(text: str) -> tuple[Json] | None:
    """Returns the value in a tuple of one, as the value itself may be None."""
    if not text or len(text) > MAX_CHARACTERS:
        return None
    openings = text.count("[") + text.count("{")
    if openings > MAX_DEPTH and text[0] in "[{" and _span(text, 0)[1] > MAX_DEPTH:
        return None
    try:
        value = _DECODER.decode(text)
        # A lone surrogate, raw or from an escape, has no UTF-8 encoding.
        (json.dumps(value, ensure_ascii=False) if "\\u" in text else text).encode()
    except ValueError:  # also an integer of more digits than Python converts
        return None
    return (value,)


def _span(text: str, start: int) -> tuple[int | None, int]:
    """Follows the bracket at ``start``.

    Returns:
        The position after the bracket that closes it, None where nothing does; and the depth
        reached. Kinds of brackets are not told apart, the decoder does that.
    """
    depth = deepest = 0
    for token in _TOKEN.finditer(text, start):
        mark = token[0]
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
            if depth == 0:
                return token.end(), deepest
    return None, deepest


def _in_fence(text: str) -> tuple[Json] | None:
    position = 0
    for _ in range(_FENCES):
        fence = _FENCE.search(text, position)
        if not fence:
            return None
        start = fence.end()
        # Its own brackets bound a value, because a string may hold three backticks.
        end = _span(text, start)[0] if text[start : start + 1] in ("{", "[") else None
        closing = _FENCE_END.match(text, end) if end else None
        if not closing:
            end = text.find("```", end or start)
            closing = _FENCE_END.match(text, end) if end >= 0 else None
        if not closing:
            return None
        found = _strict(text[start:end].strip(_SPACE))
        if found:
            return found
        position = closing.end()
    return None


def _in_prose(text: str) -> tuple[Json] | None:
    array: tuple[Json] | None = None
    position = 0
    while opening := _OPENING.search(text, position):
        start = opening.start()
        end = _span(text, start)[0]
        if end is None:
            return None
        position = end
        is_object = text[start] == "{"
        if is_object or array is None:
            found = _strict(text[start:end])
            if found and is_object:
                return found
            array = array or found
    return array


def _has_native_key(value: Json) -> bool:
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if not NATIVE_KEYS.isdisjoint(node):
                return True
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return False


def _kind(detail: Mapping[str, Any]) -> Failure:
    """Maps one of Pydantic's error details to a failure."""
    kind: str = detail["type"]
    if kind == "missing" and isinstance(detail["loc"][-1], str):  # else too short a tuple
        return "missing_field"
    if kind == "extra_forbidden":
        return "extra_field"
    if kind.endswith("_type"):
        return "wrong_type"
    if kind in ("literal_error", "enum") and not isinstance(detail["input"], str):
        return "wrong_type"
    return "out_of_range"


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate key")
    return members


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_float=_finite,
    parse_constant=_finite,  # NaN and the infinities, all refused
)

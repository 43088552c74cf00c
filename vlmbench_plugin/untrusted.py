"""What a results file from elsewhere may hold, before anything is computed from it.

Types, ranges and depth of every field are checked in one place, so that nothing behind it meets a
text where a number should be, a NaN, or nesting that no recursion survives. It takes some 4
microseconds a record, of 30 that reading one takes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import get_args

from vlmbench_plugin.core import (
    DIFFICULTIES,
    FAILURES,
    FRAMES,
    MODES,
    Constraint,
    FinishReason,
    Json,
    ParseStatus,
    Status,
    VocabularyRule,
)

MAX_DEPTH = 32
LONGEST_NAME = 1000
LARGEST = 1e15
"""Of any number: beyond 2**53 an integer is no longer exact in JSON."""

_NONE = type(None)
_TYPES: Mapping[str, frozenset[type]] = {
    name: frozenset(types)
    for names, types in (
        ("model reasoning category image_id key runner dataset source mode status frame", (str,)),
        ("raw_text error question label_rule", (str, _NONE)),
        ("constraint difficulty failure parse_status finish_reason", (str, _NONE)),
        ("schema_valid json_robust passed repairable looped at_bound", (bool, _NONE)),
        ("thinking_forced", (bool, _NONE)),
        ("format_version case_index scorer_version", (int,)),
        ("prompt_tokens output_tokens thinking_tokens clamped batch_size", (int, _NONE)),
        ("primary_score tokens_per_sec busy_s latency_s", (int, float, _NONE)),
        ("right_at", (int, float)),
        ("image_size sent_size", (list,)),
        ("key_parts vocabulary truth", (dict,)),
        ("secondary prediction value_logprob", (dict, _NONE)),
    )
    for name in names.split()
}
_WORDS: Mapping[str, frozenset[str | None]] = {
    "mode": frozenset(MODES),
    "status": frozenset(get_args(Status)),
    "frame": frozenset(FRAMES),
    "constraint": frozenset((*get_args(Constraint), None)),
    "difficulty": frozenset((*DIFFICULTIES, None)),
    "failure": frozenset((*FAILURES, None)),
    "parse_status": frozenset((*get_args(ParseStatus), None)),
    "finish_reason": frozenset((*get_args(FinishReason), None)),
}
_RULES = frozenset(get_args(VocabularyRule))
_NAMES = ("model", "reasoning", "category", "image_id", "key", "runner", "dataset", "source")
_COUNTED = (
    *("case_index", "prompt_tokens", "output_tokens", "thinking_tokens", "clamped", "batch_size"),
    *("tokens_per_sec", "busy_s", "latency_s"),
)
_SAID: Mapping[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    list: "a list",
    dict: "an object",
    _NONE: "null",
}


def check_record(values: Mapping[str, Json]) -> None:
    """Checks all fields of a record, each of which must be there.

    Raises:
        ValueError: If one is not what ``docs/results-format.md`` says; the message names it.
    """
    for name, types in _TYPES.items():
        if type(values[name]) not in types:
            raise _wrong(name, " or ".join(sorted(_SAID[one] for one in types)), values[name])
    for name, words in _WORDS.items():
        if values[name] not in words:
            raise _wrong(name, f"one of {', '.join(sorted(map(str, words)))}", values[name])
    for name in _NAMES:
        if len(values[name]) > LONGEST_NAME:
            raise _wrong(name, f"at most {LONGEST_NAME} characters", values[name])
    _check_parts(values["key_parts"])
    _check_vocabulary(values["vocabulary"])
    _check_size("image_size", values["image_size"])
    _check_size("sent_size", values["sent_size"])
    _check_figures(values)
    _check_outcome(values)
    check_json(values["truth"], "truth")
    check_json(values["prediction"], "prediction")


def check_json(value: Json, name: str) -> None:
    """Checks what was parsed from JSON: how deep it is, and that its numbers can be computed with.

    Args:
        value: As ``json.loads`` returns it.
        name: What errors call it.

    Raises:
        ValueError: If it is nested deeper than 32 levels, or holds NaN, Infinity or a number of
            more than fifteen digits.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Json] = []
        for node in level:
            kind = type(node)
            if kind is dict:
                below += node.values()
            elif kind is list:
                below += node
            elif (kind is float or kind is int) and not -LARGEST < node < LARGEST:
                raise _wrong(name, f"numbers below {LARGEST:g}", node)
        if not below:
            return
        level = below
    raise ValueError(f"{name}: expected at most {MAX_DEPTH} levels of nesting, got more")


def _check_outcome(values: Mapping[str, Json]) -> None:
    """An invalid answer has no score, a valid one has, and an error measured nothing."""
    score, valid = values["primary_score"], values["schema_valid"]
    if (score is not None) != (valid is True) or not (score is None or 0 <= score <= 1):
        raise _wrong("primary_score", "a score from 0 to 1 where schema_valid is true", score)
    if values["status"] == "error":
        if not valid is values["passed"] is values["raw_text"] is None:
            raise ValueError("status: expected an error without an answer, got one with")
    elif None in (valid, values["passed"], values["json_robust"], values["raw_text"]):
        raise ValueError("status: expected an error where nothing was measured, got an answer's")
    elif values["passed"] != (values["status"] == "passed"):
        raise _wrong("passed", f"what status {values['status']} says", values["passed"])


def _check_figures(values: Mapping[str, Json]) -> None:
    for name in _COUNTED:
        value = values[name]
        if value is not None and not 0 <= value < LARGEST:
            raise _wrong(name, "a number from 0 on", value)
    for name in ("secondary", "value_logprob"):
        _check_numbers(name, (values[name] or {}).values())
    _check_numbers("right_at", (values["right_at"], values["scorer_version"]))


def _check_parts(parts: Mapping[str, Json]) -> None:
    _check_texts("key_parts", parts.values())
    # They are kept for as long as the process lives, so that the records of a cell share them.
    if sum(map(len, parts)) + sum(map(len, parts.values())) > LONGEST_NAME:
        raise ValueError("key_parts: expected names and digits, got more than those take")


def _check_vocabulary(vocabulary: Mapping[str, Json]) -> None:
    rule, names = vocabulary.get("rule"), vocabulary.get("names")
    if type(rule) is not str or rule not in _RULES or type(names) is not dict:
        raise _wrong("vocabulary", "a rule and names", vocabulary)
    for found in names.values():
        if type(found) is not list:
            raise _wrong("vocabulary", "lists of names", found)
        _check_texts("vocabulary", found)


def _check_size(name: str, size: Collection[Json]) -> None:
    if len(size) != 2 or any(type(side) is not int or not 0 < side < LARGEST for side in size):
        raise _wrong(name, "width and height in pixels", size)


def _check_texts(name: str, texts: Iterable[Json]) -> None:
    if not set(map(type, texts)) <= {str}:
        raise ValueError(f"{name}: expected texts, got something else among them")


def _check_numbers(name: str, numbers: Iterable[Json]) -> None:
    for number in numbers:
        plain = type(number) is float or type(number) is int
        if not (number is None or (plain and -LARGEST < number < LARGEST)):
            raise _wrong(name, "numbers", number)


def _wrong(name: str, expected: str, got: Json) -> ValueError:
    return ValueError(f"{name}: expected {expected}, got {got!r:.60}")

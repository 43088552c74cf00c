"""Why an answer missed, in words that need no knowledge of this package."""

from __future__ import annotations

from collections.abc import Mapping

from vlmbench_plugin.core import Failure
from vlmbench_plugin.record import Record

FAMILIES: Mapping[str, tuple[Failure, ...]] = {
    "no complete answer": ("truncated", "looping", "empty"),
    "no JSON object": ("not_json", "bare_array"),
    "another schema": (
        "native_schema",
        "missing_field",
        "extra_field",
        "wrong_type",
        "out_of_range",
    ),
    "valid but wrong": ("wrong_answer", "wrong_frame"),
}
"""The failures by what went wrong, in each family the most frequent first; the last family alone is
valid, so that nobody notices it."""

_REASONS: Mapping[Failure, str] = {
    "empty": "The model answered nothing.",
    "looping": "The answer ended in a block that repeats, and never finished.",
    "truncated": "The answer ran past its budget of tokens before it was complete.",
    "not_json": "No JSON object could be read from the answer.",
    "bare_array": "The answer is a JSON array where an object was asked for.",
    "native_schema": "The answer uses the key names that the model was trained with, not the ones "
    "asked for.",
    "missing_field": "The answer lacks a field that the schema requires.",
    "extra_field": "The answer has a field that the schema does not know.",
    "wrong_type": "A value is of another type than the schema says.",
    "out_of_range": "A value lies outside the bounds of the schema.",
    "wrong_frame": "The answer is valid and would have passed in another coordinate frame.",
    "wrong_answer": "The answer is valid, and not right enough.",
}


def reason(record: Record) -> str:
    """Returns one or two sentences on how an item ended."""
    if record.status == "error":
        return f"The harness failed, which says nothing about the model: {record.error}"
    score = "" if record.primary_score is None else f" It scores {record.primary_score:.2f}"
    bar = f"{record.right_at:g}"
    if record.failure is None:
        return f"The answer is valid and right.{score}; {bar} is enough."
    return _REASONS[record.failure] + (f"{score}; {bar} would have been enough." if score else "")

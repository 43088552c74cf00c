"""Why a stored record is stale: which part of its fingerprint is another one today."""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

from vlmbench_plugin.record import Record

Reason: TypeAlias = tuple[str, ...]
"""The parts that differ, in the order of ``key_parts``."""

DATA: Reason = ("data",)
UNTOLD: Reason = ("untold",)
_SAID = {
    "task": "task version",
    "budget": "answer budget",
    "revision": "model revision",
    "pixels": "pixel cap",
    "data": "image, or question about it",
    "untold": "fingerprint (an older release did not store its parts)",
}


def reason(before: Record, after: Record) -> Reason:
    """Returns why a record is stale.

    Args:
        before: The stale record.
        after: The one of the same item that stands in its place.
    """
    if not before.key_parts or not after.key_parts:
        return UNTOLD
    names = {**after.key_parts, **before.key_parts}
    differing = (n for n in names if before.key_parts.get(n) != after.key_parts.get(n))
    return tuple(differing) or DATA


def lines(reasons: Counter[Reason], file: str) -> list[str]:
    """Says how many records were set aside, and why.

    Args:
        reasons: Number of records by reason.
        file: Where they are now.
    """
    if not reasons:
        return []
    told = [
        f"  {count}: another {' and '.join(_SAID.get(name, name) for name in names)}"
        for names, count in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    return [f"Set aside in {file}, {reasons.total()} records of earlier runs:", *told]

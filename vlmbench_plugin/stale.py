"""Why a stored record is stale: which part of its fingerprint is another one today."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
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
    return _differing(before.key_parts, after.key_parts) or DATA


def mixed(records: Iterable[Record]) -> list[str]:
    """Tells of (model, category, mode) whose records were not all asked in the same way.

    That is so after a run with another prompt or setting has not come to every item, or asked for
    fewer of them: what it did not replace is no worse than before, and is in the same row.

    Args:
        records: Of a folder.

    Returns:
        One line each; images with vocabularies of their own are compared with their like.
    """
    cells: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        if record.key_parts and record.status != "error":
            cell = (record.model, record.reasoning, record.category, record.mode)
            cells.setdefault(cell, []).append(record)
    found = []
    for (model, _, category, mode), inside in cells.items():
        if all(record.key_parts == inside[0].key_parts for record in inside):
            continue
        ways: dict[str, Counter[tuple[tuple[str, str], ...]]] = {}
        for record in inside:
            same = ways.setdefault(json.dumps(record.vocabulary, sort_keys=True), Counter())
            same[tuple(record.key_parts.items())] += 1
        others = Counter[Reason]()
        for counts in ways.values():
            (usual, _), *rest = counts.most_common()
            for parts, count in rest:
                others[_differing(dict(usual), dict(parts))] += count
        if others:
            names, count = others.most_common(1)[0][0], others.total()
            found.append(
                f"Mixed: {count} of {len(inside)} records of {model} {category} {mode} were asked "
                f"with another {_words(names)}; the same command again, or --fresh, makes them one."
            )
    return found


def lines(reasons: Counter[Reason], file: str) -> list[str]:
    """Says how many records were set aside, and why.

    Args:
        reasons: Number of records by reason.
        file: Where they are now.
    """
    if not reasons:
        return []
    told = [
        f"  {count}: another {_words(names)}"
        for names, count in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    return [f"Set aside in {file}, {reasons.total()} records of earlier runs:", *told]


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> Reason:
    return tuple(name for name in {**other, **one} if one.get(name) != other.get(name))


def _words(names: Reason) -> str:
    return " and ".join(_SAID.get(name, name) for name in names)

"""Results of several machines or runs as one: which record of an item is kept, and what differs.

An item is one (model, reasoning, category, mode, source, image). Its fingerprint decides its text,
so that two folders hold the same of it, or contradict each other; then the one that was named first
is kept, and the other one is told.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from vlmbench_plugin.record import Record
from vlmbench_plugin.store_files import Item, item_of

CONFLICTS = "conflicts.jsonl"
SHOWN = 5
"""So many conflicts of one kind are named; more are counted."""

Kind: TypeAlias = Literal["answer", "fingerprint"]
_SAID = ("raw_text", "finish_reason", "constraint", "truth")
"""What the same fingerprint must have led to; seconds differ from one machine to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The records of one results folder.

    Attributes:
        name: As the user named it.
        records: One of each item.
    """

    name: str
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A record that contradicts the one that is kept.

    Attributes:
        kind: ``answer``: the same was asked and another answer stored. ``fingerprint``: something
            else was asked.
        differs: Fields of the record, or parts of the fingerprint; empty where no part differs: the
            image, or what is asked of it, is another.
        kept: The folder of the record that is kept.
        folder: The folder of this one.
        record: This one.
    """

    kind: Kind
    differs: tuple[str, ...]
    kept: str
    folder: str
    record: Record

    def to_json(self) -> str:
        """Returns one line of ``conflicts.jsonl``, without a newline."""
        facts = {
            "kind": self.kind,
            "differs": self.differs,
            "kept": self.kept,
            "folder": self.folder,
        }
        text = json.dumps(facts, separators=(",", ":"))
        return f'{text[:-1]},"record":{self.record.to_json()}}}'

    def __str__(self) -> str:
        record = self.record
        item = (record.model, record.category, record.mode, record.image_id)
        what = ", ".join(self.differs) or "the image or what is asked of it"
        return f"{' '.join(item)}: {what}; kept {self.kept}, not {self.folder}"


@dataclass(slots=True, kw_only=True)
class Merged:
    """What several folders hold together.

    Attributes:
        records: Of each item one, in the order of their first arrival, with its folder's name.
        conflicts: Records that contradict those, in the order of the folders.
        agreed: How many records were left out because the same answer is kept already.
        outdone: How many errors were left out because an answer, or an earlier error, is kept.
    """

    records: dict[Item, tuple[Record, str]] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    agreed: int = 0
    outdone: int = 0

    def add(self, record: Record, folder: str) -> None:
        """Takes a record in, or says why not."""
        item = item_of(record)
        if item not in self.records:
            self.records[item] = record, folder
            return
        kept, owner = self.records[item]
        if record.status == "error":
            self.outdone += 1
        elif kept.status == "error":
            self.outdone += 1
            self.records[item] = record, folder
        elif (conflict := _conflict(kept, owner, record, folder)) is not None:
            self.conflicts.append(conflict)
        else:
            self.agreed += 1
            # Of the same text the newer score: then the order of the folders decides no score.
            if record.scorer_version > kept.scorer_version:
                self.records[item] = record, folder


def merge(folders: Sequence[Folder]) -> Merged:
    """Joins the records of folders; those of the first one count most.

    An error loses against any answer. Of two equal answers the one by the newer scorer is kept,
    else that of the folder named first, whose seconds and tokens then count.

    Args:
        folders: In the order in which the user named them.
    """
    merged = Merged()
    for folder in folders:
        for record in folder.records:
            merged.add(record, folder.name)
    return merged


def _conflict(kept: Record, owner: str, record: Record, folder: str) -> Conflict | None:
    kind: Kind = "answer"
    differs = tuple(name for name in _SAID if getattr(kept, name) != getattr(record, name))
    if kept.key != record.key:
        kind, differs = "fingerprint", differing_parts(kept, record)
    elif not differs:
        return None
    return Conflict(kind=kind, differs=differs, kept=owner, folder=folder, record=record)


def differing_parts(one: Record, other: Record) -> tuple[str, ...]:
    """Returns the parts in which two fingerprints differ; those that one of them lacks are none."""
    shared = one.key_parts.keys() & other.key_parts.keys()
    return tuple(sorted(part for part in shared if one.key_parts[part] != other.key_parts[part]))


def merge_lines(merged: Merged, names: Sequence[str], out: str) -> list[str]:
    """Says what was joined, and what contradicts itself, one line each.

    Args:
        merged: What was joined.
        names: The folders that were named.
        out: The folder that they were merged into.
    """
    owners = Counter(owner for _, owner in merged.records.values())
    counts = [f"{owners[name]} of {name}" for name in names]
    if owners[out]:
        counts.insert(0, f"{owners[out]} that it held")
    lines = [f"Merged into {out}: {len(merged.records)} records, {', '.join(counts)}."]
    if merged.agreed:
        lines.append(f"{merged.agreed} more hold the same answer as one that is kept.")
    if merged.outdone:
        lines.append(f"{merged.outdone} errors gave way to answers, or are there twice.")
    lines += _asked_differently(merged)
    for kind, said in (
        ("answer", "the same question got another answer"),
        ("fingerprint", "something else was asked of the same image"),
    ):
        found = [conflict for conflict in merged.conflicts if conflict.kind == kind]
        if found:
            lines.append(f"{len(found)} conflicts, {said} ({CONFLICTS} has these records):")
            lines += [f"  {conflict}" for conflict in found[:SHOWN]]
            if len(found) > SHOWN:
                lines.append(f"  and {len(found) - SHOWN} more")
    return lines


def _asked_differently(merged: Merged) -> list[str]:
    """Says where one row of a table joins answers to different questions of different folders.

    A part differs where two folders have no value of it in common: one folder may well hold
    several, such as the prompts of several vocabularies.
    """
    cells: dict[tuple[str, ...], dict[str, dict[str, set[str]]]] = {}
    for record, folder in merged.records.values():
        cell = record.model, record.reasoning, record.category, record.mode
        parts = cells.setdefault(cell, {}).setdefault(folder, {})
        for part, digits in record.key_parts.items():
            parts.setdefault(part, set()).add(digits)
    found: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    for by_folder in cells.values():
        (first, parts), *others = by_folder.items()
        for folder, other in others:
            shared = parts.keys() & other.keys()
            differs = tuple(sorted(part for part in shared if parts[part].isdisjoint(other[part])))
            if differs:
                found[first, folder, differs] += 1
    return [
        f"Rows of the tables that join differently asked items of {first} and {folder}: {count} "
        f"(differing: {', '.join(differs)})."
        for (first, folder, differs), count in found.items()
    ]

"""Scoring the records of a folder again, and telling what changed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from vlmbench_plugin.core import VisionTask
from vlmbench_plugin.evaluate import rescore
from vlmbench_plugin.record import Record
from vlmbench_plugin.store import Store

Pair: TypeAlias = tuple[Record, Record]
"""A record as it was stored, and as it is scored today."""


def is_dated(record: Record, tasks: Mapping[str, VisionTask]) -> bool:
    """Whether the scorer has changed since the record was scored."""
    task = tasks.get(record.category)
    return (
        task is not None
        and record.status != "error"
        and record.scorer_version != task.scorer_version
    )


def today(record: Record, tasks: Mapping[str, VisionTask], *, everything: bool) -> Record:
    """Returns the record as it is scored today; that of an unknown task stays as it is.

    Args:
        record: A stored record.
        tasks: Category -> task.
        everything: Whether to score it again even if its scorer has not changed.
    """
    task = tasks.get(record.category)
    if task is None or not (everything or is_dated(record, tasks)):
        return record
    return rescore(record, task)


def as_scored(record: Record, tasks: Mapping[str, VisionTask], *, everything: bool) -> Record:
    """Returns the record as ``rescore_folder`` would leave it: as it is where its scorer raises."""
    try:
        return today(record, tasks, everything=everything)
    except Exception:  # ``rescore_folder`` tells of it
        return record


def rescore_folder(store: Store, tasks: Mapping[str, VisionTask], *, everything: bool) -> list[str]:
    """Scores the records of a folder again and stores those that changed.

    Args:
        store: The opened folder.
        tasks: Category -> task.
        everything: Whether to do so even where the scorer has not changed.

    Returns:
        What changed, one line each, as ``run.log`` has it too; empty if nothing was scored again. A
        record on which its scorer raises keeps its score, and is counted.

    Raises:
        StoreError: If a record cannot be written.
    """
    scored: list[Pair] = []
    refused: Counter[str] = Counter()
    for record in store.records:
        try:
            again = today(record, tasks, everything=everything)
        except Exception as error:  # whatever a scorer of one's own raises
            refused[f"{record.category}: {type(error).__name__}: {error}"] += 1
            continue
        if again is not record:
            scored.append((record, again))
        if again != record:
            store.append(again)
    lines = changes(scored)
    lines += [
        f"Not scored again, {count} records of {why}" for why, count in sorted(refused.items())
    ]
    unknown = unknown_categories(store.records, tasks)
    if everything and unknown:
        lines.append(f"Not scored again, their task is not known here: {', '.join(unknown)}.")
    for line in lines:
        store.log(line)
    return lines


def unknown_categories(records: Sequence[Record], tasks: Mapping[str, VisionTask]) -> list[str]:
    """Returns the categories of the records that no task here can score."""
    return sorted({record.category for record in records} - tasks.keys())


def changes(scored: Sequence[Pair]) -> list[str]:
    """Says of records that were scored again which scores changed, by category and mode.

    Args:
        scored: Records before and after.

    Returns:
        A head line, and one line for each (category, mode) in which a score or a status changed;
        empty without records.
    """
    if not scored:
        return []
    cells: dict[tuple[str, str], list[Pair]] = {}
    for pair in scored:
        cells.setdefault((pair[0].category, pair[0].mode), []).append(pair)
    scores = sum(map(_score_changed, scored))
    others = sum(old != new and not _score_changed((old, new)) for old, new in scored)
    head = f"Scored {len(scored)} records again from their raw text; scores changed: {scores}"
    head += f"; records changed in other fields: {others}." if others else "."
    return [head, *(line for key in sorted(cells) if (line := _cell(key, cells[key])))]


def _cell(key: tuple[str, str], pairs: Sequence[Pair]) -> str | None:
    changed = sum(map(_score_changed, pairs))
    flips = Counter((old.status, new.status) for old, new in pairs if old.status != new.status)
    if not changed and not flips:
        return None
    before, after = (_mean([pair[at] for pair in pairs]) for at in (0, 1))
    parts = [
        f"{changed} of {len(pairs)} scores changed",
        f"mean {before:.3f} -> {after:.3f}",
        *(f"{count} {old} -> {new}" for (old, new), count in sorted(flips.items())),
    ]
    return f"  {key[0]} {key[1]}: {', '.join(parts)}"


def _score_changed(pair: Pair) -> bool:
    return pair[0].primary_score != pair[1].primary_score


def _mean(records: Sequence[Record]) -> float:
    """Returns the mean score, 0 where an answer is invalid, as in the yield."""
    return math.fsum(record.primary_score or 0.0 for record in records) / len(records)

"""``qwen-vlmbench report``: the tables of a results folder without a run, a model or a data set."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from vlmbench_plugin import thumbnails
from vlmbench_plugin.errors import StoreError
from vlmbench_plugin.folder_manifest import known_settings
from vlmbench_plugin.folder_tables import REPORT, known_specs, misfits_told, tables
from vlmbench_plugin.record import Record
from vlmbench_plugin.rescoring import is_dated, rescore_folder, unknown_categories
from vlmbench_plugin.stale import mixed
from vlmbench_plugin.store import Store
from vlmbench_plugin.store_files import RESULTS
from vlmbench_plugin.tasks import TASKS


def rebuild(
    folder: Path,
    *,
    rescore: bool,
    margin: float | None = None,
    price_per_hour: float | None = None,
) -> list[str]:
    """Writes the tables of a folder anew.

    Args:
        folder: An existing results folder.
        rescore: Whether to score every stored answer again first.
        margin: The largest loss of yield that is put up with; None for the run's own.
        price_per_hour: Of the machine; None for the run's own.

    Returns:
        The leaderboard and what else the reader must know, one line each.

    Raises:
        StoreError: If there are no results, another run is writing to the folder, or it cannot be
            read or written.
    """
    if not (folder / RESULTS).is_file():
        raise StoreError(
            f"expected a results folder, got {folder}: it has no {RESULTS}",
            hint="name the folder that a run wrote to, such as reports/synthetic",
        )
    with closing(Store.open(folder)) as store:
        if not store.records:
            raise StoreError(
                f"expected results in {folder}, got an empty {RESULTS}",
                hint="run the benchmark with --report-dir set to this folder first",
            )
        if rescore:
            with misfits_told():
                notes = rescore_folder(store, TASKS, everything=True)
        else:
            notes = _kept(store.records, folder)
        stored = known_settings(folder)
        settings = dataclasses.replace(
            stored,
            margin=stored.margin if margin is None else margin,
            price_per_hour=stored.price_per_hour if price_per_hour is None else price_per_hour,
        )
        pictures = thumbnails.reader(folder)
        found = tables(store.records, TASKS, known_specs(folder), settings, pictures=pictures)
        for name, content in found.files.items():
            store.write(name, content)
        notes += mixed(store.records)
        lines = [*found.lines, *store.notes, *notes, *found.decision]
        return [*lines, f"Written to {folder}; open {folder / REPORT}"]


def _kept(records: Iterable[Record], folder: Path) -> list[str]:
    """Says which stored scores are not what today's scorers would give, as far as one can tell."""
    records = tuple(records)
    dated = Counter(record.category for record in records if is_dated(record, TASKS))
    notes = []
    if dated:
        counts = ", ".join(f"{name} ({count})" for name, count in sorted(dated.items()))
        notes.append(
            f"Scored by scorers of another version, and kept: {counts}. To score them again: "
            f"qwen-vlmbench report {folder} --rescore"
        )
    unknown = unknown_categories(records, TASKS)
    if unknown:
        notes.append(
            f"Stored scores kept, and no floor: {', '.join(unknown)}. Their tasks are no packaged "
            "ones; a run of the benchmark where their conftest.py is can score them again."
        )
    return notes

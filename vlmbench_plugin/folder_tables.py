"""What a results folder says, from its records alone: the same for a run and for ``report``.

Needs neither pytest nor a data set. Nothing here depends on the options of a run (its seed, the
order of its models), so that the tables can be built again from ``results.jsonl``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vlmbench_plugin.aggregate import (
    MetricsRow,
    aggregate,
    comparable,
    leaderboard,
    mean_intervals,
)
from vlmbench_plugin.core import Json, ModelSpec, VisionTask
from vlmbench_plugin.errors import StoreError
from vlmbench_plugin.floors import Floor
from vlmbench_plugin.floors import floor as blind_floor
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.record import Record
from vlmbench_plugin.report import markdown, summary, terminal
from vlmbench_plugin.report.heading import Heading

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """All tables of a folder.

    Attributes:
        rows: Every (model, reasoning, category, mode) over all of its records.
        files: File name -> content.
        lines: The leaderboard for a terminal.
    """

    rows: tuple[MetricsRow, ...]
    files: Mapping[str, str]
    lines: list[str]


def tables(
    records: Iterable[Record],
    tasks: Mapping[str, VisionTask],
    specs: Mapping[str, ModelSpec],
) -> Tables:
    """Builds the tables of a folder.

    Args:
        records: All records of the folder.
        tasks: Category -> task; a category without one has no floor.
        specs: Model name -> its entry (``known_specs``).
    """
    records = tuple(records)
    floors = _floors(records, tasks)
    rows = metrics_rows(records, tasks, floors)
    shared = comparable(records)
    # Where nothing is left out, the rows that compare models are the same ones.
    left_out = len(records) - len(shared)
    compared = metrics_rows(shared, tasks, floors) if left_out else rows
    board = leaderboard(compared, specs, intervals=mean_intervals(shared))
    heading = Heading.of(board, compared, left_out=left_out)
    return Tables(
        rows=rows,
        files={
            "metrics.jsonl": summary.metrics_lines(rows),
            "leaderboard.md": markdown.leaderboard(board, compared, heading),
            "summary.json": summary.as_json(board, compared, heading),
            "summary.csv": summary.as_csv(compared),
        },
        lines=terminal.leaderboard_lines(board, compared, heading),
    )


def metrics_rows(
    records: Iterable[Record],
    tasks: Mapping[str, VisionTask],
    floors: Mapping[str, Floor | None] | None = None,
) -> tuple[MetricsRow, ...]:
    """Returns one row per (model, reasoning, category, mode), models in the registry's order."""
    over_category = {n: t.over_category for n, t in tasks.items() if t.over_category is not None}
    return aggregate(
        records,
        categories=tuple(tasks),
        models=tuple(MODELS),
        floors=floors,
        over_category=over_category,
    )


def known_specs(folder: Path) -> dict[str, ModelSpec]:
    """Returns every model with a name, and those that the folder's manifest describes.

    Raises:
        StoreError: If the manifest is none of this release.
    """
    found = known_manifest(folder)
    try:
        named = found["models"] if found else {}
        return {**MODELS, **{name: ModelSpec(**values) for name, values in named.items()}}
    except (KeyError, TypeError, AttributeError) as error:
        raise _no_manifest(folder, error) from error


def known_manifest(folder: Path) -> dict[str, Json]:
    """Returns the content of a folder's manifest, {} where there is none.

    Raises:
        StoreError: If it is no JSON object.
    """
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _no_manifest(folder, error) from error
    if not isinstance(found, dict):
        raise _no_manifest(folder, TypeError(f"a {type(found).__name__}"))
    return found


def _no_manifest(folder: Path, error: Exception) -> StoreError:
    return StoreError(
        f"expected the models of a run in {folder / MANIFEST}, got {error!r}",
        hint="delete that file: only the sizes of models with names of your own are lost",
    )


def _floors(records: Iterable[Record], tasks: Mapping[str, VisionTask]) -> dict[str, Floor | None]:
    by_category: dict[str, list[Record]] = {}
    for record in records:
        by_category.setdefault(record.category, []).append(record)
    return {
        name: blind_floor(found, task.score, task.pixel_answer, task.blind)
        for name, found in by_category.items()
        if (task := tasks.get(name)) is not None
    }

"""What a results folder says, from its records alone: the same for a run and for ``report``.

Needs neither pytest nor a data set. Nothing here depends on the options of a run (its seed, the
order of its models), so that the tables can be built again from ``results.jsonl``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench_plugin.aggregate import (
    MetricsRow,
    aggregate,
    comparable,
    leaderboard,
)
from vlmbench_plugin.board_intervals import board_intervals
from vlmbench_plugin.conclusions import conclude, rank_intervals
from vlmbench_plugin.core import ModelSpec, VisionTask
from vlmbench_plugin.errors import StoreError, VlmBenchError
from vlmbench_plugin.floors import Floor
from vlmbench_plugin.floors import floor as blind_floor
from vlmbench_plugin.folder_manifest import specs_of
from vlmbench_plugin.gates import Verdict
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.record import Record
from vlmbench_plugin.report import html, markdown, summary, terminal
from vlmbench_plugin.report.decision import decision
from vlmbench_plugin.report.gallery import Pictures, gallery
from vlmbench_plugin.report.heading import Heading
from vlmbench_plugin.route_file import ROUTE, Wanted, as_json, route_document
from vlmbench_plugin.settings import Settings

REPORT = "report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """All tables of a folder.

    Attributes:
        rows: Every (model, reasoning, category, mode) over all of its records.
        files: File name -> content.
        lines: The leaderboard for a terminal.
        decision: What to do, in sentences, for a terminal.
    """

    rows: tuple[MetricsRow, ...]
    files: Mapping[str, str]
    lines: list[str]
    decision: list[str]


def tables(
    records: Iterable[Record],
    tasks: Mapping[str, VisionTask],
    specs: Mapping[str, ModelSpec],
    settings: Settings,
    *,
    gates: Sequence[Verdict] = (),
    pictures: Pictures = lambda _: None,
) -> Tables:
    """Builds the tables of a folder.

    Args:
        records: All records of the folder.
        tasks: Category -> task; a category without one has no floor.
        specs: Model name -> its entry (``known_specs``).
        settings: Of the run: how its models are asked, the margin, the price of an hour.
        gates: What became of the gates of the run that these tables are of.
        pictures: Gives the small copies that the page shows.
    """
    records = tuple(records)
    shared = comparable(records)
    left_out = len(records) - len(shared)
    with misfits_told():
        floors = _floors(records, tasks)
        rows = metrics_rows(records, tasks, floors)
        # Where nothing is left out, the rows that compare models are the same ones.
        compared = metrics_rows(shared, tasks, floors) if left_out else rows
        findings = conclude(records, tasks, specs, settings)
        route = route_document(
            records, tasks, specs, settings, Wanted(price_per_hour=settings.price_per_hour)
        )
    board = leaderboard(
        compared, specs, intervals=board_intervals(shared), ranks=rank_intervals(findings)
    )
    heading = Heading.of(board, compared, left_out=left_out)
    cases = gallery(records, tasks, pictures)
    said = decision(board, compared, findings)
    return Tables(
        rows=rows,
        files={
            "metrics.jsonl": summary.metrics_lines(rows),
            "leaderboard.md": markdown.leaderboard(board, compared, heading, findings, said),
            "summary.json": summary.as_json(board, compared, heading, findings, said, gates),
            "summary.csv": summary.as_csv(compared),
            ROUTE: as_json(route),
            REPORT: html.page(board, compared, heading, findings, said, cases),
        },
        lines=terminal.leaderboard_lines(board, compared, heading),
        decision=terminal.decision_lines(said),
    )


@contextlib.contextmanager
def misfits_told() -> Iterator[None]:
    """Turns what a scorer raises into an error that says what to do.

    The truths of a file from elsewhere may be any objects, and a task of one's own any code.

    Raises:
        StoreError: If anything but an error of ours is raised within.
    """
    try:
        yield
    except VlmBenchError:
        raise
    except Exception as error:
        raise StoreError(
            "expected records that their tasks can score, got "
            f"{type(error).__name__}: {error!s:.200}",
            hint="the file was changed, or is of other tasks of the same names: remove the lines "
            "that do not fit from results.jsonl",
        ) from error


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
    return {**MODELS, **specs_of(folder)}


def _floors(records: Iterable[Record], tasks: Mapping[str, VisionTask]) -> dict[str, Floor | None]:
    by_category: dict[str, list[Record]] = {}
    for record in records:
        by_category.setdefault(record.category, []).append(record)
    return {
        name: blind_floor(found, task.score, task.pixel_answer, task.blind)
        for name, found in by_category.items()
        if (task := tasks.get(name)) is not None
    }

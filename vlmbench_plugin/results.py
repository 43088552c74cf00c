"""The results of one run, on the controller: records into the store, tables out of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vlmbench_plugin import thumbnails
from vlmbench_plugin.aggregate import (
    MetricsRow,
    aggregate,
    comparable,
    leaderboard,
    mean_intervals,
)
from vlmbench_plugin.asking import pixel_answer
from vlmbench_plugin.bench import Bench, Outcome, bench_of
from vlmbench_plugin.core import Json, VisionTask
from vlmbench_plugin.evaluate import rescore
from vlmbench_plugin.floors import floor as blind_floor
from vlmbench_plugin.manifest import manifest
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.options import own_tasks, report_folder, settings_of
from vlmbench_plugin.record import Record
from vlmbench_plugin.report import markdown, summary, terminal
from vlmbench_plugin.report.heading import Heading
from vlmbench_plugin.runners import needs_pixels
from vlmbench_plugin.store import Store
from vlmbench_plugin.tasks import TASKS

if TYPE_CHECKING:
    import pytest

MANIFEST = "manifest.json"


class Results:
    """The results folder of a run and everything that is computed from it.

    Args:
        store: The opened folder.
        bench: Of the controller: the tasks, cases and models of this run.
        tasks: Every task known, by category; the folder may hold more than this run asks for.
        command: The command line, for the manifest.
    """

    def __init__(
        self, store: Store, bench: Bench, tasks: Mapping[str, VisionTask], command: Sequence[str]
    ) -> None:
        self._store = store
        self._bench = bench
        self._tasks = tasks
        self._command = command
        self._lines: list[str] = []
        self._facts: dict[str, Mapping[str, Json]] = {}
        self._added = False
        self._started = datetime.now(UTC)
        if not (store.folder / MANIFEST).exists():
            self._write_manifest(None)

    @classmethod
    def open(cls, config: pytest.Config) -> Results:
        """Opens, and locks, the results folder of a run.

        Raises:
            StoreError: If the folder cannot be read or another run is writing to it.
        """
        bench = bench_of(config)
        store = Store.open(report_folder(config), fresh=bench.settings.fresh)
        tasks = _tasks(config)
        for record in store.records:
            today = _today(record, tasks)
            if today is not record:
                store.append(today)
        return cls(store, bench, tasks, ["pytest", *map(str, config.invocation_params.args)])

    @property
    def folder(self) -> Path:
        """Where everything is written."""
        return self._store.folder

    def done(self) -> dict[str, Outcome]:
        """Returns fingerprint -> outcome of what need not run again."""
        return _done(self._store.records, self._tasks)

    def add(self, line: str, facts: str | None) -> None:
        """Stores one record.

        Args:
            line: Its line of JSON.
            facts: What the runner says of itself, as JSON, with the first record of a model.
        """
        record = Record.from_json(line)
        self._store.append(record)
        self._added = True
        if facts is not None:
            self._facts[record.model] = json.loads(facts)

    def live_line(self, group: str, left: int, seconds: float | None) -> str | None:
        """Returns the line of one finished (model, category, mode); None if it has no record.

        Args:
            group: Model, category and mode as in the items' ids.
            left: Items of the run still to come.
            seconds: Estimated seconds until the run ends.
        """
        rows = self._rows([r for r in self._store.records if _group(r) == group], floors={})
        if not rows:
            return None
        line = terminal.live_line(rows[0], left, seconds)
        self._store.log(line)
        return line

    def finish(self, groups: Collection[str]) -> tuple[MetricsRow, ...]:
        """Writes tables, manifest and thumbnails.

        Args:
            groups: (Model, category, mode) of this run, as in the items' ids.

        Returns:
            The metrics rows of these groups; the files cover the whole folder.
        """
        records = self._store.records
        settings = self._bench.settings
        floors = self._floors(records)
        rows = self._rows(records, floors)
        self._store.write("metrics.jsonl", summary.metrics_lines(rows))
        self._write_tables(floors)
        if self._added:
            self._write_manifest(datetime.now(UTC))
        wanted = settings.thumbnails
        if needs_pixels(settings.runner) if wanted is None else wanted:
            images = self.folder / "images"
            have = {path.relative_to(images).as_posix() for path in images.rglob("*.png")}
            for name, content in thumbnails.thumbnails(records, self._bench.sources, have):
                self._store.write(f"images/{name}", content)
        return tuple(r for r in rows if f"{r.model}-{r.category}-{r.mode}" in groups)

    def _write_tables(self, floors: Mapping[str, float | None]) -> None:
        """Writes what compares models, on the images that all of them have."""
        records = self._store.records
        shared = comparable(records)
        rows = self._rows(shared, floors)
        intervals = mean_intervals(shared, seed=self._bench.settings.seed)
        board = leaderboard(rows, {**MODELS, **self._bench.specs}, intervals=intervals)
        heading = Heading.of(board, rows, left_out=len(records) - len(shared))
        self._lines = terminal.leaderboard_lines(board, rows, heading)
        self._store.write("leaderboard.md", markdown.leaderboard(board, rows, heading))
        self._store.write("summary.json", summary.as_json(board, rows, heading))
        self._store.write("summary.csv", summary.as_csv(rows))

    def summary_lines(self) -> list[str]:
        """Returns the leaderboard, once ``finish`` has run, and what had to be repaired."""
        return [*self._lines, *self._store.notes]

    def gate(self, row: MetricsRow) -> str | None:
        """Returns why a row does not meet ``--min-yield``, or None."""
        bar, reached = self._bench.settings.min_yield, row.effective_yield
        if bar is None or (reached is not None and reached >= bar):
            return None
        said = "no item scored" if reached is None else f"yield {reached:.3f}"
        return f"gate not met: {row.model} {row.category} {row.mode}: {said}, at least {bar} needed"

    def close(self) -> None:
        """Releases the folder."""
        self._store.close()

    def _rows(
        self, records: Iterable[Record], floors: Mapping[str, float | None]
    ) -> tuple[MetricsRow, ...]:
        return aggregate(
            records,
            categories=tuple(self._tasks),
            models=tuple(self._bench.specs),
            floors=floors,
            seed=self._bench.settings.seed,
        )

    def _floors(self, records: Iterable[Record]) -> dict[str, float | None]:
        by_category: dict[str, list[Record]] = {}
        for record in records:
            by_category.setdefault(record.category, []).append(record)
        return {
            name: blind_floor(found, task.score, partial(pixel_answer, task))
            for name, found in by_category.items()
            if (task := self._tasks.get(name)) is not None
        }

    def _write_manifest(self, finished: datetime | None) -> None:
        """Tells how the records came to be; a run that only replays leaves it as it was."""
        content = manifest(
            self._bench.settings,
            self._bench.specs.values(),
            self._facts,
            self._command,
            prompts={
                name: hashlib.sha256(task.prompt.encode()).hexdigest()
                for name, task in self._bench.tasks.items()
            },
            started=self._started,
            finished=finished,
        )
        self._store.write(MANIFEST, json.dumps(content, indent=2, allow_nan=False) + "\n")


def done_in_folder(config: pytest.Config) -> dict[str, Outcome]:
    """Returns what a run of these options need not generate again, without opening the folder."""
    if settings_of(config).fresh:
        return {}
    return _done(Store.read(report_folder(config)), _tasks(config))


def _tasks(config: pytest.Config) -> dict[str, VisionTask]:
    return {**TASKS, **{task.category: task for task in own_tasks(config)}}


def _today(record: Record, tasks: Mapping[str, VisionTask]) -> Record:
    """Scores a record again if its scorer has changed since."""
    task = tasks.get(record.category)
    if task is None or record.status == "error" or record.scorer_version == task.scorer_version:
        return record
    return rescore(record, task)


def _done(records: Iterable[Record], tasks: Mapping[str, VisionTask]) -> dict[str, Outcome]:
    return {
        record.key: Outcome.of(_today(record, tasks))
        for record in records
        if record.status != "error"
    }


def _group(record: Record) -> str:
    return f"{record.model}-{record.category}-{record.mode}"

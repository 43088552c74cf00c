"""The results of one run, on the controller: records into the store, tables out of it."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from vlmbench_plugin import thumbnails
from vlmbench_plugin.aggregate import MetricsRow
from vlmbench_plugin.asking import build_request
from vlmbench_plugin.bench import Bench, bench_of
from vlmbench_plugin.core import Json, VisionTask
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.escapes import printable
from vlmbench_plugin.evaluate import error_record
from vlmbench_plugin.fingerprints import Fingerprints
from vlmbench_plugin.folder_manifest import read_manifest
from vlmbench_plugin.folder_tables import known_specs, metrics_rows, tables
from vlmbench_plugin.gates import Verdict
from vlmbench_plugin.items import Outcome
from vlmbench_plugin.manifest import MANIFEST, hashes, manifest, resumed
from vlmbench_plugin.options import own_tasks, report_folder, settings_of
from vlmbench_plugin.record import Record
from vlmbench_plugin.report import terminal
from vlmbench_plugin.rescoring import as_scored, rescore_folder
from vlmbench_plugin.retrying import errors_of
from vlmbench_plugin.run_gates import RunGates
from vlmbench_plugin.runners import needs_pixels
from vlmbench_plugin.stale import mixed
from vlmbench_plugin.store import Store
from vlmbench_plugin.store_files import item_of
from vlmbench_plugin.tasks import TASKS

if TYPE_CHECKING:
    import pytest


class Results:
    """The results folder of a run and everything that is computed from it.

    Args:
        store: The opened folder.
        bench: Of the controller: the tasks, cases and models of this run.
        tasks: Every task known, by category; the folder may hold more than this run asks for.
        command: The command line, for the manifest.
        rescored: What scoring the folder's records again changed, one line each.
        gates: Of this run.

    Attributes:
        verdicts: What became of the gates, once ``finish`` has run.
    """

    def __init__(
        self,
        store: Store,
        bench: Bench,
        tasks: Mapping[str, VisionTask],
        command: Sequence[str],
        rescored: Sequence[str],
        gates: RunGates,
    ) -> None:
        self.verdicts: tuple[Verdict, ...] = ()
        self._gates = gates
        self._store = store
        self._bench = bench
        self._tasks = tasks
        self._command = command
        self._rescored = rescored
        self._specs = {**known_specs(store.folder), **bench.specs}
        self._before = read_manifest(store.folder)
        self._lines: list[str] = []
        self._decision: list[str] = []
        known = self._before.get("runner")
        self._facts: dict[str, Mapping[str, Json]] = dict(known) if isinstance(known, dict) else {}
        self._added = False
        self._started = datetime.now(UTC)
        if not self._before:
            self._write_manifest(None)

    @classmethod
    def open(cls, config: pytest.Config, groups: Collection[str]) -> Results:
        """Opens, and locks, the results folder of a run.

        Args:
            config: Of this pytest run.
            groups: (Model, category, mode) of this run, as in the items' ids.

        Raises:
            StoreError: If the folder cannot be read or another run is writing to it.
            UsageError: If a gate cannot be judged.
        """
        bench, tasks = bench_of(config), _tasks(config)
        gates = RunGates.open(bench, groups, report_folder(config), tasks)
        store = Store.open(report_folder(config), fresh=bench.settings.fresh)
        rescored = rescore_folder(store, tasks, everything=bench.settings.rescore)
        command = ["pytest", *map(str, config.invocation_params.args)]
        return cls(store, bench, tasks, command, rescored, gates)

    @property
    def folder(self) -> Path:
        """Where everything is written."""
        return self._store.folder

    def done(self) -> dict[str, Outcome]:
        """Returns fingerprint -> outcome of what need not run again."""
        return _done(self._store.records)

    def add(self, line: str, facts: str | None) -> None:
        """Stores one record.

        Args:
            line: Its line of JSON.
            facts: What the runner says of itself, as JSON, where that is new.
        """
        record = Record.from_json(line)
        self._store.append(record, line)
        if not self._added:
            self._added = True
            self._write_manifest(None)
        if facts is not None:
            self._add_facts(record.model, json.loads(facts))

    def _add_facts(self, model: str, facts: dict[str, Json]) -> None:
        """Keeps the newest; of peaks, which every worker has its own of, the highest."""
        known = self._facts.get(model, {})
        peaks = {
            name: max((v for v in (value, known.get(name)) if v is not None), default=None)
            for name, value in facts.items()
            if name.startswith("peak_")
        }
        self._facts[model] = {**facts, **peaks}
        note = facts.get("note")
        if note and note != known.get("note"):
            self.log(f"{model}: {note}")

    def log(self, line: str) -> None:
        """Adds a line to ``run.log``."""
        self._store.log(line)

    def add_error(self, group: str, index: int, said: str) -> None:
        """Stores the record of an item that ended before it could make one.

        Its fixture failed, or its worker died. An answer that is already there stays.

        Args:
            group: Model, category and mode as in the item's id.
            index: Of the case.
            said: What went wrong.
        """
        bench = self._bench
        cells = itertools.product(bench.specs.values(), bench.tasks.values(), bench.settings.modes)
        for spec, task, mode in cells:
            if f"{spec.name}-{task.category}-{mode}" == group:
                break
        else:
            return  # an item of one's own making
        try:
            case = bench.sources[task.category][index]
        except DataError:  # its image cannot be read: nothing is known that a record could hold
            return
        fingerprint = Fingerprints(spec, bench.settings).of(task, case.identity, mode)
        request = build_request(task, case, spec, mode, bench.settings)
        record = error_record(task, case, spec, request, bench.settings, fingerprint, said)
        earlier = self._store.record_of(item_of(record))
        if earlier is None or earlier.key != record.key or earlier.status == "error":
            self.add(record.to_json(), None)

    def log_error(self, nodeid: str, trace: str) -> None:
        """Writes why an item is an error to ``run.log``."""
        self._store.log(f"error: {nodeid}\n{trace}")

    def live_line(self, group: str, left: int, seconds: float | None) -> str | None:
        """Returns the line of one finished (model, category, mode); None if it has no record.

        Args:
            group: Model, category and mode as in the items' ids.
            left: Items of the run still to come.
            seconds: Estimated seconds until the run ends.
        """
        reasoning = self._bench.settings.reasoning  # a folder may hold both
        found = [
            record
            for record in self._store.records
            if record.reasoning == reasoning and _group(record) == group
        ]
        rows = metrics_rows(found, self._tasks)
        if not rows:
            return None
        line = printable(terminal.live_line(rows[0], left, seconds))
        self._store.log(line)
        return line

    def finish(self, groups: Collection[str]) -> tuple[MetricsRow, ...]:
        """Writes tables, manifest and thumbnails.

        Args:
            groups: (Model, category, mode) of this run, as in the items' ids.

        Returns:
            The metrics rows of these groups; the files cover the whole folder.
        """
        # Small copies first: the page shows them.
        self._write_thumbnails()
        records = self._store.records
        self.verdicts = self._gates.verdicts(records)
        found = tables(
            records,
            self._tasks,
            self._specs,
            self._bench.settings,
            gates=self.verdicts,
            pictures=thumbnails.reader(self.folder),
        )
        self._lines, self._decision = found.lines, found.decision
        for name, content in found.files.items():
            self._store.write(name, content)
        if self._added:
            self._write_manifest(datetime.now(UTC))
        asked = [row for row in found.rows if row.reasoning == self._bench.settings.reasoning]
        return tuple(r for r in asked if f"{r.model}-{r.category}-{r.mode}" in groups)

    def _write_thumbnails(self) -> None:
        settings = self._bench.settings
        wanted = settings.thumbnails
        if needs_pixels(settings.runner) if wanted is None else wanted:
            have = thumbnails.names(self.folder)
            sources = self._bench.sources
            for name, image in thumbnails.thumbnails(self._store.records, sources, have):
                self._store.write(f"{thumbnails.FOLDER}/{name}", image)

    def summary_lines(self) -> list[str]:
        """Returns the leaderboard, once ``finish`` has run, and what was repaired or rescored."""
        store = self._store
        kept = [*store.notes, *store.stale_lines(), *mixed(store.records), *self._rescored]
        lines = [*self._lines, *self._bench.notes(), *kept, *self._decision]
        return list(map(printable, lines))  # the folder may hold records from elsewhere

    def close(self) -> None:
        """Releases the folder."""
        self._store.close()

    def _write_manifest(self, finished: datetime | None) -> None:
        """Tells how the records came to be; a run that only replays leaves it as it was."""
        models = {*self._bench.specs, *(record.model for record in self._store.records)}
        run = manifest(
            self._bench.settings,
            [spec for name, spec in self._specs.items() if name in models],
            self._facts,
            self._command,
            data={name: source.describe() for name, source in self._bench.sources.items()},
            prompts={
                name: hashlib.sha256(task.prompt.encode()).hexdigest()
                for name, task in self._bench.tasks.items()
            },
            started=self._started,
            finished=finished,
        )
        content = {**resumed(run, self._before), "hashes": hashes(self._store.records)}
        self._store.write(MANIFEST, json.dumps(content, indent=2, allow_nan=False) + "\n")


def done_and_errors(
    config: pytest.Config,
) -> tuple[dict[str, Outcome], list[tuple[str, str, str, str]]]:
    """Reads a folder for workers, without opening it.

    Returns:
        What a run of these options need not generate again, and which items ended in an error.

    Raises:
        StoreError: If the folder cannot be read.
    """
    if settings_of(config).fresh:
        return {}, []
    tasks, everything = _tasks(config), settings_of(config).rescore
    records = Store.read(report_folder(config))
    done = _done(as_scored(record, tasks, everything=everything) for record in records)
    return done, errors_of(records)


def _tasks(config: pytest.Config) -> dict[str, VisionTask]:
    return {**TASKS, **{task.category: task for task in own_tasks(config)}}


def _done(records: Iterable[Record]) -> dict[str, Outcome]:
    return {record.key: Outcome.of(record) for record in records if record.status != "error"}


def _group(record: Record) -> str:
    return f"{record.model}-{record.category}-{record.mode}"

"""An earlier run that a run is compared with: its records, or its metrics where it has no more."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from vlmbench_plugin.core import Json, Mode
from vlmbench_plugin.data import CaseSource
from vlmbench_plugin.errors import StoreError, UsageError
from vlmbench_plugin.folder_manifest import read_manifest
from vlmbench_plugin.manifest import MANIFEST
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import Interval
from vlmbench_plugin.store import Store
from vlmbench_plugin.store_files import RESULTS

METRICS = "metrics.jsonl"

Cell: TypeAlias = tuple[str, str, Mode]
"""Model, category and mode."""
Image: TypeAlias = tuple[str, str, str]
"""Data set, source and image id; a blind run has the ids of images that it did not show."""
Item: TypeAlias = tuple[str, str, str, Mode, Image]
"""Model, reasoning, category, mode and image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRow:
    """What one line of an earlier ``metrics.jsonl`` says of yields."""

    model: str
    reasoning: str
    category: str
    mode: Mode
    dataset: str
    n: int
    effective_yield: float | None
    effective_yield_interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """An earlier run.

    Attributes:
        path: Its folder.
        scored: Its scored records, by ``item_of``; empty where only ``metrics.jsonl`` is there.
        rows: Its metrics; empty where there are records.
        manifest: Its ``manifest.json``; None where it has none.
    """

    path: Path
    scored: Mapping[Item, Record] = field(default_factory=dict)
    rows: tuple[BaselineRow, ...] = ()
    manifest: Mapping[str, Json] | None = None

    @classmethod
    def of(
        cls, path: Path, records: Iterable[Record], manifest: Mapping[str, Json] | None = None
    ) -> Baseline:
        """Returns the baseline that these records are; errors among them are left out."""
        scored = {item_of(record): record for record in records if record.status != "error"}
        return cls(path=path, scored=scored, manifest=manifest)

    @property
    def cells(self) -> set[Cell]:
        """Every (model, category, mode) with a scored item."""
        scored = {(r.model, r.category, r.mode) for r in self.scored.values()}
        return scored | {(r.model, r.category, r.mode) for r in self.rows if r.n}

    def pairs(self, records: Iterable[Record]) -> list[tuple[Record, Record]]:
        """Returns the records whose image was scored here too, each with the earlier one.

        An image whose truth has changed since is another image.
        """
        both = ((record, self.scored.get(item_of(record))) for record in records)
        return [(new, old) for new, old in both if old is not None and new.truth == old.truth]

    def row_of(self, record: Record) -> BaselineRow | None:
        """Returns the metrics of a record's (model, reasoning, category, mode), if they are all."""
        cell = record.model, record.reasoning, record.category, record.mode
        same = (r for r in self.rows if (r.model, r.reasoning, r.category, r.mode) == cell)
        return next(same, None)


def baseline_file(path: Path) -> Path:
    """Returns the file that a baseline is read from.

    Args:
        path: A results folder, or the ``results.jsonl`` or ``metrics.jsonl`` of one.

    Raises:
        UsageError: If there is no such file.
    """
    if path.is_file() and path.name in (RESULTS, METRICS):
        return path
    for name in (RESULTS, METRICS):
        if (path / name).is_file():
            return path / name
    raise UsageError(
        f"--baseline {path}: there is no {RESULTS} and no {METRICS}",
        hint="name the folder that an earlier run wrote to, or one of these two files in it",
    )


def read_baseline(path: Path) -> Baseline:
    """Reads an earlier run; changes and locks nothing.

    Args:
        path: As ``baseline_file`` takes it.

    Raises:
        UsageError: If there is no such file.
        StoreError: If it cannot be read.
    """
    file = baseline_file(path)
    manifest = read_manifest(file.parent) or None
    if file.name == RESULTS:
        return Baseline.of(file.parent, Store.read(file.parent), manifest)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        rows = tuple(_row(json.loads(line)) for line in lines)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"expected lines of a {METRICS} in {file}, got {error!r}",
            hint="write it anew with `qwen-vlmbench report FOLDER`",
        ) from error
    return Baseline(path=file.parent, rows=rows, manifest=manifest)


def item_of(record: Record) -> Item:
    """Returns what the same item has in another run."""
    image = record.dataset, record.source, record.image_id
    return record.model, record.reasoning, record.category, record.mode, image


def check_cells(baseline: Baseline, cells: Collection[Cell]) -> None:
    """Checks that an earlier run has what a run is to be compared with.

    Args:
        baseline: The earlier run.
        cells: What is compared.

    Raises:
        UsageError: If it lacks one of them.
    """
    lacking = sorted(set(cells) - baseline.cells)
    if not lacking:
        return
    shown = ", ".join("-".join(cell) for cell in lacking[:3])
    more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
    models = ", ".join(sorted({model for model, _, _ in baseline.cells})) or "none"
    raise UsageError(
        f"the baseline {baseline.path} has no scored item of {shown}{more}; its models: {models}",
        hint="compare what both have: name categories, as in --max-regression ocr_text=0.05, ask "
        "only its models and modes, or give a model its name there with --model NAME=PATH",
    )


def check_images(
    baseline: Baseline,
    cells: Collection[Cell],
    sources: Mapping[str, CaseSource],
    dataset: str,
) -> None:
    """Checks that an earlier run was asked about some of the images of this one.

    No image is drawn or decoded. Of metrics alone only the name of the data set is known.

    Args:
        baseline: The earlier run.
        cells: What is compared.
        sources: Category -> the cases of this run.
        dataset: The data set of this run, as records name it.

    Raises:
        UsageError: If they have no image in common in one of the cells.
    """
    have: dict[Cell, set[Image]] = {}
    for model, _, category, mode, image in baseline.scored:
        have.setdefault((model, category, mode), set()).add(image)
    for row in baseline.rows:
        if (row.model, row.category, row.mode) in cells and row.dataset != dataset:
            raise _other_images(baseline, row.category, row.dataset, dataset)
    for cell in cells if have else ():
        theirs, source = have[cell], sources[cell[1]]
        ours = (_image(source, index, dataset) for index in range(len(source)))
        if not any(image in theirs for image in ours):
            first = _image(source, 0, dataset)
            raise _other_images(baseline, cell[1], "/".join(min(theirs)), "/".join(first))


def machine_of(manifest: Mapping[str, Json] | None) -> dict[str, Json]:
    """Returns what names the machine whose speed a run measured; empty where that is unknown."""
    if manifest is None or not isinstance(manifest.get("machine"), dict):
        return {}
    machine, settings = manifest["machine"], manifest.get("settings") or {}
    return {name: machine.get(name) for name in ("host", "processor", "cores")} | {
        name: settings.get(name) for name in ("device", "server_url")
    }


def check_speeds(baseline: Baseline, cells: Collection[Cell], own: Mapping[str, Json]) -> None:
    """Checks that the speed of an earlier run can be compared with that of this one.

    Args:
        baseline: The earlier run.
        cells: What is compared.
        own: ``machine_of`` this run.

    Raises:
        UsageError: If it ran on another machine, or does not tell where or how fast it ran.
    """
    theirs = machine_of(baseline.manifest)
    if not theirs:
        raise UsageError(
            f"--min-speed-ratio: the baseline {baseline.path} does not name its machine",
            hint=f"keep the {MANIFEST} of a run beside its {RESULTS}",
        )
    other = [name for name, value in own.items() if theirs.get(name) != value]
    if other:
        differing = "; ".join(
            f"{name} {theirs.get(name)} there, {own[name]} here" for name in other
        )
        raise UsageError(
            f"--min-speed-ratio compares runs of one machine; the baseline {baseline.path} is of "
            f"another: {differing}",
            hint="make the baseline on this machine, with the same device, and compare yields "
            "alone until then: --max-regression needs no machine",
        )
    records = baseline.scored.values()
    timed = {(r.model, r.category, r.mode) for r in records if r.busy_s and r.output_tokens}
    untimed = sorted(set(cells) - timed)
    if untimed:
        raise UsageError(
            f"--min-speed-ratio: the baseline {baseline.path} has no times of "
            f"{'-'.join(untimed[0])}",
            hint=f"it takes the {RESULTS} of a run in which a model answered",
        )


def _row(values: Mapping[str, Json]) -> BaselineRow:
    found = {name: values[name] for name in BaselineRow.__dataclass_fields__}
    if found["effective_yield_interval"] is not None:
        low, high = found["effective_yield_interval"]
        found["effective_yield_interval"] = (float(low), float(high))
    return BaselineRow(**found)


def _image(source: CaseSource, index: int, dataset: str) -> Image:
    identity = source.identity(index)
    if identity is None:
        identity = source[index].identity
    return dataset, identity.source, identity.image_id


def _other_images(baseline: Baseline, category: str, theirs: str, ours: str) -> UsageError:
    return UsageError(
        f"the baseline {baseline.path} has other images of {category}: {theirs} there, {ours} here",
        hint="run with its --dataset, --data-dir, --seed and --difficulty, or make a new baseline",
    )

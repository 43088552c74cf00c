"""A plan from a finished run: what its items took, times the images to come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench_plugin.core import Json, ModelSpec
from vlmbench_plugin.errors import StoreError, UsageError
from vlmbench_plugin.folder_tables import known_specs
from vlmbench_plugin.manifest import MANIFEST
from vlmbench_plugin.measured import Cell
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.planning import (
    Asked,
    Figure,
    Plan,
    known,
    size_notes,
    sums,
    total,
    visual_figures,
    weights,
    with_peak,
)
from vlmbench_plugin.record import Record
from vlmbench_plugin.report.heading import NO_MODEL
from vlmbench_plugin.runners import RUNNERS, loads_model
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.store import Store
from vlmbench_plugin.store_files import RESULTS
from vlmbench_plugin.thumbnails import MAX_PER_CATEGORY

FEW = 30
"""Fewer items than this are said to be few."""


def plan_from_run(folder: Path, asked: Asked) -> Plan:
    """Plans from what a run measured.

    Raises:
        StoreError: If the folder holds no readable results.
        UsageError: If no model ran, or not what is asked for.
        DataError: If a model's image processor refuses what it answered about.
    """
    records = _chosen(_read(folder), folder, asked)
    manifest, entries = _manifest(folder), known_specs(folder)
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        key = record.model, record.reasoning, record.category, record.mode
        groups.setdefault(key, []).append(record)

    def cell(part: Sequence[Record]) -> Cell:
        one = part[0]
        stranger = ModelSpec(name=one.model, hub_id=one.model, frame=one.frame)
        spec = entries.get(one.model, stranger)
        # The packaged toy was elsewhere if the run was made on another machine.
        spec = MODELS[spec.name] if spec.toy and spec.name in MODELS else spec
        machine = _machine(manifest, one.model)
        return Cell(folder=folder, machine=machine, spec=spec, records=tuple(part))

    cells = [cell(part) for part in groups.values()]
    by_model: dict[str, list[Record]] = {}
    for record in records:
        by_model.setdefault(record.model, []).append(record)
    whole = {name: cell(part) for name, part in by_model.items()}
    specs = [one.spec for one in whole.values()]
    visual = visual_figures(specs, asked.sizes)
    sources = {
        name: {key: figure.source for key, figure in one.planned(asked, visual.get(name)).items()}
        for name, one in whole.items()
    }
    rows = tuple(one.row(one.planned(asked, visual.get(one.spec.name))) for one in cells)
    return Plan(
        basis=str(folder),
        measured=tuple(one.row(one.measured()) for one in cells),
        rows=rows,
        totals=sums(rows, sources),
        disk=with_peak(_disk(folder, cells, asked) | weights(specs, _served(records))),
        visual=visual,
        sizes=asked.sizes,
        notes=tuple(_notes(cells, asked)),
    )


def max_pixels_of(folder: Path) -> int:
    """Returns the pixel cap of a run; the default one where its manifest does not tell."""
    found = _manifest(folder).get("settings", {}).get("max_pixels")
    return found if isinstance(found, int) else Settings().max_pixels


def _read(folder: Path) -> tuple[Record, ...]:
    if not folder.is_dir():
        raise StoreError(
            f"expected a results folder, got {folder}: there is no such folder",
            hint="name the folder that a run wrote to, such as reports/synthetic; without one, "
            "plan from a spec: qwen-vlmbench plan --models qwen3vl-4b --images 1000",
        )
    records = Store.read(folder)
    if not records:
        raise StoreError(
            f"expected results in {folder}, got no record in {RESULTS}",
            hint="run the benchmark with --report-dir set to this folder first",
        )
    return records


def _chosen(records: Sequence[Record], folder: Path, asked: Asked) -> tuple[Record, ...]:
    answered = [record for record in records if record.runner not in NO_MODEL]
    if not answered:
        runners = ", ".join(sorted({record.runner for record in records}))
        raise UsageError(
            f"expected answers of a model in {folder}, got those of {runners}: no model ran: "
            "there is no throughput to go by",
            hint="run some items with a model first, such as --models qwen3vl-4b --n 8, or plan "
            "from a spec: qwen-vlmbench plan --models qwen3vl-4b --images 1000",
        )
    for kind, wanted, has in (
        ("model", asked.models, [record.model for record in answered]),
        ("category", asked.categories, [record.category for record in answered]),
        ("mode", asked.modes, [record.mode for record in answered]),
    ):
        if missing := [name for name in wanted if name not in has]:
            raise UsageError(
                f"expected a {kind} that {folder} has, got {', '.join(missing)}",
                hint=f"it has {', '.join(sorted(set(has)))}",
            )
    chosen = tuple(
        record
        for record in answered
        if (not asked.models or record.model in asked.models)
        and (not asked.categories or record.category in asked.categories)
        and (not asked.modes or record.mode in asked.modes)
    )
    if not chosen:
        raise UsageError(
            f"{folder} has each of what was asked for, but not together",
            hint="leave out one of --model, --category and --mode",
        )
    return chosen


def _manifest(folder: Path) -> Mapping[str, Json]:
    """Returns the manifest, empty where there is none."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StoreError(
            f"expected the manifest of a run in {path}, got {error!r}",
            hint="delete that file: the plan then does not name the machine",
        ) from error
    return found if isinstance(found, dict) else {}


def _machine(manifest: Mapping[str, Json], model: str) -> str:
    """Returns where a model ran, such as ``cuda:0 of a machine of 16 cores``."""
    facts = manifest.get("runner", {}).get(model)
    cores = manifest.get("machine", {}).get("cores")
    if facts is None or cores is None:
        return f"a machine that {MANIFEST} does not tell"
    device = facts.get("device")
    if device is None:
        return f"a server, asked from a machine of {cores} cores"
    return f"{cores} cores" if device == "cpu" else f"{device} of a machine of {cores} cores"


def _served(records: Sequence[Record]) -> frozenset[str]:
    """Returns the models whose weights are not on this machine."""
    return frozenset(
        record.model
        for record in records
        if record.runner in RUNNERS and not loads_model(record.runner)
    )


def _disk(folder: Path, cells: Sequence[Cell], asked: Asked) -> dict[str, Figure]:
    line = [
        sum(len(record.to_json()) + 1 for record in cell.records) / len(cell.records)
        for cell in cells
    ]
    count = sum(len(cell.records) for cell in cells)
    small = []
    for category in dict.fromkeys(cell.records[0].category for cell in cells):
        files = [path.stat().st_size for path in (folder / "images" / category).glob("*.png")]
        kept = min(asked.images, MAX_PER_CATEGORY)
        source = f"{folder} keeps none of {category}"
        if files:
            source = (
                f"{len(files)} small images of {category} in {folder}, at most "
                f"{MAX_PER_CATEGORY} a category are kept"
            )
        small.append(known(kept * sum(files) / len(files) if files else 0, source))
    return {
        RESULTS: known(sum(line) * asked.images, f"the mean of {count:,} lines in {folder}"),
        "small images": total(small),
    }


def _notes(cells: Sequence[Cell], asked: Asked) -> Iterator[str]:
    if asked.tokens_per_second is None:
        yield (
            "Throughput holds for that machine and batch size, and for answers of that length: "
            "another card, fuller batches or another task need a run of their own."
        )
    yield (
        "Hours are the model's busy seconds. Workers with a device each (-n) share them; loading, "
        "compiling and saving are not in them."
    )
    yield "Spread: 5 % of the items are below the first figure, 5 % above the second."
    fewest = min(len(cell.seconds()) for cell in cells)
    if fewest < FEW:
        yield f"Few items: a line is the mean of as few as {fewest}; see the spread."
    errors = sum(cell.errors() for cell in cells)
    if errors:
        yield f"{errors} errors have neither tokens nor seconds, and are left out of both."
    toys = sorted({cell.spec.name for cell in cells if cell.spec.toy})
    if toys:
        yield f"Toys, which say nothing of a real model's speed: {', '.join(toys)}."
    if any(cell.records[0].reasoning == "on" for cell in cells):
        yield "Output tokens include those of thinking."
    yield from size_notes(asked.sizes)

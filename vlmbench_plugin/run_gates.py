"""The gates of one run: what was asked for, checked before anything is generated, and judged."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench_plugin.baselines import (
    Baseline,
    Cell,
    baseline_file,
    check_cells,
    check_images,
    check_speeds,
    item_of,
    machine_of,
    read_baseline,
)
from vlmbench_plugin.bench import Bench
from vlmbench_plugin.core import Json, VisionTask
from vlmbench_plugin.errors import UnknownNameError, UsageError
from vlmbench_plugin.gates import ALL, COMPARING, Gate, Kind, Verdict, gate_for, gates_of, verdicts
from vlmbench_plugin.manifest import machine
from vlmbench_plugin.record import Record
from vlmbench_plugin.rescoring import today
from vlmbench_plugin.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGates:
    """The gates of one run and what they are judged on.

    Attributes:
        gates: The gates asked for.
        cells: Every (model, category, mode) of the run.
        baseline: The earlier run, where one is named.
    """

    gates: tuple[Gate, ...]
    cells: tuple[Cell, ...]
    baseline: Baseline | None

    @classmethod
    def open(
        cls,
        bench: Bench,
        groups: Collection[str],
        folder: Path,
        tasks: Mapping[str, VisionTask],
    ) -> RunGates:
        """Reads the baseline and checks that every gate can be judged.

        Args:
            bench: The tasks, cases and models of the run.
            groups: (Model, category, mode) of the run, as in the items' ids.
            folder: Where the run writes, before ``--fresh`` numbers it.
            tasks: Every task known, by category.

        Raises:
            UsageError: If a gate is for what this run or the baseline does not have.
            StoreError: If the baseline cannot be read.
        """
        settings = bench.settings
        gates = gates_of(settings)
        cells = _cells(bench, groups) if gates else ()
        for gate in gates:
            _check_selected(gate, cells, bench)
        if settings.baseline is None:
            return cls(gates=gates, cells=cells, baseline=None)
        found = _baseline(Path(settings.baseline), settings, folder, tasks)
        compared = [cell for cell in cells if _compared(gates, COMPARING, cell)]
        check_cells(found, compared)
        check_images(found, compared, bench.sources, settings.dataset_name)
        timed = [cell for cell in cells if gate_for(gates, "min-speed-ratio", cell[1])]
        if timed:
            check_speeds(found, timed, _own_machine(settings))
        return cls(gates=gates, cells=cells, baseline=found)

    def verdicts(self, records: Iterable[Record]) -> tuple[Verdict, ...]:
        """Judges every gate on the records of the folder."""
        return verdicts(self.gates, records, self.cells, self.baseline)


def check_gates(settings: Settings, categories: tuple[str, ...]) -> None:
    """Checks what can be known of gates before anything is collected.

    Args:
        settings: Of the run.
        categories: Every category known.

    Raises:
        UsageError: If a gate names no category, gives two bars for one, or lacks its baseline.
    """
    gates = gates_of(settings)
    for gate in gates:
        _check_category(gate, categories)
    bars = [(gate.kind, gate.category) for gate in gates]
    for kind, category in bars:
        if bars.count((kind, category)) > 1:
            raise UsageError(
                f"--{kind} gives two bars for {category or 'every category'}; keep one of them"
            )
    comparing = [gate.kind for gate in gates if gate.kind in COMPARING]
    if settings.baseline is not None:
        if not comparing:
            raise UsageError("--baseline needs --max-regression or --min-speed-ratio")
        baseline_file(Path(settings.baseline))
    elif comparing:
        raise UsageError(
            f"--{comparing[0]} needs --baseline PATH, the results folder of an earlier run"
        )


def _baseline(
    path: Path, settings: Settings, folder: Path, tasks: Mapping[str, VisionTask]
) -> Baseline:
    """Reads the baseline; records of an older scorer are scored again, as those of the run are."""
    found = read_baseline(path)
    if found.path.resolve() == folder.resolve() and not settings.fresh:
        raise UsageError(
            f"--baseline {path} is the folder that this run writes to",
            hint="write to another one, with --report-dir or --fresh",
        )
    records = [
        today(record, tasks, everything=settings.rescore) for record in found.scored.values()
    ]
    return dataclasses.replace(found, scored={item_of(record): record for record in records})


def _check_category(gate: Gate, categories: tuple[str, ...]) -> None:
    if gate.category == ALL and gate.kind in COMPARING:
        raise UsageError(
            f"--{gate.kind} compares category by category, got all={gate.bar:g}",
            hint=f"--{gate.kind} {gate.bar:g} is for each of them",
        )
    if gate.category is not None and gate.category not in (ALL, *categories):
        close = difflib.get_close_matches(gate.category, (ALL, *categories), 1)
        raise UnknownNameError(
            f"category of --{gate.kind}",
            gate.category,
            (ALL, *categories),
            hint=f"did you mean {close[0]}={gate.bar:g}?" if close else "",
        )


def _check_selected(gate: Gate, cells: Sequence[Cell], bench: Bench) -> None:
    """Refuses a gate of a category of which no item will run."""
    category = gate.category
    if category in (None, ALL) or any(cell[1] == category for cell in cells):
        return
    if category in bench.left_out:
        why = f"which is left out: {bench.left_out[category]}"
    elif category not in bench.tasks:
        why = "which -m or --category deselects"
    else:
        why = "of which no item is selected"
    has = ", ".join(dict.fromkeys(cell[1] for cell in cells))
    raise UsageError(f"--{gate.kind} has a bar for {category}, {why}", hint=f"this run has: {has}")


def _cells(bench: Bench, groups: Collection[str]) -> tuple[Cell, ...]:
    """Returns the cells of the run; without any group known, all that can be."""
    return tuple(
        (model, category, mode)
        for model in bench.specs
        for category in bench.tasks
        for mode in bench.settings.modes
        if not groups or f"{model}-{category}-{mode}" in groups
    )


def _compared(gates: Sequence[Gate], kinds: Sequence[Kind], cell: Cell) -> bool:
    return any(gate_for(gates, kind, cell[1]) is not None for kind in kinds)


def _own_machine(settings: Settings) -> dict[str, Json]:
    asked = {"device": settings.device, "server_url": settings.server_url}
    return machine_of({"machine": machine(), "settings": asked})

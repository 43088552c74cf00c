"""Bars that a run must reach, and whether it is shown that it does: held, failed or undecided.

A figure is judged by its 95 % interval. At or above the bar with the whole interval is *held*,
below it with the whole interval is *failed*; a bar inside the interval is *undecided*, with the
number of images that would decide if the figure stayed as it is. Pure: records in, verdicts out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from vlmbench_plugin.baselines import Baseline, Cell
from vlmbench_plugin.cells import earned, image_of
from vlmbench_plugin.core import Mode
from vlmbench_plugin.gate_figures import (
    MOST_IMAGES,
    Figure,
    Timed,
    change_figure,
    mean_figure,
    share_figure,
    speed_figure,
    unpaired_figure,
)
from vlmbench_plugin.record import Record
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.stats import Interval

Kind = Literal["min-yield", "min-valid", "max-regression", "min-speed-ratio"]
Outcome = Literal["held", "failed", "undecided"]

ALL = "all"
"""In place of a category: the mean over all categories of one (model, mode)."""
COMPARING: tuple[Kind, ...] = ("max-regression", "min-speed-ratio")
"""The kinds that need an earlier run."""

_Key: TypeAlias = tuple[str, str, str | None, Mode]
"""Model, reasoning, category (None for the mean over all) and mode."""
_Tasks: TypeAlias = Mapping[str, Sequence[Record]]
"""Category -> its scored records of one (model, reasoning, mode): one, or all for a mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One bar.

    Attributes:
        kind: The option that set it, without its dashes.
        category: The task; ``ALL`` for the mean over all; None for each task that has no bar of
            its own.
        bar: A yield, a share or a loss of yield, in [0, 1]; a ratio of speeds, above 0.
    """

    kind: Kind
    category: str | None
    bar: float

    @property
    def least(self) -> float:
        """The least figure that is enough; of a loss of yield it is minus the bar."""
        return -self.bar if self.kind == "max-regression" else self.bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one gate in one (model, reasoning, category, mode).

    Attributes:
        gate: The gate.
        model: As in the records.
        reasoning: As in the records.
        category: The task; None for the mean over all.
        mode: As in the records.
        outcome: ``held``, ``failed`` or ``undecided``.
        figure: What is judged; None where there is nothing to judge, which is ``failed``.
        interval: Its 95 % interval; None with ``figure``.
        n: Images that the figure rests on; for a mean over tasks, those of all tasks together.
        needed: Images that would decide, counted as in ``n``; None unless undecided, and where no
            number of images would.
        sentence: All of it in one line.
    """

    gate: Gate
    model: str
    reasoning: str
    category: str | None
    mode: Mode
    outcome: Outcome
    figure: float | None
    interval: Interval | None
    n: int
    needed: int | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wording:
    """How a kind of gate is told: its figure, its bar, and why it may have no figure."""

    figure: str
    asked: str
    lacking: str = "no item scored"


_WORDING: Mapping[Kind, _Wording] = {
    "min-yield": _Wording(figure="yield {:.3f}", asked="at least {:g} asked"),
    "min-valid": _Wording(figure="valid share {:.3f}", asked="at least {:g} asked"),
    "max-regression": _Wording(
        figure="yield changed by {:+.3f}",
        asked="a loss of at most {:g} allowed",
        lacking="no scored image in common with the baseline",
    ),
    "min-speed-ratio": _Wording(
        figure="{:.3f} times the baseline's tokens/s",
        asked="at least {:g} asked",
        lacking="too few images with times here and in the baseline",
    ),
}


def gates_of(settings: Settings) -> tuple[Gate, ...]:
    """Returns the gates that were asked for."""
    given: dict[Kind, tuple[tuple[str | None, float], ...]] = {
        "min-yield": settings.min_yield,
        "min-valid": settings.min_valid,
        "max-regression": settings.max_regression,
    }
    if settings.min_speed_ratio is not None:
        given["min-speed-ratio"] = ((None, settings.min_speed_ratio),)
    return tuple(
        Gate(kind=kind, category=category, bar=bar)
        for kind, bars in given.items()
        for category, bar in bars
    )


def gate_for(gates: Iterable[Gate], kind: Kind, category: str | None) -> Gate | None:
    """Returns the gate of a category: its own, else that of every category; None without one.

    Args:
        gates: The gates asked for.
        kind: The kind of gate.
        category: The task; None for the mean over all.
    """
    own = {gate.category: gate for gate in gates if gate.kind == kind}
    return own.get(ALL) if category is None else own.get(category, own.get(None))


def verdicts(
    gates: Sequence[Gate],
    records: Iterable[Record],
    cells: Collection[Cell],
    baseline: Baseline | None = None,
) -> tuple[Verdict, ...]:
    """Judges every gate in every cell that it is for.

    Args:
        gates: The gates asked for.
        records: Of the run, in any order; those outside of ``cells`` are not looked at.
        cells: Every (model, category, mode) of the run, in the order in which they are told.
        baseline: The earlier run, where a gate compares with one.

    Returns:
        Kind by kind; the means over all categories follow the cells.
    """
    grouped = _grouped(records, cells) if gates else {}
    return tuple(
        _verdict(gate, key, tasks, baseline)
        for kind in dict.fromkeys(gate.kind for gate in gates)
        for key, tasks in grouped.items()
        if (gate := gate_for(gates, kind, key[2])) is not None
    )


def _grouped(records: Iterable[Record], cells: Collection[Cell]) -> dict[_Key, _Tasks]:
    """Returns the scored records of every cell, empty where it has none, and then of every mean."""
    found: dict[Cell, dict[str, list[Record]]] = {cell: {} for cell in cells}
    for record in records:
        by_reasoning = found.get((record.model, record.category, record.mode))
        if by_reasoning is not None:
            own = by_reasoning.setdefault(record.reasoning, [])
            own += [record] if record.status != "error" else []
    single: dict[_Key, _Tasks] = {}
    means: dict[_Key, dict[str, Sequence[Record]]] = defaultdict(dict)
    for (model, category, mode), by_reasoning in found.items():
        for reasoning, scored in (by_reasoning or {"off": []}).items():
            single[model, reasoning, category, mode] = {category: scored}
            means[model, reasoning, None, mode][category] = scored
    return {**single, **means}


def _verdict(gate: Gate, key: _Key, tasks: _Tasks, baseline: Baseline | None) -> Verdict:
    model, reasoning, category, mode = key
    empty = sorted(name for name, records in tasks.items() if not records)
    found = None if empty else _FIGURES[gate.kind](tasks, baseline)
    outcome, needed = _judged(found, gate.least)
    title = model if reasoning == "off" else f"{model} (reasoning {reasoning})"
    where = category or f"mean of {len(tasks)} categor{'y' if len(tasks) == 1 else 'ies'}"
    parts = _said(gate.kind, found, empty, category)
    parts.append(_WORDING[gate.kind].asked.format(gate.bar))
    if outcome == "undecided":
        parts.append(
            f"{MOST_IMAGES:,} images would not decide"
            if needed is None
            else f"about {needed:,} images would decide"
        )
    return Verdict(
        gate=gate,
        model=model,
        reasoning=reasoning,
        category=category,
        mode=mode,
        outcome=outcome,
        figure=None if found is None else found.value,
        interval=None if found is None else found.interval,
        n=0 if found is None else found.n,
        needed=needed,
        sentence=f"gate {outcome}: {title} {where} {mode}: {', '.join(parts)}",
    )


def _said(
    kind: Kind, found: Figure | None, empty: Sequence[str], category: str | None
) -> list[str]:
    """Returns the figure in words, or why there is none."""
    if empty:
        return ["no item scored" if category else f"no item scored in {', '.join(empty)}"]
    if found is None:
        return [_WORDING[kind].lacking]
    low, high = found.interval
    figure = _WORDING[kind].figure.format(round(found.value, 3) + 0.0)  # never -0.000
    return [figure, f"95 % interval {low:.3f} to {high:.3f}", f"n {found.n}"]


def _judged(found: Figure | None, least: float) -> tuple[Outcome, int | None]:
    """Returns the outcome and, where it is undecided, the images that would decide."""
    if found is None or found.interval[1] < least:
        return "failed", None
    if found.interval[0] >= least:
        return "held", None
    return "undecided", found.needed(least)


def _yield(tasks: _Tasks, _: Baseline | None) -> Figure | None:
    return _over(tasks, earned)


def _valid(tasks: _Tasks, _: Baseline | None) -> Figure | None:
    return _over(tasks, lambda record: float(bool(record.schema_valid)))


def _over(tasks: _Tasks, score: Callable[[Record], float]) -> Figure | None:
    found = [{image_of(record): score(record) for record in tasks[name]} for name in sorted(tasks)]
    return share_figure(list(found[0].values())) if len(found) == 1 else mean_figure(found)


def _change(tasks: _Tasks, baseline: Baseline | None) -> Figure | None:
    ((_, records),) = tasks.items()
    if baseline is None:
        return None
    row = baseline.row_of(records[0])
    if row is not None and row.effective_yield is not None and row.effective_yield_interval:
        scores = [earned(record) for record in records]
        return unpaired_figure(scores, row.effective_yield, row.effective_yield_interval)
    return change_figure([earned(new) - earned(old) for new, old in baseline.pairs(records)])


def _speed(tasks: _Tasks, baseline: Baseline | None) -> Figure | None:
    ((_, records),) = tasks.items()
    return speed_figure(
        [
            Timed(
                tokens=new.output_tokens,
                seconds=new.busy_s,
                old_tokens=old.output_tokens,
                old_seconds=old.busy_s,
            )
            for new, old in (baseline.pairs(records) if baseline else ())
            if new.output_tokens and new.busy_s and old.output_tokens and old.busy_s
        ]
    )


_FIGURES: Mapping[Kind, Callable[[_Tasks, Baseline | None], Figure | None]] = {
    "min-yield": _yield,
    "min-valid": _valid,
    "max-regression": _change,
    "min-speed-ratio": _speed,
}

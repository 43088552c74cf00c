"""Two runs side by side, or a run beside the write-up's figures: what to read, and in which words.

How it is laid out is left to ``compare_command.py``: a page is sentences and tables of texts, and
the same figures unrounded for JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vlmbench_plugin.core import Json
from vlmbench_plugin.errors import UsageError
from vlmbench_plugin.merging import SHOWN
from vlmbench_plugin.pairing import Cell, CellPairs, mean_difference_interval, pair_cells
from vlmbench_plugin.report.heading import FEW
from vlmbench_plugin.report.tables import NONE, between, score, title
from vlmbench_plugin.sides import Side
from vlmbench_plugin.stats import Interval

FORMAT_VERSION = 1
MANY = 10
"""So many rows make it likely that chance alone names one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of texts.

    Attributes:
        title: What stands above it.
        header: The names of its columns.
        lines: Its lines.
        names: How many columns at the left hold names, not figures.
    """

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    names: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is shown: sentences, tables, sentences; and all of it unrounded, as JSON takes it."""

    above: tuple[str, ...]
    tables: tuple[Table, ...]
    below: tuple[str, ...]
    content: Mapping[str, Json]


def compare(a: Side, b: Side) -> Page:
    """Sets two runs side by side, paired by image.

    Raises:
        UsageError: If they have nothing in common.
    """
    a, b, one_model = _matched(a, b)
    cells, only_a, only_b = pair_cells(a.records, b.records, one_model=one_model)
    if not cells:
        raise UsageError(
            f"expected a (model, category, mode) that both have, got none: {a.name} has "
            f"{', '.join(a.models) or 'no record'}; {b.name} has "
            f"{', '.join(b.models) or 'no record'}",
            hint="FOLDER:MODEL sets two models of different names side by side",
        )
    means = _by_model(cells)
    below = [*_legend(cells), *_asked(cells), *_only("A", only_a), *_only("B", only_b)]
    return Page(
        above=(
            a.sentence("A"),
            b.sentence("B"),
            (
                "Yields are means over the n images that both have an answer of; B - A is paired "
                "by image, with its 95 % interval."
            ),
        ),
        tables=(
            _table("Mean over tasks", "tasks", [_mean_line(group) for group in means]),
            _table("By task", "n", [_line(cell) for cell in cells]),
        ),
        below=(*below, *a.notes, *b.notes),
        content={
            "format_version": FORMAT_VERSION,
            "a": {"name": a.name, "model": a.model},
            "b": {"name": b.name, "model": b.model},
            "means": [_mean_json(group) for group in means],
            "cells": [_json(cell) for cell in cells],
            "only_a": [_named(cell) for cell in only_a],
            "only_b": [_named(cell) for cell in only_b],
            "notes": [*a.notes, *b.notes],
        },
    )


def _matched(a: Side, b: Side) -> tuple[Side, Side, bool]:
    """Chooses the models: where one side names one, the other's of that name, else its only one."""
    if a.model is None and b.model is None:
        single = len(a.models) == len(b.models) == 1 and a.models != b.models
        return (a.only(a.models[0]), b.only(b.models[0]), True) if single else (a, b, False)
    if a.model is None:
        a = _like(a, b)
    if b.model is None:
        b = _like(b, a)
    return a, b, True


def _like(side: Side, other: Side) -> Side:
    assert other.model is not None
    return side.only(side.models[0] if len(side.models) == 1 else other.model)


def better(interval: Interval | None) -> str:
    """Returns the run that is shown to be better: A, B, or ``-`` where neither is."""
    if interval is None or interval[0] <= 0 <= interval[1]:
        return NONE
    return "B" if interval[0] > 0 else "A"


def _by_model(cells: Iterable[CellPairs]) -> list[list[CellPairs]]:
    """Returns the cells that have a pair, those of one (model, reasoning, mode) together."""
    groups: dict[tuple[str, str, str], list[CellPairs]] = {}
    for one in cells:
        if one.pairs:
            model, reasoning, _, mode = one.cell
            groups.setdefault((model, reasoning, mode), []).append(one)
    return list(groups.values())


def _means(group: Sequence[CellPairs]) -> tuple[float, float, float]:
    """Returns both mean yields over tasks, and their difference."""
    yields = [cell.yields for cell in group]
    first, second = (sum(pair[side] or 0.0 for pair in yields) / len(group) for side in (0, 1))
    return first, second, second - first


def _table(name: str, count: str, lines: Sequence[tuple[str, ...]]) -> Table:
    header = ("model", "category", "mode", count, "A", "B", "B - A", "better", "only A", "only B")
    # Where two models are compared their names stand above.
    empty = [at for at in (0, 1) if not any(line[at] for line in lines)]
    kept = [at for at in range(len(header)) if at not in empty]
    return Table(
        title=name,
        header=tuple(header[at] for at in kept),
        lines=tuple(tuple(line[at] for at in kept) for line in lines),
        names=3 - len(empty),
    )


def _line(one: CellPairs) -> tuple[str, ...]:
    model, reasoning, category, mode = one.cell
    first, second = one.yields
    interval = one.interval()
    difference = None if first is None or second is None else second - first
    only = [
        f"{count} + {errors} errors" if errors else str(count)
        for count, errors in zip(one.only, one.errors, strict=True)
    ]
    name = title(model, reasoning).strip() if model or reasoning != "off" else ""
    figures = (score(first), score(second), signed(difference, interval), better(interval))
    return (name, category, mode, str(len(one.pairs)), *figures, *only)


def _mean_line(group: Sequence[CellPairs]) -> tuple[str, ...]:
    model, reasoning, _, mode = group[0].cell
    first, second, difference = _means(group)
    interval = mean_difference_interval(group)
    name = title(model, reasoning).strip() if model or reasoning != "off" else ""
    figures = (score(first), score(second), signed(difference, interval), better(interval))
    only = [str(sum(cell.only[side] for cell in group)) for side in (0, 1)]
    return (name, "", mode, str(len(group)), *figures, *only)


def signed(difference: float | None, interval: Interval | None) -> str:
    """Returns a difference with its interval, such as ``+0.120 [0.03, 0.21]``."""
    return NONE if difference is None else f"{difference:+.3f} {between(interval)}".rstrip()


def _named(cell: Cell) -> dict[str, Json]:
    model, reasoning, category, mode = cell
    return {"model": model or None, "reasoning": reasoning, "category": category, "mode": mode}


def _json(one: CellPairs) -> dict[str, Json]:
    first, second = one.yields
    return {
        **_named(one.cell),
        "n": len(one.pairs),
        "yield_a": first,
        "yield_b": second,
        "difference": None if first is None or second is None else second - first,
        "interval": one.interval(),
        "only_a": one.only[0],
        "only_b": one.only[1],
        "errors_a": one.errors[0],
        "errors_b": one.errors[1],
        "changed": one.changed,
        "asked_differently": list(one.asked),
    }


def _mean_json(group: Sequence[CellPairs]) -> dict[str, Json]:
    first, second, difference = _means(group)
    return {
        **_named(group[0].cell),
        "category": None,
        "tasks": [cell.cell[2] for cell in group],
        "yield_a": first,
        "yield_b": second,
        "difference": difference,
        "interval": mean_difference_interval(group),
    }


def _legend(cells: Sequence[CellPairs]) -> list[str]:
    found = [
        (
            "better = the run whose yield is shown to be higher: the interval leaves 0 out. "
            "only A, only B = images that the other has no answer of; they are in no figure."
        )
    ]
    paired = [len(cell.pairs) for cell in cells if cell.pairs]
    if len(paired) >= MANY:
        found.append(
            f"Of {len(paired)} equal rows chance alone would call one better in about "
            f"{len(paired) / 20:.0f}."
        )
    if paired and min(paired) < FEW:
        found.append(f"Few images: as few as {min(paired)} in a row, which shows large gaps alone.")
    changed = sum(cell.changed for cell in cells)
    if changed:
        found.append(f"{changed} images are left out: what is right for them has changed.")
    return found


def _asked(cells: Sequence[CellPairs]) -> list[str]:
    """Says which parts of the question differ, models aside where two are compared."""
    aside = {"model", "revision"} if not cells[0].cell[0] else set()
    counts = Counter(part for cell in cells for part in cell.asked if part not in aside)
    if not counts:
        return []
    parts = ", ".join(f"{part} ({count})" for part, count in sorted(counts.items()))
    return [f"Not asked in the same way; what differs, and in how many rows: {parts}."]


def _only(letter: str, cells: Sequence[Cell]) -> list[str]:
    if not cells:
        return []
    names = [f"{model} {category} {mode}".strip() for model, _, category, mode in cells[:SHOWN]]
    more = f" and {len(cells) - SHOWN} more" if len(cells) > SHOWN else ""
    return [f"Only {letter} has: {', '.join(names)}{more}."]

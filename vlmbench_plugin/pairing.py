"""Two runs image by image: what each earned on the images that both have an answer of.

A cell is one (model, reasoning, category, mode). An image is known by its source and its name;
where its truth has changed in between it is another image, and is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vlmbench_plugin.categories import CATEGORIES
from vlmbench_plugin.cells import earned, image_of, mean
from vlmbench_plugin.core import MODES, Mode
from vlmbench_plugin.merging import differing_parts
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import Interval, TaskScores, mean_intervals, paired_interval

Cell: TypeAlias = tuple[str, str, str, Mode]
"""Model, reasoning, category, mode; the model is "" where two models are compared."""
Pair: TypeAlias = tuple[Record, Record]
"""The answers of both runs to one image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPairs:
    """One cell that both runs have.

    Attributes:
        cell: Which.
        pairs: Scored answers of both, in the order of the images' names.
        only: Images that only the first run scored, and only the second.
        errors: Errors of the first run, and of the second.
        changed: Images that both scored, and whose truth is not the same.
    """

    cell: Cell
    pairs: tuple[Pair, ...]
    only: tuple[int, int]
    errors: tuple[int, int]
    changed: int

    @property
    def yields(self) -> tuple[float | None, float | None]:
        """The mean score of each run on the paired images; None where there are none."""
        return mean(earned(a) for a, _ in self.pairs), mean(earned(b) for _, b in self.pairs)

    @property
    def differences(self) -> list[float]:
        """What the second run earned above the first, per paired image."""
        return [earned(b) - earned(a) for a, b in self.pairs]

    @property
    def asked(self) -> tuple[str, ...]:
        """The parts in which the fingerprints of paired answers differ."""
        return tuple(sorted({part for pair in self.pairs for part in differing_parts(*pair)}))

    def interval(self) -> Interval | None:
        """Returns the 95 % interval of the mean difference; None without a pair."""
        return paired_interval(self.differences)


def pair_cells(
    first: Iterable[Record], second: Iterable[Record], *, one_model: bool = False
) -> tuple[tuple[CellPairs, ...], tuple[Cell, ...], tuple[Cell, ...]]:
    """Pairs two runs.

    Args:
        first: Records of one run, one per item.
        second: Those of the other.
        one_model: Whether each has one model, and these are set side by side whatever their names.

    Returns:
        The cells that both have, those that only the first has, and those that only the second has;
        models in the order of their names.
    """
    a, b = _by_cell(first, one_model), _by_cell(second, one_model)
    both = sorted(a.keys() & b.keys(), key=_order)
    return (
        tuple(_pairs(cell, a[cell], b[cell]) for cell in both),
        tuple(sorted(a.keys() - b.keys(), key=_order)),
        tuple(sorted(b.keys() - a.keys(), key=_order)),
    )


def mean_difference_interval(cells: Sequence[CellPairs]) -> Interval | None:
    """Returns the 95 % interval of the mean difference over tasks, each task counting the same.

    Args:
        cells: One per task, each with a pair.
    """
    if not cells:
        return None
    tasks = [{image_of(a): earned(b) - earned(a) for a, b in cell.pairs} for cell in cells]
    images = sorted({image for task in tasks for image in task})
    at = {image: position for position, image in enumerate(images)}
    scores = [TaskScores.of([task], at) for task in tasks]
    (interval,) = mean_intervals(scores, len(at), span=(-1.0, 1.0))
    return interval


def _order(cell: Cell) -> tuple[str, str, int, str, int]:
    model, reasoning, category, mode = cell
    known = CATEGORIES.index(category) if category in CATEGORIES else len(CATEGORIES)
    return model, reasoning, known, category, MODES.index(mode)


def _by_cell(records: Iterable[Record], one_model: bool) -> Mapping[Cell, list[Record]]:
    cells: dict[Cell, list[Record]] = defaultdict(list)
    for record in records:
        model = "" if one_model else record.model
        cells[model, record.reasoning, record.category, record.mode].append(record)
    return cells


def _pairs(cell: Cell, first: Sequence[Record], second: Sequence[Record]) -> CellPairs:
    a, b = _by_image(first), _by_image(second)
    both = [(a[image], b[image]) for image in sorted(a.keys() & b.keys())]
    pairs = tuple(pair for pair in both if pair[0].truth == pair[1].truth)
    return CellPairs(
        cell=cell,
        pairs=pairs,
        only=(len(a.keys() - b.keys()), len(b.keys() - a.keys())),
        errors=(len(first) - len(a), len(second) - len(b)),
        changed=len(both) - len(pairs),
    )


def _by_image(records: Iterable[Record]) -> dict[tuple[str, str], Record]:
    return {(r.source, r.image_id): r for r in records if r.status != "error"}

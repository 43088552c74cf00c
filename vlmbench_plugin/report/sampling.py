"""Which cases a report's gallery shows: of each cell a few, misses first, each kind in its turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from vlmbench_plugin.core import FAILURES
from vlmbench_plugin.record import Record

CASES = 1200
"""Cases of a page. One takes about 5 KB without its picture."""

PER_CELL = 12
"""The most cases of one (model, reasoning, category, mode)."""

_LEAST = 2
_PASSED_SHARE = 4
"""One case in so many is a passed one, where there are any."""
_KINDS: tuple[str, ...] = ("error", *FAILURES)

_Cell = tuple[str, str, str, str]


def sample(records: Iterable[Record], categories: Sequence[str]) -> list[Record]:
    """Returns the cases to show: first the gravest of each cell, then the next of each.

    Images that another cell of the task shows already are preferred: models can be compared on
    them, and they cost the page nothing.

    Args:
        records: In any order; the result does not depend on it.
        categories: The order of tasks; others follow by name.
    """
    cells: dict[_Cell, list[Record]] = defaultdict(list)
    for record in records:
        cells[record.model, record.reasoning, record.category, record.mode].append(record)
    each = min(PER_CELL, max(_LEAST, CASES // len(cells))) if cells else 0
    place = {category: at for at, category in enumerate(categories)}
    taken: dict[str, set[str]] = defaultdict(set)
    chosen: list[list[Record]] = []
    # Constrained first: what is valid has something to show on its picture.
    for cell in sorted(cells, key=lambda c: (c[0], c[1], c[3], place.get(c[2], len(place)), c[2])):
        category = cell[2]
        chosen.append(_of_cell(cells[cell], each, taken[category]))
        taken[category].update(record.image_id for record in chosen[-1])
    return [cell[at] for at in range(each) for cell in chosen if at < len(cell)]


def _of_cell(records: Sequence[Record], most: int, taken: set[str]) -> list[Record]:
    """Up to ``most`` of one cell: misses first, with some room for passed ones."""

    def order(record: Record) -> tuple[bool, int, str]:
        return record.image_id not in taken, record.case_index, record.image_id

    passed = sorted((r for r in records if r.status == "passed"), key=order)
    missed = [r for r in records if r.status != "passed"]
    room = most - min(len(passed), max(most // _PASSED_SHARE, most - len(missed)))
    kinds = [
        sorted((r for r in missed if (r.failure or "error") == kind), key=order) for kind in _KINDS
    ]
    turns = sorted(kinds, key=len, reverse=True)
    in_turn = [turn[at] for at in range(room) for turn in turns if at < len(turn)]
    return [*in_turn[:room], *passed[: most - min(room, len(missed))]]

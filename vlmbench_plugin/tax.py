"""What constraining an answer changes, image by image. Pure; any order of the records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from vlmbench_plugin.cells import ImageKey, earned, image_of, mean
from vlmbench_plugin.core import Mode
from vlmbench_plugin.findings import ConstraintTax
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import paired_interval

Pair: TypeAlias = tuple[Record, Record]
"""One image in ``json_mode``, and in ``constrained``."""


def taxes(records: Iterable[Record]) -> tuple[ConstraintTax, ...]:
    """Returns what constraining changed, one entry per (model, reasoning, category).

    Args:
        records: In any order. An error is no item: it pairs with nothing.

    Returns:
        In the order of the names; without those that have no image in both modes.
    """
    cells: dict[tuple[str, str, str], dict[ImageKey, dict[Mode, Record]]] = defaultdict(dict)
    for record in records:
        if record.status != "error":
            images = cells[record.model, record.reasoning, record.category]
            modes = images.setdefault(image_of(record), {})
            modes[record.mode] = record
    paired = {
        key: [
            (modes["json_mode"], modes["constrained"])
            for _, modes in sorted(images.items(), key=lambda image: image[0])
            if len(modes) == 2
        ]
        for key, images in cells.items()
    }
    return tuple(_tax(*key, pairs) for key, pairs in sorted(paired.items()) if pairs)


def _tax(model: str, reasoning: str, category: str, pairs: Sequence[Pair]) -> ConstraintTax:
    changes = _score_changes(pairs)
    both = [pair for pair in pairs if all(one.schema_valid for one in pair)]
    after = [held for free, held in pairs if not free.schema_valid]
    interval = paired_interval(changes)
    change = mean(changes)
    assert interval is not None  # there is at least one pair
    assert change is not None
    return ConstraintTax(
        model=model,
        reasoning=reasoning,
        category=category,
        n=len(pairs),
        yield_change=change,
        yield_interval=interval,
        tokens_change=mean(
            held.output_tokens - free.output_tokens
            for free, held in pairs
            if held.output_tokens is not None and free.output_tokens is not None
        ),
        n_both=len(both),
        accuracy_change=mean(_score_changes(both)),
        to_right=sum(held.passed is True for held in after),
        to_silent=sum(held.schema_valid is True and not held.passed for held in after),
        to_caught=sum(not held.schema_valid for held in after),
    )


def _score_changes(pairs: Sequence[Pair]) -> list[float]:
    return [earned(held) - earned(free) for free, held in pairs]

"""What right labels take: time, tokens, money. Pure; any order of the records.

Everything that was spent counts, misses included, and what was right divides it.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from vlmbench_plugin.cells import earned, mean
from vlmbench_plugin.core import MODES
from vlmbench_plugin.findings import Choice, Cost
from vlmbench_plugin.record import Record

HOUR = 3600.0
NONE_RIGHT = "none right"
_MILLION = 1_000_000
_SAME = 1e-9
"""Means of floats that are equal on paper differ by less."""


def costs(records: Iterable[Record], *, price_per_hour: float | None = None) -> tuple[Cost, ...]:
    """Returns what each choice costs, over all tasks and then task by task.

    Args:
        records: In any order. An error counts in nothing. Choices are compared only on the same
            images: pass ``aggregate.comparable(records)``.
        price_per_hour: Of the machine, in any currency; None for no money.

    Returns:
        Choices in the order of their names, those without a scored item left out. A choice that
        lacks one of the tasks is never on the front.
    """
    cells: dict[Choice, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if record.status != "error":
            choice = Choice(model=record.model, reasoning=record.reasoning, mode=record.mode)
            cells[choice][record.category].append(record)
    categories = sorted({category for tasks in cells.values() for category in tasks})
    choices = sorted(cells, key=lambda one: (one.model, one.reasoning, MODES.index(one.mode)))
    overall = [_cost(choice, None, cells[choice].values(), price_per_hour) for choice in choices]
    complete = {choice for choice in choices if len(cells[choice]) == len(categories)}
    return (
        *_with_front(overall, complete),
        *(
            _cost(choice, category, [cells[choice][category]], price_per_hour)
            for category in categories
            for choice in choices
            if category in cells[choice]
        ),
    )


def seconds_text(cost: Cost) -> str:
    """Returns the seconds per right label in words: ``1.25 s``, ``none right`` or ``unknown``."""
    return _per_right(cost, cost.seconds_per_right, " s")


def tokens_text(cost: Cost) -> str:
    """Returns the tokens per right label in words: ``310``, ``none right`` or ``unknown``."""
    return _per_right(cost, cost.tokens_per_right, "")


def _per_right(cost: Cost, figure: float | None, unit: str) -> str:
    if cost.n_right == 0:
        return NONE_RIGHT
    if figure is None:
        return "unknown"
    return f"{figure:,.0f}{unit}" if figure >= 999.5 else f"{figure:.3g}{unit}"


def _cost(
    choice: Choice,
    category: str | None,
    tasks: Iterable[Sequence[Record]],
    price_per_hour: float | None,
) -> Cost:
    tasks = list(tasks)
    items = [record for task in tasks for record in task]
    timed = [(r.busy_s, r.passed is True) for r in items if r.busy_s is not None]
    counted = [(r.output_tokens, r.passed is True) for r in items if r.output_tokens is not None]
    busy_s = math.fsum(seconds for seconds, _ in timed)
    per_right = _share(busy_s, timed)
    money = None if per_right is None or price_per_hour is None else per_right * price_per_hour
    reached = mean(mean(map(earned, task)) for task in tasks)
    assert reached is not None  # there is at least one item
    return Cost(
        choice=choice,
        category=category,
        n=len(items),
        n_right=sum(record.passed is True for record in items),
        yield_=reached,
        labels_per_hour=HOUR * len(timed) / busy_s if busy_s > 0 else None,
        seconds_per_right=per_right,
        tokens_per_right=_share(sum(tokens for tokens, _ in counted), counted),
        wasted_tokens=_wasted(items) if counted else None,
        money_per_million=None if money is None else money / HOUR * _MILLION,
        on_front=False,
    )


def _share(spent: float, items: Sequence[tuple[float, bool]]) -> float | None:
    """Returns what was spent over the right ones of the items that it was spent on."""
    right = sum(is_right for _, is_right in items)
    return spent / right if right and spent > 0 else None


def _wasted(items: Iterable[Record]) -> int:
    """Returns the tokens of answers that did not end by themselves and are not right."""
    return sum(
        record.output_tokens or 0
        for record in items
        if record.finish_reason in ("length", "loop") and not record.passed
    )


def _with_front(overall: Sequence[Cost], complete: set[Choice]) -> list[Cost]:
    """Marks the Pareto front of yield against seconds per item."""
    timed = [cost for cost in overall if cost.choice in complete and cost.labels_per_hour]
    return [
        dataclasses.replace(
            cost, on_front=cost in timed and not any(_beats(other, cost) for other in timed)
        )
        for cost in overall
    ]


def _beats(one: Cost, other: Cost) -> bool:
    """Whether ``one`` is at least as good in both, and better in one of them."""
    assert one.labels_per_hour is not None
    assert other.labels_per_hour is not None
    yields = one.yield_ - other.yield_
    speeds = one.labels_per_hour / other.labels_per_hour - 1
    return min(yields, speeds) >= -_SAME and max(yields, speeds) > _SAME

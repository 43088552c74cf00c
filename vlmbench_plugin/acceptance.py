"""Which answers can be taken without a look. Pure; any order of the records.

The most confident answers are accepted first. How many of them are right at each share is a
picture; the promise is a test. A fixed grid of shares is walked from the strictest on, each asks
whether the one-sided 95 % Clopper-Pearson bound of the accepted ones' precision reaches the
precision asked for, and the walk ends at the first that does not. A share too small to pass even
without an error is not asked; that depends on the number of images alone. Equal values are never
parted: a group of them that does not fit into a share is left out of it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, TypeAlias

from scipy.special import betaincinv

from vlmbench_plugin.core import MODES, VisionTask
from vlmbench_plugin.findings import Acceptance, Choice, CurvePoint
from vlmbench_plugin.record import Record
from vlmbench_plugin.settings import OWN

PRECISION = 0.95
RUNS = 0.95
"""Share of runs in which a promise holds."""
STEPS = 20
"""Shares of the grid: every 5 %."""
_ROUNDING = 1e-9

Order: TypeAlias = Literal["value_logprob", "confidence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What an order of answers allows to accept; the fields are those of ``Acceptance``."""

    curve: tuple[CurvePoint, ...]
    coverage: float | None
    threshold: float | None


def acceptances(
    records: Iterable[Record],
    tasks: Mapping[str, VisionTask],
    *,
    precision: float = PRECISION,
) -> tuple[Acceptance, ...]:
    """Returns what can be accepted, per (choice, category, order).

    Args:
        records: In any order. An error is no item.
        tasks: Category -> task, of which ``confidence`` is read.
        precision: Share of accepted answers that must be right.

    Returns:
        Choices in the order of their names, category by category, ``value_logprob`` first; without
        those of which no valid answer has a value to order by.
    """
    cells: dict[tuple[Choice, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.status != "error":
            choice = Choice(model=record.model, reasoning=record.reasoning, mode=record.mode)
            cells[choice, record.category].append(record)

    def position(key: tuple[Choice, str]) -> tuple[str, str, int, str]:
        return key[0].model, key[0].reasoning, MODES.index(key[0].mode), key[1]

    found = []
    for choice, category in sorted(cells, key=position):
        items, task = cells[choice, category], tasks.get(category)
        for order, values in _orders(items, None if task is None else task.confidence):
            kept = promise(values, [record.passed is True for record in items], precision)
            found.append(
                Acceptance(
                    choice=choice,
                    category=category,
                    order=order,
                    n=len(items),
                    curve=kept.curve,
                    precision=precision,
                    coverage=kept.coverage,
                    threshold=kept.threshold,
                    needed=needed(precision),
                    illustration=any(record.source != OWN for record in items),
                )
            )
    return tuple(found)


def promise(
    values: Sequence[float | None], right: Sequence[bool], precision: float = PRECISION
) -> Promise:
    """Returns the curve of one order and the share that can be promised.

    Args:
        values: How sure each answer is; None for one that is never accepted.
        right: Whether it is right.
        precision: Share of accepted answers that must be right.
    """
    n = len(values)
    sure = sorted(
        (
            (value, is_right)
            for value, is_right in zip(values, right, strict=True)
            if value is not None
        ),
        key=lambda one: -one[0],
    )
    rights = [0, *accumulate(int(is_right) for _, is_right in sure)]
    sizes = [_whole_groups(sure, math.floor(n * step / STEPS)) for step in range(1, STEPS + 1)]
    kept = 0
    for size in sizes:
        if size < needed(precision):
            continue
        if lower_bound(rights[size], size) < precision:
            break
        kept = size
    points = sorted({size for size in sizes if size})
    return Promise(
        curve=tuple(CurvePoint(coverage=k / n, accepted=k, right=rights[k]) for k in points),
        coverage=kept / n if kept else None,
        threshold=sure[kept - 1][0] if kept else None,
    )


def lower_bound(right: int, accepted: int) -> float:
    """Returns the one-sided lower Clopper-Pearson bound, at the level ``RUNS``, of a share."""
    if right == 0:
        return 0.0
    return float(betaincinv(right, accepted - right + 1, 1 - RUNS))


def needed(precision: float) -> int:
    """Returns how many accepted answers without one error show a precision."""
    return math.ceil(math.log(1 - RUNS) / math.log(precision))


def sentence(found: Acceptance) -> str:
    """Returns what can be said of one order, without a full stop."""
    whose = "an illustration, on images that are not yours: " if found.illustration else ""
    asked = f"{found.precision * 100:g} %"
    if found.coverage is not None:
        share = math.floor(found.coverage * 100 + _ROUNDING)
        return (
            f"{whose}you can accept {share} % of images like these without a look; "
            f"at least {asked} of them are right"
        )
    enough = [point for point in found.curve if point.accepted >= found.needed]
    if not enough:
        return (
            f"{whose}too few images: {found.needed} accepted answers without an error "
            "would be needed"
        )
    first = enough[0]
    return (
        f"{whose}none can be accepted without a look: {first.accepted - first.right} of the "
        f"{first.accepted} surest answers are wrong, too many to show that {asked} are right"
    )


def _orders(
    items: Sequence[Record], field: str | None
) -> Iterable[tuple[Order, list[float | None]]]:
    """Yields the orders that at least one acceptable answer has a value in."""
    logprobs = [
        None if record.value_logprob is None else record.value_logprob.get("mean")
        for record in items
    ]
    stated = [None if field is None else _stated(record, field) for record in items]
    acceptable = [record.schema_valid is True and not record.at_bound for record in items]
    orders: tuple[tuple[Order, list[float | None]], ...] = (
        ("value_logprob", logprobs),
        ("confidence", stated),
    )
    for order, values in orders:
        kept = [value if ok else None for value, ok in zip(values, acceptable, strict=True)]
        if any(value is not None for value in kept):
            yield order, kept


def _stated(record: Record, field: str) -> float | None:
    """Returns the model's own confidence: None if absent, or no number in a file from elsewhere."""
    value = None if record.prediction is None else record.prediction.get(field)
    return float(value) if type(value) is float or type(value) is int else None


def _whole_groups(sure: Sequence[tuple[float, bool]], most: int) -> int:
    """Returns how many of the first ``most`` answers are surer than the one after them."""
    if most >= len(sure):
        return len(sure)
    while most and sure[most - 1][0] == sure[most][0]:
        most -= 1
    return most

"""Records of one (model, reasoning, category, mode) -> one metrics row.

``docs/results-format.md`` defines every number; the functions here are those definitions.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from vlmbench_plugin.core import FAILURES, CategoryScorer, Constraint, Failure, Mode
from vlmbench_plugin.floors import MIN_CASES, Floor, case_of, vocabulary_of
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import Interval, cell_interval, paired_interval

Bucket = Literal["ship", "finetune-candidate", "insufficient"]

ImageKey: TypeAlias = tuple[str, str, str]
"""Source, image id, and the category where the image is drawn for it alone."""

SHIP_ROBUSTNESS = 0.90
SHIP_LABELER = 0.40
"""Ours: it parts the published 0.461 (finetune-candidate) from 0.391 (insufficient)."""
JOINT = " + "
"""Between the names where the records of one cell differ, as after a change of data set."""
_ROUNDING = 1e-9
"""A mean of fifteen floats may miss the bar that it equals on paper by a few ulp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsRow:
    """One (model, reasoning, category, mode): one line of ``metrics.jsonl``.

    ``docs/results-format.md`` defines each field. All shares and scores are in [0, 1]; None where
    there is nothing to measure, never NaN and never a 0 that stands for no data.
    """

    model: str
    reasoning: str
    category: str
    mode: Mode
    runner: str
    dataset: str
    source: str
    vocabulary: str | None
    n: int
    n_errors: int
    primary_score_mean: float | None
    schema_valid_rate: float | None
    json_robustness: float | None
    effective_yield: float | None
    effective_yield_interval: Interval | None
    labeler_score: float | None
    clean_yield: float | None
    right: float | None
    silent: float | None
    caught: float | None
    passed: int
    bucket: Bucket | None
    floor: float | None
    lift: float | None
    lift_interval: Interval | None
    tokens_per_sec: float | None
    output_tokens: int | None
    busy_s: float | None
    failures: Mapping[Failure, int]
    repairable: int
    secondary: Mapping[str, float]
    constraints: Mapping[Constraint, int]


def image_of(record: Record) -> ImageKey:
    """Returns what tells one image of a run from another.

    A photograph may serve several tasks under one id; each task draws scenes of its own, although
    their ids are the same.
    """
    drawn = record.difficulty is not None
    return record.source, record.image_id, record.category if drawn else ""


def earned(record: Record) -> float:
    """Returns what a scored item adds to the yield: its score; an invalid answer has none."""
    return record.primary_score or 0.0


def clean_score(record: Record) -> float:
    """Returns what a scored item adds to the clean yield: its score, 0 if invalid or not robust."""
    return earned(record) if record.json_robust else 0.0


def mean(values: Iterable[float | None]) -> float | None:
    """Returns the mean of the values that are there, independent of their order; None of none."""
    present = [value for value in values if value is not None]
    return math.fsum(present) / len(present) if present else None


def bucket(robustness: Iterable[float], labeler: float) -> Bucket:
    """Returns what a labeler is fit for, from its robustness in each category and its score."""
    if labeler < SHIP_LABELER - _ROUNDING:
        return "insufficient"
    robust = all(share >= SHIP_ROBUSTNESS - _ROUNDING for share in robustness)
    return "ship" if robust else "finetune-candidate"


def _scored(records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record.status != "error"]


def metrics_row(
    records: Sequence[Record],
    *,
    floor: Floor | None = None,
    over_category: CategoryScorer | None = None,
    seed: int = 0,
) -> MetricsRow:
    """Returns the row of the records of one (model, reasoning, category, mode).

    Args:
        records: At least one; in any order, the result does not depend on it.
        floor: What the best blind answer earns on the category's cases.
        over_category: The task's secondary numbers over all images at once.
        seed: Of the interval's weights.
    """
    scored = _scored(records)
    n = len(scored)
    return MetricsRow(
        **_identity(records),
        n=n,
        n_errors=len(records) - n,
        **_rates(scored, seed),
        **_above_blind(scored, floor if n >= MIN_CASES else None, seed),
        **_speed(scored),
        failures=_failures(scored),
        repairable=sum(record.repairable is True and not record.schema_valid for record in scored),
        secondary=_secondary(scored) | _over_category(scored, over_category),
        constraints=_constraints(scored),
    )


def _identity(records: Sequence[Record]) -> dict[str, Any]:
    """Returns what the row is about, by the row's field names."""
    first = records[0]
    return {
        "model": first.model,
        "reasoning": first.reasoning,
        "category": first.category,
        "mode": first.mode,
        "runner": _joined(record.runner for record in records),
        "dataset": _joined(record.dataset for record in records),
        "source": _joined(record.source for record in records),
        "vocabulary": _joined(_rule(record) for record in records) or None,
    }


def _rates(scored: Sequence[Record], seed: int) -> dict[str, Any]:
    """Returns scores, yields and shares, by the row's field names."""
    n = len(scored)
    valid = [record for record in scored if record.schema_valid]
    passed = sum(record.passed is True for record in valid)
    gained = [earned(record) for record in scored]
    clean = [clean_score(record) for record in scored]
    primary = mean(record.primary_score for record in valid)
    valid_rate = _share(len(valid), n)
    robustness = _share(sum(record.json_robust is True for record in scored), n)
    known = valid_rate is not None and robustness is not None
    labeler = (primary or 0.0) * (valid_rate or 0.0) * (robustness or 0.0) if known else None
    return {
        "primary_score_mean": primary,
        "schema_valid_rate": valid_rate,
        "json_robustness": robustness,
        "effective_yield": mean(gained),
        "effective_yield_interval": cell_interval(gained, seed=seed),
        "labeler_score": labeler,
        "clean_yield": mean(clean),
        "right": _share(passed, n),
        "silent": _share(len(valid) - passed, n),
        "caught": _share(n - len(valid), n),
        "passed": passed,
        "bucket": None if labeler is None else bucket([robustness or 0.0], labeler),
    }


def _above_blind(scored: Sequence[Record], floor: Floor | None, seed: int) -> dict[str, Any]:
    """Returns the floor and what stands above it, by the row's field names."""
    if floor is None:
        return dict.fromkeys(("floor", "lift", "lift_interval"))
    reached = mean(map(earned, scored))
    return {
        "floor": floor.value,
        "lift": None if reached is None else reached - floor.value,
        "lift_interval": paired_interval(_lifts(scored, floor), seed=seed),
    }


def _lifts(scored: Sequence[Record], floor: Floor) -> list[float]:
    """Returns what each item earns above the best blind answer to the same case."""
    scores = floor.scores
    return [earned(r) - scores[case_of(r)] for r in scored if case_of(r) in scores]


def _share(count: int, n: int) -> float | None:
    return count / n if n else None


def _joined(names: Iterable[str | None]) -> str:
    return JOINT.join(sorted({name for name in names if name}))


def _rule(record: Record) -> str | None:
    """Returns how the names were asked, None where the source declares none."""
    return str(record.vocabulary["rule"]) if any(record.vocabulary["names"].values()) else None


def _speed(scored: Sequence[Record]) -> dict[str, Any]:
    """Returns tokens, busy seconds, and tokens per second of the items that have both."""
    timed = [
        (record.output_tokens, record.busy_s)
        for record in scored
        if record.output_tokens is not None and record.busy_s is not None
    ]
    tokens = [record.output_tokens for record in scored if record.output_tokens is not None]
    seconds = [record.busy_s for record in scored if record.busy_s is not None]
    span = math.fsum(busy for _, busy in timed)
    return {
        "tokens_per_sec": sum(count for count, _ in timed) / span if span > 0 else None,
        "output_tokens": sum(tokens) if tokens else None,
        "busy_s": math.fsum(seconds) if seconds else None,
    }


def _failures(scored: Sequence[Record]) -> dict[Failure, int]:
    counts = Counter(record.failure for record in scored if record.failure is not None)
    return {kind: counts[kind] for kind in FAILURES if counts[kind]}


def _constraints(scored: Sequence[Record]) -> dict[Constraint, int]:
    counts = Counter(record.constraint for record in scored if record.constraint is not None)
    return dict(sorted(counts.items()))


def _secondary(scored: Sequence[Record]) -> dict[str, float]:
    """Returns each secondary number's mean over the valid answers, which alone can have it."""
    values: dict[str, list[float]] = defaultdict(list)
    for record in scored:
        for name, value in (record.secondary or {}).items():
            if value is not None:
                values[name].append(value)
    return {name: math.fsum(found) / len(found) for name, found in sorted(values.items())}


def _over_category(scored: Sequence[Record], scorer: CategoryScorer | None) -> dict[str, float]:
    """Returns the numbers over all images at once, images in the order of the source."""
    if scorer is None or not scored:
        return {}
    items = [
        (record.prediction, record.truth, vocabulary_of(record))
        for record in sorted(scored, key=case_of)
    ]
    return {name: value for name, value in scorer(items).items() if value is not None}

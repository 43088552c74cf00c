"""Records -> metrics rows -> leaderboard. Pure, and the same for any order of the records."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vlmbench_plugin.board_intervals import BoardIntervals
from vlmbench_plugin.cells import Bucket, MetricsRow, bucket, mean, metrics_row
from vlmbench_plugin.core import MODES, CategoryScorer, Mode, ModelSpec
from vlmbench_plugin.floors import Floor
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import Interval

__all__ = [
    "LeaderboardRow",
    "MetricsRow",
    "aggregate",
    "comparable",
    "leaderboard",
]

MAX_ERROR_SHARE = 0.02
"""A model with a larger share of errors in a category is not ranked."""

CellKey: TypeAlias = tuple[str, str, str, Mode]
"""Model, reasoning, category, mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardRow:
    """One (model, reasoning). ``docs/results-format.md`` defines each field.

    Means run over all categories of the run, each counting the same; those of a mode in which the
    model is incomplete are None, but for the ranking mode: there they run over what is present.
    """

    rank: int | None
    model: str
    reasoning: str
    toy: bool
    total_params: float | None
    active_params: float | None
    ranking_mode: Mode
    rank_interval: tuple[int, int] | None
    labeler_score: float | None
    labeler_score_interval: Interval | None
    mean_yield: float | None
    mean_yield_interval: Interval | None
    mean_yield_constrained: float | None
    best_mode: Mode | None
    right: float | None
    silent: float | None
    caught: float | None
    native_valid: float | None
    constrained_valid: float | None
    wrong_labels: float | None
    tokens_per_sec: float | None
    bucket: Bucket | None
    incomplete: tuple[str, ...]

    @property
    def outcomes(self) -> tuple[float | None, float | None, float | None]:
        """Shares of items that are right, silent and caught."""
        return self.right, self.silent, self.caught


def aggregate(
    records: Iterable[Record],
    *,
    categories: Sequence[str],
    models: Sequence[str] = (),
    floors: Mapping[str, Floor | None] | None = None,
    over_category: Mapping[str, CategoryScorer] | None = None,
    seed: int = 0,
) -> tuple[MetricsRow, ...]:
    """Returns one row per (model, reasoning, category, mode) that has a record.

    Args:
        records: In any order; the result does not depend on it.
        categories: The order of categories; others follow by name.
        models: The order of models; others follow by name.
        floors: Category -> its blind floor (``floors.floor``).
        over_category: Category -> its task's numbers over all images at once.
        seed: Of the intervals' weights.
    """
    cells: dict[CellKey, list[Record]] = defaultdict(list)
    for record in records:
        cells[record.model, record.reasoning, record.category, record.mode].append(record)

    def position(key: CellKey) -> tuple[tuple[int, str], str, tuple[int, str], int]:
        model, reasoning, category, mode = key
        return _at(model, models), reasoning, _at(category, categories), MODES.index(mode)

    return tuple(
        metrics_row(
            cells[key],
            floor=(floors or {}).get(key[2]),
            over_category=(over_category or {}).get(key[2]),
            seed=seed,
        )
        for key in sorted(cells, key=position)
    )


def _at(name: str, order: Sequence[str]) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order)), name


def comparable(records: Iterable[Record]) -> tuple[Record, ...]:
    """Returns the records on which models may be compared: of the images that all of them have.

    In each (category, mode) an image counts where every model that was asked there has a scored
    item of it. Errors stay, so that they can be counted.
    """
    records = tuple(records)
    images: dict[tuple[str, Mode], dict[tuple[str, str], set[tuple[str, str]]]] = defaultdict(dict)
    for record in records:
        if record.status != "error":
            models = images[record.category, record.mode]
            image = (record.source, record.image_id)
            models.setdefault((record.model, record.reasoning), set()).add(image)
    shared = {cell: set.intersection(*models.values()) for cell, models in images.items()}
    return tuple(
        record
        for record in records
        if record.status == "error"
        or (record.source, record.image_id) in shared[record.category, record.mode]
    )


def leaderboard(
    rows: Sequence[MetricsRow],
    specs: Mapping[str, ModelSpec],
    *,
    intervals: BoardIntervals | None = None,
    ranks: Mapping[tuple[str, str], tuple[int, int]] | None = None,
) -> tuple[LeaderboardRow, ...]:
    """Ranks the models by labeler score in ``json_mode``, or in the first mode where it is absent.

    The categories of the run are those of the rows. Models with the same score have the same rank
    and stand in the order of their names; incomplete ones follow without a rank.

    Args:
        rows: The metrics rows of a whole run.
        specs: Model name -> its entry; a model without one shows no parameters.
        intervals: Of mean yields and labeler scores (``board_intervals``).
        ranks: (Model, reasoning) -> the first and the last rank that it may have.
    """
    if not rows:
        return ()
    categories = tuple(dict.fromkeys(row.category for row in rows))
    ranking_mode = min((row.mode for row in rows), key=MODES.index)
    models: dict[tuple[str, str], dict[Mode, dict[str, MetricsRow]]] = {}
    for row in rows:
        modes = models.setdefault((row.model, row.reasoning), {})
        modes.setdefault(row.mode, {})[row.category] = row
    known = BoardIntervals() if intervals is None else intervals
    board = [
        dataclasses.replace(
            _board_row(key, modes, categories, ranking_mode, specs.get(key[0]), known),
            rank_interval=(ranks or {}).get(key),
        )
        for key, modes in models.items()
    ]
    return _ranked(board)


def _board_row(
    key: tuple[str, str],
    modes: Mapping[Mode, Mapping[str, MetricsRow]],
    categories: Sequence[str],
    ranking_mode: Mode,
    spec: ModelSpec | None,
    intervals: BoardIntervals,
) -> LeaderboardRow:
    ranking = modes.get(ranking_mode, {})
    incomplete = _lacking(ranking, categories)
    complete = {
        mode: found
        for mode in MODES
        if (found := modes.get(mode)) is not None and not _lacking(found, categories)
    }
    constrained = complete.get("constrained", {}).values()
    shown = list(ranking.values())
    labeler = mean(row.labeler_score for row in shown)
    robustness = [row.json_robustness for row in shown if row.json_robustness is not None]
    return LeaderboardRow(
        rank=None,
        model=key[0],
        reasoning=key[1],
        toy=spec.toy if spec else False,
        total_params=spec.total_params if spec else None,
        active_params=spec.active_params if spec else None,
        ranking_mode=ranking_mode,
        rank_interval=None,
        labeler_score=labeler,
        labeler_score_interval=intervals.labeler.get((*key, ranking_mode)),
        mean_yield=mean(row.effective_yield for row in shown),
        mean_yield_interval=intervals.mean_yield.get((*key, ranking_mode)),
        mean_yield_constrained=mean(row.effective_yield for row in constrained),
        best_mode=_best_mode(complete),
        right=mean(row.right for row in shown),
        silent=mean(row.silent for row in shown),
        caught=mean(row.caught for row in shown),
        native_valid=mean(row.schema_valid_rate for row in complete.get("json_mode", {}).values()),
        constrained_valid=mean(row.schema_valid_rate for row in constrained),
        wrong_labels=_wrong_labels(shown),
        tokens_per_sec=_tokens_per_sec(shown),
        bucket=None if incomplete or labeler is None else bucket(robustness, labeler),
        incomplete=incomplete,
    )


def _lacking(cells: Mapping[str, MetricsRow], categories: Sequence[str]) -> tuple[str, ...]:
    """Returns why a model cannot be ranked in one mode, in words; empty if it can."""
    reasons = []
    for category in categories:
        row = cells.get(category)
        if row is None:
            reasons.append(f"lacks {category}")
        elif row.n_errors > MAX_ERROR_SHARE * (row.n + row.n_errors):
            reasons.append(f"{row.n_errors} of {row.n + row.n_errors} are errors in {category}")
    return tuple(reasons)


def _best_mode(complete: Mapping[Mode, Mapping[str, MetricsRow]]) -> Mode | None:
    """Returns the mode of the highest mean yield; of equal ones the first."""
    means = {
        mode: mean(row.effective_yield for row in cells.values())
        for mode, cells in complete.items()
    }
    return max(means, key=lambda mode: means[mode] or 0.0, default=None)


def _wrong_labels(rows: Sequence[MetricsRow]) -> float | None:
    """Returns the share of missed ones among the valid answers, each category counting the same."""
    silent, right = mean(row.silent for row in rows), mean(row.right for row in rows)
    if silent is None or right is None or silent + right == 0:
        return None
    return silent / (silent + right)


def _tokens_per_sec(rows: Sequence[MetricsRow]) -> float | None:
    """Returns tokens over seconds, summed over the categories whose speed is known."""
    timed = [
        (row.output_tokens, row.busy_s)
        for row in rows
        if row.tokens_per_sec is not None
        and row.output_tokens is not None
        and row.busy_s is not None
    ]
    seconds = math.fsum(busy for _, busy in timed)
    return sum(tokens for tokens, _ in timed) / seconds if seconds > 0 else None


def _ranked(board: Sequence[LeaderboardRow]) -> tuple[LeaderboardRow, ...]:
    def order(row: LeaderboardRow) -> tuple[bool, float, str, str]:
        ranked = not row.incomplete and row.labeler_score is not None
        # Sums in another order differ in the last place; nine digits tell models apart.
        score = round(row.labeler_score or 0.0, 9) if ranked else 0.0
        return not ranked, -score, row.model, row.reasoning

    placed: list[LeaderboardRow] = []
    scores: list[float] = []
    for row in sorted(board, key=order):
        unranked, score, *_ = order(row)
        if unranked:
            placed.append(row)
            continue
        scores.append(score)
        placed.append(dataclasses.replace(row, rank=scores.index(score) + 1))
    return tuple(placed)

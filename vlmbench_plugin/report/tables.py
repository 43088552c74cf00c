"""What all reports share: how a number reads, and what stands in which table.

The terminal and Markdown lay out the same cells, so that they cannot show different numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vlmbench_plugin.aggregate import LeaderboardRow, MetricsRow
from vlmbench_plugin.core import MODES, Failure, Mode
from vlmbench_plugin.stats import Interval

NONE = "-"
NO_VALID = "n/a"
"""Stands for a yield of 0 that comes from not one valid answer."""

BLIND = "~"
"""Marks a yield that is not shown to be better than a blind answer's."""

SHORT_MODE: Mapping[Mode | None, str] = {
    None: NONE,
    "json_mode": "json",
    "constrained": "constr",
}

BOARD_HEADER = (
    "rank",
    "model",
    "params",
    "labeler",
    "yield",
    "r/s/c",
    "native -> constr",
    "tok/s",
    "best",
    "bucket",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Effective yield by category and column; a last row holds the means.

    Attributes:
        names: One name per model.
        modes: The modes that each model's group of columns shows.
        lines: Category, floor, and one text per (model, mode), model by model.
        means: The last row's texts, in the same order.
    """

    names: tuple[str, ...]
    modes: tuple[Mode, ...]
    lines: tuple[tuple[str, str, tuple[str, ...]], ...]
    means: tuple[str, ...]

    def part(self, start: int, stop: int) -> Grid:
        """Returns the same grid for the models from ``start`` to before ``stop``."""
        width = len(self.modes)
        columns = slice(start * width, stop * width)
        return Grid(
            names=self.names[start:stop],
            modes=self.modes,
            lines=tuple((name, floor, texts[columns]) for name, floor, texts in self.lines),
            means=self.means[columns],
        )


def score(value: float | None, digits: int = 3) -> str:
    """Returns a score with fixed decimals."""
    return NONE if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """Returns a share as a percentage with one decimal."""
    return NONE if value is None else f"{100 * value:.1f}%"


def between(interval: Interval | None) -> str:
    """Returns an interval as ``[0.41, 0.68]``; empty where there is none."""
    return "" if interval is None else f"[{interval[0]:z.2f}, {interval[1]:z.2f}]"


def speed(value: float | None) -> str:
    """Returns tokens per second; whole numbers from 100 on."""
    if value is None:
        return NONE
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def title(model: str, reasoning: str, *, toy: bool = False) -> str:
    """Returns the name of a table's line or column."""
    thinking = {"off": "", "on": " thinking"}.get(reasoning, f" {reasoning}")
    return f"{model}{thinking}{' (toy)' if toy else ''}"


def parameters(total: float | None, active: float | None) -> str:
    """Returns total parameters, and active ones where they differ: ``35B (3B)``.

    Args:
        total: In billions; None where unknown.
        active: Used per token, in billions; None where unknown.
    """
    if total is None:
        return NONE
    whole = _billions(total)
    return whole if active is None or active == total else f"{whole} ({_billions(active)})"


def board_cells(row: LeaderboardRow) -> tuple[str, ...]:
    """Returns a leaderboard line's texts, in the order of ``BOARD_HEADER``."""
    return (
        _rank(row),
        title(row.model, row.reasoning, toy=row.toy),
        parameters(row.total_params, row.active_params),
        f"{score(row.labeler_score)} {between(row.labeler_score_interval)}".rstrip(),
        score(row.mean_yield),
        "/".join(NONE if share is None else f"{100 * share:.0f}" for share in row.outcomes),
        f"{percent(row.native_valid)} -> {percent(row.constrained_valid)}",
        speed(row.tokens_per_sec),
        SHORT_MODE[row.best_mode],
        row.bucket or ("incomplete" if row.incomplete else NONE),
    )


def _rank(row: LeaderboardRow) -> str:
    if row.rank is None:
        return NONE
    if row.rank_interval is None:
        return str(row.rank)
    first, last = row.rank_interval
    return f"{row.rank} ({first})" if first == last else f"{row.rank} ({first}-{last})"


def yield_cell(row: MetricsRow | None) -> str:
    """Returns a cell's effective yield: ``n/a`` without one valid answer, ``-`` where not run.

    A yield whose lift over the best blind answer may be 0 carries a mark.
    """
    if row is None or row.effective_yield is None:
        return NONE
    if row.primary_score_mean is None:
        return NO_VALID
    blind = row.lift_interval is not None and row.lift_interval[0] <= 0
    return score(row.effective_yield, 2) + (BLIND if blind else "")


def grid(board: Sequence[LeaderboardRow], rows: Sequence[MetricsRow]) -> Grid:
    """Returns the per-category grid, models in the board's order."""
    cells = {(row.model, row.reasoning, row.category, row.mode): row for row in rows}
    modes = tuple(mode for mode in MODES if any(row.mode == mode for row in rows))
    categories = dict.fromkeys(row.category for row in rows)
    floors: dict[str, float | None] = {}
    for row in rows:
        floors[row.category] = row.floor if row.floor is not None else floors.get(row.category)
    columns = [(row.model, row.reasoning, mode) for row in board for mode in modes]
    lines = tuple(
        (
            category,
            score(floors[category], 2),
            tuple(yield_cell(cells.get((m, r, category, mode))) for m, r, mode in columns),
        )
        for category in categories
    )
    return Grid(
        names=tuple(title(row.model, row.reasoning, toy=row.toy) for row in board),
        modes=modes,
        lines=lines,
        means=tuple(score(_mean_of(row, mode)) for row in board for mode in modes),
    )


def best_columns(
    board: Sequence[LeaderboardRow], rows: Sequence[MetricsRow]
) -> dict[str, frozenset[int]]:
    """Returns category -> the columns of ``grid`` with its highest yield; none where all are 0."""
    cells = {(row.model, row.reasoning, row.category, row.mode): row for row in rows}
    modes = tuple(mode for mode in MODES if any(row.mode == mode for row in rows))
    columns = [(row.model, row.reasoning, mode) for row in board for mode in modes]
    found = {}
    for category in dict.fromkeys(row.category for row in rows):
        line = [cells.get((model, reasoning, category, mode)) for model, reasoning, mode in columns]
        yields = [0.0 if row is None else row.effective_yield or 0.0 for row in line]
        best = max(yields)
        found[category] = frozenset(at for at, value in enumerate(yields) if value == best > 0)
    return found


def cell_lines(rows: Iterable[MetricsRow]) -> list[tuple[str, ...]]:
    """Returns one line of texts per metrics row, under ``CELL_HEADER``."""
    return [
        (
            title(row.model, row.reasoning),
            row.category,
            row.mode,
            row.source,
            str(row.n),
            str(row.n_errors),
            f"{yield_cell(row)} {between(row.effective_yield_interval)}".rstrip(),
            score(row.floor, 2),
            NONE if row.lift is None else f"{row.lift:+.2f} {between(row.lift_interval)}".rstrip(),
            "/".join(percent(share) for share in (row.right, row.silent, row.caught)),
            percent(row.schema_valid_rate),
            percent(row.json_robustness),
            score(row.labeler_score),
            score(row.clean_yield),
            speed(row.tokens_per_sec),
            counts(row.failures),
        )
        for row in rows
    ]


CELL_HEADER = (
    "model",
    "category",
    "mode",
    "source",
    "n",
    "errors",
    "yield",
    "floor",
    "lift",
    "right/silent/caught",
    "valid",
    "robust",
    "labeler",
    "clean",
    "tok/s",
    "misses",
)


def counts(found: Mapping[Failure, int]) -> str:
    """Returns counts by kind, the most frequent first: ``truncated 7, wrong_answer 2``."""
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{kind} {count}" for kind, count in ordered) or NONE


def _billions(count: float) -> str:
    return f"{1000 * count:.3g}M" if count < 0.1 else f"{count:.3g}B"


def _mean_of(row: LeaderboardRow, mode: Mode) -> float | None:
    if mode == row.ranking_mode:
        return None if row.incomplete else row.mean_yield
    return row.mean_yield_constrained

"""What the page draws and the same as tables: points for its script, texts for its reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlmbench_plugin.aggregate import LeaderboardRow, MetricsRow
from vlmbench_plugin.core import Json
from vlmbench_plugin.costs import NONE_RIGHT
from vlmbench_plugin.findings import Choice, Cost, Findings, Ranking
from vlmbench_plugin.report.tables import NONE, SHORT_MODE, between, percent, score, title

ALL = "All tasks"

LEAST_ACCEPTED = 5
"""Points of a curve on fewer answers are not drawn: one answer is all right or all wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as texts.

    Attributes:
        header: Names of the columns.
        lines: The first cell of each is its head.
    """

    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def named(choice: Choice) -> str:
    """Returns a choice as one short name: ``qwen3vl-4b json``."""
    return f"{title(choice.model, choice.reasoning)} {SHORT_MODE[choice.mode]}"


def task_name(category: str | None) -> str:
    """Returns a task's name, or what stands for the mean over all of them."""
    return ALL if category is None else category


def ranking_points(
    board: Sequence[LeaderboardRow], rows: Sequence[MetricsRow], findings: Findings
) -> list[dict[str, Json]]:
    """Returns yields with intervals in the ranking mode, over all tasks and task by task."""
    by_task = {one.category: one for one in findings.rankings}
    found = [
        _ranked(None, row.model, row.reasoning, row.mean_yield, row.mean_yield_interval, by_task)
        for row in board
    ]
    if board:
        mode = board[0].ranking_mode
        found += [
            _ranked(
                row.category,
                row.model,
                row.reasoning,
                row.effective_yield,
                row.effective_yield_interval,
                by_task,
            )
            | {"floor": row.floor}
            for row in rows
            if row.mode == mode
        ]
    return [point for point in found if point["value"] is not None and point["low"] is not None]


def _ranked(
    category: str | None,
    model: str,
    reasoning: str,
    value: float | None,
    interval: tuple[float, float] | None,
    rankings: Mapping[str | None, Ranking],
) -> dict[str, Json]:
    ranking = rankings.get(category)
    own = [
        one
        for one in (ranking.standings if ranking else ())
        if (one.choice.model, one.choice.reasoning) == (model, reasoning)
    ]
    low, high = interval if interval is not None else (None, None)
    return {
        "task": task_name(category),
        "name": title(model, reasoning),
        "value": value,
        "low": low,
        "high": high,
        "tied": own[0].tied if own else None,
        "range": f"{own[0].best}-{own[0].worst}" if own else None,
    }


def cost_points(costs: Sequence[Cost]) -> list[dict[str, Json]]:
    """Returns yield against seconds per item, over all tasks; those without a time are left out."""
    return [
        {
            "name": named(cost.choice),
            "mode": cost.choice.mode,
            "seconds": 3600 / cost.labels_per_hour,
            "value": cost.yield_,
            "front": cost.on_front,
        }
        for cost in costs
        if cost.category is None and cost.labels_per_hour
    ]


def cost_table(costs: Sequence[Cost]) -> Table:
    """Returns what labels took, over all tasks and task by task."""
    return Table(
        header=(
            "choice",
            "task",
            "yield",
            "right",
            "items an hour",
            "s per right label",
            "tokens per right label",
            "tokens wasted",
            "money per million right",
            "on the front",
        ),
        lines=tuple(
            (
                named(cost.choice),
                task_name(cost.category),
                score(cost.yield_),
                f"{cost.n_right} of {cost.n}",
                _amount(cost.labels_per_hour, 0),
                _per_right(cost, cost.seconds_per_right, 2),
                _per_right(cost, cost.tokens_per_right, 0),
                _amount(cost.wasted_tokens, 0),
                _amount(cost.money_per_million, 2),
                "yes" if cost.on_front else "",
            )
            for cost in costs
        ),
    )


def tax_points(findings: Findings) -> list[dict[str, Json]]:
    """Returns the change of yield by a grammar, and where invalid answers went."""
    return [
        {
            "model": title(tax.model, tax.reasoning),
            "task": tax.category,
            "value": tax.yield_change,
            "low": tax.yield_interval[0],
            "high": tax.yield_interval[1],
            "right": tax.to_right,
            "silent": tax.to_silent,
            "caught": tax.to_caught,
        }
        for tax in findings.taxes
    ]


def tax_table(findings: Findings) -> Table:
    """Returns the same for a reader."""
    return Table(
        header=(
            "model",
            "task",
            "n",
            "yield",
            "tokens",
            "accuracy where both are valid",
            "invalid to right",
            "invalid to wrong",
            "still invalid",
        ),
        lines=tuple(
            (
                title(tax.model, tax.reasoning),
                tax.category,
                str(tax.n),
                f"{tax.yield_change:+z.3f} {between(tax.yield_interval)}",
                NONE if tax.tokens_change is None else f"{tax.tokens_change:+.1f}",
                NONE
                if tax.accuracy_change is None
                else f"{tax.accuracy_change:+z.3f} (n {tax.n_both})",
                str(tax.to_right),
                str(tax.to_silent),
                str(tax.to_caught),
            )
            for tax in findings.taxes
        ),
    )


def curve_points(findings: Findings) -> list[dict[str, Json]]:
    """Returns one entry per curve: share of wrong ones among the accepted, against coverage."""
    return [
        {
            "task": one.category,
            "name": named(one.choice),
            "model": title(one.choice.model, one.choice.reasoning),
            "mode": one.choice.mode,
            "aim": 1 - one.precision,
            "coverage": one.coverage,
            "points": [
                [p.coverage, (p.accepted - p.right) / p.accepted]
                for p in one.curve
                if p.accepted >= LEAST_ACCEPTED
            ],
        }
        for one in findings.acceptances
    ]


def acceptance_table(findings: Findings) -> Table:
    """Returns what can be accepted without a look."""
    return Table(
        header=("choice", "task", "ordered by", "n", "precision", "accepted", "from", "needed"),
        lines=tuple(
            (
                named(one.choice),
                one.category,
                one.order,
                str(one.n),
                f"{one.precision:.0%}",
                "none promised" if one.coverage is None else percent(one.coverage),
                score(one.threshold),
                str(one.needed),
            )
            for one in findings.acceptances
        ),
    )


def router_table(findings: Findings) -> Table:
    """Returns the best choices of one and of several models."""
    return Table(
        header=("models", "which", "yield", "held out", "gain", "recommended"),
        lines=tuple(
            (
                str(one.max_models),
                ", ".join(one.models),
                score(one.naive),
                f"{score(one.held_out)} {between(one.held_out_interval)}".rstrip(),
                NONE
                if one.gain is None
                else f"{one.gain:+z.3f} {between(one.gain_interval)}".rstrip(),
                "yes" if one.recommended else "no",
            )
            for one in findings.routers
        ),
    )


def _amount(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:,.{digits}f}"


def _per_right(cost: Cost, value: float | None, digits: int) -> str:
    return NONE_RIGHT if cost.n_right == 0 else _amount(value, digits)

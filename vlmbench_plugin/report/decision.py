"""The decision in a few sentences, made from the figures alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from vlmbench_plugin.aggregate import LeaderboardRow, MetricsRow
from vlmbench_plugin.cells import mean
from vlmbench_plugin.findings import Choice, Findings, Ranking, Recommendation
from vlmbench_plugin.report.tables import between, score, title

_NAMED = 4
"""So many names are written out in a sentence; of more the rest is counted."""


def decision(
    board: Sequence[LeaderboardRow], rows: Sequence[MetricsRow], findings: Findings
) -> list[str]:
    """Returns what to do, the headline first, then how sure that is and what it costs.

    Args:
        board: The leaderboard.
        rows: The metrics rows that it rests on.
        findings: What was concluded.
    """
    if not board or not any(row.n for row in rows):
        return ["No item has been scored, so there is nothing to decide."]
    chosen = _overall(findings.recommendations)
    if chosen is None:
        return [_leader(board)]
    found = [_headline(chosen)]
    ranking = next((one for one in findings.rankings if one.category is None), None)
    if ranking is not None:
        found += _told_apart(ranking)
    found += _held_out(chosen)
    found += _quality(chosen.choice, rows)
    found += _constraining(chosen.choice, findings)
    found += _routing(findings)
    return found


def who(choice: Choice) -> str:
    """Returns a choice in words: ``qwen3vl-4b (json_mode)``."""
    return f"{title(choice.model, choice.reasoning)} ({choice.mode})"


def listed(names: Sequence[str]) -> str:
    """Returns names as a sentence has them; of many the first few and how many more."""
    shown = list(names)
    if len(shown) > _NAMED + 1:
        shown = [*shown[:_NAMED], f"{len(shown) - _NAMED} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _overall(recommendations: Iterable[Recommendation]) -> Recommendation | None:
    return next((one for one in recommendations if one.category is None), None)


def _leader(board: Sequence[LeaderboardRow]) -> str:
    first = board[0]
    name = title(first.model, first.reasoning)
    if first.rank is None:
        return "No model is complete, so none is ranked."
    if len(board) == 1:
        return f"{name} alone was asked: labeler score {score(first.labeler_score)}."
    return (
        f"{name} ranks first by labeler score, {score(first.labeler_score)} in "
        f"{first.ranking_mode}."
    )


def _headline(one: Recommendation) -> str:
    if one.shown:
        return (
            f"Take {who(one.choice)}: the cheapest by {one.cost_basis} of those shown to lose at "
            f"most {one.margin:g} of clean yield against the best, {who(one.leader)}. Its loss is "
            f"at most {score(one.loss_bound)} (95 %)."
        )
    needed = (
        ""
        if one.images_needed is None
        else f" About {one.images_needed:,} images a task would show it of a cheaper one."
    )
    return (
        f"Take {who(one.leader)}: it has the highest clean yield, {score(one.leader_yield)}, and "
        f"no cheaper choice is shown to be within {one.margin:g} of it.{needed}"
    )


def _told_apart(ranking: Ranking) -> list[str]:
    if len(ranking.standings) < 2:
        return []
    names = [title(s.choice.model, s.choice.reasoning) for s in ranking.standings if s.tied]
    on = f"on {_images(ranking)}"
    if len(names) == 1:
        return [f"{names[0]} is shown to be better than every other model {on}."]
    total = len(ranking.standings)
    beaten = total - len(names)
    if not ranking.better and ranking.smallest_difference is None:
        said = f"Too few images to rank: {on} no difference, however large, could have been shown."
    elif not ranking.better and total > 2:
        said = f"Too few images to rank: none of the {total} models can be told apart {on}."
    else:
        others = f"; {_counted(beaten, 'other is', 'others are')} shown to be worse"
        said = f"{listed(names)} cannot be told apart {on}{others if beaten else ''}."
    return [said, *_could_show(ranking)]


def _could_show(ranking: Ranking) -> list[str]:
    """Says what differences this run could show, and what the next smaller one would take."""
    smallest = ranking.smallest_difference
    smaller = [d for d in ranking.images_needed if smallest is None or d < smallest]
    parts = []
    if smallest is not None:
        parts.append(f"This run could have shown a difference of {smallest:.2f} (80 %)")
    if smaller:
        difference = max(smaller)
        of = f"{difference:g}" if parts else f"A difference of {difference:g}"
        images = _counted(ranking.images_needed[difference], "image", "images")
        parts.append(f"{of} would take {images} a task")
    return [f"{'; '.join(parts)}."] if parts else []


def _images(ranking: Ranking) -> str:
    fewest, most = min(ranking.images.values()), max(ranking.images.values())
    of = f"{fewest} to " if fewest < most else ""
    return f"{of}{_counted(most, 'image', 'images')} a task"


def _counted(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def _held_out(one: Recommendation) -> list[str]:
    """Says what luck there is in the best: it is the leader's figure, whoever is chosen."""
    if one.held_out is None:
        return []
    held_out = f"{score(one.held_out)} {between(one.held_out_interval)}".rstrip()
    return [
        (
            f"On images that did not choose it the best earns {held_out}, on those that did "
            f"{score(one.leader_yield)}."
        )
    ]


def _quality(choice: Choice, rows: Sequence[MetricsRow]) -> list[str]:
    own = [
        row
        for row in rows
        if (row.model, row.reasoning, row.mode) == (choice.model, choice.reasoning, choice.mode)
    ]
    silent, right = mean(row.silent for row in own), mean(row.right for row in own)
    found = []
    if silent is not None and right is not None and silent + right > 0:
        wrong = 100 * silent / (silent + right)
        found.append(
            f"Of 100 valid answers about {wrong:.0f} would be wrong labels that nobody notices."
        )
    blind = [
        row.category for row in own if row.lift_interval is not None and row.lift_interval[0] <= 0
    ]
    if blind:
        found.append(f"It is not shown to be better than a blind answer on {listed(blind)}.")
    return found


def _constraining(choice: Choice, findings: Findings) -> list[str]:
    taxes = [
        t for t in findings.taxes if (t.model, t.reasoning) == (choice.model, choice.reasoning)
    ]
    if not taxes:
        return []
    change = math.fsum(tax.yield_change for tax in taxes) / len(taxes)
    right, silent = (sum(getattr(tax, name) for tax in taxes) for name in ("to_right", "to_silent"))
    invalid = right + silent + sum(tax.to_caught for tax in taxes)
    went = (
        f" Of {_counted(invalid, 'answer', 'answers')} invalid without it, {right} became right "
        f"and {silent} wrong without notice."
        if invalid
        else ""
    )
    name = title(choice.model, choice.reasoning)
    return [f"A grammar changes the yield of {name} by {change:+z.3f}, tasks weighed alike.{went}"]


def _routing(findings: Findings) -> list[str]:
    several = [one for one in findings.routers if len(one.models) > 1 and one.gain is not None]
    if not several:
        return []
    worth = next((one for one in several if one.recommended), None)
    if worth is None:
        return ["Sending tasks to different models is not shown to be worth it."]
    return [
        f"Sending each task to the better of {listed(worth.models)} is worth it: {worth.gain:+.3f} "
        f"{between(worth.gain_interval)}".rstrip()
        + " above the best single model, on images that did not choose them."
    ]

"""What is concluded from a run, as values: ranks, the choice of a model, taxes, costs, routes.

``ranking.py``, ``decide.py``, ``tax.py``, ``costs.py``, ``acceptance.py`` and ``routing.py``
compute them from records; ``report/*`` shows them. Yields, shares and differences are in [0, 1] or
[-1, 1]; intervals are 95 % unless told otherwise; None is "no data", never a 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vlmbench_plugin.core import Mode
from vlmbench_plugin.stats import Interval


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Choice:
    """Who labels, and how it is asked."""

    model: str
    reasoning: str
    mode: Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One model's place in a ranking.

    Attributes:
        choice: The model, in the mode of the ranking.
        value: Its mean clean yield on the images compared.
        best: 1 + how many are shown to be better.
        worst: Number of models - how many are shown to be worse.
        tied: Whether no other is shown to beat it: a member of the tie group.
    """

    choice: Choice
    value: float
    best: int
    worst: int
    tied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """All models of one mode compared pair by pair at once.

    Attributes:
        category: The task; None for the mean over all tasks.
        mode: The mode that ranks.
        images: Images compared, of each task the number that all models have.
        standings: Best yield first.
        better: (winner, loser) of every pair that is shown to differ.
        smallest_difference: That this run could have shown in 80 % of runs; None where it could
            have shown none at all, for want of images.
        images_needed: Difference in yield -> images per task that would show it in 80 % of runs.
    """

    category: str | None
    mode: Mode
    images: Mapping[str, int]
    standings: tuple[Standing, ...]
    better: tuple[tuple[Choice, Choice], ...]
    smallest_difference: float | None
    images_needed: Mapping[float, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The cheapest (model, mode) shown to be at most a margin below the best.

    Attributes:
        category: The task; None for the mean over all tasks.
        choice: The one to take; the leader where no cheaper one is shown to be within the margin.
        leader: The highest yield.
        leader_yield: Its yield on the very images it was chosen on.
        held_out: Its yield on images that did not choose it, over five folds; None of too few.
        held_out_interval: Of ``held_out``.
        margin: The largest loss of yield that is put up with.
        loss_bound: Upper 95 % bound (one-sided) of what the choice loses against the leader; None
            where they are the same.
        shown: Whether a cheaper one than the leader is shown to be within the margin.
        images_needed: Images per task that would show it in 80 % of runs of the cheapest one whose
            yield is within the margin; None where none cheaper than the choice is.
        cost_basis: What "cheapest" is measured by: "seconds per item" or "active parameters".
    """

    category: str | None
    choice: Choice
    leader: Choice
    leader_yield: float
    held_out: float | None
    held_out_interval: Interval | None
    margin: float
    loss_bound: float | None
    shown: bool
    images_needed: int | None
    cost_basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintTax:
    """What constraining changed, on the images answered in both modes.

    Attributes:
        model: The model.
        reasoning: As in the records.
        category: The task.
        n: Images with a scored item in both modes.
        yield_change: Mean paired change in per-item yield, constrained - json_mode.
        yield_interval: Of ``yield_change``.
        tokens_change: Mean paired change in output tokens per item; None where unknown.
        n_both: Images whose answers are valid in both modes.
        accuracy_change: Mean paired change in score on those alone; None of none.
        to_right: Answers invalid in json_mode that became right.
        to_silent: Those that became valid and wrong, so that nobody notices.
        to_caught: Those that are invalid in both.
    """

    model: str
    reasoning: str
    category: str
    n: int
    yield_change: float
    yield_interval: Interval
    tokens_change: float | None
    n_both: int
    accuracy_change: float | None
    to_right: int
    to_silent: int
    to_caught: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What labels took: everything spent, misses included, over what was right.

    Attributes:
        choice: Who labelled.
        category: The task; None for all tasks together.
        n: Scored items.
        n_right: Items that passed.
        yield_: Mean yield; over tasks each counts the same.
        labels_per_hour: Items per hour of the model's time; None where no time is known.
        seconds_per_right: Busy seconds per right label; None of none right or no time.
        tokens_per_right: Output tokens per right label; None of none right or no count.
        wasted_tokens: Output tokens of answers that the budget or a loop ended and that are not
            right; None where unknown.
        money_per_million: Of right labels, in the currency of ``--price-per-hour``; None without
            a price or a time, or with none right.
        on_front: Whether no other choice is at least as good in yield and in seconds per item, and
            better in one of them (category None alone; False elsewhere, where no time is known,
            and of a choice that lacks a task).
    """

    choice: Choice
    category: str | None
    n: int
    n_right: int
    yield_: float
    labels_per_hour: float | None
    seconds_per_right: float | None
    tokens_per_right: float | None
    wasted_tokens: int | None
    money_per_million: float | None
    on_front: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """The most confident share of answers, and how many of them are right."""

    coverage: float
    accepted: int
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Which share of answers can be taken without a look.

    Attributes:
        choice: Who labelled.
        category: The task.
        order: What the answers are ordered by.
        n: Scored items. An answer that is invalid, at a bound, or without a value to order by is
            never accepted.
        curve: Accepted answers and right ones at each share: a picture, not a promise.
        precision: The precision asked for (0.95).
        coverage: Largest share of which at least ``precision`` are right, held in 95 % of runs
            (Clopper-Pearson on a fixed grid, strictest first); None where none can be promised.
        threshold: Least value of ``order`` that is accepted; None with ``coverage``.
        needed: Accepted answers without one error that the promise would take (59 for 0.95).
        illustration: Whether the images are drawn or public, so that nothing is promised of yours.
    """

    choice: Choice
    category: str
    order: Literal["value_logprob", "confidence"]
    n: int
    curve: tuple[CurvePoint, ...]
    precision: float
    coverage: float | None
    threshold: float | None
    needed: int
    illustration: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """The best choice of at most so many models, each task going to one of them.

    Attributes:
        max_models: How many it may use.
        models: Names of those that it uses.
        tasks: Category -> who labels it.
        naive: Mean yield on the very images it was chosen on.
        held_out: Mean yield over five folds of images that did not choose it; None of too few.
        held_out_interval: Of ``held_out``.
        gain: Held-out yield above the best single model's; None for one model, or of too few.
        gain_interval: Of ``gain``.
        recommended: Whether the lower end of its gain is above 0; of one model always.
    """

    max_models: int
    models: tuple[str, ...]
    tasks: Mapping[str, Choice]
    naive: float
    held_out: float | None
    held_out_interval: Interval | None
    gain: float | None
    gain_interval: Interval | None
    recommended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that a report concludes.

    Attributes:
        rankings: Over all tasks first (category None), then task by task.
        recommendations: In the same order.
        taxes: Per (model, reasoning, category) that was asked in both modes.
        costs: Over all tasks first, then task by task.
        acceptances: Per (choice, category) that has an order.
        routers: Of one model, of two, and of more where asked.
    """

    rankings: tuple[Ranking, ...]
    recommendations: tuple[Recommendation, ...]
    taxes: tuple[ConstraintTax, ...]
    costs: tuple[Cost, ...]
    acceptances: tuple[Acceptance, ...]
    routers: tuple[Router, ...]

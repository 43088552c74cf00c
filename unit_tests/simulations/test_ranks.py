"""How often ranks, differences and recommendations hold where the truth is known.

``--log-cli-level=INFO`` shows the figures. 1,000 repetitions find a share of 0.95 with a
standard error of 0.007, and one of 0.05 too; the bars of 0.93 and 0.07 lie three of them away from
the level that is promised.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from vlmbench_plugin.decide import PARAMETERS, Prices, recommend
from vlmbench_plugin.findings import Choice
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.ranking import Matrix, ranking
from vlmbench_plugin.stats import TaskScores
from vlmbench_plugin.swaps import compare

pytestmark = pytest.mark.slow
log = logging.getLogger(__name__)

PUBLISHED = Path(__file__).parents[2] / "vlmbench_plugin" / "assets" / "published" / "grid.json"
REPETITIONS = 1000
MODELS_COMPARED = 12


def answers(
    generator: np.random.Generator, truth: NDArray[np.float64], n: int, kind: str
) -> NDArray[np.float64]:
    """Draws scores with the given means; of two models on one image they correlate by about 0.5."""
    latent = (generator.normal(size=(1, n)) + generator.normal(size=(len(truth), n))) / 2**0.5
    if kind == "0/1":
        return (norm.cdf(latent) < truth[:, None]).astype(np.float64)
    # Uniform within 0.3 of the mean.
    return truth[:, None] + 0.6 * (norm.cdf(latent) - 0.5)


def tasks_of(
    generator: np.random.Generator, truth: NDArray[np.float64], tasks: int, n: int, kind: str
) -> list[TaskScores]:
    return [
        TaskScores(
            images=np.arange(task * n, (task + 1) * n), scores=answers(generator, truth, n, kind)
        )
        for task in range(tasks)
    ]


@pytest.mark.parametrize(
    ("tasks", "n", "kind"),
    [
        (1, 12, "0/1"),
        (1, 12, "graded"),
        (1, 30, "0/1"),
        (1, 30, "graded"),
        (1, 100, "0/1"),
        (1, 100, "graded"),
        (15, 12, "0/1"),
        (15, 12, "graded"),
    ],
)
@pytest.mark.parametrize("gap", [0.0, 0.002, 0.02])
def test_rank_intervals_hold_all_ranks_at_once(tasks: int, n: int, kind: str, gap: float) -> None:
    middle = (MODELS_COMPARED - 1) / 2
    means = [0.5 + gap * (model - middle) for model in range(MODELS_COMPARED)]
    truth = np.array(means, dtype=np.float64)
    generator = np.random.default_rng([tasks, n, kind == "0/1", round(gap * 1000)])
    hold, any_difference, width = 0, 0, 0.0
    for seed in range(REPETITIONS):
        scores = tasks_of(generator, truth, tasks, n, kind)
        found = compare(scores, tasks * n, seed=seed, flips=999)
        better = np.zeros((MODELS_COMPARED, MODELS_COMPARED), dtype=bool)
        for (a, b), difference, shown in zip(
            found.pairs, found.differences, found.different, strict=True
        ):
            if shown:
                better[(a, b) if difference > 0 else (b, a)] = True
        best = 1 + better.sum(axis=0)
        worst = MODELS_COMPARED - better.sum(axis=1)
        # Equal models share all the ranks that they take up: their intervals must hold them all.
        highest = 1 + (truth[None] > truth[:, None] + 1e-12).sum(axis=1)
        lowest = MODELS_COMPARED - (truth[None] < truth[:, None] - 1e-12).sum(axis=1)
        hold += bool((best <= highest).all() and (worst >= lowest).all())
        any_difference += bool(found.different.any())
        width += float((worst - best + 1).mean())
    figures = [total / REPETITIONS for total in (hold, any_difference, width)]
    log.info("all ranks held %.3f, any difference %.3f, ranks in an interval %.1f", *figures)
    assert hold / REPETITIONS >= 0.93
    if gap == 0:
        assert any_difference / REPETITIONS <= 0.07


def choice(name: str) -> Choice:
    return Choice(model=name, reasoning="off", mode="json_mode")


def matrix_of(tasks: list[TaskScores], names: list[str], n: int) -> Matrix:
    return Matrix(
        choices=tuple(map(choice, names)),
        tasks={f"task-{number:02d}": task for number, task in enumerate(tasks)},
        images=tuple(("drawn", f"{image:05d}", "") for image in range(len(tasks) * n)),
    )


@pytest.mark.parametrize("models", [2, 12])
@pytest.mark.parametrize(
    ("tasks", "n", "kind"), [(1, 100, "0/1"), (15, 12, "0/1"), (15, 30, "graded")]
)
def test_the_smallest_difference_is_shown_in_80_of_100_runs(
    models: int, tasks: int, n: int, kind: str
) -> None:
    """What one run promises of a pair is held by runs in which one pair differs by that much."""
    generator = np.random.default_rng([models, tasks, n])
    names = [f"m{number:02d}" for number in range(models)]
    equal = tasks_of(generator, np.full(models, 0.5), tasks, n, kind)
    promised = ranking(matrix_of(equal, names, n), None).smallest_difference
    assert promised is not None
    truth = np.full(models, 0.5)
    truth[:2] += promised / 2, -promised / 2
    shown = 0
    for seed in range(300):
        scores = tasks_of(generator, truth, tasks, n, kind)
        shown += bool(compare(scores, tasks * n, seed=seed, flips=999).different[0])
    log.info("smallest difference %.3f, shown in %.3f", promised, shown / 300)
    # 300 repetitions: a standard error of 0.023; the promise itself is estimated from one run.
    assert 0.7 <= shown / 300 <= 0.92


def published() -> tuple[list[str], list[str], NDArray[np.float64]]:
    grid = json.loads(PUBLISHED.read_text(encoding="utf-8"))["effective_yield"]
    names = sorted({name for row in grid.values() for name in row})
    values = [[grid[task].get(name) or 0.0 for name in names] for task in sorted(grid)]
    return names, sorted(grid), np.array(values)


@pytest.mark.parametrize("n", [12, 30, 100])
def test_the_recommended_model_loses_no_more_than_the_margin(n: int) -> None:
    """The published grid is the truth: ten models, fifteen tasks, answers right or wrong."""
    names, categories, truth = published()
    prices = Prices(
        basis=PARAMETERS, of={choice(name): MODELS[name].active_params or 0.0 for name in names}
    )
    generator = np.random.default_rng(n)
    lost, lost_per_task, cheaper, repetitions = 0.0, 0.0, 0, 100
    naive = held_out = true_yield = 0.0
    for _ in range(repetitions):
        scores = [
            TaskScores(
                images=np.arange(row * n, (row + 1) * n),
                scores=answers(generator, truth[row], n, "0/1"),
            )
            for row in range(len(categories))
        ]
        found = recommend(matrix_of(scores, names, n), prices, None, margin=0.03)
        yields = dict(zip(names, truth.mean(axis=0), strict=True))
        lost += max(yields.values()) - yields[found.choice.model]
        cheaper += found.shown
        assert found.held_out is not None
        naive += found.leader_yield
        held_out += found.held_out
        true_yield += yields[found.leader.model]
        for row, task in enumerate(scores):
            alone = TaskScores(images=np.arange(n), scores=task.scores)
            one = recommend(matrix_of([alone], names, n), prices, "task", margin=0.05)
            lost_per_task += truth[row].max() - truth[row][names.index(one.choice.model)]
    figures = [total / repetitions for total in (lost, lost_per_task / len(categories), cheaper)]
    log.info("mean loss %.4f, of one task %.4f, a cheaper one shown %.2f", *figures)
    figures = [total / repetitions for total in (naive, held_out, true_yield)]
    log.info("the leader's naive figure %.4f, held out %.4f, true %.4f", *figures)
    assert lost / repetitions <= 0.03
    assert lost_per_task / repetitions / len(categories) <= 0.05
    # The leader's own figure is too high, the held-out one at most 0.005 (its standard error).
    assert held_out / repetitions <= true_yield / repetitions + 0.01

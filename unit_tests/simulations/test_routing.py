"""Is a router's yield what it earns on new images? Runs of which the truth is known, simulated.

``--log-cli-level=INFO`` shows the figures; docs/scoring.md has those of one machine.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from vlmbench_plugin.findings import Choice, Router
from vlmbench_plugin.folding import folds
from vlmbench_plugin.routing import FOLDS, Grid, route

pytestmark = pytest.mark.slow

log = logging.getLogger(__name__)

PUBLISHED = Path(__file__).parents[2] / "vlmbench_plugin" / "assets" / "published" / "grid.json"
RUNS = 400


def simulated(truth: NDArray[np.float64], n: int, generator: np.random.Generator) -> Grid:
    """A run of models with true yields (models, tasks) on n images a task: right or wrong.

    Scores of one image are correlated, as those of images of unequal difficulty are.
    """
    models, tasks = truth.shape
    categories = tuple(f"task{at:02d}" for at in range(tasks))
    serves = {
        (category, f"{image:04d}"): [category] for category in categories for image in range(n)
    }
    fold_of = folds(serves, FOLDS, seed=int(generator.integers(1 << 30)))
    scores = []
    for task in range(tasks):
        hard = generator.standard_normal(n) * 0.5**0.5
        own = generator.standard_normal((models, n)) * 0.5**0.5
        ranks = ndtr(hard + own)
        scores.append((ranks < truth[:, task, None]).astype(np.float64))
    names = (f"m{at:02d}" for at in range(models))
    return Grid(
        choices=tuple(Choice(model=name, reasoning="off", mode="json_mode") for name in names),
        categories=categories,
        images=tuple(np.arange(n) + n * task for task in range(tasks)),
        scores=tuple(scores),
        folds=np.array([fold_of[image] for image in sorted(serves)]),
    )


def true_yield(router: Router, truth: NDArray[np.float64], grid: Grid) -> float:
    rows = [grid.choices.index(router.tasks[category]) for category in grid.categories]
    return float(truth[rows, np.arange(len(rows))].mean())


def repeated(truth: NDArray[np.float64], n: int) -> tuple[list[list[float]], list[bool]]:
    """Of each run: naive, held-out and true yield of one model, of two; whether a pair is sold."""
    generator = np.random.default_rng(n)
    found, recommended = [], []
    for _ in range(RUNS):
        grid = simulated(truth, n, generator)
        one, two = route(grid, 2)
        values = []
        for router in (one, two):
            assert router.held_out is not None
            values += [router.naive, router.held_out, true_yield(router, truth, grid)]
        found.append(values)
        recommended.append(two.recommended)
    return found, recommended


def show(name: str, n: int, means: NDArray[np.float64], sold: float) -> None:
    """The line of the document."""
    cells = " | ".join(f"{value:.3f}" for value in means)
    log.info("| %s | %d | %s | %.0f %% |", name, n, cells, sold * 100)


@pytest.mark.parametrize("n", [12, 50])
def test_held_out_is_unbiased_where_all_models_are_equal(n: int) -> None:
    values, sold = repeated(np.full((10, 15), 0.5), n)
    means, errors = np.mean(values, axis=0), np.std(values, axis=0) / RUNS**0.5
    for naive, held_out in ((0, 1), (3, 4)):
        assert abs(means[held_out] - 0.5) <= 3 * errors[held_out]
        assert means[naive] - 0.5 > 10 * errors[naive]
    # Nominal 2.5 %: the answers of five folds share most of the images that chose them, which the
    # interval of the gain does not see.
    assert np.mean(sold) <= 0.12
    show("ten equal models", n, means, float(np.mean(sold)))


@pytest.mark.parametrize("n", [12, 50])
def test_held_out_on_the_published_grid(n: int) -> None:
    """Four fifths of the images choose a little worse than all of them: held-out is below truth."""
    values, sold = repeated(published(), n)
    means, errors = np.mean(values, axis=0), np.std(values, axis=0) / RUNS**0.5
    for naive, held_out, true in ((0, 1, 2), (3, 4, 5)):
        assert means[held_out] <= means[true] + 3 * errors[held_out]
        assert means[naive] > means[true]
    assert means[4] > means[5] - 0.02
    show("the published grid", n, means, float(np.mean(sold)))


def published() -> NDArray[np.float64]:
    """Published yields (models, tasks); null is no valid output, which earns nothing."""
    grid = json.loads(PUBLISHED.read_text(encoding="utf-8"))["effective_yield"]
    names = sorted({name for row in grid.values() for name in row})
    return np.array([[row.get(name) or 0.0 for row in grid.values()] for name in names])

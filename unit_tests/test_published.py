"""The write-up's figures beside a run's."""

from __future__ import annotations

from statistics import fmean

import numpy as np
import pytest
from scipy.stats import beta

from unit_tests.test_pairing import scored
from vlmbench_plugin.cells import MetricsRow, metrics_row
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.published import Published, beside_published
from vlmbench_plugin.tasks import TASKS


def row(category: str, right: int, n: int, model: str = "qwen3vl-4b") -> MetricsRow:
    return metrics_row(
        [scored(f"{i}", float(i < right), category=category, model=model) for i in range(n)]
    )


def test_the_packaged_figures_are_whole() -> None:
    found = Published.load()
    assert found.yields.keys() == TASKS.keys()
    assert found.ranking.keys() <= MODELS.keys()
    assert {len(models) for models in found.yields.values()} == {10}
    assert found.images == 12
    assert "write-up" in found.source


def test_a_task_and_the_mean_by_hand() -> None:
    published = Published.load()
    rows = [row("ocr_text", 30, 40), row("image_classification", 10, 40)]
    first, second, mean = beside_published(rows, published, lambda name: name)
    assert (first.published, first.reached) == (0.42, 0.75)
    assert (second.published, second.reached) == (0.0, 0.25)
    assert first.difference == pytest.approx(0.33)
    assert (mean.category, mean.tasks, mean.n) == (None, 2, 40)
    assert mean.published == pytest.approx(0.21)
    assert mean.difference == pytest.approx(fmean([0.33, 0.25]))
    for one in (first, second, mean):
        assert one.interval[0] < one.difference < one.interval[1]
    wider = min(first.interval[1] - first.interval[0], second.interval[1] - second.interval[0])
    assert mean.interval[1] - mean.interval[0] < wider


def test_the_interval_is_nearly_that_of_two_independent_posteriors() -> None:
    published = Published.load()
    (one, _) = beside_published([row("ocr_text", 30, 40)], published, lambda name: name)
    rng = np.random.default_rng(0)
    draws = beta.rvs(30.5, 10.5, size=200_000, random_state=rng) - beta.rvs(
        12 * 0.42 + 0.5, 12 * 0.58 + 0.5, size=200_000, random_state=rng
    )
    assert one.interval == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.02)


def test_the_interval_of_a_published_yield() -> None:
    published = Published.load()
    assert published.interval(0.5) == pytest.approx(beta.interval(0.95, 6.5, 6.5))
    assert published.interval(0.0)[0] == 0.0
    assert published.interval(1.0)[1] == 1.0


def test_no_valid_output_counts_as_0_and_other_models_are_left_out() -> None:
    published = Published.load()
    assert published.yields["geometric_3d_object_id"]["qwen3vl-4b"] is None
    rows = [row("geometric_3d_object_id", 1, 4), row("ocr_text", 1, 4, model="mine")]
    (one, mean) = beside_published(rows, published, lambda name: name)
    assert (one.published, mean.published) == (0.0, 0.0)
    named = {"mine": "qwen3vl-8b"}
    (one, _) = beside_published(rows, published, lambda name: named.get(name, ""))
    assert (one.model, one.published) == ("mine", published.yields["ocr_text"]["qwen3vl-8b"])
    unknown = [row("my_task", 1, 4), row("ocr_text", 0, 0 + 1, model="qwen3.5-0.8b")]
    assert beside_published(unknown, published, lambda name: name) == ()

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from vlmbench_plugin.aggregate import (
    LeaderboardRow,
    MetricsRow,
    aggregate,
    leaderboard,
    mean_intervals,
)
from vlmbench_plugin.core import ModelSpec
from vlmbench_plugin.floors import Floor, case_of
from vlmbench_plugin.record import Record
from vlmbench_plugin.report.heading import Heading

CATEGORIES = ("image_classification", "structural_spatial_awareness", "segmentation")
Run = tuple[tuple[LeaderboardRow, ...], tuple[MetricsRow, ...], Heading]
MakeRun = Callable[..., Run]


def _item(index: int, score: float | None, **changes: Any) -> Record:
    values: dict[str, Any] = {field.name: None for field in dataclasses.fields(Record)}
    passed = score is not None and score >= 0.5
    values |= {
        "reasoning": "off",
        "image_id": f"image-{index:04d}",
        "key": f"key-{index}",
        "key_parts": {},
        "case_index": index,
        "runner": "vlm",
        "dataset": "synthetic",
        "source": "synthetic",
        "vocabulary": {"rule": "closed", "names": {"label": ["cat"]}},
        "status": "passed" if passed else "missed",
        "primary_score": score,
        "schema_valid": score is not None,
        "json_robust": True,
        "passed": passed,
        "failure": None if passed else "wrong_answer" if score is not None else "truncated",
        "constraint": "none",
        "output_tokens": 40 + index,
        "busy_s": 0.75,
        "secondary": {"strict": 0.25},
    }
    return Record(**(values | changes))


def _specs(models: tuple[str, ...]) -> dict[str, ModelSpec]:
    return {
        name: ModelSpec(
            name=name,
            hub_id=name,
            frame="norm_0_1000",
            total_params=35 if "a3b" in name else 4,
            active_params=3 if "a3b" in name else 4,
            toy=name.startswith("tiny"),
        )
        for name in models
    }


@pytest.fixture
def make_run() -> MakeRun:
    """Fabricates a run: yields differ by model, category and mode; segmentation fails in json."""

    def make(
        models: tuple[str, ...] = ("qwen3vl-4b", "qwen3.5-35b-a3b"),
        modes: tuple[str, ...] = ("json_mode", "constrained"),
        n: int = 10,
        **changes: Any,
    ) -> Run:
        records = []
        for at, model in enumerate(models):
            for row, category in enumerate(CATEGORIES):
                for mode in modes:
                    where = {"model": model, "category": category, "mode": mode} | changes
                    for index in range(n):
                        score: float | None = ((3 * at + 5 * row + 7 * index) % 11) / 10 % 1.0
                        if mode == "json_mode" and (category == "segmentation" or index == 3):
                            score = None
                        records.append(_item(index, score, **where))
        scores = {case_of(record): 0.125 for record in records}
        floors = dict.fromkeys(CATEGORIES, Floor(value=0.125, scores=scores))
        rows = aggregate(records, categories=CATEGORIES, models=models, floors=floors)
        board = leaderboard(rows, _specs(models), intervals=mean_intervals(records))
        return board, rows, Heading.of(board, rows)

    return make

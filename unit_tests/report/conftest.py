from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from vlmbench_plugin.aggregate import (
    LeaderboardRow,
    MetricsRow,
    aggregate,
    leaderboard,
)
from vlmbench_plugin.board_intervals import board_intervals
from vlmbench_plugin.core import ModelSpec
from vlmbench_plugin.findings import (
    Acceptance,
    Choice,
    ConstraintTax,
    Cost,
    CurvePoint,
    Findings,
    Ranking,
    Recommendation,
    Router,
    Standing,
)
from vlmbench_plugin.floors import Floor, case_of
from vlmbench_plugin.record import Record
from vlmbench_plugin.report import markdown, summary
from vlmbench_plugin.report.decision import decision
from vlmbench_plugin.report.heading import Heading

CATEGORIES = ("image_classification", "structural_spatial_awareness", "segmentation")
Run = tuple[tuple[LeaderboardRow, ...], tuple[MetricsRow, ...], Heading]
MakeRun = Callable[..., Run]
NOTHING = Findings(rankings=(), recommendations=(), taxes=(), costs=(), acceptances=(), routers=())


def markdown_of(run: Run, findings: Findings = NOTHING) -> str:
    """Returns ``leaderboard.md`` of a fabricated run."""
    board, rows, heading = run
    return markdown.leaderboard(board, rows, heading, findings, decision(board, rows, findings))


def json_of(run: Run, findings: Findings = NOTHING) -> str:
    """Returns ``summary.json`` of a fabricated run."""
    board, rows, heading = run
    return summary.as_json(board, rows, heading, findings, decision(board, rows, findings))


def item(index: int, score: float | None, **changes: Any) -> Record:
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
        ranks: Mapping[tuple[str, str], tuple[int, int]] | None = None,
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
                        records.append(item(index, score, **where))
        scores = {case_of(record): 0.125 for record in records}
        floors = dict.fromkeys(CATEGORIES, Floor(value=0.125, scores=scores))
        rows = aggregate(records, categories=CATEGORIES, models=models, floors=floors)
        board = leaderboard(rows, _specs(models), intervals=board_intervals(records), ranks=ranks)
        return board, rows, Heading.of(board, rows)

    return make


@pytest.fixture
def findings() -> Findings:
    """What might be concluded of ``make_run``'s two models."""
    return hand_made()


def hand_made() -> Findings:
    """What might be concluded of ``make_run``'s two models: hand-made, every kind of value."""
    small, large = "qwen3vl-4b", "qwen3.5-35b-a3b"
    a = Choice(model=small, reasoning="off", mode="constrained")
    b = Choice(model=large, reasoning="off", mode="constrained")
    standings = tuple(
        Standing(
            choice=dataclasses.replace(choice, mode="json_mode"),
            value=value,
            best=1,
            worst=2,
            tied=True,
        )
        for choice, value in ((b, 0.52), (a, 0.5))
    )
    costs = tuple(
        Cost(
            choice=choice,
            category=category,
            n=30,
            n_right=15,
            yield_=value,
            labels_per_hour=rate,
            seconds_per_right=7200 / rate,
            tokens_per_right=88.5,
            wasted_tokens=1234,
            money_per_million=411.5,
            on_front=category is None,
        )
        for category in (None, CATEGORIES[0])
        for choice, value, rate in ((a, 0.61, 7200.0), (b, 0.64, 1800.0))
    )
    return Findings(
        rankings=tuple(
            Ranking(
                category=category,
                mode="json_mode",
                images=images,
                standings=standings,
                better=(),
                smallest_difference=0.11,
                images_needed={0.05: 58, 0.03: 161},
            )
            for category, images in (
                (None, dict.fromkeys(CATEGORIES, 12)),
                (CATEGORIES[0], {CATEGORIES[0]: 12}),
            )
        ),
        recommendations=(
            Recommendation(
                category=None,
                choice=a,
                leader=b,
                leader_yield=0.64,
                held_out=0.595,
                held_out_interval=(0.5, 0.69),
                margin=0.03,
                loss_bound=0.027,
                shown=True,
                images_needed=None,
                cost_basis="seconds per item",
            ),
        ),
        taxes=tuple(
            ConstraintTax(
                model=small,
                reasoning="off",
                category=category,
                n=10,
                yield_change=0.06,
                yield_interval=(-0.02, 0.13),
                tokens_change=-4.5,
                n_both=8,
                accuracy_change=-0.01,
                to_right=5,
                to_silent=3,
                to_caught=0,
            )
            for category in CATEGORIES
        ),
        costs=costs,
        acceptances=(
            Acceptance(
                choice=a,
                category=CATEGORIES[0],
                order="value_logprob",
                n=12,
                curve=tuple(
                    CurvePoint(coverage=k / 12, accepted=k, right=k - k // 6) for k in range(1, 13)
                ),
                precision=0.95,
                coverage=0.4,
                threshold=-0.02,
                needed=59,
                illustration=True,
            ),
        ),
        routers=(
            Router(
                max_models=2,
                models=(small, large),
                tasks={CATEGORIES[0]: a},
                naive=0.66,
                held_out=0.65,
                held_out_interval=(0.6, 0.7),
                gain=0.021,
                gain_interval=(0.004, 0.038),
                recommended=True,
            ),
        ),
    )

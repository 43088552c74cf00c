"""All that is concluded from a stub run's records, as one value."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from unit_tests.plugin.conftest import SMALL, run
from vlmbench_plugin.conclusions import conclude, rank_intervals
from vlmbench_plugin.findings import Findings
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.record import Record
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.store import Store
from vlmbench_plugin.tasks import TASKS

MODEL_NAMES = ("qwen3vl-4b", "qwen3vl-8b", "qwen3.5-2b")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """A run of three models, to whose answers a time and log probabilities are added."""
    folder = tmp_path_factory.mktemp("run")
    done = run(folder, *SMALL, "--models", ",".join(MODEL_NAMES), "--n", "9")
    assert done.exit == 0, done.output
    return [
        dataclasses.replace(
            record,
            busy_s=0.25 + at % 7 / 10,
            output_tokens=20 + at % 11,
            value_logprob={"mean": -(at % 10) / 10, "min": -3.0},
        )
        for at, record in enumerate(Store.read(folder / "out"))
    ]


def concluded(records: list[Record], **settings: Any) -> Findings:
    return conclude(records, TASKS, MODELS, Settings(**settings))


def test_every_kind_of_conclusion_is_drawn(records: list[Record]) -> None:
    found = concluded(records, margin=0.1, price_per_hour=2.0)
    for field in dataclasses.fields(Findings):
        assert getattr(found, field.name), field.name
    assert {one.margin for one in found.recommendations} == {0.1}
    assert any(one.money_per_million for one in found.costs)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_records_does_not_matter(records: list[Record], seed: int) -> None:
    shuffled = random.Random(seed).sample(records, len(records))
    assert concluded(shuffled) == concluded(records)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from value
        value = value.values()
    elif not isinstance(value, tuple | list):
        yield value
        return
    for inner in value:
        yield from leaves(inner)


def test_findings_hold_plain_values_alone(records: list[Record]) -> None:
    values = dataclasses.asdict(concluded(records, price_per_hour=2.0))
    kinds = {type(leaf) for leaf in leaves(values)}
    assert kinds == {str, int, float, bool, type(None)}
    assert json.loads(json.dumps(values, allow_nan=False)).keys() == values.keys()


def test_rank_intervals_are_those_over_all_tasks(records: list[Record]) -> None:
    found = concluded(records)
    overall = found.rankings[0]
    assert overall.category is None
    expected = {(s.choice.model, "off"): (s.best, s.worst) for s in overall.standings}
    assert rank_intervals(found) == expected
    assert {model for model, _ in expected} == set(MODEL_NAMES)
    only = dataclasses.replace(found, rankings=found.rankings[1:])
    assert rank_intervals(only) == {}


def test_a_single_model_has_no_rank_interval(records: list[Record]) -> None:
    alone = [record for record in records if record.model == MODEL_NAMES[0]]
    assert rank_intervals(concluded(alone)) == {}
    assert concluded(alone).recommendations[0].choice.model == MODEL_NAMES[0]


def test_a_task_that_is_not_known_is_ranked_and_has_no_acceptance(records: list[Record]) -> None:
    found = conclude(records, {}, MODELS, Settings())
    assert found.acceptances == ()
    assert found.rankings == concluded(records).rankings


def test_no_record_no_conclusion() -> None:
    empty = concluded([])
    assert all(getattr(empty, field.name) == () for field in dataclasses.fields(Findings))

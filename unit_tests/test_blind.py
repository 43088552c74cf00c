"""No task can be won blind: hedged, repeated and padded answers earn no more than the floor."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pytest

from vlmbench_plugin.asking import build_request, task_artifacts
from vlmbench_plugin.core import Answer, Case, Generation, ModelSpec, VisionTask
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.evaluate import evaluate
from vlmbench_plugin.fields import ListOf, Object
from vlmbench_plugin.fingerprints import UNSTORED
from vlmbench_plugin.floors import Floor, floor
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

N = 60
SPEC = ModelSpec(name="m", hub_id="org/m", frame="norm_0_1000")

each_task = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))


@lru_cache(maxsize=32)
def cases_of(category: str) -> tuple[Case, ...]:
    source = load_cases(TASKS[category], Settings(n=N))
    return tuple(source[i] for i in range(N))


@lru_cache(maxsize=32)
def floor_of(category: str) -> Floor:
    task, run = TASKS[category], Settings(n=N)
    records = []
    for case in cases_of(category):
        request = build_request(task, case, SPEC, "json_mode", run)
        empty = Generation(text="", finish_reason="stop", constraint="none")
        records.append(evaluate(task, case, SPEC, request, empty, run, UNSTORED))
    found = floor(records, task.score, task.pixel_answer, task.blind)
    assert found is not None
    return found


def merged(first: Any, second: Any, node: Any) -> Any:
    """Puts two answers into one: lists joined up to their bound, the rest from the first."""
    if isinstance(node, Object):
        return {
            key: merged(first[key], second[key], member)
            for key, member in node.members
            if key in first and key in second
        }
    if isinstance(node, ListOf):
        return [*first, *second][: node.at_most]
    return first


def repeated(answers: Sequence[Answer], root: Object) -> Answer:
    twice: Answer = merged(answers[0], answers[0], root)
    return twice


def padded(answers: Sequence[Answer], root: Object) -> Answer:
    joined = answers[0]
    for answer in answers[1:]:
        joined = merged(joined, answer, root)
    return joined


def contradicted(answers: Sequence[Answer], root: Object) -> Answer:
    """Every relation for every pair."""
    relations = answers[0].get("relations", [])
    key = next((k for k in ("relation", "predicate") if relations and k in relations[0]), None)
    if key is None:
        return answers[0]
    values = dict.fromkeys(r[key] for answer in answers for r in answer["relations"])
    return {"relations": [{**r, key: value} for r in relations for value in values][:16]}


def hedged(answers: Sequence[Answer], root: Object) -> Answer:
    """Every text says two things at once."""

    def both(a: Any, b: Any) -> Any:
        if isinstance(a, str) and isinstance(b, str):
            return a if a == b else f"{a} or {b}"[:60]
        if isinstance(a, list) and isinstance(b, list):
            return [both(x, y) for x, y in itertools.zip_longest(a, b[: len(a)], fillvalue=None)]
        if isinstance(a, dict) and isinstance(b, dict):
            return {key: both(a[key], b.get(key)) for key in a}
        return a

    choices = {"format", "style", "structure", "relation", "predicate"}
    mixed = both(answers[0], answers[1])
    return {k: answers[0][k] if k in choices else v for k, v in mixed.items()}


TRICKS: Mapping[str, Callable[[Sequence[Answer], Object], Answer]] = {
    "repeated": repeated,
    "padded": padded,
    "contradicted": contradicted,
    "hedged": hedged,
}


@pytest.mark.parametrize("trick", TRICKS)
@each_task
def test_tricks_earn_no_more_than_the_floor(task: VisionTask, trick: str) -> None:
    cases = cases_of(task.category)
    truths = [task.pixel_answer(case.truth) for case in cases]
    best = 0.0
    for start in range(0, 24, 3):
        used = range(start, start + 3)
        scores = []
        for index, case in enumerate(cases):
            if index in used:
                continue
            root = task_artifacts(task, case, SPEC, Settings()).root
            answer = TRICKS[trick]([truths[i] for i in used], root)
            scores.append(task.score(answer, case.truth, case.vocabulary).primary)
        best = max(best, sum(scores) / len(scores))
    # The floor's truth is the best of eight, a trick's the best of another eight.
    assert best <= floor_of(task.category).value + 0.06


@each_task
def test_what_the_task_names_as_blind_is_legal_and_sees_no_truth(task: VisionTask) -> None:
    if task.blind is None:
        return
    counts = set()
    for case in cases_of(task.category):
        answers = task.blind(case.question, case.size, case.vocabulary)
        model = task_artifacts(task, case, SPEC, Settings()).model
        for answer in answers:
            model.model_validate(answer)
        counts.add(len(answers))
    assert len(counts) == 1
    assert counts != {0}


@each_task
def test_no_floor_is_high(task: VisionTask) -> None:
    assert floor_of(task.category).value < 0.6

"""What every task promises, shown over the registry and not task by task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unit_tests.gbnf_regex import accepts
from unit_tests.strategies import answers
from vlmbench_plugin.asking import build_request, right_answer, task_artifacts
from vlmbench_plugin.categories import CATEGORIES
from vlmbench_plugin.core import FRAMES, MODES, Case, Frame, Generation, ModelSpec, VisionTask
from vlmbench_plugin.data import MIRRORED, load_cases
from vlmbench_plugin.evaluate import evaluate, rescore
from vlmbench_plugin.fingerprints import UNSTORED
from vlmbench_plugin.record import Record
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

N = 24
LONGEST_LEGAL = 6000
TIMES = 2
"""Every bound is at least this many times what the largest truth needs."""

SPEC = ModelSpec(name="oracle", hub_id="none", frame="norm_0_1000")

each_task = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
HUB = Path(__file__).parents[1] / "fixtures" / "hub"
SOURCES = [
    (task, dataset)
    for task in TASKS.values()
    for dataset, source in task.ground_truth.items()
    if dataset == "synthetic" or source is not task.ground_truth["synthetic"]
]
each_source = pytest.mark.parametrize(
    ("task", "dataset"), SOURCES, ids=[f"{task.category}-{dataset}" for task, dataset in SOURCES]
)


def asked(dataset: str, n: int) -> Settings:
    """Settings for a data set; the public tables are those of the fixtures."""
    return Settings(dataset=dataset, n=n, data_dir=str(HUB) if dataset in MIRRORED else None)


@lru_cache(maxsize=64)
def cases_of(category: str, dataset: str, n: int = N) -> tuple[Case, ...]:
    source = load_cases(TASKS[category], asked(dataset, n))
    return tuple(source[i] for i in range(len(source)))


def answered(task: VisionTask, case: Case, text: str, spec: ModelSpec = SPEC) -> Record:
    run = Settings(dataset="synthetic")
    request = build_request(task, case, spec, "json_mode", run)
    generation = Generation(text=text, finish_reason="stop", constraint="none")
    return evaluate(task, case, spec, request, generation, run, UNSTORED)


def oracle_text(task: VisionTask, case: Case, spec: ModelSpec = SPEC) -> str:
    return json.dumps(right_answer(task, case, spec, Settings()))


def lengths(value: Any) -> Iterator[tuple[str, int]]:
    """Yields (kind, length) of every list and string within."""
    if isinstance(value, str):
        yield "text", len(value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from lengths(item)
    elif isinstance(value, list):
        yield "list", len(value)
        for item in value:
            yield from lengths(item)


def test_the_registry_has_the_fifteen_in_order() -> None:
    assert tuple(TASKS) == CATEGORIES
    assert len(TASKS) == 15


@each_source
def test_the_oracle_is_right(task: VisionTask, dataset: str) -> None:
    for frame in FRAMES:
        spec = replace(SPEC, frame=frame)
        records = [
            answered(task, case, oracle_text(task, case, spec), spec)
            for case in cases_of(task.category, dataset)
        ]
        assert all(record.schema_valid for record in records)
        scores = [record.primary_score or 0.0 for record in records]
        if task.overlap:
            assert sum(scores) / len(scores) >= 0.97
            assert min(scores) >= 0.9
        else:
            assert scores == [1.0] * len(scores)
        assert all(record.status == "passed" for record in records)
        assert all(record.failure is None for record in records)


@each_task
def test_the_truth_of_another_case_scores_clearly_lower(task: VisionTask) -> None:
    cases = cases_of(task.category, "synthetic")
    texts = [oracle_text(task, case) for case in cases]
    scores = []
    for index, case in enumerate(cases):
        other = next(
            (
                text
                for text in texts[index + 1 :] + texts[:index]
                if json.loads(text) != json.loads(texts[index])
            ),
            None,
        )
        assert other is not None, "every case has the same answer"
        scores.append(answered(task, case, other).primary_score or 0.0)
    assert sum(scores) / len(scores) <= 0.7


@each_task
def test_invalid_output_yields_nothing(task: VisionTask) -> None:
    case = cases_of(task.category, "synthetic")[0]
    for text in ("", "no idea", "[]", "{}", oracle_text(task, case)[:-1], '{"x": 1}', "null"):
        record = answered(task, case, text)
        assert record.status == "missed"
        assert record.schema_valid is False
        assert record.primary_score is None
        assert record.failure is not None


@each_source
def test_every_truth_is_within_schema_grammar_and_half_the_bounds(
    task: VisionTask, dataset: str
) -> None:
    for case in cases_of(task.category, dataset, 60):
        built = task_artifacts(task, case, SPEC, Settings())
        raw = oracle_text(task, case)
        assert accepts(built.gbnf, raw)
        built.model.model_validate(json.loads(raw))
        jsonschema.Draft202012Validator(built.json_schema).validate(json.loads(raw))
        assert len(raw.encode()) <= built.longest_bytes / TIMES or not _variable(built.json_schema)
        assert _tokens(raw) <= task.answer_tokens


def _variable(schema: Any) -> bool:
    """Whether an answer's length can vary by more than a number's digits or a closed name."""
    if isinstance(schema, dict):
        if schema.get("type") == "array" and schema.get("minItems") != schema.get("maxItems"):
            return True
        return any(_variable(item) for item in schema.values())
    return False


def _tokens(raw: str) -> int:
    """An upper estimate for the Qwen tokenizers: a digit or sign is one token, a word up to two."""
    count = word = 0
    for char in raw:
        if char.isalpha():
            word += 1
            # Words of more than five letters are split as a rule.
            count += word % 5 == 1
        else:
            word = 0
            count += char != " "
    return count


@each_task
def test_no_legal_answer_is_too_long(task: VisionTask) -> None:
    for dataset in task.ground_truth:
        case = cases_of(task.category, dataset)[0]
        for rule in ("closed", "open"):
            built = task_artifacts(task, case, SPEC, Settings(vocabulary=rule))
            ascii_only = built.gbnf.isascii()
            assert built.longest_bytes <= LONGEST_LEGAL * (1 if ascii_only else 4)


@each_source
def test_cases_are_reproducible_and_do_not_depend_on_n(task: VisionTask, dataset: str) -> None:
    few = load_cases(task, asked(dataset, 2))
    many = load_cases(task, asked(dataset, N))
    assert len(few) == 2
    for index in range(2):
        a, b = few[index], many[index]
        assert (a.image_id, a.truth, a.question, a.size) == (
            b.image_id,
            b.truth,
            b.question,
            b.size,
        )
        image = a.image()
        assert image.mode == "RGB"
        assert image.size == a.size
        assert image.tobytes() == b.image().tobytes()
    ids = [case.image_id for case in cases_of(task.category, dataset)]
    assert len(set(ids)) == len(ids)


@each_task
def test_another_seed_gives_other_cases(task: VisionTask) -> None:
    zero, one = (load_cases(task, Settings(n=6, seed=seed)) for seed in (0, 1))
    assert [zero[i].truth for i in range(6)] != [one[i].truth for i in range(6)]


@each_task
def test_the_prompt_tells_what_an_answer_needs(task: VisionTask) -> None:
    case = cases_of(task.category, "synthetic")[0]
    both = [build_request(task, case, SPEC, mode, Settings()) for mode in MODES]
    assert both[0].messages == both[1].messages
    prompt = both[0].messages[0]["content"][1]["text"]
    assert "{" + f'"{next(iter(task.fields))}": ' in prompt
    for placeholder in ("{schema}", "{question}", "{vocabulary}", "{coordinates}"):
        assert placeholder not in prompt
    assert case.question is None or case.question.splitlines()[0] in prompt
    positions = any(title in str(both[0].json_schema) for title in ("'box'", "'polygon'"))
    assert ("0 to 1000" in prompt) == positions
    for name in case.vocabulary.get("label", ()):
        assert name in prompt


@each_task
def test_the_question_never_holds_the_answer_and_requests_hold_no_truth(task: VisionTask) -> None:
    for case in cases_of(task.category, "synthetic"):
        request = build_request(task, case, SPEC, "json_mode", Settings())
        assert oracle_text(task, case) not in str(request.messages)


@each_task
def test_a_record_survives_json_and_rescoring(task: VisionTask) -> None:
    cases = cases_of(task.category, "synthetic")
    for text in (oracle_text(task, cases[0]), oracle_text(task, cases[1]), "nothing"):
        record = answered(task, cases[0], text)
        again = Record.from_json(record.to_json())
        assert again.to_json() == record.to_json()
        assert rescore(again, task).to_json() == record.to_json()


@each_task
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_legal_answer_is_valid_and_scored_within_bounds(
    task: VisionTask, data: st.DataObject
) -> None:
    case = cases_of(task.category, "synthetic")[data.draw(st.integers(0, N - 1))]
    built = task_artifacts(task, case, SPEC, Settings())
    record = answered(task, case, json.dumps(data.draw(answers(built.root))))
    assert record.schema_valid
    assert record.primary_score is not None
    assert 0.0 <= record.primary_score <= 1.0
    assert record.passed == (record.primary_score >= record.right_at)
    record.to_json()


@pytest.mark.parametrize("frame", ["norm_0_1", "pixel"])
def test_right_boxes_in_another_frame_are_diagnosed_not_scored(frame: Frame) -> None:
    task = TASKS["subject_fixation"]
    for case in cases_of(task.category, "synthetic"):
        text = oracle_text(task, case, replace(SPEC, frame=frame))
        record = answered(task, case, text)
        if record.status == "missed":
            assert record.failure == "wrong_frame"
            assert record.primary_score == 0.0
            return
    pytest.fail("no case tells the frames apart")


@each_task
def test_the_answer_has_the_fields_and_no_extras(task: VisionTask) -> None:
    case = cases_of(task.category, "synthetic")[0]
    assert set(task.pixel_answer(case.truth)) <= set(task.fields)


def test_grounding_has_coco_map_over_the_category() -> None:
    task = TASKS["bbox_grounding"]
    assert task.over_category is not None
    cases = cases_of(task.category, "synthetic")
    right = [(task.pixel_answer(c.truth), c.truth, c.vocabulary) for c in cases]
    assert task.over_category(right) == {"coco_map": pytest.approx(1.0)}
    half = [(a if i % 2 else None, t, v) for i, (a, t, v) in enumerate(right)]
    found = task.over_category(half)["coco_map"]
    assert found is not None
    assert 0.3 < found < 0.7

"""The vllm runner and a real engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from unit_tests.servers import checks
from unit_tests.tiny_models import ASSET, SAMPLING, folder_spec
from vlmbench_plugin.core import Generation, ModelSpec, Request
from vlmbench_plugin.errors import ModelLoadError
from vlmbench_plugin.runners import open_runner
from vlmbench_plugin.runners.openai import OpenaiRunner
from vlmbench_plugin.runners.vllm import VllmRunner
from vlmbench_plugin.settings import Settings

pytestmark = checks.MARKS


def test_constrained_answers_of_all_tasks_are_valid(
    engine: VllmRunner, asked: Sequence[Request]
) -> None:
    checks.check_constrained_answers_are_valid(engine, asked)


def test_answers_are_those_of_the_vlm_runner_in_float32(
    engine: VllmRunner, asked: Sequence[Request]
) -> None:
    plain = open_runner("vlm", folder_spec(ASSET), Settings(device="cpu", dtype="float32"))
    expected = checks.generations(plain, asked)
    plain.close()
    started = time.perf_counter()
    found = checks.generations(engine, asked)
    checks.check_times_add_up(found, time.perf_counter() - started)
    assert [shown(answer) for answer in found] == [shown(answer) for answer in expected]
    assert {answer.finish_reason for answer in found} == {"stop", "length", "loop"}


def test_constrained_answers_are_those_of_the_server(
    engine: VllmRunner, client: OpenaiRunner, asked: Sequence[Request]
) -> None:
    constrained = [request for request in asked if request.mode == "constrained"]
    found, expected = (checks.generations(runner, constrained) for runner in (engine, client))
    assert [shown(answer) for answer in found] == [shown(answer) for answer in expected]


def test_one_item_fails_alone(engine: VllmRunner) -> None:
    checks.check_one_item_fails_alone(engine)


def test_added_tokens_are_spelt(engine: VllmRunner) -> None:
    checks.check_added_tokens_are_spelt(engine)


def test_it_says_what_ran(engine: VllmRunner) -> None:
    facts = engine.describe()
    assert facts["architecture"] == "Qwen3VLForConditionalGeneration"
    assert (facts["device"], facts["dtype"]) == ("cpu", "float32")
    assert facts["max_model_len"] == 16384
    assert facts["enable_thinking"] is False


def test_thoughts_and_their_answers_are_those_of_the_vlm_runner_in_float32(
    thinking_engine: VllmRunner, cold: ModelSpec, thinking: Sequence[Request]
) -> None:
    checks.check_answers_behind_thoughts_are_valid(thinking_engine, thinking)
    settings = Settings(device="cpu", dtype="float32", reasoning="on")
    plain = open_runner("vlm", cold, settings)
    expected = checks.generations(plain, thinking)
    plain.close()
    found = checks.generations(thinking_engine, thinking)
    assert [shown(answer) for answer in found] == [shown(answer) for answer in expected]
    assert thinking_engine.describe()["enable_thinking"] is True


def test_a_thought_is_drawn_by_its_seed(
    thinking_engine: VllmRunner, thinking: Sequence[Request]
) -> None:
    plan = thinking[0].thinking
    assert plan is not None
    hot = replace(plan, sampling=SAMPLING)
    seeds = [hot, hot, replace(hot, seed=hot.seed ^ 1)]
    asked = [replace(thinking[0], thinking=one) for one in seeds]
    first, again, other = (answer.text for answer in checks.generations(thinking_engine, asked))
    assert first == again != other


def test_an_engine_that_cannot_start_says_why(environment: None) -> None:
    settings = Settings(device="cpu", runner_args={"max_model_len": "1000000"})
    with pytest.raises(ModelLoadError, match=r"does not start with tiny: .*max_model_len"):
        VllmRunner(folder_spec(ASSET), settings)


def shown(answer: Generation) -> tuple[object, ...]:
    """What two runners must agree on."""
    counts = answer.prompt_tokens, answer.output_tokens, answer.thinking_tokens
    return answer.text, answer.finish_reason, answer.thinking_forced, *counts

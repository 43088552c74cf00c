"""What both runners of vLLM are held to."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import replace

import jsonschema
import pytest

from unit_tests.tiny_models import ask
from vlmbench_plugin.core import Generation, Request
from vlmbench_plugin.errors import RunnerError
from vlmbench_plugin.runners import Runner
from vlmbench_plugin.thinking import CLOSE, SEAM

MARKS = [
    pytest.mark.server,
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None,
        reason="`make test-servers` makes an environment with vLLM",
    ),
    # vLLM's own imports warn.
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(900),
]
SPELT = "<|image_pad|>"


def generations(runner: Runner, requests: Sequence[Request]) -> list[Generation]:
    """All of them; an item's error fails the test."""
    found = []
    for request, result in zip(requests, runner.generate(requests), strict=True):
        assert isinstance(result, Generation), f"{request.id}: {result}"
        found.append(result)
    return found


def check_constrained_answers_are_valid(runner: Runner, asked: Sequence[Request]) -> None:
    constrained = [request for request in asked if request.mode == "constrained"]
    answers = generations(runner, constrained)
    for request, answer in zip(constrained, answers, strict=True):
        jsonschema.validate(json.loads(answer.text), dict(request.json_schema))
        assert answer.finish_reason == "stop", request.id
        assert answer.constraint == "grammar"
    assert len({request.id.split("-")[1] for request in constrained}) == 15


def check_answers_behind_thoughts_are_valid(runner: Runner, asked: Sequence[Request]) -> None:
    for request, answer in zip(asked, generations(runner, asked), strict=True):
        assert request.thinking is not None
        thought, _, said = answer.text.rpartition(CLOSE)
        assert thought, request.id
        assert answer.thinking_tokens is not None
        assert answer.output_tokens is not None
        assert 1 <= answer.thinking_tokens <= request.thinking.budget
        assert answer.output_tokens > answer.thinking_tokens
        assert isinstance(answer.thinking_forced, bool)
        if request.mode == "constrained":
            assert said.startswith(SEAM)
            jsonschema.validate(json.loads(said), dict(request.json_schema))
            assert (answer.finish_reason, answer.constraint) == ("stop", "grammar"), request.id


def check_one_item_fails_alone(runner: Runner) -> None:
    """A prompt beyond the context, between two that fit."""
    long = replace(ask("json_mode", budget=8, question="word " * 20000), id="too-long")
    refused = replace(ask("constrained", grammar="root ::= ((("), id="no-grammar")
    fits = ask("json_mode", budget=8)
    results = list(runner.generate([fits, long, refused, fits]))
    assert [isinstance(result, RunnerError) for result in results] == [False, True, True, False]
    assert "16384" in str(results[1])
    assert "rammar" in str(results[2])
    assert len(str(results[1])) < 1000


def check_added_tokens_are_spelt(runner: Runner) -> None:
    """A grammar that wants an added token's text gets it from ordinary tokens."""
    request = ask("constrained", grammar=f'root ::= "{SPELT}"', budget=40)
    (answer,) = generations(runner, [request])
    assert answer.text == SPELT
    assert answer.output_tokens is not None
    assert answer.output_tokens > 3


def check_times_add_up(answers: Sequence[Generation], wall_s: float) -> None:
    busy = [answer.busy_s for answer in answers if answer.busy_s is not None]
    latency = [answer.latency_s for answer in answers if answer.latency_s is not None]
    assert len(busy) == len(latency) == len(answers)
    assert 0.5 * wall_s < sum(busy) <= wall_s
    assert sum(latency) > 2 * sum(busy)
    assert max(answer.batch_size or 0 for answer in answers) == 8

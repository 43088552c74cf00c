"""The openai runner and a real vLLM server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from unit_tests.servers import checks
from unit_tests.servers.conftest import SERVED
from unit_tests.tiny_models import ASSET, folder_spec, thinking_spec
from vlmbench_plugin.core import Request
from vlmbench_plugin.errors import ModelLoadError
from vlmbench_plugin.runners import _server_thinking
from vlmbench_plugin.runners._server_probe import (
    PROBE,
    PROBE_GRAMMAR,
    PROBE_SCHEMA,
    constraint_fields,
    holds,
)
from vlmbench_plugin.runners.openai import OpenaiRunner
from vlmbench_plugin.settings import Settings

pytestmark = checks.MARKS


def test_constrained_answers_of_all_tasks_are_valid(
    client: OpenaiRunner, asked: Sequence[Request]
) -> None:
    checks.check_constrained_answers_are_valid(client, asked)


def test_two_runs_give_the_same_texts_and_times_add_up(
    client: OpenaiRunner, asked: Sequence[Request]
) -> None:
    started = time.perf_counter()
    first = checks.generations(client, asked)
    wall_s = time.perf_counter() - started
    second = checks.generations(client, asked)
    assert [answer.text for answer in first] == [answer.text for answer in second]
    checks.check_times_add_up(first, wall_s)


def test_answers_behind_thoughts_are_valid(
    thinking_client: OpenaiRunner, thinking: Sequence[Request]
) -> None:
    checks.check_answers_behind_thoughts_are_valid(thinking_client, thinking)


def test_a_checkpoint_that_does_not_think_is_told(url: str, folder: Path) -> None:
    """Its template is told to think and does not: here by a name that is not its own."""
    settings = Settings(server_url=url, reasoning="on")
    spec = replace(thinking_spec(folder), served_name=SERVED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_server_thinking, "ALOUD", {})
        with pytest.raises(ModelLoadError, match="render a prompt that ends in '<think>"):
            OpenaiRunner(spec, settings)


def test_one_item_fails_alone(client: OpenaiRunner) -> None:
    checks.check_one_item_fails_alone(client)


def test_added_tokens_are_spelt(client: OpenaiRunner) -> None:
    checks.check_added_tokens_are_spelt(client)


def test_the_probe_tells_what_the_server_does(client: OpenaiRunner) -> None:
    grammar = constraint_fields("grammar", PROBE_GRAMMAR, PROBE_SCHEMA)
    schema = constraint_fields("json_schema", PROBE_GRAMMAR, PROBE_SCHEMA)
    # The name of vLLM's earlier versions: this one answers 200 and holds the answer to nothing.
    ignored = {"guided_grammar": PROBE_GRAMMAR}
    said = [
        client._items.run(client._probe(PROBE, 64, fields)) for fields in (grammar, schema, ignored)
    ]
    assert holds("grammar", said[0])
    assert holds("json_schema", said[1])
    assert not holds("grammar", said[2])


def test_it_says_what_it_talked_to(client: OpenaiRunner, asked: Sequence[Request]) -> None:
    checks.generations(client, [next(r for r in asked if r.mode == "constrained")])
    facts = client.describe()
    assert facts["constraint"] == "grammar"
    assert facts["max_model_len"] == 16384
    assert facts["forbidden_tokens"] == 7
    assert str(facts["system_fingerprint"]).startswith("vllm-")


def test_a_model_that_is_not_served_is_told(url: str) -> None:
    with pytest.raises(ModelLoadError, match=f"it serves: '{SERVED}'"):
        OpenaiRunner(folder_spec(ASSET), Settings(server_url=url))

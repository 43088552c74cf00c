"""Thinking on a server: two requests, what they say, and servers that cannot."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import xgrammar
from transformers import AutoTokenizer

from unit_tests.runners import fake_server
from unit_tests.runners.conftest import SPEC, Open
from unit_tests.runners.fake_server import LABEL, Fake, failure, only, question
from unit_tests.tiny_models import ASSET, GRAMMAR, SAMPLING, think
from vlmbench_plugin.errors import ModelLoadError, RunnerError
from vlmbench_plugin.runners._server_thinking import behind_seam, going_on

THINKER = replace(SPEC, thinking=True, sampling=SAMPLING)
TOKENS = {"<think>\n": [447, 10], "<think>": [447], "</think>": [448], "<|image_pad|>": [445]}
ASKED = ({"role": "user", "content": "Label it."},)
TEMPLATE = (
    "{%- for message in messages -%}<|im_start|>{{ message.role }}\n"
    "{%- set said = message.content|trim -%}{%- set parts = said.split('</think>') -%}"
    "{%- if parts|length > 1 -%}"
    "{{ '\n<think>\n' + parts[0].split('<think>')[-1]|trim + '\n</think>\n\n' }}"
    "{{ parts[-1].lstrip('\n') }}"
    "{%- else -%}{{ '\n' + said }}{%- endif -%}<|im_end|>\n{%- endfor -%}"
)
"""As Qwen's render a last message of the assistant: it is trimmed and parted at the tags, its
thought is trimmed, and the parts are joined again."""


@pytest.fixture
def thinker(fake: Fake) -> Fake:
    fake.tokens = dict(TOKENS)
    return fake


def test_a_thought_is_sampled_and_its_answer_is_not(thinker: Fake, connect: Open) -> None:
    runner = connect(THINKER, reasoning="on")
    found = only(runner, think(question("q", budget=99), budget=50, seed=7))
    first, second = thinker.chats
    assert first.items() >= {**SAMPLING, "seed": 7, "max_tokens": 50}.items()
    assert first["stop"] == ["</think>"]
    assert first["chat_template_kwargs"] == {"enable_thinking": True}
    assert first["logit_bias"] == {"445": -100, "447": -100}
    assert second.items() >= {"temperature": 0, "max_tokens": 101, "presence_penalty": 0}.items()
    assert (second["add_generation_prompt"], second["continue_final_message"]) == (False, True)
    assert second["chat_template_kwargs"] == {"enable_thinking": True}
    assert not {"stop", "seed", "top_p", "logit_bias"} & second.keys()
    assert second["messages"][:-1] == first["messages"]
    said = "<think>\nHm.\n</think>"
    assert second["messages"][-1] == {"role": "assistant", "content": said}
    assert found.text == f" Hm.\n</think>free text to {said}"
    assert (found.thinking_tokens, found.output_tokens, found.prompt_tokens) == (3, 8, 7)
    assert (found.thinking_forced, found.finish_reason) == (False, "stop")
    assert runner.describe()["enable_thinking"] is True


@pytest.mark.parametrize(
    ("thought", "forced"),
    [
        (("Hm.", None, "stop", "</think>"), False),
        (("Hm.", None, "stop", None), True),  # by its stop token: it has not answered yet
        (("Hm.", None, "length", None), True),
        ((None, "Hm.", "length", None), True),  # a server that reads thoughts itself
        (("", "Hm.", "stop", "</think>"), False),
    ],
)
def test_an_end_that_the_model_did_not_give_is_written_for_it_and_counted(
    thinker: Fake, connect: Open, thought: Any, forced: bool
) -> None:
    thinker.thought = thought
    found = only(connect(THINKER, reasoning="on"), think(question("q")))
    assert found.thinking_forced == forced
    assert found.text.startswith("Hm.</think>")


def test_a_grammar_holds_the_answer_behind_the_seam(thinker: Fake, connect: Open) -> None:
    runner = connect(THINKER, reasoning="on")
    found = only(runner, think(question("q", "constrained")))
    assert found.text == f" Hm.\n</think>{LABEL}"
    assert found.constraint == "grammar"
    first, second = thinker.chats[-2:]
    assert "structured_outputs" not in first
    assert second["structured_outputs"] == {"grammar": behind_seam(GRAMMAR)}
    assert second["logit_bias"] == {"445": -100, "447": -100, "448": -100}


def test_behind_the_seam_is_the_same_grammar() -> None:
    tokenizer = xgrammar.TokenizerInfo.from_huggingface(AutoTokenizer.from_pretrained(ASSET))
    compiled = xgrammar.GrammarCompiler(tokenizer).compile_grammar(behind_seam(GRAMMAR))

    def accepts(text: str) -> bool:
        matcher = xgrammar.GrammarMatcher(compiled, terminate_without_stop_token=True)
        return bool(matcher.accept_string(text)) and bool(matcher.is_terminated())

    assert accepts(f"\n\n{LABEL}")
    assert not accepts(LABEL)
    assert not accepts(f"\n{LABEL}")
    with pytest.raises(RunnerError, match="one root"):
        behind_seam("start ::= 1")


def test_a_failing_half_is_the_items_error(thinker: Fake, connect: Open) -> None:
    runner = connect(THINKER, reasoning="on", retries="0")
    thinker.plan["q"] = [fake_server.status(500)]
    assert "HTTP 500" in failure(runner, think(question("q")))
    thinker.plan["<think>\nHm.\n</think>"] = [fake_server.status(400, b"too long")]
    assert "too long" in failure(runner, think(question("q")))
    assert only(runner, think(question("q"))).text


@pytest.mark.parametrize(
    ("tokens", "goes_on", "said"),
    [
        (None, True, "does not tell how it renders a thought"),
        (TOKENS, False, r"prompt that ends in '<think>\\n'"),
    ],
)
def test_a_server_that_cannot_go_on_from_a_thought_is_told_at_once(
    fake: Fake, connect: Open, tokens: Any, goes_on: bool, said: str
) -> None:
    fake.tokens, fake.goes_on = tokens, goes_on
    with pytest.raises(ModelLoadError, match=said):
        connect(THINKER, reasoning="on")
    assert fake.chats == []
    connect()


@pytest.mark.parametrize("thought", ["Hm.", "Hm.\n", "\n A {1}. \n\n", ""])
def test_the_way_qwens_templates_render_a_last_message_keeps_its_thought(thought: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(ASSET)
    prompt = tokenizer.apply_chat_template(
        json.loads(json.dumps(going_on(ASKED, thought))),
        chat_template=TEMPLATE,
        tokenize=False,
        continue_final_message=True,
    )
    assert prompt.endswith(f"assistant\n<think>\n{thought.strip()}\n</think>")

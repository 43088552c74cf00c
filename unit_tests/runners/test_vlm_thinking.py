"""Thinking in the vlm runner: sampled, bounded, ended, and the same in any batch."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

from tools.make_tiny import ARCHITECTURES, Architecture, build
from unit_tests.tiny_models import (
    ASSET,
    GRAMMAR,
    LEGAL,
    QUESTION,
    SAMPLING,
    ask,
    folder_spec,
    teach_thinking,
    think,
    thinking_spec,
)
from vlmbench_plugin.core import Generation, Request
from vlmbench_plugin.errors import ModelLoadError, UsageError
from vlmbench_plugin.runners._decoding import Decoding, Limits, Row
from vlmbench_plugin.runners._grammar import GrammarMasks
from vlmbench_plugin.runners._thinking import (
    Sampler,
    ThinkingTokens,
    Thought,
    check_template,
    thinking_tokens,
)
from vlmbench_plugin.runners.vlm import VlmRunner
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.thinking import Thinking

END = "</think>\n\n"
ON = Settings(device="cpu", reasoning="on")
COLOURS = ("red", "green", "blue", "white", "black", "gray")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    name: Architecture = request.param
    return name


@pytest.fixture(scope="module")
def folder(architecture: Architecture, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models") / architecture
    build(made, architecture)
    if architecture.startswith("qwen3_vl"):
        teach_thinking(made)
    return made


@pytest.fixture(scope="module")
def runner(folder: Path) -> Iterator[VlmRunner]:
    opened = VlmRunner(thinking_spec(folder), ON)
    yield opened
    opened.close()


def generations(runner: VlmRunner, requests: Sequence[Request]) -> list[Generation]:
    found = []
    for result in runner.generate(requests):
        assert isinstance(result, Generation), result
        found.append(result)
    return found


def thoughts(mode: str) -> list[Request]:
    """Requests that end their thinking at different tokens, with seeds of their own."""
    return [
        think(
            ask("constrained" if mode == "constrained" else "json_mode", budget=30, colour=colour),
            budget=3 + 5 * index,
            seed=index,
        )
        for index, colour in enumerate(COLOURS)
    ]


def shown(generation: Generation) -> tuple[object, ...]:
    return (
        generation.text,
        generation.finish_reason,
        generation.output_tokens,
        generation.thinking_tokens,
        generation.thinking_forced,
    )


def test_a_spent_budget_forces_the_end_and_the_answers_own_budget_begins(
    runner: VlmRunner,
) -> None:
    (found,) = generations(runner, [think(ask("json_mode", budget=9), budget=6)])
    thought, end, _ = found.text.partition(END)
    assert (found.thinking_tokens, found.thinking_forced) == (6, True)
    assert (thought != "", end) == (True, END)
    assert found.output_tokens is not None
    answer = found.output_tokens - 6
    assert (answer, found.finish_reason) == (9, "length") or found.finish_reason == "stop"
    assert 1 <= answer <= 9


def test_the_mask_begins_behind_the_thought_in_batches_too(runner: VlmRunner) -> None:
    found = generations(runner, thoughts("constrained"))
    assert {one.batch_size for one in found} == {len(COLOURS)}
    for one in found:
        thought, _, answer = one.text.rpartition(END)
        assert thought
        assert re.fullmatch(LEGAL, answer), one.text
        assert list(json.loads(answer)) == ["label"]
        assert (one.finish_reason, one.constraint) == ("stop", "grammar")
        assert one.value_logprob is not None
    assert len({one.text for one in found}) == len(COLOURS)


@pytest.mark.parametrize("mode", ["json_mode", "constrained"])
def test_an_item_is_the_same_in_any_batch(folder: Path, runner: VlmRunner, mode: str) -> None:
    together = generations(runner, thoughts(mode))
    in_pairs = VlmRunner(thinking_spec(folder), ON, 2)
    pairs = generations(in_pairs, thoughts(mode)[::-1])[::-1]
    in_pairs.close()
    alone = [generations(runner, [request])[0] for request in thoughts(mode)]
    assert [shown(one) for one in together] == [shown(one) for one in alone]
    assert [shown(one) for one in pairs] == [shown(one) for one in alone]


def test_both_modes_think_the_same_and_seeds_differ(runner: VlmRunner) -> None:
    def thought(request: Request, seed: int) -> str:
        return generations(runner, [think(request, seed=seed)])[0].text.partition(END)[0]

    free, held = ask("json_mode", budget=5), ask("constrained")
    assert thought(free, 1) == thought(held, 1)
    assert thought(free, 2) != thought(free, 1)


def test_a_thought_at_no_temperature_is_the_librarys_greedy_one(
    folder: Path, architecture: Architecture
) -> None:
    """The library generates both parts, each from a prompt that is written here by hand."""
    cold = {**SAMPLING, "temperature": 1e-6}
    spec = replace(thinking_spec(folder), sampling=cold)
    own = VlmRunner(spec, ON)
    (found,) = generations(own, [think(ask("json_mode", budget=20), budget=25)])
    own.close()
    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    config = AutoConfig.from_pretrained(folder).get_text_config()
    end = processor.tokenizer.convert_tokens_to_ids("</think>")
    tokens = thinking_tokens(processor.tokenizer, config.vocab_size, ())
    prompt = (
        f"<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>{QUESTION}<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n"
    )
    image = Image.new("RGB", (96, 64), "red")
    inputs = processor(text=[prompt], images=[image], return_tensors="pt")
    greedy = {"do_sample": False, "temperature": None, "top_k": None, "top_p": None}
    stops = [token for token in tokens.forbidden if token < len(processor.tokenizer)]
    output = model.generate(
        **inputs,
        **greedy,
        max_new_tokens=25,
        suppress_tokens=[*tokens.forbidden, end, *stops],
    )
    length = inputs["input_ids"].shape[1]
    thought = output[0, length:].tolist()
    assert found.text.partition(END)[0] == processor.tokenizer.decode(thought)
    assert (found.thinking_tokens, found.prompt_tokens) == (25, length)
    longer = torch.tensor([[*thought, *tokens.close]])
    inputs["input_ids"] = torch.cat([inputs["input_ids"], longer], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    if "mm_token_type_ids" in inputs:
        kinds = inputs["mm_token_type_ids"]
        inputs["mm_token_type_ids"] = torch.cat([kinds, torch.zeros_like(longer)], dim=1)
    output = model.generate(**inputs, **greedy, max_new_tokens=20)
    answer = output[0, inputs["input_ids"].shape[1] :].tolist()
    assert found.output_tokens == 25 + len(answer)
    ended = answer[-1] == processor.tokenizer.eos_token_id
    expected = processor.tokenizer.decode(answer[:-1] if ended else answer)
    assert found.text.partition(END)[2] == expected


def test_the_manifest_says_how_it_thinks(runner: VlmRunner) -> None:
    facts = runner.describe()
    assert facts["enable_thinking"] is True
    assert facts["thinking_budget"] == 4096
    assert facts["thinking_sampling"] == SAMPLING


def test_what_does_not_think_is_told_before_its_weights_load(
    folder: Path, architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vlmbench_plugin.runners.vlm.load_model", pytest.fail)
    with pytest.raises(
        ModelLoadError, match=r"(?s)expected the chat template of x .*--reasoning off"
    ):
        VlmRunner(folder_spec(ASSET, "x"), ON)
    template = folder / "chat_template.jinja"
    kept = template.read_text()
    template.write_text(kept.replace("enable_thinking is false", "enable_thinking == 1"))
    if architecture.startswith("qwen3_vl"):
        template.write_text(kept.replace("and enable_thinking -%}", "-%}"))
    try:
        with pytest.raises(ModelLoadError, match=r"(?s)begins to think although.*--reasoning on"):
            VlmRunner(folder_spec(folder), Settings(device="cpu"))
    finally:
        template.write_text(kept)


# The loop and the sampler, on made-up logits


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(ASSET)


@pytest.fixture(scope="module")
def tokens(tokenizer: Any) -> ThinkingTokens:
    return thinking_tokens(tokenizer, len(tokenizer), (tokenizer.eos_token_id,))


class Saying:
    """A model that wants one token at each step, whatever it reads; it keeps what it read."""

    config = AutoConfig.from_pretrained(ASSET)
    model = SimpleNamespace(rope_deltas=0)

    def __init__(self, script: Callable[[int], int], width: int) -> None:
        self._script, self._width, self._steps = script, width, 0
        self.read: list[int] = []

    def __call__(self, input_ids: torch.Tensor, **_: Any) -> Any:
        self.read += input_ids[0].tolist() if self._steps else []
        logits = torch.full((1, 1, self._width), -50.0)
        logits[0, 0, self._script(self._steps)] = 50.0
        self._steps += 1
        return SimpleNamespace(logits=logits)

    forward = __call__


def decoded(
    tokenizer: Any,
    tokens: ThinkingTokens,
    script: Callable[[int], int],
    *,
    budget: int = 50,
    grammar: str | None = None,
    loops: Callable[[list[int]], bool] | None = None,
) -> tuple[Row, Thought, Saying]:
    """One row of a model that follows a script."""
    model = Saying(script, len(tokenizer))
    masks = GrammarMasks(tokenizer, len(tokenizer), (tokenizer.eos_token_id,))
    thought = Thought(
        plan=Thinking(budget=budget, seed=0, sampling=SAMPLING), tokens=tokens, is_looping=loops
    )
    row = Row(
        prompt_tokens=4,
        limits=Limits(budget=40, stop_ids=(tokenizer.eos_token_id,)),
        grammar=masks.compile(grammar) if grammar else None,
        thought=thought,
    )
    prompt = {"input_ids": torch.zeros((1, 4)).long(), "attention_mask": torch.ones((1, 4)).long()}
    list(Decoding(model, [row], masks, Sampler(SAMPLING, tokens)).run([prompt]))
    masks.close()
    return row, thought, model


def test_a_thought_that_ends_by_itself_is_not_forced(
    tokenizer: Any, tokens: ThinkingTokens
) -> None:
    end, stop = tokens.close[0], tokenizer.eos_token_id
    said = [7, 8, end, *[9] * (len(tokens.close) - 1), 6, stop]
    row, thought, model = decoded(tokenizer, tokens, said.__getitem__)
    assert (thought.ids, thought.drawn, thought.forced) == ([7, 8, *tokens.close], 3, False)
    assert (row.ids, row.finish_reason) == ([6, stop], "stop")
    # What parts thought and answer is written for it: what it wanted there is not read.
    assert model.read == [7, 8, *tokens.close, 6]


def test_a_thought_as_long_as_its_budget_need_not_be_forced(
    tokenizer: Any, tokens: ThinkingTokens
) -> None:
    end = tokens.close[0]
    _, thought, _ = decoded(tokenizer, tokens, lambda step: [7, 8, end][min(step, 2)], budget=3)
    assert (thought.drawn, thought.forced) == (3, False)
    _, thought, _ = decoded(tokenizer, tokens, lambda step: [7, 8, end][min(step, 2)], budget=2)
    assert (thought.ids, thought.drawn, thought.forced) == ([7, 8, *tokens.close], 2, True)


def test_a_model_that_stops_in_its_thought_still_has_to_answer(
    tokenizer: Any, tokens: ThinkingTokens
) -> None:
    stop = tokenizer.eos_token_id
    row, thought, model = decoded(
        tokenizer, tokens, lambda step: stop if step == 1 else 7, grammar=GRAMMAR
    )
    assert (thought.ids, thought.drawn, thought.forced) == ([7, *tokens.close], 2, True)
    assert re.fullmatch(LEGAL, tokenizer.decode(row.ids[:-1]))
    assert stop not in model.read


def test_a_looping_thought_is_ended(tokenizer: Any, tokens: ThinkingTokens) -> None:
    row, thought, _ = decoded(
        tokenizer, tokens, lambda _: 7, budget=500, loops=lambda ids: len(ids) >= 64
    )
    assert (thought.drawn, thought.forced) == (64, True)
    assert (len(row.ids), row.finish_reason) == (40, "length")
    _, thought, _ = decoded(tokenizer, tokens, lambda _: 7, budget=500)
    assert thought.drawn == 500


def test_control_tokens_are_never_thought(tokenizer: Any, tokens: ThinkingTokens) -> None:
    names = {"<|image_pad|>", "<|im_start|>", "<think>", "<|vision_end|>"}
    unwanted = tokenizer.convert_tokens_to_ids(sorted(names))
    assert set(unwanted) <= set(tokens.forbidden)
    assert not {tokens.close[0], tokenizer.eos_token_id} & set(tokens.forbidden)
    for token in unwanted:
        _, thought, _ = decoded(tokenizer, tokens, ([token] * 99).__getitem__, budget=5)
        assert token not in thought.ids


class At(Thought):
    """A thought whose draws are told."""

    point_at = 0.0

    def point(self) -> float:
        return self.point_at


def drawn_at(
    point: float, logits: Sequence[float], seen: Sequence[int] = (), **changes: Any
) -> int:
    sampling = {**SAMPLING, **changes}
    tokens = ThinkingTokens(close=(99,), stop_ids=(98,), forbidden=())
    thought = At(plan=Thinking(budget=9, seed=0, sampling=sampling), tokens=tokens)
    thought.point_at = point
    thought.seen.update(seen)
    (token,) = Sampler(sampling, tokens).draw(torch.tensor([logits]), [thought])
    return token


LN = [torch.tensor(p).log().item() for p in (0.2, 0.5, 0.3)]
"""Logits of three tokens with these chances."""


@pytest.mark.parametrize(
    ("point", "changes", "token"),
    [
        # By falling chance: token 1 up to 0.5, token 2 up to 0.8, token 0 up to 1.
        (0.0, {"top_p": 1.0}, 1),
        (0.49, {"top_p": 1.0}, 1),
        (0.51, {"top_p": 1.0}, 2),
        (0.79, {"top_p": 1.0}, 2),
        (0.81, {"top_p": 1.0}, 0),
        (0.9999999999, {"top_p": 1.0}, 0),
        # 0.5 + 0.3 reach 0.7: of 0.8, token 1 has 0.625.
        (0.62, {"top_p": 0.7}, 1),
        (0.63, {"top_p": 0.7}, 2),
        (0.9999999999, {"top_p": 0.7}, 2),
        (0.9999999999, {"top_p": 0.5}, 1),
        (0.62, {"top_p": 1.0, "top_k": 2}, 1),
        (0.63, {"top_p": 1.0, "top_k": 2}, 2),
        # At half the temperature the chances are squared: 0.25, 0.09, 0.04 of 0.38.
        (0.657, {"top_p": 1.0, "temperature": 0.5}, 1),
        (0.659, {"top_p": 1.0, "temperature": 0.5}, 2),
        (0.895, {"top_p": 1.0, "temperature": 0.5}, 0),
    ],
)
def test_a_draw_cuts_the_cumulated_chances(
    point: float, changes: dict[str, Any], token: int
) -> None:
    assert drawn_at(point, LN, **changes) == token


def test_presence_lowers_what_was_thought_before() -> None:
    # exp(1.5) = 4.48: token 1 falls from 0.5 to 0.1116, behind 0.3 and 0.2; the sum is 0.6116.
    for point, token in ((0.49, 2), (0.492, 0), (0.817, 0), (0.819, 1)):
        assert drawn_at(point, LN, [1], top_p=1.0, presence_penalty=1.5) == token
    assert drawn_at(0.0, LN, [], top_p=1.0, presence_penalty=1.5) == 1


def test_draws_have_the_chances_of_the_distribution() -> None:
    tokens = ThinkingTokens(close=(99,), stop_ids=(98,), forbidden=())
    plan = Thinking(budget=9, seed=3, sampling={**SAMPLING, "top_p": 1.0})
    sampler, thought = Sampler(plan.sampling, tokens), Thought(plan=plan, tokens=tokens)
    counts = Counter(sampler.draw(torch.tensor([LN]), [thought])[0] for _ in range(2000))
    for token, chance in enumerate((0.2, 0.5, 0.3)):
        # Four standard deviations of a share of 2,000 draws.
        assert counts[token] / 2000 == pytest.approx(chance, abs=0.045)


def test_a_row_draws_the_same_beside_any_others() -> None:
    tokens = ThinkingTokens(close=(999,), stop_ids=(998,), forbidden=(3,))
    logits = torch.randn((5, 200), generator=torch.Generator().manual_seed(1))
    sampling = {**SAMPLING, "presence_penalty": 1.5}

    def fresh(row: int) -> Thought:
        thought = Thought(plan=Thinking(budget=9, seed=row, sampling=sampling), tokens=tokens)
        thought.seen.update(range(row * 10))
        return thought

    sampler = Sampler(sampling, tokens)
    together = sampler.draw(logits.clone(), [fresh(row) for row in range(5)])
    alone = [sampler.draw(logits[row : row + 1].clone(), [fresh(row)])[0] for row in range(5)]
    assert together == alone
    assert 3 not in together


def test_a_thought_begun_anew_is_the_same(tokens: ThinkingTokens) -> None:
    plan = Thinking(budget=9, seed=5, sampling=SAMPLING)
    thought = Thought(plan=plan, tokens=tokens)
    points = [thought.point() for _ in range(3)]
    thought.take(7)
    fresh = thought.again()
    assert (fresh.ids, fresh.drawn, fresh.seen, fresh.is_open) == ([], 0, set(), True)
    assert [fresh.point() for _ in range(3)] == points


def test_a_penalty_that_is_not_done_here_is_refused(tokens: ThinkingTokens) -> None:
    with pytest.raises(UsageError, match="repetition"):
        Sampler({**SAMPLING, "repetition_penalty": 1.1}, tokens)


def test_a_tokenizer_without_the_end_of_thinking_is_told() -> None:
    plain = SimpleNamespace(encode=lambda *_, **__: [5, 6], added_tokens_decoder={})
    with pytest.raises(ModelLoadError, match="</think> is one token"):
        thinking_tokens(plain, 10, ())


def test_templates_are_looked_at_with_both_answers() -> None:
    def processor(*, opened: bool) -> Any:
        end = "<think>\n" if opened else "<think>\n\n</think>\n\n"
        return SimpleNamespace(apply_chat_template=lambda *_, **__: f"?assistant\n{end}")

    spec = folder_spec(ASSET)
    check_template(processor(opened=True), spec, thinks=True)
    check_template(processor(opened=False), spec, thinks=False)
    for opened in (True, False):
        with pytest.raises(ModelLoadError):
            check_template(processor(opened=opened), spec, thinks=not opened)

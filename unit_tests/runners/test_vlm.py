"""The vlm runner on real checkpoints of all four architectures, built here with random weights."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from tools.make_tiny import ARCHITECTURES, CLASSES, Architecture, build
from unit_tests.tiny_models import ASSET, ENOUGH, LEGAL, QUESTION, ask, folder_spec
from vlmbench_plugin.core import Generation, Mode, Request
from vlmbench_plugin.errors import RunnerError
from vlmbench_plugin.runners import open_runner
from vlmbench_plugin.runners._decoding import Row
from vlmbench_plugin.runners.vlm import Job, VlmRunner
from vlmbench_plugin.settings import Settings

FREE_BUDGET = 40


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    name: Architecture = request.param
    return name


@pytest.fixture(scope="module")
def folder(architecture: Architecture, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models") / architecture
    build(made, architecture)
    return made


@pytest.fixture(scope="module")
def runner(folder: Path) -> Iterator[VlmRunner]:
    opened = VlmRunner(folder_spec(folder), Settings(device="cpu"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def asset() -> Iterator[VlmRunner]:
    opened = VlmRunner(folder_spec(ASSET), Settings(device="cpu"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def shouter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose every logit is equal, so that it repeats token 0, an exclamation mark."""
    made = tmp_path_factory.mktemp("models") / "shouter"
    build(made)
    weights = load_file(made / "model.safetensors")
    weights["lm_head.weight"].zero_()
    save_file(weights, made / "model.safetensors", metadata={"format": "pt"})
    return made


def only(runner: VlmRunner, request: Request) -> Generation:
    (generation,) = runner.generate([request])
    assert isinstance(generation, Generation)
    return generation


def error(runner: VlmRunner, request: Request) -> str:
    (failed,) = runner.generate([request])
    assert isinstance(failed, RunnerError)
    return str(failed)


def reference(folder: Path, architecture: Architecture) -> tuple[int, list[int]]:
    """Prompt length and the greedy tokens, by a hand-written prompt and the library's generate."""
    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    prompt = (
        f"<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>{QUESTION}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    if architecture.startswith("qwen3_5"):
        prompt += "<think>\n\n</think>\n\n"
    image = Image.new("RGB", (96, 64), "red")
    inputs = processor(text=[prompt], images=[image], return_tensors="pt")
    sampling = {"do_sample": False, "temperature": None, "top_k": None, "top_p": None}
    output = model.generate(**inputs, max_new_tokens=FREE_BUDGET, **sampling)
    length = inputs["input_ids"].shape[1]
    return length, output[0, length:].tolist()


def test_free_text_is_that_of_the_librarys_greedy_generate(
    runner: VlmRunner, folder: Path, architecture: Architecture
) -> None:
    length, ids = reference(folder, architecture)
    generation = only(runner, ask("json_mode", budget=FREE_BUDGET))
    tokenizer = AutoProcessor.from_pretrained(folder).tokenizer
    stopped = ids[-1] == tokenizer.eos_token_id
    assert generation.text == tokenizer.decode(ids[:-1] if stopped else ids)
    assert generation.prompt_tokens == length
    assert generation.output_tokens == len(ids)
    assert generation.finish_reason == ("stop" if stopped else "length")
    assert generation.constraint == "none"


def test_a_constrained_answer_is_always_whole(runner: VlmRunner) -> None:
    for colour in ("red", "blue", "white"):
        generation = only(runner, ask("constrained", colour=colour))
        assert re.fullmatch(LEGAL, generation.text)
        assert list(json.loads(generation.text)) == ["label"]
        assert generation.finish_reason == "stop"
        assert generation.constraint == "grammar"
        assert generation.output_tokens is not None
        assert 2 < generation.output_tokens <= ENOUGH


@pytest.mark.parametrize("mode", ["json_mode", "constrained"])
def test_the_budget_ends_an_answer(runner: VlmRunner, mode: Mode) -> None:
    generation = only(runner, ask(mode, budget=3))
    assert generation.output_tokens == 3
    assert generation.finish_reason == "length"


def test_an_answer_does_not_depend_on_those_before_it(runner: VlmRunner) -> None:
    requests = [ask("json_mode", budget=12, colour=colour) for colour in ("red", "green", "red")]
    texts = [only(runner, request).text for request in requests]
    assert texts[0] == texts[2]


def test_describe_says_what_ran(runner: VlmRunner, architecture: Architecture) -> None:
    facts = runner.describe()
    assert facts["architecture"] == CLASSES[architecture]
    assert facts["device"] == "cpu"
    assert facts["dtype"] == "float32"
    assert facts["enable_thinking"] is False
    assert facts["torch"] == torch.__version__.partition("+")[0]
    assert json.loads(json.dumps(facts)) == facts


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_answers_in_both_modes(folder: Path, dtype: str) -> None:
    runner = VlmRunner(folder_spec(folder), Settings(device="cpu", dtype=dtype))
    assert only(runner, ask("json_mode", budget=5)).output_tokens == 5
    assert re.fullmatch(LEGAL, only(runner, ask("constrained")).text)
    assert runner.describe()["dtype"] == dtype
    runner.close()


def test_the_image_reaches_the_answer(asset: VlmRunner) -> None:
    texts = {only(asset, ask("json_mode", colour=colour)).text for colour in ("red", "blue")}
    assert len(texts) == 2


def test_image_tokens_count_as_prompt(asset: VlmRunner) -> None:
    small = only(asset, ask("json_mode", budget=1, size=(32, 32))).prompt_tokens
    large = only(asset, ask("json_mode", budget=1, size=(128, 64))).prompt_tokens
    assert small is not None
    assert large is not None
    assert large - small == 8 - 1  # tokens of 32 x 32 pixels


def test_seconds_are_those_of_the_request(asset: VlmRunner) -> None:
    generation = only(asset, ask("json_mode", budget=30))
    assert generation.busy_s == pytest.approx(generation.latency_s)
    assert generation.busy_s is not None
    assert 0 < generation.busy_s < 60
    assert generation.batch_size == 1


def test_text_ends_before_the_stop_token_and_nothing_else_is_stripped(
    asset: VlmRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = AutoProcessor.from_pretrained(ASSET).tokenizer
    kept = ' {"a" : 1 } <|im_start|><think> . \n'
    ids = tokenizer.encode(kept)
    for reason, tail in (("stop", [tokenizer.eos_token_id]), ("length", [])):

        def decode(
            _: VlmRunner, jobs: list[Job], ids: list[int] = ids + tail, reason: Any = reason
        ) -> Iterator[Row]:
            row = jobs[0].row
            row.ids, row.logprobs, row.finish_reason = ids, [0.0] * len(ids), reason
            yield row

        monkeypatch.setattr(VlmRunner, "_decode", decode)
        generation = only(asset, ask("json_mode"))
        assert generation.text == kept
        assert generation.output_tokens == len(ids + tail)


def test_a_looping_answer_is_stopped_in_json_mode_only(shouter: Path) -> None:
    runner = VlmRunner(folder_spec(shouter), Settings(device="cpu"))
    free = only(runner, ask("json_mode", budget=600))
    assert (free.finish_reason, free.output_tokens, free.text) == ("loop", 512, "!" * 512)
    held = only(runner, ask("constrained", budget=600, grammar='root ::= "!"+'))
    assert (held.finish_reason, held.output_tokens) == ("length", 600)
    runner.close()


def test_loops_can_be_let_run(shouter: Path) -> None:
    settings = Settings(device="cpu", runner_args={"stop_loops": "off"})
    runner = VlmRunner(folder_spec(shouter), settings)
    free = only(runner, ask("json_mode", budget=600))
    assert (free.finish_reason, free.output_tokens) == ("length", 600)
    runner.close()


def test_a_grammar_that_is_none_fails_the_item_alone(asset: VlmRunner) -> None:
    assert "does not compile" in error(asset, ask("constrained", grammar='root ::= "a" missing'))
    assert re.fullmatch(LEGAL, only(asset, ask("constrained")).text)


def test_an_image_that_the_model_refuses_fails_the_item_alone(asset: VlmRunner) -> None:
    message = error(asset, ask("json_mode", size=(8000, 10)))
    assert re.search(r"tiny-json_mode failed.*aspect ratio", message)
    assert only(asset, ask("json_mode", budget=2)).output_tokens == 2


def test_compiling_is_not_the_models_time(
    asset: VlmRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_grammar = asset._masks.compile

    def slowly(grammar: str) -> object:
        time.sleep(0.5)
        return compile_grammar(grammar)

    monkeypatch.setattr(asset._masks, "compile", slowly)
    started = time.perf_counter()
    generation = only(asset, ask("constrained"))
    waited = time.perf_counter() - started
    assert generation.busy_s is not None
    assert waited - generation.busy_s >= 0.49


def test_a_closed_runner_says_so_and_gives_the_threads_back() -> None:
    before = torch.get_num_threads()
    runner = open_runner("vlm", folder_spec(ASSET), Settings(device="cpu"))
    assert torch.get_num_threads() == 1
    runner.close()
    runner.close()
    assert torch.get_num_threads() == before
    assert runner.describe()["device"] == "cpu"
    with pytest.raises(RunnerError, match="closed"):
        next(runner.generate([ask("json_mode")]))

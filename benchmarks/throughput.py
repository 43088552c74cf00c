"""What batching gives, against a loop that asks for one image at a time, and what masks cost.

    python benchmarks/throughput.py [ROUNDS]

Both sides answer the same requests with the same tiny checkpoint, on a CPU in float32 with one
thread, and must give the same texts. The loop is ``transformers``' own ``generate`` with xgrammar's
own logits processor, its grammars compiled before. Each round times all sides in turn; a ratio is
of one round, shown as the median of five with the smallest and the largest.

The masks are measured on the real vocabulary of 151,936 entries, with two layers of the width of
the smallest real model: a step of all of its layers is longer, and the share smaller.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import xgrammar
from figures import line
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor
from xgrammar.contrib.hf import LogitsProcessor

from tools.make_tiny import Shape, model_config
from unit_tests.artifacts.cases import built
from unit_tests.artifacts.walks import RealVocabulary, real_vocabulary
from vlmbench_plugin.asking import build_request
from vlmbench_plugin.core import MODES, Generation, Mode, Request
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.models import resolve_models
from vlmbench_plugin.runners._decoding import Decoding, Limits, Row
from vlmbench_plugin.runners._grammar import RowMasks
from vlmbench_plugin.runners.vlm import VlmRunner
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

ROUNDS = 5
ITEMS = 64
SIZES = (1, 8, 16, 32)
(SPEC,) = resolve_models(("tiny-qwen3vl",), None)
SETTINGS = Settings(n=ITEMS, device="cpu", dtype="float32", runner_args={"stop_loops": "off"})

MASKED_ROWS, MASKED_TOKENS, WIDTH = 16, 40, 1024
MASK_TARGET = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One kind of requests.

    Attributes:
        task: Whose prompts and drawn images they are.
        edges: Least and largest edge of the images in pixels.
        tokens: Least and largest number of tokens after which an answer is cut.
        targets: Batch size -> least ratio to the loop, where one was set.
    """

    task: str
    edges: tuple[int, int]
    tokens: tuple[int, int]
    targets: Mapping[int, float]


# The tiny tokenizer has 440 entries: a prompt takes it more than twice the tokens of a real one.
LOADS = (
    Load(task="ocr_text", edges=(128, 256), tokens=(120, 160), targets={16: 4.0, 32: 6.0}),
    Load(task="bbox_grounding", edges=(128, 256), tokens=(120, 160), targets={}),
    Load(task="ocr_text", edges=(512, 512), tokens=(30, 30), targets={}),
)


def requests_of(load: Load, mode: Mode) -> list[Request]:
    """Returns the requests of one load, their images drawn and resized."""
    task, rng = TASKS[load.task], random.Random(0)
    found = []
    cases = load_cases(task, SETTINGS)
    for index in range(len(cases)):
        request = build_request(task, cases[index], SPEC, mode, SETTINGS)
        image = request.image().resize((rng.randint(*load.edges), rng.randint(*load.edges)))
        found.append(replace(request, image=image.copy, budget=rng.randint(*load.tokens)))
    return found


class Loop:
    """The comparison: one image at a time, as the two libraries' documents show it."""

    def __init__(self) -> None:
        self._processor = AutoProcessor.from_pretrained(SPEC.hub_id)
        model = AutoModelForImageTextToText.from_pretrained(SPEC.hub_id, dtype=torch.float32)
        self._model = model.eval()
        tokenizer = self._processor.tokenizer
        width = model.config.get_text_config().vocab_size
        info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=width)
        self._compiler = xgrammar.GrammarCompiler(info)
        # As the runner: control tokens are no text, however well they fit into a JSON string.
        stops = set(model.generation_config.eos_token_id)
        self._control = sorted(set(tokenizer.added_tokens_decoder) - stops)

    def texts(self, requests: Sequence[Request]) -> list[str]:
        """Returns the answers."""
        return [self._text(request) for request in requests]

    def _text(self, request: Request) -> str:
        processor = self._processor
        prompt = processor.apply_chat_template(list(request.messages), add_generation_prompt=True)
        inputs = processor(text=[prompt], images=[request.image()], return_tensors="pt")
        held: dict[str, Any] = {}
        if request.mode == "constrained":
            compiled = self._compiler.compile_grammar(request.grammar)  # which it remembers
            held["logits_processor"] = [LogitsProcessor(compiled)]
            held["suppress_tokens"] = self._control
        greedy = {"do_sample": False, "temperature": None, "top_k": None, "top_p": None}
        with torch.inference_mode():
            output = self._model.generate(**inputs, max_new_tokens=request.budget, **greedy, **held)
        new = output[0, inputs["input_ids"].shape[1] :].tolist()
        text: str = processor.tokenizer.decode(new, skip_special_tokens=False)
        return text.removesuffix("<|im_end|>")


def seconds_of(work: Callable[[], Any]) -> tuple[float, Any]:
    """Returns how long something took, and its result."""
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def answers(runner: VlmRunner, requests: Sequence[Request]) -> list[str]:
    """Returns the runner's texts.

    Raises:
        RunnerError: If an item failed.
    """
    found = []
    for outcome in runner.generate(requests):
        if not isinstance(outcome, Generation):
            raise outcome
        found.append(outcome.text)
    return found


def compare(
    load: Load, mode: Mode, loop: Loop, runners: Mapping[int, VlmRunner], rounds: int
) -> None:
    """Prints a line for each batch size.

    Raises:
        RuntimeError: If a text differs.
    """
    requests = requests_of(load, mode)
    ratios: dict[int, list[float]] = {size: [] for size in runners}
    rates: dict[int, list[float]] = {size: [] for size in runners}
    loop.texts(requests[:1])
    for _ in range(rounds):
        alone, expected = seconds_of(partial(loop.texts, requests))
        for size, runner in runners.items():
            seconds, texts = seconds_of(partial(answers, runner, requests))
            if texts != expected:
                raise RuntimeError(f"expected the loop's texts of {load.task}, got others")
            ratios[size].append(alone / seconds)
            rates[size].append(len(requests) / seconds)
    edges, tokens = ("-".join(map(str, sorted(set(pair)))) for pair in (load.edges, load.tokens))
    for size, found in ratios.items():
        ratio, target = statistics.median(found), load.targets.get(size)
        print(
            line(
                f"vlm runner, {load.task} in {mode}, {edges} px, {tokens} tokens, batch {size}: "
                "items/s over a one-at-a-time loop's",
                f"{ratio:.1f}x ({min(found):.1f}-{max(found):.1f}), "
                f"{statistics.median(rates[size]):.0f} items/s",
                f"at least {target:.0f}x" if target else "-",
                held=target is None or ratio >= target,
            ),
            flush=True,
        )


@contextmanager
def timed(owner: Any, name: str, spent: list[float]) -> Iterator[None]:
    """Adds up the seconds of every call of a method while it lasts."""
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            spent[0] += time.perf_counter() - begun

    setattr(owner, name, wrapped)
    try:
        yield
    finally:
        setattr(owner, name, original)


def wide_model(real: RealVocabulary) -> Any:
    """A random model of two layers over the real vocabulary."""
    ids = {token.content: number for number, token in real.tokenizer.added_tokens_decoder.items()}
    config = model_config("qwen3_vl", Shape(hidden=WIDTH), ids)
    config["text_config"]["vocab_size"] = real.width
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(AutoConfig.for_model(**config))
    return model.float().eval()


def prompt_of(real: RealVocabulary, rows: int) -> dict[str, torch.Tensor]:
    """A prompt of 400 tokens with an image of four."""
    start, image, end = real.tokenizer.convert_tokens_to_ids(
        ["<|vision_start|>", "<|image_pad|>", "<|vision_end|>"]
    )
    ids = torch.tensor([[start, *[image] * 4, end, *range(394)]] * rows)
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": (ids == image).int(),
        "pixel_values": torch.randn(rows * 16, 3 * 2 * 16 * 16),
        "image_grid_thw": torch.tensor([[1, 4, 4]] * rows),
    }


def mask_share(real: RealVocabulary, model: Any, compiled: Any) -> float:
    """Returns the share of masks and log probabilities in the seconds of the decode steps."""
    limits = Limits(budget=MASKED_TOKENS, stop_ids=real.stops)
    rows = [Row(prompt_tokens=400, limits=limits, grammar=compiled) for _ in range(MASKED_ROWS)]
    decoding = Decoding(model, rows, real.masks)
    masks, steps = [0.0], [0.0]
    with (
        timed(RowMasks, "fill", masks),
        timed(RowMasks, "apply", masks),
        timed(RowMasks, "accept", masks),
        timed(torch.Tensor, "log_softmax", masks),
        timed(Decoding, "_next", steps),
        timed(Decoding, "_extend", steps),
    ):
        for _ in decoding.run([prompt_of(real, MASKED_ROWS)]):
            pass
    return masks[0] / steps[0]


def main() -> None:
    """Measures the loads, then the masks."""
    torch.set_num_threads(1)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    loop = Loop()
    runners = {size: VlmRunner(SPEC, SETTINGS, size) for size in SIZES}
    for load in LOADS:
        for mode in MODES:
            compare(load, mode, loop, runners, rounds)
    for runner in runners.values():
        runner.close()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        real = real_vocabulary("qwen3", Path(folder))
    model = wide_model(real)
    for task in ("bbox_grounding", "ocr_text"):
        compiled = real.masks.compile(built(task, "closed").gbnf)
        found = [mask_share(real, model, compiled) for _ in range(rounds)]
        share = statistics.median(found)
        print(
            line(
                f"masks and log probabilities of {MASKED_ROWS} rows of {real.width:,} logits, "
                f"{task}, random walks: share of a decode step (two layers of width {WIDTH})",
                f"{share:.1%} ({min(found):.1%}-{max(found):.1%})",
                f"at most {MASK_TARGET:.0%}",
                held=share <= MASK_TARGET,
            ),
            flush=True,
        )
    real.masks.close()


if __name__ == "__main__":
    main()

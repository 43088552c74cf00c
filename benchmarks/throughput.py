"""What batching gives, against a loop that asks for one image at a time.

    python benchmarks/throughput.py [--quick] [--items N] [--rounds N]

Both sides answer the same requests with the same tiny checkpoint, on a CPU in float32, and must
give the same texts. The loop is ``transformers``' own ``generate`` with xgrammar's own logits
processor, its grammars compiled before; it runs with one thread or with torch's own number of them,
whichever is faster here. Each round times all sides in turn; a ratio is of one round. ``--quick``
leaves out batch sizes without a target, and one load.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import xgrammar
from figures import Figure, Sheet
from transformers import AutoModelForImageTextToText, AutoProcessor
from xgrammar.contrib.hf import LogitsProcessor

from vlmbench_plugin.asking import build_request
from vlmbench_plugin.core import MODES, Generation, Mode, Request
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.models import resolve_models
from vlmbench_plugin.runners.vlm import VlmRunner
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

ITEMS = 64
ALL_THREADS = torch.get_num_threads()
SIZES = (1, 8, 16, 32)
RANDOM = Path(__file__).parents[1] / "fixtures" / "tiny-random-qwen3vl"
"""Says more than the trained toys do: answers go on until they are cut."""
(SPEC,) = resolve_models((str(RANDOM),), None)
SETTINGS = Settings(n=ITEMS, device="cpu", dtype="float32", runner_args={"stop_loops": "off"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One kind of requests.

    Attributes:
        task: Whose prompts and drawn images they are.
        edges: Least and largest edge of the images in pixels.
        tokens: Least and largest number of tokens after which an answer is cut.
        targets: Batch size -> least ratio to the loop, where one was set.
        shown: Whether a quick measurement has it all the same.
    """

    task: str
    edges: tuple[int, int]
    tokens: tuple[int, int]
    targets: Mapping[int, float]
    shown: bool = False


# The tiny tokenizer has 440 entries: a prompt takes it more than twice the tokens of a real one.
LOADS = (
    Load(task="ocr_text", edges=(128, 256), tokens=(120, 160), targets={16: 4.0, 32: 6.0}),
    Load(task="bbox_grounding", edges=(128, 256), tokens=(120, 160), targets={}),
    Load(task="ocr_text", edges=(512, 512), tokens=(30, 30), targets={}, shown=True),
)


def requests_of(load: Load, mode: Mode, settings: Settings) -> list[Request]:
    """Returns the requests of one load, their images drawn and resized."""
    task, rng = TASKS[load.task], random.Random(0)
    found = []
    cases = load_cases(task, settings)
    for index in range(len(cases)):
        request = build_request(task, cases[index], SPEC, mode, settings)
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
        self._threads = 1

    def choose_threads(self, requests: Sequence[Request]) -> int:
        """Takes the number of threads with which a few requests are answered sooner."""
        self.texts(requests)
        seconds: dict[int, float] = {}
        for count in (1, ALL_THREADS):
            self._threads = count
            seconds[count], _ = seconds_of(partial(self.texts, requests))
        self._threads = min(seconds, key=seconds.__getitem__)
        return self._threads

    def texts(self, requests: Sequence[Request]) -> list[str]:
        """Returns the answers."""
        before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            return [self._text(request) for request in requests]
        finally:
            torch.set_num_threads(before)

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
    sheet: Sheet,
    load: Load,
    mode: Mode,
    loop: Loop,
    runners: Mapping[int, VlmRunner],
    settings: Settings,
) -> None:
    """Shows a figure for each batch size.

    Raises:
        RuntimeError: If a text differs.
    """
    requests = requests_of(load, mode, settings)
    ratios: dict[int, list[float]] = {size: [] for size in runners}
    seconds = dict.fromkeys(runners, 0.0)
    threads = loop.choose_threads(requests[:4])
    for _ in range(sheet.arguments.rounds):
        alone, expected = seconds_of(partial(loop.texts, requests))
        for size, runner in runners.items():
            seconds[size], texts = seconds_of(partial(answers, runner, requests))
            if texts != expected:
                raise RuntimeError(f"expected the loop's texts of {load.task}, got others")
            ratios[size].append(alone / seconds[size])
    edges, tokens = ("-".join(map(str, sorted(set(pair)))) for pair in (load.edges, load.tokens))
    for size, found in ratios.items():
        target = load.targets.get(size)
        sheet.show(
            Figure.of(
                f"vlm runner at batch {size} over a one-at-a-time loop, {load.task} in {mode}, "
                f"{edges} px, {tokens} tokens: items/s",
                found,
                "x",
                None if target is None else f">= {target:g}",
                note=f"{len(requests) / seconds[size]:.1f} items/s in the last round; the loop "
                f"with {threads} thread{'s' * (threads > 1)}",
            )
        )


def main() -> None:
    """Measures every load in both modes."""
    sheet = Sheet(__doc__ or "", quick=True, items=ITEMS)
    given = sheet.parse()
    torch.set_num_threads(1)
    settings = replace(SETTINGS, n=given.items)
    loop = Loop()
    sizes = [size for size in SIZES if not given.quick or size in LOADS[0].targets]
    runners = {size: VlmRunner(SPEC, SETTINGS, size) for size in sizes}
    for load in LOADS:
        if load.targets or load.shown or not given.quick:
            for mode in MODES:
                compare(sheet, load, mode, loop, runners, settings)
    for runner in runners.values():
        runner.close()


if __name__ == "__main__":
    main()

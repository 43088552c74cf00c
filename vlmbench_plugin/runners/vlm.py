"""Runs a model in this process: ``transformers`` generates, xgrammar holds it to a grammar.

Weights come from a local folder, the hub cache, or the hub. Decoding is greedy. Importing this
module imports no torch; opening a runner does.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from vlmbench_plugin.core import Answer, Generation, Json, ModelSpec, Request
from vlmbench_plugin.errors import RunnerError, UnknownNameError, UsageError
from vlmbench_plugin.parsing import is_looping
from vlmbench_plugin.runners._decoding import Limits, Row, decode
from vlmbench_plugin.runners._grammar import GrammarMasks
from vlmbench_plugin.runners._loading import (
    Loaded,
    cached_revisions,
    commit_of,
    delete_revisions,
    load,
    pick_device,
    pick_dtype,
)
from vlmbench_plugin.settings import Settings

LOADS_MODEL = True
NEEDS_PIXELS = True

RUNNER_ARGS = ("stop_loops",)
TOY_PARAMETERS = 10_000_000
LOOP_TAIL = 2048
"""Tokens in which a loop shows: it takes 512 characters, of up to four single-byte tokens each."""


class VlmRunner:
    """One loaded model.

    Args:
        spec: The model.
        settings: Of the run; ``stop_loops=off`` in ``runner_args`` lets loops run to the budget.

    Raises:
        ImportError: If torch, transformers or xgrammar is not installed.
        ModelLoadError: If the model cannot be loaded.
        UsageError: If the settings ask for what is not there.
    """

    def __init__(self, spec: ModelSpec, settings: Settings) -> None:
        self._stop_loops = _stops_loops(settings.runner_args)
        self._device = pick_device(settings.device)
        dtype = pick_dtype(settings.dtype, self._device)
        self._hub_id = spec.hub_id
        self._keep = cached_revisions(spec.hub_id) if settings.clear_cache_after_model else None
        self._loaded: Loaded | None = load(spec, self._device, dtype)
        model, tokenizer = self._loaded.model, self._loaded.processor.tokenizer
        self._threads = use_threads(1) if is_toy(model, self._device) else None
        self._stop_ids = stop_ids(model, tokenizer)
        vocab_size = model.config.get_text_config().vocab_size
        self._masks = GrammarMasks(tokenizer, vocab_size, self._stop_ids)
        self._facts: dict[str, Json] = {
            "architecture": type(model).__name__,
            "device": str(self._device),
            "dtype": str(dtype).removeprefix("torch."),
            "enable_thinking": False,
            "revision": commit_of(spec),
            "stop_loops": self._stop_loops,
        } | {package: version(package) for package in ("torch", "transformers", "xgrammar")}

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation]:
        """Yields one generation per request, in order.

        Raises:
            RunnerError: If an item fails.
        """
        for request in requests:
            yield from self._answer([request])

    def describe(self) -> Mapping[str, Json]:
        """Device, dtype, versions, revision, architecture, and how it decodes."""
        return dict(self._facts)

    def close(self) -> None:
        """Frees the model's memory and, where the settings say so, what it put into the hub cache.

        Raises:
            OSError: If the cache cannot be cleared.
        """
        if self._loaded is None:
            return
        self._loaded = None
        gc.collect()
        if self._threads is not None:
            use_threads(self._threads)
        if self._device.type == "cuda":
            import torch

            torch.cuda.empty_cache()
        if self._keep is not None:
            delete_revisions(self._hub_id, cached_revisions(self._hub_id) - self._keep)

    def _answer(self, batch: Sequence[Request]) -> list[Generation]:
        """Generates requests of one grammar, mode and budget together."""
        first, loaded = batch[0], self._loaded
        if loaded is None:
            raise RunnerError("the runner is closed", hint="open another for this model")
        constrained = first.mode == "constrained"
        # Drawing and compiling are not the model's seconds.
        images = [request.image() for request in batch]
        compiled = self._masks.compile(first.grammar) if constrained else None
        loops = self._loops if self._stop_loops and not constrained else None
        limits = Limits(budget=first.budget, stop_ids=self._stop_ids, is_looping=loops)
        started = self._now()
        try:
            inputs = self._inputs(loaded.processor, batch, images)
            mask = self._masks.mask(compiled, len(batch)) if constrained else None
            rows = decode(loaded.model, inputs, limits, mask)
        except (RuntimeError, ValueError, OSError) as error:
            message = f"{first.id} failed: {type(error).__name__}: {error}"
            hint = "an image can be too long and thin for the model, or memory too small"
            raise RunnerError(message, hint=hint) from error
        seconds = self._now() - started
        return [
            self._generation(row, inputs["attention_mask"][index], constrained, seconds, len(rows))
            for index, row in enumerate(rows)
        ]

    def _inputs(self, processor: Any, batch: Sequence[Request], images: Sequence[Any]) -> Any:
        """The batch's prompts and images as the model takes them."""
        prompts = [
            processor.apply_chat_template(
                list(request.messages),
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=False,
            )
            for request in batch
        ]
        return processor(text=prompts, images=list(images), return_tensors="pt").to(self._device)

    def _generation(
        self, row: Row, attention: Any, constrained: bool, seconds: float, batch_size: int
    ) -> Generation:
        """One finished row as the rest of the suite sees it."""
        assert row.finish_reason is not None  # decode() returns finished rows only
        stopped = row.finish_reason == "stop"
        return Generation(
            text=self._text(row.ids[:-1] if stopped else row.ids),
            finish_reason=row.finish_reason,
            constraint="grammar" if constrained else "none",
            prompt_tokens=int(attention.sum()),
            output_tokens=len(row.ids),
            busy_s=seconds / batch_size,
            latency_s=seconds,
            batch_size=batch_size,
        )

    def _text(self, ids: Sequence[int]) -> str:
        """The text of tokens, control tokens and spaces kept as they are."""
        assert self._loaded is not None  # only called while generating
        text = self._loaded.processor.tokenizer.decode(
            ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return str(text)

    def _loops(self, ids: list[int]) -> bool:
        return is_looping(self._text(ids[-LOOP_TAIL:]))

    def _now(self) -> float:
        """Seconds on a clock that has waited for the device."""
        if self._device.type == "cuda":
            import torch

            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def is_toy(model: Any, device: Any) -> bool:
    """Tells whether a model is too small for more than one CPU thread to help.

    Two threads gave the packaged checkpoint 730 tokens/s on an idle machine of two cores and 190 on
    a busy one, where they wait for each other; one thread gave 700 and 650.
    """
    return bool(device.type == "cpu" and model.num_parameters() < TOY_PARAMETERS)


def use_threads(count: int) -> int:
    """Sets how many CPU threads torch computes with, and returns how many it had."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    return int(before)


def stop_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Every token by which the model may end: what generation config and tokenizer declare."""
    declared = model.generation_config.eos_token_id
    ids = set(declared if isinstance(declared, list) else [declared]) | {tokenizer.eos_token_id}
    return tuple(sorted(token for token in ids if token is not None))


def _stops_loops(arguments: Mapping[str, str]) -> bool:
    """Reads the runner's own arguments."""
    for name in arguments:
        if name not in RUNNER_ARGS:
            raise UnknownNameError("--runner-arg of the vlm runner", name, RUNNER_ARGS)
    value = arguments.get("stop_loops", "on")
    if value not in ("on", "off"):
        raise UsageError(f"expected --runner-arg stop_loops=on or stop_loops=off, got {value!r}")
    return value == "on"


def RUNNER(  # noqa: N802  # the name by which the registry finds it
    spec: ModelSpec, settings: Settings, oracle: Callable[[str], Answer] | None
) -> VlmRunner:
    """Loads a model; it never sees the oracle."""
    return VlmRunner(spec, settings)

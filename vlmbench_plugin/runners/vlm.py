"""Runs a model in this process: ``transformers`` generates, xgrammar holds it to a grammar.

Weights come from a local folder, the hub cache, or the hub. Answers are greedy, thoughts sampled.
Importing this module imports no torch; opening a runner does.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from vlmbench_plugin.core import Answer, Generation, Json, ModelSpec, Request
from vlmbench_plugin.errors import RunnerError, UnknownNameError, UsageError
from vlmbench_plugin.parsing import is_looping
from vlmbench_plugin.runners._batching import Prepared, Preparing, grouped, item_error
from vlmbench_plugin.runners._decoding import LOOP_TAIL, Decoding, Limits, Row
from vlmbench_plugin.runners._grammar import GrammarMasks
from vlmbench_plugin.runners._loading import (
    commit_of,
    load_front,
    load_model,
    pick_device,
    pick_dtype,
    slow_note,
)
from vlmbench_plugin.runners._memory import PeakMemory
from vlmbench_plugin.runners._sizing import (
    READ_AT_ONCE,
    READ_AT_ONCE_ON_CPU,
    BatchSize,
    is_out_of_memory,
    is_toy,
    use_threads,
)
from vlmbench_plugin.runners._thinking import (
    Sampler,
    Thought,
    check_template,
    thinking_facts,
    thinking_tokens,
)
from vlmbench_plugin.runners._values import value_logprob
from vlmbench_plugin.settings import Settings

LOADS_MODEL = True
NEEDS_PIXELS = True

RUNNER_ARGS = ("quantization", "stop_loops")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One item of a batch.

    Attributes:
        index: Its place in the batch.
        prepared: Its prompt, image and grammar.
        row: Its answer in the making.
    """

    index: int
    prepared: Prepared
    row: Row

    def again(self) -> Job:
        """The same item, begun anew; the seconds of the first attempt stay with it."""
        thought = self.row.thought and self.row.thought.again()
        fresh = replace(self.row, thought=thought, ids=[], logprobs=[], finish_reason=None, steps=0)
        return replace(self, row=fresh)


class VlmRunner:
    """One loaded model.

    Args:
        spec: The model.
        settings: Of the run; in ``runner_args``, ``stop_loops=off`` lets loops run to the budget
            and ``quantization`` reduces the weights as they load (``_placing.py``).
        batch_size: The most answers generated together; None to choose (``_sizing.py``).
        grammars: Compiled while the weights load; others are when a request brings them.

    Raises:
        ImportError: If torch, transformers or xgrammar is not installed.
        ModelLoadError: If the model cannot be loaded.
        UsageError: If the settings ask for what is not there.
    """

    def __init__(
        self,
        spec: ModelSpec,
        settings: Settings,
        batch_size: int | None = None,
        grammars: Iterable[str] = (),
    ) -> None:
        self._stop_loops = _stops_loops(settings.runner_args)
        self._device = pick_device(settings.device)
        dtype = pick_dtype(settings.dtype, self._device)
        self._peak = PeakMemory.of(self._device)
        quantization = settings.runner_args.get("quantization")
        front = load_front(spec)
        self._tokenizer, self._stop_ids = front.processor.tokenizer, front.stop_ids
        thinks = settings.reasoning == "on"
        check_template(front.processor, spec, thinks=thinks)
        known = self._tokenizer, front.vocab_size, front.stop_ids
        self._sampler = Sampler(spec.sampling, thinking_tokens(*known)) if thinks else None
        self._masks = GrammarMasks(*known)
        for grammar in grammars:
            self._masks.prepare(grammar)
        try:
            self._model: Any = load_model(
                spec, self._device, dtype, asked=settings.device, quantization=quantization
            )
        except BaseException:
            self._masks.close()
            raise
        later = "constrained" in settings.modes
        self._preparing = Preparing(front.processor, self._masks, ahead=later)
        self._size = BatchSize(batch_size, self._model, self._device)
        self._threads = use_threads(1) if is_toy(self._model, self._device) else None
        self._facts: dict[str, Json] = {
            "architecture": type(self._model).__name__,
            "device": str(self._device),
            "dtype": str(dtype).removeprefix("torch."),
            "quantization": quantization,
            **thinking_facts(spec, settings),
            "revision": commit_of(spec),
            "stop_loops": self._stop_loops,
            "note": slow_note(self._model.config.get_text_config()),
        } | {package: version(package) for package in ("torch", "transformers", "xgrammar")}

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation | RunnerError]:
        """Yields one outcome per request, in order, as soon as it is known; reads a batch ahead.

        An item that fails alone yields its error, and the others go on.

        Raises:
            RunnerError: If the runner is closed.
        """
        if self._model is None:
            raise RunnerError("the runner is closed", hint="open another for this model")
        for batch in self._preparing.batches(requests, self._size.of):
            ended: dict[int, Generation | RunnerError] = {}
            due = 0
            for index, outcome in self._outcomes(batch):
                ended[index] = outcome
                while due in ended:
                    yield ended.pop(due)
                    due += 1

    def describe(self) -> Mapping[str, Json]:
        """Device, dtype, versions, revision, architecture, how it decodes, its peak memory."""
        return self._facts | self._peak.facts()

    def close(self) -> None:
        """Frees the model's memory."""
        if self._model is None:
            return
        self._preparing.close()
        self._masks.close()
        self._model = None
        if self._threads is not None:
            use_threads(self._threads)
        self._free_memory()

    def _outcomes(
        self, batch: Sequence[Prepared | RunnerError]
    ) -> Iterator[tuple[int, Generation | RunnerError]]:
        """Yields each item's place in the batch and its outcome, as soon as it is known."""
        jobs = []
        for index, item in enumerate(batch):
            if isinstance(item, RunnerError):
                yield index, item
            else:
                jobs.append(Job(index=index, prepared=item, row=self._row(item)))
        waiting = [jobs] if jobs else []
        while waiting:
            part = waiting.pop(0)
            if self._size.limit is not None and len(part) > self._size.limit:
                waiting[:0] = halves(part)
                continue
            left = {id(job.row): job for job in part}
            failure = None
            try:
                for row in self._decode(part):
                    job = left.pop(id(row))
                    yield job.index, self._generation(job, len(part))
            except (RuntimeError, MemoryError, ValueError, OSError, RunnerError) as error:
                failure = error.with_traceback(None)  # whose frames hold the batch's tensors
            if failure is not None and len(part) == 1:
                yield part[0].index, item_error(part[0].prepared.request, failure)
            elif failure is not None:
                self._make_room(failure, len(part))
                waiting[:0] = halves([job.again() for job in left.values()])

    def _row(self, item: Prepared) -> Row:
        """An answer that has not begun."""
        plan, loops = item.request.thinking, self._loops if self._stop_loops else None
        limits = Limits(
            budget=item.request.budget,
            stop_ids=self._stop_ids,
            is_looping=None if item.request.mode == "constrained" else loops,
        )
        thought = None
        if plan is not None and self._sampler is not None:
            thought = Thought(plan=plan, tokens=self._sampler.tokens, is_looping=loops)
        tokens = int(item.inputs["input_ids"].shape[1])
        return Row(prompt_tokens=tokens, limits=limits, grammar=item.grammar, thought=thought)

    def _decode(self, jobs: Sequence[Job]) -> Iterator[Row]:
        """Generates together; yields rows as they end."""
        on_cpu = self._device.type == "cpu"
        groups = grouped(
            [job.prepared.inputs for job in jobs],
            READ_AT_ONCE_ON_CPU if on_cpu else READ_AT_ONCE,
            self._tokenizer.pad_token_id,
            self._device,
        )
        rows = [job.row for job in jobs]
        decoding = Decoding(self._model, rows, self._masks, self._sampler)
        for ended in decoding.run(groups):
            yield from ended

    def _generation(self, job: Job, batch_size: int) -> Generation:
        """One finished row as the rest of the suite sees it."""
        row = job.row
        assert row.finish_reason is not None  # Decoding yields finished rows only
        stopped = row.finish_reason == "stop"
        ids = row.ids[:-1] if stopped else row.ids
        pieces, thought = self._masks.pieces(ids), row.thought
        return Generation(
            text=(self._text(thought.ids) if thought else "") + self._text(ids),
            finish_reason=row.finish_reason,
            constraint="none" if row.grammar is None else "grammar",
            prompt_tokens=row.prompt_tokens,
            output_tokens=len(row.ids) + (thought.drawn if thought else 0),
            thinking_tokens=thought.drawn if thought else None,
            thinking_forced=thought.forced if thought else None,
            busy_s=row.busy_s,
            latency_s=row.latency_s,
            batch_size=batch_size,
            value_logprob=value_logprob(pieces, row.logprobs[: len(ids)], finished=stopped),
        )

    def _text(self, ids: list[int]) -> str:
        text = self._tokenizer.decode(
            ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return str(text)

    def _loops(self, ids: list[int]) -> bool:
        # As a rule the shorter end is enough, and the whole one takes four times as long.
        text = self._end(ids, LOOP_TAIL // 4)
        return is_looping(text if len(text) > LOOP_TAIL // 4 else self._end(ids, LOOP_TAIL))

    def _end(self, ids: list[int], count: int) -> str:
        return b"".join(self._masks.pieces(ids[-count:])).decode(errors="replace")

    def _make_room(self, failure: BaseException, rows: int) -> None:
        """Remembers a batch that was too large for the memory."""
        if is_out_of_memory(failure):
            self._size.ran_out_of_memory(rows)
            self._free_memory()

    def _free_memory(self) -> None:
        gc.collect()
        if self._device.type == "cuda":
            import torch

            torch.cuda.empty_cache()


def halves(jobs: list[Job]) -> list[list[Job]]:
    """Cuts a list in two, without empty ones."""
    middle = (len(jobs) + 1) // 2
    return [part for part in (jobs[:middle], jobs[middle:]) if part]


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
    return VlmRunner(spec, settings, settings.batch_size)

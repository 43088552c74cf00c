"""Runner ``vllm``: vLLM's engine, started and fed by this process.

The engine batches by itself, continuously: it is given the coming items at once, and an item that
ends makes room for the next. Importing this module imports no vLLM; opening a runner does.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

from vlmbench_plugin.core import Answer, FinishReason, Generation, Json, ModelSpec, Request
from vlmbench_plugin.errors import ModelLoadError, RunnerError
from vlmbench_plugin.parsing import is_looping
from vlmbench_plugin.runners._decoding import LOOP_CHECK_EVERY, LOOP_TAIL
from vlmbench_plugin.runners._loading import chat_prompt, check_folder, commit_of, load_front
from vlmbench_plugin.runners._memory import UNKNOWN
from vlmbench_plugin.runners._server_engine import (
    EngineOptions,
    engine_options,
    show_device,
    started,
    stopped,
    told,
)
from vlmbench_plugin.runners._server_items import Clock, ItemLoop, Stopwatch, drawn
from vlmbench_plugin.runners._thinking import check_template, thinking_facts, thinking_tokens
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.thinking import Thinking

LOADS_MODEL = True
NEEDS_PIXELS = True

FINISH_REASONS: Mapping[str, FinishReason] = {"stop": "stop", "length": "length"}
FORBIDDEN = -100.0


class _Said(NamedTuple):
    """One answer's tokens, the stop token included, why it ended, and the prompt's length."""

    ids: Sequence[int]
    finish_reason: FinishReason
    prompt_tokens: int


class _Thought(NamedTuple):
    """What was thought: its tokens up to the answer, how many the model gave, and how it ended."""

    ids: Sequence[int]
    drawn: int
    forced: bool
    prompt_tokens: int


class VllmRunner:
    """One model in vLLM's engine.

    Args:
        spec: The model.
        settings: ``device``, ``dtype``, ``seed``, and ``runner_args``: ``concurrency`` (items in
            the engine at once), ``stop_loops=off`` (lets loops run to the budget), and vLLM's own
            ``max_model_len``, ``gpu_memory_utilization``, ``tensor_parallel_size``,
            ``quantization`` and ``enforce_eager``.

    Raises:
        ImportError: If vLLM is not installed.
        ModelLoadError: If the engine does not start.
        UsageError: If an argument cannot be used.
    """

    def __init__(self, spec: ModelSpec, settings: Settings) -> None:
        asked = engine_options(spec, settings)
        options = asked.engine
        check_folder(spec)
        if options["tensor_parallel_size"] == 1:
            show_device(settings.device)
        # Not before the device is chosen: vLLM looks for one when it is imported.
        import vllm
        from vllm.platforms import current_platform

        front, thinks = load_front(spec), settings.reasoning == "on"
        check_template(front.processor, spec, thinks=thinks)
        if current_platform.is_cpu():
            options["dtype"] = "float32" if options["dtype"] == "auto" else options["dtype"]
            # There vLLM 0.32 dies of a seeded request whose prompt it reads in parts.
            options["enable_chunked_prefill"] = False if thinks else None
        self._vllm = vllm
        self._processor = front.processor
        known = front.processor.tokenizer, front.vocab_size, front.stop_ids
        self._tokens = thinking_tokens(*known) if thinks else None
        self._stop_loops = asked.stop_loops
        self._clock = Clock()
        self._numbers = itertools.count()
        self._engine: Any = None
        self._items = ItemLoop(asked.concurrency)
        try:
            self._engine = self._items.run(started(vllm, options))
        except Exception as error:
            self.close()
            raise ModelLoadError(
                f"vLLM does not start with {spec.name}: {told(error)}",
                hint="vLLM's own log above says more; less memory is needed with --runner-arg "
                "max_model_len=16384, or by tensor_parallel_size= over several cards",
            ) from error
        except BaseException:
            self.close()
            raise
        self._bias = self._forbidden()
        self._facts = self._started_as(asked) | thinking_facts(spec, settings)
        self._facts |= {"device": str(current_platform.device_type), "revision": commit_of(spec)}
        self._facts |= UNKNOWN  # the engine's processes hold the model, and take what they may

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation | RunnerError]:
        """Yields one generation per request, in order, or the error of an item that failed."""
        return self._items.in_order(requests, self._answer)

    def describe(self) -> Mapping[str, Json]:
        """Device, dtype, versions, revision, architecture, and how the engine was started."""
        return dict(self._facts)

    def close(self) -> None:
        """Ends the engine."""
        if not self._items.is_open:
            return
        if self._engine is not None:
            self._items.run(stopped(self._engine))
        self._items.close()
        self._engine = None

    def _started_as(self, asked: EngineOptions) -> dict[str, Json]:
        config = self._engine.model_config
        return {
            "runner": "vllm",
            "architecture": config.architecture,
            "dtype": str(config.dtype).removeprefix("torch."),
            "max_model_len": config.max_model_len,
            "quantization": config.quantization,
            "tensor_parallel_size": asked.engine["tensor_parallel_size"],
            "stop_loops": asked.stop_loops,
            "concurrency": asked.concurrency,
            "forbidden_tokens": len(self._bias),
        } | {package: version(package) for package in ("torch", "transformers", "vllm", "xgrammar")}

    async def _answer(self, request: Request) -> Generation:
        image = await drawn(request, lambda image: image)
        text = chat_prompt(self._processor, request)
        thought = None
        watch = Stopwatch(self._clock)
        try:
            with watch:
                prompt: dict[str, Any] = {"prompt": text, "multi_modal_data": {"image": image}}
                if request.thinking is not None:
                    thought = await self._think(prompt, request.id, request.thinking)
                    # Not as text: read again, tokens would be cut in other places.
                    ids = [*self._processor.tokenizer.encode(text), *thought.ids]
                    prompt = {"prompt_token_ids": ids, "multi_modal_data": {"image": image}}
                look = self._stop_loops and request.mode != "constrained"
                params = self._params(request, stream=look)
                said = await self._run(prompt, request.id, params, look=look)
        except RunnerError:
            raise
        except Exception as error:  # vLLM's own classes, which move between its versions
            raise RunnerError(
                f"{request.id} failed: {told(error)}",
                hint="--runner-arg max_model_len= bounds prompt and answer together",
            ) from error
        answer = self._text(said.ids[:-1] if said.finish_reason == "stop" else said.ids)
        return Generation(
            text=(self._text(thought.ids) if thought else "") + answer,
            finish_reason=said.finish_reason,
            constraint="grammar" if request.mode == "constrained" else "none",
            prompt_tokens=thought.prompt_tokens if thought else said.prompt_tokens,
            output_tokens=len(said.ids) + (thought.drawn if thought else 0),
            thinking_tokens=thought.drawn if thought else None,
            thinking_forced=thought.forced if thought else None,
            busy_s=watch.busy_s,
            latency_s=watch.latency_s,
            batch_size=watch.together,
        )

    async def _think(self, prompt: Mapping[str, Any], name: str, plan: Thinking) -> _Thought:
        """Collects the tokens of a thought, and ends it where the model did not."""
        assert self._tokens is not None  # a request that thinks comes of a run that does
        kinds = self._vllm.sampling_params.RequestOutputKind
        end = self._tokens.close[0]
        params = self._vllm.SamplingParams(
            **(dict(plan.sampling) | {"top_k": int(plan.sampling["top_k"])}),
            seed=plan.seed,
            max_tokens=plan.budget,
            stop_token_ids=[end],
            logit_bias={token: bias for token, bias in self._bias.items() if token != end},
            detokenize=False,
            output_kind=kinds.DELTA if self._stop_loops else kinds.FINAL_ONLY,
        )
        said = await self._run(prompt, name, params, look=self._stop_loops)
        rest, forced = self._tokens.rest(said.ids[-1])
        return _Thought([*said.ids[:-1], *rest], len(said.ids), forced, said.prompt_tokens)

    async def _run(self, prompt: Mapping[str, Any], name: str, params: Any, *, look: bool) -> _Said:
        """Collects one output's tokens; one that loops is ended where the vlm runner ends it."""
        ids: list[int] = []
        outputs = self._engine.generate(prompt, params, f"{name}-{next(self._numbers)}")
        async with contextlib.aclosing(outputs):
            async for output in outputs:
                seen, answer = len(ids), output.outputs[0]
                ids += answer.token_ids
                prompt_tokens = len(output.prompt_token_ids)
                if look and (end := loop_end(ids, seen, self._loops)) is not None:
                    return _Said(ids[:end], "loop", prompt_tokens)
                if answer.finish_reason in FINISH_REASONS:
                    return _Said(ids, FINISH_REASONS[answer.finish_reason], prompt_tokens)
                if output.finished:
                    break
        raise RunnerError(
            f"expected {name} to end by stop or length, vLLM ended it otherwise",
            hint="vLLM's own log says more",
        )

    def _loops(self, ids: Sequence[int]) -> bool:
        return is_looping(self._text(ids[-LOOP_TAIL:]))

    def _text(self, ids: Sequence[int]) -> str:
        """The text of tokens, control tokens and spaces kept as they are."""
        text = self._processor.tokenizer.decode(
            ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return str(text)

    def _params(self, request: Request, *, stream: bool) -> Any:
        """Greedy, to the request's budget, held to its grammar where it is constrained."""
        sampling = self._vllm.sampling_params
        kinds = sampling.RequestOutputKind
        held: dict[str, Any] = {}
        if request.mode == "constrained":
            grammar = sampling.StructuredOutputsParams(grammar=request.grammar)
            held = {"structured_outputs": grammar, "logit_bias": self._bias}
        return self._vllm.SamplingParams(
            temperature=0.0,
            max_tokens=request.budget,
            # Decoded here: vLLM leaves out the first bytes of a character that a budget cuts.
            detokenize=False,
            output_kind=kinds.DELTA if stream else kinds.FINAL_ONLY,
            **held,
        )

    def _forbidden(self) -> Mapping[int, float]:
        """A bias against added tokens but those that end an answer: to xgrammar they are text."""
        tokenizer, config = self._processor.tokenizer, self._engine.model_config
        declared = config.try_get_generation_config().get("eos_token_id", [])
        stops = set(declared if isinstance(declared, list) else [declared])
        stops.add(tokenizer.eos_token_id)
        size = config.get_vocab_size()
        added = set(tokenizer.added_tokens_decoder) - stops
        return {token: FORBIDDEN for token in sorted(added) if token < size}


def loop_end(ids: Sequence[int], seen: int, loops: Callable[[Sequence[int]], bool]) -> int | None:
    """After how many tokens an answer loops, or None.

    An answer that ends with its last token ends by that: a loop is seen when another one follows.

    Args:
        ids: The tokens so far.
        seen: How many of them were looked at before.
        loops: Tells whether tokens from the first on loop.
    """
    first = max(LOOP_CHECK_EVERY, -(-seen // LOOP_CHECK_EVERY) * LOOP_CHECK_EVERY)
    return next((n for n in range(first, len(ids), LOOP_CHECK_EVERY) if loops(ids[:n])), None)


def RUNNER(  # noqa: N802  # the name by which the registry finds it
    spec: ModelSpec, settings: Settings, oracle: Callable[[str], Answer] | None
) -> VllmRunner:
    """Starts the engine; it never sees the oracle."""
    return VllmRunner(spec, settings)

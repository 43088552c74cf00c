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
from vlmbench_plugin.runners._loading import chat_prompt, check_folder, commit_of
from vlmbench_plugin.runners._memory import UNKNOWN
from vlmbench_plugin.runners._server_engine import engine_options, show_device
from vlmbench_plugin.runners._server_items import Clock, ItemLoop, Stopwatch, drawn
from vlmbench_plugin.settings import Settings

LOADS_MODEL = True
NEEDS_PIXELS = True

FINISH_REASONS: Mapping[str, FinishReason] = {"stop": "stop", "length": "length"}
FORBIDDEN = -100.0
LONGEST_MESSAGE = 500


class _Said(NamedTuple):
    """One answer's tokens, the stop token included, why it ended, and the prompt's length."""

    ids: Sequence[int]
    finish_reason: FinishReason
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
        from transformers import AutoProcessor
        from vllm.platforms import current_platform

        if options["dtype"] == "auto" and current_platform.is_cpu():
            options["dtype"] = "float32"
        self._vllm = vllm
        self._stop_loops = asked.stop_loops
        self._clock = Clock()
        self._numbers = itertools.count()
        self._engine: Any = None
        self._items = ItemLoop(asked.concurrency)
        try:
            self._engine = self._items.run(_started(vllm, options))
            self._processor = AutoProcessor.from_pretrained(spec.hub_id, revision=spec.revision)
        except Exception as error:
            self.close()
            raise ModelLoadError(
                f"vLLM does not start with {spec.name}: {_told(error)}",
                hint="vLLM's own log above says more; less memory is needed with --runner-arg "
                "max_model_len=16384, or by tensor_parallel_size= over several cards",
            ) from error
        except BaseException:
            self.close()
            raise
        self._bias = self._forbidden()
        config = self._engine.model_config
        self._facts: dict[str, Json] = {
            "runner": "vllm",
            "architecture": config.architecture,
            "device": str(current_platform.device_type),
            "dtype": str(config.dtype).removeprefix("torch."),
            "enable_thinking": False,
            "revision": commit_of(spec),
            "max_model_len": config.max_model_len,
            "quantization": config.quantization,
            "tensor_parallel_size": options["tensor_parallel_size"],
            "stop_loops": asked.stop_loops,
            "concurrency": asked.concurrency,
            "forbidden_tokens": len(self._bias),
            **UNKNOWN,  # the engine's processes hold the model, and take what they are allowed to
        } | {package: version(package) for package in ("torch", "transformers", "vllm", "xgrammar")}

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
            self._items.run(_stopped(self._engine))
        self._items.close()
        self._engine = None

    async def _answer(self, request: Request) -> Generation:
        image = await drawn(request, lambda image: image)
        text = chat_prompt(self._processor, request)
        prompt = {"prompt": text, "multi_modal_data": {"image": image}}
        watch = Stopwatch(self._clock)
        try:
            with watch:
                said = await self._run(prompt, request)
        except RunnerError:
            raise
        except Exception as error:  # vLLM's own classes, which move between its versions
            raise RunnerError(
                f"{request.id} failed: {_told(error)}",
                hint="--runner-arg max_model_len= bounds prompt and answer together",
            ) from error
        return Generation(
            text=self._text(said.ids[:-1] if said.finish_reason == "stop" else said.ids),
            finish_reason=said.finish_reason,
            constraint="grammar" if request.mode == "constrained" else "none",
            prompt_tokens=said.prompt_tokens,
            output_tokens=len(said.ids),
            busy_s=watch.busy_s,
            latency_s=watch.latency_s,
            batch_size=watch.together,
        )

    async def _run(self, prompt: Mapping[str, Any], request: Request) -> _Said:
        """Collects one answer's tokens; one that loops is ended where the vlm runner ends it."""
        look = self._stop_loops and request.mode != "constrained"
        params = self._params(request, stream=look)
        name = f"{request.id}-{next(self._numbers)}"
        ids: list[int] = []
        outputs = self._engine.generate(prompt, params, name)
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
            f"expected {request.id} to end by stop or length, vLLM ended it otherwise",
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


async def _started(vllm: Any, options: Mapping[str, Any]) -> Any:
    """Starts the engine within the event loop that will use it."""
    return vllm.AsyncLLMEngine.from_engine_args(vllm.AsyncEngineArgs(**options))


async def _stopped(engine: Any) -> None:
    """Ends the engine within its event loop: from outside, its listener would call it dead."""
    engine.shutdown()


def _told(error: BaseException) -> str:
    """The cause of an engine's error, shortened: vLLM wraps what really happened."""
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {' '.join(str(cause).split())}"[:LONGEST_MESSAGE]


def RUNNER(  # noqa: N802  # the name by which the registry finds it
    spec: ModelSpec, settings: Settings, oracle: Callable[[str], Answer] | None
) -> VllmRunner:
    """Starts the engine; it never sees the oracle."""
    return VllmRunner(spec, settings)

"""What a run's settings say to vLLM's engine. Named with an underscore: it is no runner."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlmbench_plugin.core import ModelSpec
from vlmbench_plugin.errors import UnknownNameError, UsageError
from vlmbench_plugin.runners._loading import DTYPES
from vlmbench_plugin.runners._server_items import whole_number
from vlmbench_plugin.settings import Settings

RUNNER_ARGS = (
    "concurrency",
    "enforce_eager",
    "gpu_memory_utilization",
    "max_model_len",
    "quantization",
    "stop_loops",
    "tensor_parallel_size",
)
CONCURRENCY = 64
LONGEST_MESSAGE = 500
FIT_TO_MEMORY = -1
"""vLLM's own word for the longest context that the card's memory has room for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How the engine is started and fed.

    Attributes:
        engine: Arguments of vLLM's engine by name.
        concurrency: Items in the engine at once.
        stop_loops: Whether a free answer that repeats itself is ended.
    """

    engine: dict[str, Any]
    concurrency: int
    stop_loops: bool


def engine_options(spec: ModelSpec, settings: Settings) -> EngineOptions:
    """Reads the settings as arguments of vLLM's engine, and how it is fed.

    Raises:
        UsageError: If an argument is unknown or cannot be used.
    """
    if settings.dtype not in DTYPES:
        raise UnknownNameError("dtype", settings.dtype, DTYPES)
    arguments = dict(settings.runner_args)
    concurrency = whole_number(arguments, "concurrency", CONCURRENCY)
    stop_loops = _switch(arguments, "stop_loops", "on")
    options: dict[str, Any] = {
        "model": spec.hub_id,
        "revision": spec.revision,
        "dtype": settings.dtype,
        "seed": settings.seed,
        "max_num_seqs": concurrency,
        "max_model_len": whole_number(arguments, "max_model_len", FIT_TO_MEMORY),
        "tensor_parallel_size": whole_number(arguments, "tensor_parallel_size", 1),
        "quantization": arguments.pop("quantization", None),
        "enforce_eager": _switch(arguments, "enforce_eager", "off"),
        "limit_mm_per_prompt": {"image": 1, "video": 0},
        "structured_outputs_config": {"backend": "xgrammar"},
        "trust_remote_code": False,
        "disable_log_stats": True,
    }
    if (share := arguments.pop("gpu_memory_utilization", None)) is not None:
        options["gpu_memory_utilization"] = _share(share)
    for argument in arguments:
        raise UnknownNameError("--runner-arg of the vllm runner", argument, RUNNER_ARGS)
    return EngineOptions(engine=options, concurrency=concurrency, stop_loops=stop_loops)


def show_device(device: str) -> None:
    """Shows vLLM, which takes the first card that it sees, the one card of ``cuda:N`` alone.

    N counts the cards that this process may see. Other devices are left to vLLM's platform.

    Raises:
        UsageError: If there is no such card.
    """
    kind, _, index = device.partition(":")
    if kind != "cuda" or not index:
        return
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    cards = [name.strip() for name in seen.split(",")] if seen else None
    if not index.isdecimal() or (cards is not None and int(index) >= len(cards)):
        raise UsageError(f"the device {device} is not there; CUDA_VISIBLE_DEVICES={seen}")
    os.environ["CUDA_VISIBLE_DEVICES"] = index if cards is None else cards[int(index)]


async def started(vllm: Any, options: Mapping[str, Any]) -> Any:
    """Starts the engine within the event loop that will use it."""
    return vllm.AsyncLLMEngine.from_engine_args(vllm.AsyncEngineArgs(**options))


async def stopped(engine: Any) -> None:
    """Ends the engine within its event loop: from outside, its listener would call it dead."""
    engine.shutdown()


def told(error: BaseException) -> str:
    """The cause of an engine's error, shortened: vLLM wraps what really happened."""
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {' '.join(str(cause).split())}"[:LONGEST_MESSAGE]


def _switch(arguments: dict[str, str], name: str, default: str) -> bool:
    value = arguments.pop(name, default)
    if value not in ("on", "off"):
        raise UsageError(f"expected --runner-arg {name}=on or {name}=off, got {value!r}")
    return value == "on"


def _share(stated: str) -> float:
    try:
        share = float(stated)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        name = "gpu_memory_utilization"
        raise UsageError(f"expected --runner-arg {name}= a share up to 1, got {stated!r}")
    return share

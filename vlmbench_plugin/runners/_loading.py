"""Loads a model and its processor with ``transformers``, and says clearly why it cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vlmbench_plugin.core import Json, ModelSpec, Request
from vlmbench_plugin.errors import ModelLoadError, UnknownNameError, UsageError
from vlmbench_plugin.runners._patches import multiply_patches
from vlmbench_plugin.runners._placing import (
    check_no_offload,
    device_map,
    itemsize,
    parameters_of,
    quantization_config,
)

DTYPES = ("auto", "float32", "bfloat16", "float16")

FOLDER_PARTS = (
    ("a configuration (config.json)", ("config.json",)),
    ("weights (*.safetensors or pytorch_model*.bin)", ("*.safetensors", "pytorch_model*.bin")),
    ("a tokenizer (tokenizer.json or vocab.json)", ("tokenizer.json", "vocab.json")),
    (
        "a processor (preprocessor_config.json or processor_config.json)",
        ("preprocessor_config.json", "processor_config.json"),
    ),
)


LINEAR_KERNELS = {"fla": "flash-linear-attention", "causal_conv1d": "causal-conv1d"}
"""Module -> package of what linear attention runs fast on; without, on plain torch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What stands before and after a model, and is known before its weights are.

    Attributes:
        processor: Of its prompts and images.
        vocab_size: Width of its logits, which may exceed the tokenizer.
        stop_ids: Every token by which it may end.
    """

    processor: Any
    vocab_size: int
    stop_ids: tuple[int, ...]


def pick_device(name: str) -> Any:
    """The torch device of a ``--device`` value.

    Raises:
        UsageError: If there is no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        message = f"expected a device such as auto, cpu or cuda:0, got {name!r}"
        raise UsageError(message) from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"the device {name} is not there: torch sees {torch.cuda.device_count()} CUDA devices",
            hint="use --device cpu, or install a torch build for this machine's driver",
        )
    return device


def pick_dtype(name: str, device: Any) -> Any:
    """The torch dtype of a ``--dtype`` value: bfloat16 on a GPU and float32 on a CPU by default.

    Raises:
        UnknownNameError: If there is no such type.
    """
    import torch

    if name not in DTYPES:
        raise UnknownNameError("dtype", name, DTYPES)
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    return getattr(torch, name)


def load_front(spec: ModelSpec) -> Front:
    """Loads a model's processor and configurations, from where :func:`load_model` loads it.

    Raises:
        ModelLoadError: If files are missing, unreachable or do not fit together.
    """
    from transformers import AutoConfig, AutoProcessor, GenerationConfig

    check_folder(spec)
    with _explained(spec):
        processor = AutoProcessor.from_pretrained(spec.hub_id, revision=spec.revision)
        config = AutoConfig.from_pretrained(spec.hub_id, revision=spec.revision)
    try:
        generation = GenerationConfig.from_pretrained(spec.hub_id, revision=spec.revision)
    except OSError:  # it has none, as transformers finds out too
        generation = GenerationConfig.from_model_config(config)
    return Front(
        processor=processor,
        vocab_size=config.get_text_config().vocab_size,
        stop_ids=stop_ids(generation.eos_token_id, processor.tokenizer.eos_token_id),
    )


def stop_ids(declared: int | list[int] | None, own: int | None) -> tuple[int, ...]:
    """Joins what the generation configuration and the tokenizer declare."""
    ids = {*(declared if isinstance(declared, list) else [declared]), own}
    return tuple(sorted(token for token in ids if token is not None))


def chat_prompt(processor: Any, request: Request) -> str:
    """Renders a request's messages with the model's chat template, up to where it answers."""
    return render(request.messages, processor, thinks=request.thinking is not None)


def render(messages: Sequence[Mapping[str, Json]], processor: Any, *, thinks: bool) -> str:
    """Renders messages up to where the model goes on: to think, or to answer."""
    return str(
        processor.apply_chat_template(
            list(messages),
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=thinks,
        )
    )


def load_model(
    spec: ModelSpec,
    device: Any,
    dtype: Any,
    *,
    asked: str | None = None,
    quantization: str | None = None,
) -> Any:
    """Loads a model from a local folder, the hub cache, or the hub. Never runs a model's own code.

    Args:
        spec: Whose ``hub_id`` and ``revision`` are loaded.
        device: torch device that holds all of it.
        dtype: torch dtype of the weights.
        asked: The device as the user asked for it; with ``auto`` a model that is larger than one
            card takes several.
        quantization: To what the weights are reduced as they load (``_placing.py``).

    Returns:
        The model in evaluation mode.

    Raises:
        ModelLoadError: If files are missing, unreachable or do not fit together.
    """
    from transformers import AutoModelForImageTextToText

    options = quantization_config(quantization, dtype)
    options["device_map"] = _device_map(spec, device, dtype, asked, quantization)
    with _explained(spec):
        model, report = AutoModelForImageTextToText.from_pretrained(
            spec.hub_id,
            revision=spec.revision,
            dtype=dtype,
            output_loading_info=True,
            **options,
        )
    check_no_offload(spec.name, getattr(model, "hf_device_map", None), device)
    if absent := sorted(report["missing_keys"]):
        # transformers would go on with random numbers in their place.
        raise ModelLoadError(
            f"the weights of {spec.name} lack {len(absent)} tensors, such as {absent[0]}",
            hint="download the model again, or check that its config.json belongs to its weights",
        )
    if not hasattr(model.base_model, "rope_deltas"):
        raise ModelLoadError(
            f"expected a Qwen vision-language model as {spec.name}, got {type(model).__name__}, "
            "which counts the positions of images in another way",
            hint="serve it and use --runner openai",
        )
    multiply_patches(model)
    return model.eval()


def slow_note(config: Any) -> str | None:
    """Says that a model runs on slow reference code; None where it does not."""
    absent = slow_kernels(config)
    if not absent:
        return None
    return (
        f"linear attention runs on slow reference code; not installed: {', '.join(absent)} "
        "(for a GPU: pip install 'qwen-vlmbench[fast]')"
    )


def _device_map(
    spec: ModelSpec, device: Any, dtype: Any, asked: str | None, quantization: str | None
) -> Any:
    """Which device holds what; counts a model's parameters only where there is a choice."""
    import torch

    count = torch.cuda.device_count() if device.type == "cuda" else 0
    if asked != "auto" or count < 2:
        return device_map(device, needed=None, free=())
    from transformers import AutoConfig

    with _explained(spec):
        config = AutoConfig.from_pretrained(spec.hub_id, revision=spec.revision)
    name = str(dtype).removeprefix("torch.")
    stored = "fp8" if getattr(config, "quantization_config", None) else None
    needed = round(parameters_of(config) * itemsize(name, quantization or stored))
    free = [int(torch.cuda.mem_get_info(card)[0]) for card in range(count)]
    return device_map(device, needed=needed, free=free)


def slow_kernels(config: Any) -> list[str]:
    """The packages that a model's linear attention misses; none where it has no such layer."""
    layers = getattr(config, "layer_types", None) or ()
    wanted = LINEAR_KERNELS if "linear_attention" in layers else {}
    return [package for module, package in wanted.items() if find_spec(module) is None]


def check_folder(spec: ModelSpec) -> None:
    """Looks whether a local folder holds a model; anything else passes.

    Raises:
        ModelLoadError: If a part is missing; the message names every missing one.
    """
    folder = Path(spec.hub_id)
    if not folder.is_dir():
        return
    missing = [
        part
        for part, patterns in FOLDER_PARTS
        if not any(found for pattern in patterns for found in folder.glob(pattern))
    ]
    if missing:
        raise ModelLoadError(
            f"the folder {folder} of {spec.name} holds no model: it lacks {', '.join(missing)}",
            hint="point --model at a folder written by save_pretrained (model and processor), "
            "or at a complete download of the hub repository",
        )


@contextmanager
def _explained(spec: ModelSpec) -> Iterator[None]:
    """Turns what loading may raise into an error that says what to do."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        where = "the folder" if Path(spec.hub_id).is_dir() else "the hub id"
        revision = f" at revision {spec.revision}" if spec.revision else ""
        raise ModelLoadError(
            f"{spec.name} does not load from {where} {spec.hub_id}{revision}: "
            f"{type(error).__name__}: {error}",
            hint="the hub must be reachable (or the model cached, or --model a local folder), "
            "gated models need `hf auth login`, and a new architecture a newer transformers",
        ) from error


def commit_of(spec: ModelSpec) -> str | None:
    """The commit that a hub model was loaded from; None for a local folder."""
    from huggingface_hub import try_to_load_from_cache

    if Path(spec.hub_id).is_dir():
        return None
    # transformers 5.23 no longer keeps the commit in the configuration; the cache's path has it.
    found = try_to_load_from_cache(spec.hub_id, "config.json", revision=spec.revision)
    return Path(found).parent.name if isinstance(found, str) else spec.revision

"""How large a model is once it is loaded, in what numbers, and on which cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from types import MappingProxyType
from typing import Any

from vlmbench_plugin.errors import ModelLoadError, UnknownNameError

ITEMSIZES: Mapping[str, float] = MappingProxyType(
    {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0, "fp8": 1.0}
)
"""Number format -> bytes of a parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """A method that reduces weights as they load.

    Attributes:
        itemsize: Bytes of a parameter at least; what stays as it was takes more.
        settings: As transformers takes them.
        package: What must be installed for it, None for nothing more.
    """

    itemsize: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    package: str | None = None


_BNB = "bitsandbytes"
QUANTIZATIONS: Mapping[str, Quantization] = MappingProxyType(
    {
        "bitsandbytes_4bit": Quantization(
            itemsize=0.5,
            settings={"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
            package=_BNB,
        ),
        "bitsandbytes_8bit": Quantization(
            itemsize=1.0, settings={"load_in_8bit": True}, package=_BNB
        ),
        "fp8": Quantization(itemsize=1.0),
        "quanto": Quantization(
            itemsize=1.0, settings={"weights": "int8"}, package="optimum-quanto"
        ),
    }
)
"""The ``vlm`` runner's methods by transformers' names."""

SMALLEST_ITEMSIZE = 0.5
"""Of a method that is not ours to know: vLLM has its own."""

ROOM = 1.2
"""What weights take of a card beside themselves at least, before one card is called enough."""


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def quantization_config(
    name: str | None, dtype: Any, is_installed: Callable[[str], bool] = _installed
) -> dict[str, Any]:
    """What ``from_pretrained`` is given for ``--runner-arg quantization=NAME``.

    Args:
        name: One of ``QUANTIZATIONS``; None leaves the weights as they are stored.
        dtype: torch dtype of what is computed.
        is_installed: Tells whether a package is there.

    Raises:
        UnknownNameError: If there is no such method.
        ModelLoadError: If the package that it needs is not installed.
    """
    if name is None:
        return {}
    if name not in QUANTIZATIONS:
        raise UnknownNameError("quantization of the vlm runner", name, tuple(QUANTIZATIONS))
    from transformers.quantizers.auto import AutoQuantizationConfig

    method = QUANTIZATIONS[name]
    if method.package is not None and not is_installed(method.package):
        raise ModelLoadError(
            f"--runner-arg quantization={name} needs the package {method.package}, which is "
            "not installed",
            hint=f"pip install {method.package}, or take an official 8-bit model (NAME-fp8)",
        )
    settings = dict(method.settings)
    if name == "bitsandbytes_4bit":
        settings["bnb_4bit_compute_dtype"] = dtype
    config = AutoQuantizationConfig.from_dict({"quant_method": name, **settings})
    return {"quantization_config": config}


def itemsize(dtype: str, quantization: str | None) -> float:
    """Bytes of a parameter that is loaded so.

    Args:
        dtype: A name of ``ITEMSIZES``.
        quantization: The method, None for none.
    """
    if quantization is None:
        return ITEMSIZES[dtype]
    method = QUANTIZATIONS.get(quantization)
    return SMALLEST_ITEMSIZE if method is None else method.itemsize


def parameters_of(config: Any) -> int:
    """How many parameters a model has by its ``transformers`` configuration; takes no memory."""
    import torch
    from transformers import AutoModelForImageTextToText

    with torch.device("meta"):
        return int(AutoModelForImageTextToText.from_config(config).num_parameters())


def device_map(device: Any, *, needed: int | None, free: Sequence[int]) -> Any:
    """Which device holds what, as ``from_pretrained`` takes it.

    Args:
        device: The torch device that was picked.
        needed: Bytes of the loaded weights, None where unknown.
        free: Bytes of each card that may be used, the picked one first.

    Returns:
        None on a CPU; the one device; or ``auto`` where more cards than one are needed.
    """
    if device.type == "cpu":
        return None
    if len(free) > 1 and needed is not None and needed * ROOM > free[0]:
        return "auto"
    return {"": device}


def check_no_offload(name: str, placed: Mapping[str, Any] | None, device: Any) -> None:
    """Refuses a model of which ``auto`` has put a part where it would take minutes a token.

    Args:
        name: Of the model.
        placed: Module -> device; None where it was not asked for.
        device: The torch device that was picked.

    Raises:
        ModelLoadError: If a part is in main memory or on disk.
    """
    outside = sorted({str(where) for where in (placed or {}).values()} & {"cpu", "disk"})
    if device.type != "cpu" and outside:
        raise ModelLoadError(
            f"{name} does not fit on the cards: a part of it would be on {' and '.join(outside)}",
            hint="use --runner-arg quantization=bitsandbytes_4bit, an -fp8 model, more cards, or "
            "--runner openai with a server that shards it",
        )

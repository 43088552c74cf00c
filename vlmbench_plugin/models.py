"""The known models, and what ``--model`` may name besides them: folders, hub ids, server names.

Sizes and frames are those of the published checkpoints; a size is None where none is published.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vlmbench_plugin.core import Frame, ModelSpec
from vlmbench_plugin.errors import ModelLoadError, UnknownNameError, UsageError

GB = 1_000_000_000
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")

FAMILIES: Mapping[str, tuple[Frame, bool]] = MappingProxyType(
    {
        "qwen3_vl": ("norm_0_1000", False),
        "qwen3_vl_moe": ("norm_0_1000", False),
        "qwen3_5": ("norm_0_1000", True),
        "qwen3_5_moe": ("norm_0_1000", True),
        "qwen2_5_vl": ("pixel_resized", False),
    }
)
"""``model_type`` in a config -> frame, and whether its checkpoints think or not as they are told.

Those of Qwen3-VL are told by their names: Thinking editions always think, others never."""

# Qwen3.6 and Qwen3.8 checkpoints are of the Qwen3.5 classes.
_FAMILY_IN_NAME = (
    (re.compile(r"qwen3[._][568](?!\d|b)"), "qwen3_5"),
    (re.compile(r"qwen3-?vl"), "qwen3_vl"),
    (re.compile(r"qwen2[._]5-?vl"), "qwen2_5_vl"),
)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def _sampling(temperature: float, presence_penalty: float) -> Mapping[str, float]:
    """Returns the model cards' thinking-mode sampling; its other values are the same on all.

    A plain dict, because ``dataclasses.asdict`` cannot copy a mapping proxy.
    """
    return {
        "temperature": temperature,
        "top_p": 0.95,
        "top_k": 20,
        "presence_penalty": presence_penalty,
        "repetition_penalty": 1.0,
    }


_COOL, _HOT, _FREE = _sampling(0.6, 0.0), _sampling(1.0, 1.5), _sampling(1.0, 0.0)
_UNKNOWN = _FREE
"""Of a checkpoint that has no entry: the newest cards'."""


def _model(
    name: str,
    hub_id: str,
    total: float | None,
    weights: float | None = None,
    *,
    active: float | None = None,
    sampling: Mapping[str, float] | None = None,
) -> ModelSpec:
    """Makes one entry: parameters in billions, weights in GB, the rest from its family."""
    frame, _ = FAMILIES[_family(name) or "qwen3_vl"]
    return ModelSpec(
        name=name,
        hub_id=hub_id,
        frame=frame,
        total_params=total,
        active_params=total if active is None else active,
        weight_bytes=None if weights is None else round(weights * GB),
        thinking=sampling is not None,
        sampling=sampling or {},
    )


def _thinks(spec: ModelSpec) -> ModelSpec:
    """Makes the entry of the edition that always thinks beside ``spec``, which never does."""
    return replace(
        spec,
        name=f"{spec.name}-thinking",
        hub_id=spec.hub_id.replace("-Instruct", "-Thinking"),
        thinking=True,
        always_thinks=True,
        sampling=_COOL,
    )


def _fp8(spec: ModelSpec, weights: float | None = None) -> ModelSpec:
    """Makes the entry of the official 8-bit checkpoint beside ``spec``."""
    return replace(
        spec,
        name=f"{spec.name}-fp8",
        hub_id=f"{spec.hub_id}-FP8",
        weight_bytes=None if weights is None else round(weights * GB),
    )


def _family(text: str) -> str | None:
    lowered = text.lower()
    return next((family for found, family in _FAMILY_IN_NAME if found.search(lowered)), None)


def _toy(name: str, total: float, weights: float) -> ModelSpec:
    """Makes the entry of a checkpoint that comes with the package."""
    folder = resources.files("vlmbench_plugin").joinpath("assets", name)
    return replace(_model(name, str(folder), total, weights), toy=True)


def _registry() -> Mapping[str, ModelSpec]:
    captioner = "AbstractPhil/Qwen3.5-0.8B-json-captioner"
    vl = (
        _model("qwen3vl-2b", "Qwen/Qwen3-VL-2B-Instruct", 2.1, 4.3),
        _model("qwen3vl-4b", "Qwen/Qwen3-VL-4B-Instruct", 4.4, 8.9),
        _model("qwen3vl-8b", "Qwen/Qwen3-VL-8B-Instruct", 8.8, 17.5),
        _model("qwen3vl-32b", "Qwen/Qwen3-VL-32B-Instruct", 33.0, 67.0),
        _model("qwen3vl-30b-a3b", "Qwen/Qwen3-VL-30B-A3B-Instruct", 31.0, 62.0, active=3.0),
    )
    small = (
        _model("qwen3.5-0.8b", "Qwen/Qwen3.5-0.8B", 0.8, 1.7, sampling=_COOL),
        _model("qwen3.5-2b", "Qwen/Qwen3.5-2B", 2.0, 4.5, sampling=_COOL),
        _model("qwen3.5-4b", "Qwen/Qwen3.5-4B", 4.0, 9.0, sampling=_HOT),
        _model("qwen3.5-9b", "Qwen/Qwen3.5-9B", 9.653, 19.3, sampling=_HOT),
        _model("qwen3.5-0.8b-captioner", captioner, 0.8, sampling=_COOL),
    )
    large = (
        _model("qwen3.5-27b", "Qwen/Qwen3.5-27B", 27.0, 55.6, sampling=_HOT),
        _model("qwen3.5-35b-a3b", "Qwen/Qwen3.5-35B-A3B", 35.0, 70.0, active=3.0, sampling=_HOT),
        _model("qwen3.6-27b", "Qwen/Qwen3.6-27B", 27.0, 55.0, sampling=_FREE),
        _model("qwen3.6-35b-a3b", "Qwen/Qwen3.6-35B-A3B", 35.0, 70.0, active=3.0, sampling=_FREE),
    )
    newest = _model("qwen3.8-27b", "Qwen/Qwen3.8-27B", 27.0, 55.563006776, sampling=_FREE)
    older = (
        _model("qwen2.5vl-3b", "Qwen/Qwen2.5-VL-3B-Instruct", 3.75),
        _model("qwen2.5vl-7b", "Qwen/Qwen2.5-VL-7B-Instruct", 8.29),
    )
    toys = _toy("tiny-qwen3vl", 0.00291, 0.005836936), _toy("tiny-qwen3.5", 0.00144, 0.00290076)
    thinking = tuple(map(_thinks, vl))
    eight_bit = (*(_fp8(spec) for spec in (*vl, *thinking, *large)), _fp8(newest, 30.9))
    every = (*vl, *thinking, *small, *large, newest, *older, *eight_bit, *toys)
    return MappingProxyType({spec.name: spec for spec in every})


MODELS: Mapping[str, ModelSpec] = _registry()
"""Name -> model."""


def resolve_models(expressions: Sequence[str], frame: Frame | None) -> tuple[ModelSpec, ...]:
    """Turns what ``--model`` was given into models, without touching a network.

    Args:
        expressions: Each a name of ``MODELS``, a folder, a hub id ``org/name[@revision]``, one of
            the last two as ``name=...``, or ``known-name=name-on-the-server``.
        frame: The frame of all of them, or None where the models' own holds.

    Raises:
        UnknownNameError: If a name is none of these; the message lists the known ones.
        UsageError: If a frame cannot be known, a name is malformed, or two models share one.
        ModelLoadError: If a folder lacks its configuration or its weights.
    """
    specs = tuple(_resolve(expression.strip(), frame) for expression in expressions)
    counts = Counter(spec.name for spec in specs)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise UsageError(
            f"expected models of different names, got {', '.join(twice)} more than once",
            hint="give one of them another name: --model other-name=PATH_OR_HUB_ID",
        )
    return specs


def _resolve(expression: str, frame: Frame | None) -> ModelSpec:
    if expression in MODELS:
        return _framed(MODELS[expression], frame)
    if _is_folder(expression):
        return _from_folder(None, expression, frame)
    name, given, target = expression.partition("=")
    if not given:
        name, target = "", expression
    elif not _NAME.fullmatch(name) or not target:
        raise UsageError(
            f"expected NAME=FOLDER, NAME=org/id or NAME=SERVED_NAME, got {expression!r}",
            hint="a name is made of ASCII letters, digits, '.', '_', '+' and '-'",
        )
    if given and _is_folder(target):
        return _from_folder(name, target, frame)
    if _HUB_ID.fullmatch(target):
        return _from_hub(name or None, target, frame)
    if given and name in MODELS:
        return _framed(replace(MODELS[name], served_name=target), frame)
    raise UnknownNameError(
        "model",
        name or target,
        tuple(MODELS),
        hint="a folder with a config.json and a hub id such as org/name are taken too",
    )


def _framed(spec: ModelSpec, frame: Frame | None) -> ModelSpec:
    return spec if frame is None else replace(spec, frame=frame)


def _is_folder(text: str) -> bool:
    """Tells paths from other names; a bare word is one only if it holds a configuration."""
    if text.startswith((".", "/", "~")) or ("/" in text and Path(text).is_dir()):
        return True
    return bool(text) and Path(text, "config.json").is_file()


def _short_name(text: str) -> str:
    """Returns the last part of a path or id, lower-cased, without what a test id cannot hold."""
    safe = re.sub(r"[^a-z0-9._+-]+", "-", text.rpartition("/")[2].lower()).strip("-.")
    return safe or "model"


def _from_folder(name: str | None, text: str, frame: Frame | None) -> ModelSpec:
    folder = Path(text).expanduser().resolve()
    if not folder.is_dir():
        raise ModelLoadError(f"expected a model folder, got {text!r}: there is no such folder")
    weights = next((found for pattern in WEIGHTS if (found := list(folder.glob(pattern)))), [])
    missing = [] if (folder / "config.json").is_file() else ["config.json"]
    missing += [] if weights else [f"weights ({' or '.join(WEIGHTS)})"]
    if missing:
        raise ModelLoadError(
            f"expected a model in {text!r}, got a folder without {' and '.join(missing)}",
            hint="point to the folder that save_pretrained or a hub download wrote",
        )
    model_type = str(_read_config(folder / "config.json").get("model_type"))
    known, _ = FAMILIES.get(model_type, (None, False))
    return ModelSpec(
        name=name or _short_name(folder.as_posix()),
        hub_id=str(folder),
        frame=_need_frame(frame or known, text, f"its model_type is {model_type!r}"),
        weight_bytes=sum(path.stat().st_size for path in weights),
        **_thinking(model_type, folder.name),
    )


def _thinking(family: str | None, checkpoint: str) -> dict[str, Any]:
    """Returns what an entry says of thinking, for a checkpoint that has none."""
    _, thinking = FAMILIES.get(family or "", (None, False))
    always = (family or "").startswith("qwen3_vl") and "thinking" in checkpoint.lower()
    return {
        "thinking": thinking or always,
        "always_thinks": always,
        "sampling": _COOL if always else _UNKNOWN if thinking else {},
    }


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"expected a JSON object in {path}, got {error}") from error
    if not isinstance(config, dict):
        raise ModelLoadError(f"expected a JSON object in {path}, got {type(config).__name__}")
    return config


def _from_hub(name: str | None, text: str, frame: Frame | None) -> ModelSpec:
    """Makes the model of a hub id: a known id's facts, else its own name's family's."""
    hub_id, _, revision = text.partition("@")
    short = name or _short_name(hub_id)
    known = next((spec for spec in MODELS.values() if spec.hub_id == hub_id), None)
    if known is not None:
        return _framed(replace(known, name=short, revision=revision or None), frame)
    # A known name given to another checkpoint, as for a fine-tune, says of which family that is.
    last = hub_id.rpartition("/")[2]
    family = _family(last) or (_family(short) if short in MODELS else None)
    own, _ = FAMILIES[family] if family else (None, False)
    return ModelSpec(
        name=short,
        hub_id=hub_id,
        frame=_need_frame(frame or own, text, "no folder, and its name tells no known family"),
        revision=revision or None,
        **_thinking(family, last),
    )


def _need_frame(frame: Frame | None, text: str, reason: str) -> Frame:
    if frame is None:
        raise UsageError(
            f"cannot tell in which coordinate frame {text!r} answers: {reason}",
            hint="say it with --frame norm_0_1000|pixel_resized|norm_0_1|pixel",
        )
    return frame

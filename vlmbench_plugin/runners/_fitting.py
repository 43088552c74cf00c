"""Whether the models of a run fit onto this machine, told before the first of them is loaded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vlmbench_plugin.core import ModelSpec
from vlmbench_plugin.models import GB
from vlmbench_plugin.runners._placing import ITEMSIZES, ROOM, itemsize
from vlmbench_plugin.runners._preflight import AUTO
from vlmbench_plugin.runners._weights import cached_weight_bytes
from vlmbench_plugin.settings import Settings

BILLION = 1_000_000_000
_STORED_AS = 2.0
"""Bytes of a parameter in the published checkpoints whose size alone is known."""
_CARDS = (
    "import json, torch; c = torch.cuda; print(json.dumps("
    "[[c.mem_get_info(i)[1], c.mem_get_info(i)[0]] for i in range(c.device_count())]))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Memory of one CUDA device in bytes."""

    total: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is. All sizes in bytes, None where not known.

    Attributes:
        cards: The CUDA devices, in order.
        memory: Main memory with swap.
        disk: Free space where the hub cache is.
        cached: Model name -> weights that are there already; no entry for a local folder.
        offline: Whether the hub library was told to download nothing.
    """

    cards: tuple[Card, ...] = ()
    memory: int | None = None
    disk: int | None = None
    cached: Mapping[str, int] = field(default_factory=dict)
    offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one model takes. All sizes in bytes, None where not known.

    Attributes:
        name: Of the model.
        loaded: Its weights in memory.
        missing: What is to be downloaded.
        format: In what numbers its weights are loaded.
    """

    name: str
    loaded: int | None
    missing: int | None
    format: str


def need_of(spec: ModelSpec, settings: Settings, machine: Machine) -> Need:
    """What a model takes on a machine, from its published or stored size."""
    quantization = settings.runner_args.get("quantization")
    on_cpu = settings.device.startswith("cpu") or not machine.cards
    dtype = settings.dtype
    if dtype not in ITEMSIZES:  # auto; any other is refused where it is read
        dtype = "float32" if on_cpu else "bfloat16"
    stored = "fp8" if spec.hub_id.upper().endswith("-FP8") else None
    size = itemsize(dtype, quantization or stored)
    loaded = None
    if spec.total_params is not None:
        loaded = round(spec.total_params * BILLION * size)
    elif spec.weight_bytes is not None:
        loaded = round(spec.weight_bytes * size / _stored_itemsize(spec))
    whole = spec.weight_bytes
    if whole is None and spec.total_params is not None:
        whole = round(spec.total_params * BILLION * (1.0 if stored else _STORED_AS))
    there = machine.cached.get(spec.name)
    missing = 0 if there is None else whole and max(0, whole - there)
    numbers = quantization or stored or dtype
    return Need(name=spec.name, loaded=loaded, missing=missing, format=numbers)


def room_of(settings: Settings, machine: Machine, workers: int) -> tuple[Card, ...] | None:
    """The cards that one worker may fill; None where a model is loaded into main memory."""
    if settings.device.startswith("cpu") or not machine.cards:
        return None
    if settings.device != AUTO:
        indices = [part.strip().partition(":")[2] or "0" for part in settings.device.split(",")]
        named = [int(i) for i in indices if i.isdecimal() and int(i) < len(machine.cards)]
        smallest = min((machine.cards[i] for i in named), key=lambda card: card.total, default=None)
        return (smallest,) if smallest else None
    if workers > 1:
        return (min(machine.cards, key=lambda card: card.total),)
    shards = settings.runner_args.get("tensor_parallel_size", "1")
    if settings.runner == "vllm" and shards.isdecimal():
        return machine.cards[: max(1, int(shards))]
    return machine.cards


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What is said before the first load.

    Attributes:
        lines: One per model, and one about downloads.
        refusals: Why the run cannot end well; none where it may.
    """

    lines: tuple[str, ...]
    refusals: tuple[str, ...]


def fit(specs: Iterable[ModelSpec], settings: Settings, machine: Machine, workers: int = 1) -> Fit:
    """Compares what models need with what a machine has.

    Toys are left out. What is refused is what surely fails: weights alone that are larger than all
    of the memory, or than the disk. Less than that may still run out of memory, and is only said.

    Args:
        specs: The models that will be loaded.
        settings: Of the run.
        machine: Where it runs.
        workers: Processes that each load the models.
    """
    needs = [need_of(spec, settings, machine) for spec in specs if not spec.toy]
    room = room_of(settings, machine, workers)
    lines, refusals = [], []
    for need in needs:
        line, surely_not = _memory_line(need, room, machine, workers)
        lines.append(line)
        refusals += [line] if surely_not else []
    if missing := [need for need in needs if need.missing != 0]:
        line, surely_not = _disk_line(missing, settings, machine)
        lines.append(line)
        refusals += [line] if surely_not else []
    return Fit(lines=tuple(lines), refusals=tuple(refusals))


def machine_of(specs: Sequence[ModelSpec], settings: Settings) -> Machine:
    """Looks at this machine; asks no network, and leaves no context on any card."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return Machine(
        cards=() if settings.device.startswith("cpu") else cards(),
        memory=_main_memory(),
        disk=shutil.disk_usage(folder).free,
        cached=cached_weight_bytes(specs),
        offline=bool(constants.HF_HUB_OFFLINE),
    )


def cards() -> tuple[Card, ...]:
    """The CUDA devices, asked in a process of its own: who asks keeps memory on each of them."""
    import torch

    if not torch.cuda.device_count():
        return ()
    # Our own interpreter and a constant program.
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _CARDS], capture_output=True, text=True, check=False
    )
    if done.returncode:  # loading will tell what is wrong with them
        return ()
    return tuple(Card(total=total, free=free) for total, free in json.loads(done.stdout))


def _memory_line(
    need: Need, room: tuple[Card, ...] | None, machine: Machine, workers: int
) -> tuple[str, bool]:
    """Returns what is said of one model, and whether it surely does not fit."""
    if need.loaded is None:
        return f"{need.name}: the size of its weights is not known", False
    said = f"{need.name}: {_gb(need.loaded)} of weights as {need.format}"
    if room is None:
        total, free = machine.memory, machine.memory
        needed, where = need.loaded * workers, "main memory"
        said += f" in each of {workers} workers" if workers > 1 else ""
    else:
        total, free = (sum(getattr(card, name) for card in room) for name in ("total", "free"))
        needed = need.loaded
        where = "the card" if len(room) == 1 else f"{len(room)} cards together"
    if total is None or free is None:
        return said, False
    if needed > total:
        return f"{said}, more than {where} can hold: {_gb(total)}", True
    if needed * ROOM > free:
        return f"{said}; {where} has {_gb(free)} free: it may run out of memory", False
    return f"{said}; {where} has {_gb(free)} free", False


def _disk_line(missing: Sequence[Need], settings: Settings, machine: Machine) -> tuple[str, bool]:
    """Returns what is said of the downloads, and whether they surely fail."""
    sizes = [need.missing for need in missing if need.missing is not None]
    bound = "" if len(sizes) == len(missing) else "at least "
    # Bounds all the same with several workers: each may hold another model for a while.
    peak = max(sizes, default=0) if settings.clear_cache_after_model else sum(sizes)
    names = ", ".join(need.name for need in missing)
    said = f"to download: {bound}{_gb(sum(sizes))} ({names})"
    if machine.offline:
        return f"{said}, but HF_HUB_OFFLINE is set", True
    if peak != sum(sizes):
        said += f", {_gb(peak)} of it at a time"
    if machine.disk is None:
        return said, False
    if peak > machine.disk:
        return f"{said}, more than the disk has free: {_gb(machine.disk)}", True
    return f"{said}; the disk has {_gb(machine.disk)} free", False


def _stored_itemsize(spec: ModelSpec) -> float:
    """Bytes of a parameter as a checkpoint's folder says; else as the published ones have them."""
    path = Path(spec.hub_id, "config.json")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a hub id; of a folder that was looked at before
        return _STORED_AS
    text = config.get("text_config") or {}
    found = (config.get(n) or text.get(n) for n in ("dtype", "torch_dtype"))
    return ITEMSIZES.get(next(filter(None, found), ""), _STORED_AS)


def _main_memory() -> int | None:
    """Main memory and swap in bytes; None where the system does not tell."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    try:
        told = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return memory + int(told["SwapTotal"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return memory


def _gb(size: int) -> str:
    return f"{size / GB:,.1f} GB"

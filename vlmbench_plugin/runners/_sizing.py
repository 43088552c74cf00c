"""How many answers are generated together, and on how many threads."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from vlmbench_plugin.core import Request

LARGEST = 64
ON_CPU = 32
WITHOUT_FIGURES = 8
"""On accelerators that do not tell their free memory."""

USABLE = 0.7
"""Share of the free memory that a batch may be planned to fill; fragments and kernels take more."""

READ_AT_ONCE = 8192
"""Prompt tokens of one pass on an accelerator, padding included; its memory is within the rest."""
READ_AT_ONCE_ON_CPU = 2048
"""Of the random checkpoint of the fixtures, 32 prompts of 300 tokens took 200 ms one at a time,
130 ms in passes of 2,048 tokens, 140 ms in one pass; 16 of 840 tokens each 15 ms alone, 17 ms in
one pass, and 29 ms with padding."""

PROMPT_TOKENS = 2560
"""Planned for a prompt: 1,280 of an image at the default cap, and as many of text."""
ANSWER_TOKENS = 2048
"""Planned for an answer at most: budgets are bounds that few answers come near."""

TOY_PARAMETERS = 10_000_000

_log = logging.getLogger(__name__)


class BatchSize:
    """The size of the next batch.

    Chosen from memory and never from timing, so that the same run on the same machine makes the
    same batches, and with them the same texts.

    Args:
        asked: What the user asked for; None to choose.
        model: Loaded.
        device: torch device that holds it.

    Attributes:
        limit: What memory was seen to hold; None until it ran out.
    """

    def __init__(self, asked: int | None, model: Any, device: Any) -> None:
        self._asked = asked
        self._told = asked
        self.limit: int | None = None
        self._device_type = device.type
        self._free = free_bytes(cards_of(model, device))
        self._config, self._itemsize = model.config.get_text_config(), model.dtype.itemsize

    def of(self, request: Request) -> int:
        """The most rows of a batch that begins with a request."""
        size = self._asked or self._planned(request)
        if self.limit is not None:
            size = min(size, self.limit)
        if size != self._told:
            _log.info("batch size %d for answers of up to %d tokens", size, request.budget)
            self._told = size
        return size

    def ran_out_of_memory(self, rows: int) -> None:
        """Remembers that a batch of so many rows was too large."""
        self.limit = max(1, rows // 2)
        _log.warning("out of memory with %d answers at once: %d from now on", rows, self.limit)

    def _planned(self, request: Request) -> int:
        if self._device_type == "cpu":
            return ON_CPU
        if self._free is None:
            return WITHOUT_FIGURES
        # A thought may well spend its budget.
        thinking = request.thinking.budget if request.thinking else 0
        tokens = PROMPT_TOKENS + thinking + min(request.budget, ANSWER_TOKENS)
        row = row_bytes(self._config, self._itemsize, tokens)
        fitting = int(USABLE * self._free / row)
        return min(LARGEST, 1 << max(fitting, 1).bit_length() - 1)


def cards_of(model: Any, device: Any) -> list[Any]:
    """The CUDA devices that hold a model; none where it is on another kind of device."""
    if device.type != "cuda":
        return []
    placed = getattr(model, "hf_device_map", None)
    return sorted(set(placed.values()), key=str) if placed else [device]


def free_bytes(cards: Sequence[Any]) -> int | None:
    """Memory for batches beside what is loaded; None where no card tells.

    Each of several cards holds its layers' share of a row: the fullest of them is what counts.
    """
    import torch

    if not cards:
        return None
    return len(cards) * min(int(torch.cuda.mem_get_info(card)[0]) for card in cards)


def row_bytes(config: Any, itemsize: int, tokens: int) -> int:
    """Memory of the keys and values of one row.

    Args:
        config: The model's text configuration.
        itemsize: Bytes of a number.
        tokens: Of prompt and answer.
    """
    layers = getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
    caching = sum(kind != "linear_attention" for kind in layers)
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * caching * config.num_key_value_heads * head * itemsize * tokens)


def is_out_of_memory(error: BaseException) -> bool:
    """Tells whether a smaller batch may succeed."""
    import torch

    # On a CPU torch raises a plain RuntimeError that names its allocator.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "Allocator" in str(error)


def is_toy(model: Any, device: Any) -> bool:
    """Tells whether a model is too small for more than one CPU thread to help.

    On a busy machine of two cores, where two threads wait for each other, the random checkpoint
    gave 20,000 tokens/s with 32 rows on one thread and 5,400 on two; alone 950 and 60.
    """
    return bool(device.type == "cpu" and model.num_parameters() < TOY_PARAMETERS)


def use_threads(count: int) -> int:
    """Sets how many CPU threads torch computes with, and returns how many it had."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    return int(before)

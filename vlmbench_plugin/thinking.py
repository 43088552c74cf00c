"""Thinking before the answer: what is asked for, and which models can be asked for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from vlmbench_plugin.errors import UsageError

if TYPE_CHECKING:
    from vlmbench_plugin.core import ModelSpec
    from vlmbench_plugin.settings import Settings

Reasoning = Literal["off", "on"]
REASONINGS: tuple[Reasoning, ...] = get_args(Reasoning)

THINKING_BUDGET = 4096
"""Tokens. With an image of 1,280 tokens, its prompt and the longest answer it fits into a context
of 16,384, and it is eight to sixteen times what an answer costs: a labeler that needs more is too
dear to label with. The model cards' 32,768 are for mathematics and code."""

OPEN = "<think>"
CLOSE = "</think>"
SEAM = "\n\n"
"""What stands between the end of thinking and the answer in the chat templates of all families."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """How a model thinks before one answer.

    Attributes:
        budget: The most tokens; when they are spent, the end of thinking is written for the model.
        seed: Of the sampling, from 0 to 2^32 - 1. That of an image is the same in both modes.
        sampling: The model card's values by name: ``temperature``, ``top_p``, ``top_k``,
            ``presence_penalty``, ``repetition_penalty``.
    """

    budget: int
    seed: int
    sampling: Mapping[str, float]


def thinking_of(
    spec: ModelSpec, settings: Settings, category: str, image_id: str
) -> Thinking | None:
    """Returns how a model thinks about one image; None where the run is without thinking."""
    if settings.reasoning == "off":
        return None
    drawn = hashlib.sha256(f"{settings.seed}|{category}|{image_id}".encode()).digest()
    return Thinking(
        budget=thinking_budget(settings),
        seed=int.from_bytes(drawn[:4]),
        sampling=spec.sampling,
    )


def thinking_budget(settings: Settings) -> int:
    """Returns the most tokens of thinking, whether or not the run thinks."""
    return THINKING_BUDGET if settings.thinking_budget is None else settings.thinking_budget


def check_thinking(specs: Iterable[ModelSpec], settings: Settings) -> None:
    """Looks whether every model of a run can be asked as the run asks.

    Raises:
        UsageError: If one cannot think and shall, or always thinks and shall not; or if there is a
            budget for thinking and no thinking.
    """
    if settings.reasoning == "on":
        unable = [spec.name for spec in specs if not spec.thinking]
        if unable:
            raise UsageError(
                f"--reasoning on: expected models that can think, got {', '.join(unable)}",
                hint="ask them in a run of their own, without it: both runs may share a folder and "
                "its leaderboard. Qwen3-VL thinks in checkpoints of its own, such as "
                "qwen3vl-4b-thinking",
            )
        return
    if settings.thinking_budget is not None:
        raise UsageError(
            "--thinking-budget bounds thinking, which is off", hint="add --reasoning on"
        )
    unable = [spec.name for spec in specs if spec.always_thinks]
    if unable:
        raise UsageError(
            f"--reasoning off: expected models that can answer at once, got {', '.join(unable)}",
            hint="ask them with --reasoning on, in a run of their own where others shall not think",
        )

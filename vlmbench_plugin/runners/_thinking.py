"""Thinking: sampled token by token until it ends, or until its end is written for the model.

Named with an underscore: it is no runner. What ends a thought, and what is read after it, is the
same for the ``vlm`` and the ``vllm`` runner.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vlmbench_plugin.core import Json, ModelSpec
from vlmbench_plugin.errors import ModelLoadError, UsageError
from vlmbench_plugin.runners._decoding import LOOP_CHECK_EVERY
from vlmbench_plugin.runners._grammar import allowed_ids
from vlmbench_plugin.runners._loading import render
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.thinking import CLOSE, OPEN, SEAM, Thinking, thinking_budget


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingTokens:
    """What a model's tokens mean while it thinks.

    Attributes:
        close: The end of thinking and what parts it from the answer; the first is ``</think>``.
        stop_ids: Tokens by which an answer ends; a thought that they end has no answer yet.
        forbidden: Every other token that is no text. A placeholder of an image could not be read
            again by a server that goes on from the thought's text.
    """

    close: tuple[int, ...]
    stop_ids: Collection[int]
    forbidden: tuple[int, ...]

    def rest(self, last: int) -> tuple[list[int], bool]:
        """What is read from the last token of a thought on, and whether that end was forced."""
        if last == self.close[0]:
            return [*self.close], False
        return ([] if last in self.stop_ids else [last]) + [*self.close], True


def thinking_tokens(tokenizer: Any, vocab_size: int, stop_ids: Collection[int]) -> ThinkingTokens:
    """Reads a model's tokens.

    Args:
        tokenizer: The model's Hugging Face tokenizer.
        vocab_size: Width of the model's logits, which may exceed the tokenizer.
        stop_ids: Tokens that may end an answer.

    Raises:
        ModelLoadError: If the end of thinking is none of its tokens.
    """
    close = tuple(tokenizer.encode(CLOSE + SEAM, add_special_tokens=False))
    if close[0] not in tokenizer.added_tokens_decoder:
        raise ModelLoadError(
            f"expected a tokenizer in which {CLOSE} is one token, as in models that can think",
            hint="ask this model without --reasoning on",
        )
    meant = {*allowed_ids(tokenizer, vocab_size, stop_ids), close[0]}
    forbidden = tuple(token for token in range(vocab_size) if token not in meant)
    return ThinkingTokens(close=close, stop_ids=frozenset(stop_ids), forbidden=forbidden)


def check_template(processor: Any, spec: ModelSpec, *, thinks: bool) -> None:
    """Looks whether a chat template leads to thinking, or to an answer, as the run asks.

    Args:
        processor: The model's.
        spec: The model.
        thinks: Whether it shall think.

    Raises:
        ModelLoadError: If it does not.
    """
    prompt = render([{"role": "user", "content": "?"}], processor, thinks=thinks)
    opened = prompt.rstrip().endswith(OPEN)
    if thinks and not opened:
        raise ModelLoadError(
            f"expected the chat template of {spec.name} to end in {OPEN} where it shall think",
            hint="this checkpoint does not think: ask it with --reasoning off",
        )
    if opened and not thinks:
        raise ModelLoadError(
            f"the chat template of {spec.name} begins to think although it was told not to",
            hint="this checkpoint always thinks: ask it with --reasoning on",
        )


def thinking_facts(spec: ModelSpec, settings: Settings) -> dict[str, Json]:
    """What a runner says in the manifest of how its model thinks."""
    if settings.reasoning == "off":
        return {"enable_thinking": False}
    return {
        "enable_thinking": True,
        "thinking_budget": thinking_budget(settings),
        "thinking_sampling": dict(spec.sampling),
    }


@dataclass(slots=True, kw_only=True)
class Thought:
    """What one row thinks before its answer.

    Attributes:
        plan: How it thinks.
        tokens: What its tokens mean.
        is_looping: Tells from the tokens so far whether they repeat themselves; None to let them.
        ids: Its tokens so far as the model reads them, the seam to the answer included.
        seen: The different ones among them.
        drawn: How many tokens the model itself gave, ``</think>`` or a stop token included.
        forced: Whether its end was written for the model; None while it goes on.
    """

    plan: Thinking
    tokens: ThinkingTokens
    is_looping: Callable[[list[int]], bool] | None = None
    ids: list[int] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    drawn: int = 0
    forced: bool | None = None
    _due: list[int] = field(init=False, default_factory=list)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.plan.seed)  # no secret hangs on it

    @property
    def is_open(self) -> bool:
        """Whether its next token is the model's own."""
        return self.forced is None

    @property
    def goes_on(self) -> bool:
        """Whether the next token is not the answer's first."""
        return self.is_open or bool(self._due)

    @property
    def room(self) -> int:
        """The most tokens that are read before the answer."""
        return self.plan.budget + len(self.tokens.close)

    def again(self) -> Thought:
        """The same thought, begun anew."""
        return Thought(plan=self.plan, tokens=self.tokens, is_looping=self.is_looping)

    def point(self) -> float:
        """Where in [0, 1) the next token is drawn: it hangs on nothing but seed and position."""
        return self._random.random()

    def take(self, drawn: int) -> int:
        """Returns the token that the model reads next.

        Args:
            drawn: What the model gave; looked at only while the thought is open.
        """
        if self.is_open:
            self.drawn += 1
            self._due = [drawn]
            if self._ends(drawn):
                self._due, self.forced = self.tokens.rest(drawn)
        token = self._due.pop(0)
        self.ids.append(token)
        self.seen.add(token)
        return token

    def _ends(self, drawn: int) -> bool:
        if drawn in self.tokens.stop_ids or drawn == self.tokens.close[0]:
            return True
        if self.drawn >= self.plan.budget:
            return True
        look = self.is_looping is not None and self.drawn % LOOP_CHECK_EVERY == 0
        return bool(look and self.is_looping and self.is_looping([*self.ids, drawn]))


class Sampler:
    """Draws the next tokens of thoughts.

    Args:
        sampling: As in ``Thinking``.
        tokens: The model's, which are told apart while it thinks.

    Raises:
        UsageError: If the sampling asks for what is not done here.
    """

    def __init__(self, sampling: Mapping[str, float], tokens: ThinkingTokens) -> None:
        if sampling.get("repetition_penalty", 1.0) != 1.0:
            raise UsageError("the vlm runner knows no repetition penalty; use --runner vllm")
        self._temperature = sampling["temperature"]
        self._top_p, self._top_k = sampling["top_p"], int(sampling["top_k"])
        self._presence = sampling["presence_penalty"]
        self.tokens = tokens

    def draw(self, logits: Any, thoughts: Sequence[Thought]) -> list[int]:
        """Draws one token for each thought.

        A row's token follows from its own logits and thought alone, in whatever batch they are:
        the point of a seeded draw cuts the row's own cumulated probabilities.

        Args:
            logits: float32 of shape (thoughts, vocabulary), changed in place.
            thoughts: In the order of the rows.
        """
        import torch

        device = logits.device
        forbidden = torch.tensor(self.tokens.forbidden, device=device, dtype=torch.long)
        logits.index_fill_(1, forbidden, -torch.inf)
        if self._presence:
            seen = [(row, token) for row, one in enumerate(thoughts) for token in one.seen]
            rows, tokens = torch.tensor(seen, device=device, dtype=torch.long).reshape(-1, 2).T
            logits[rows, tokens] -= self._presence
        best = logits.topk(min(self._top_k, logits.shape[1]), dim=-1)
        chances = (best.values / self._temperature).softmax(dim=-1)
        # Of the most likely tokens as few as together reach top_p, and at least one.
        chances = chances * (chances.cumsum(dim=-1) - chances < self._top_p)
        reached = chances.cumsum(dim=-1)
        points = torch.tensor([[one.point()] for one in thoughts], device=device)
        behind = (reached <= points * reached[:, -1:]).sum(dim=-1, keepdim=True)
        last = (chances > 0).sum(dim=-1, keepdim=True) - 1
        drawn: list[int] = best.indices.gather(1, torch.minimum(behind, last))[:, 0].tolist()
        return drawn

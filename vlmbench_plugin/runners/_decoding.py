"""Decoding of a batch: one forward pass per token for all rows that go on.

Answers are greedy; a thought before an answer is sampled.

``transformers``' own ``generate`` gives the same tokens, which a test checks. It keeps a batch
whole until its longest answer ends, and spends as long again on bookkeeping as the tiny model on
computing (390 against 600 tokens/s of one row on two cores).
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from vlmbench_plugin.core import FinishReason
from vlmbench_plugin.runners._cache import batch_cache, join

if TYPE_CHECKING:
    from vlmbench_plugin.runners._grammar import GrammarMasks
    from vlmbench_plugin.runners._thinking import Sampler, Thought

LOOP_CHECK_EVERY = 32
"""Tokens between two looks for a loop: a look of each of 32 rows costs 3 % of a step each."""
LOOP_TAIL = 2048
"""Tokens in which a loop shows: it takes 512 characters, of up to four single-byte tokens each."""

KEPT_SHARE = 0.75
"""Finished rows leave the batch when at most this share of its rows goes on.

It costs one copy of the keys and values. 32 answers of 120 to 160 tokens took 0.90 to 0.97 s with
0.75, 0.97 to 1.02 s with 0.5, 0.96 to 1.0 s when each row left at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What ends an answer.

    Attributes:
        budget: The most tokens, the stop token included.
        stop_ids: Tokens by which the model ends.
        is_looping: Tells from the tokens so far whether they repeat themselves; None to let them.
    """

    budget: int
    stop_ids: Collection[int]
    is_looping: Callable[[list[int]], bool] | None = None

    def reason(self, ids: list[int]) -> FinishReason | None:
        """Why these tokens are the last ones, or None."""
        if ids[-1] in self.stop_ids:
            return "stop"
        if len(ids) >= self.budget:
            return "length"
        look = self.is_looping is not None and len(ids) % LOOP_CHECK_EVERY == 0
        return "loop" if look and self.is_looping and self.is_looping(ids) else None


@dataclass(slots=True, kw_only=True)
class Row:
    """One answer in the making.

    Attributes:
        prompt_tokens: Of its prompt, image tokens included.
        limits: What ends it.
        grammar: The compiled grammar that holds it, or None.
        thought: What comes before it; None where it begins at once.
        ids: Its tokens so far, the stop token included.
        logprobs: Their log probabilities under the model's own distribution, before any mask.
        finish_reason: None while it goes on.
        steps: Passes that gave it a token.
        busy_s: Its share of the model's seconds: of a prefill by its tokens, of a step by its rows.
        latency_s: Seconds of its batch until its own end.
    """

    prompt_tokens: int
    limits: Limits
    grammar: Any = None
    thought: Thought | None = None
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    steps: int = 0
    busy_s: float = 0.0
    latency_s: float = 0.0

    @property
    def is_thinking(self) -> bool:
        """Whether its next token is not one of the answer."""
        return self.thought is not None and self.thought.goes_on

    @property
    def room(self) -> int:
        """The most tokens behind the prompt."""
        return self.limits.budget + (self.thought.room if self.thought else 0)


class Decoding:
    """Continues the prompts of one batch until each row has ended.

    Args:
        model: A ``transformers`` image-text-to-text model in evaluation mode.
        rows: What to fill, in the order of the inputs.
        masks: Hold the rows that have a grammar to it, from their answer's first token on.
        sampler: Draws the tokens of thoughts; None where no row thinks.
    """

    def __init__(
        self,
        model: Any,
        rows: Sequence[Row],
        masks: GrammarMasks,
        sampler: Sampler | None = None,
    ) -> None:
        self._model = model
        self._rows = list(rows)  # as they lie in the cache, finished ones among them
        self._sampler = sampler
        self._masks = masks.rows([row.grammar for row in rows])
        # transformers 5.24 renamed the argument, and warns of the old name.
        renamed = "cache" in inspect.signature(model.forward).parameters
        self._cache_name = "cache" if renamed else "past_key_values"

    def run(self, groups: Iterable[Mapping[str, Any]]) -> Iterator[list[Row]]:
        """Generates, and yields the rows that a step has ended as soon as it has.

        Args:
            groups: What the processor made of the prompts and images, on the model's device. The
                rows of a group are read together, padded on the left, where ``attention_mask`` is
                0; those of all groups go on together.

        Raises:
            RunnerError: If a mask and its grammar disagree.
        """
        import torch

        forward: Callable[[], Any] = partial(self._prefill, groups)
        while any(row.finish_reason is None for row in self._rows):
            begun = time.perf_counter()
            with torch.inference_mode():
                self._drop_finished()
                indices = [i for i, row in enumerate(self._rows) if row.finish_reason is None]
                self._masks.fill([i for i in indices if not self._rows[i].is_thinking])
                self._extend(forward(), indices)
            going = [self._rows[index] for index in indices]
            # Reading the tokens has waited for the device.
            charge(going, time.perf_counter() - begun)
            if ended := [row for row in going if row.finish_reason is not None]:
                yield ended
            forward = self._next

    def _prefill(self, groups: Iterable[Mapping[str, Any]]) -> Any:
        """Reads the prompts; returns logits of (rows, 1, vocabulary)."""
        import torch
        from torch.nn.functional import pad

        caches, logits, seen, positions = [], [], [], []
        for inputs in groups:
            caches.append(batch_cache(self._model.config.get_text_config()))
            output = self._model(
                **inputs, **{self._cache_name: caches[-1]}, use_cache=True, logits_to_keep=1
            )
            logits.append(output.logits)
            seen.append(inputs["attention_mask"])
            # Behind an image the position is not the number of tokens: rotary offsets by row.
            positions.append(seen[-1].sum(dim=1, keepdim=True) + self._model.model.rope_deltas)
        self._cache = join(caches)
        self._length = max(mask.shape[1] for mask in seen)
        aligned = torch.cat([pad(mask, (self._length - mask.shape[1], 0)) for mask in seen])
        # One mask for all steps, of which each sees the beginning.
        room = max(row.room for row in self._rows)
        self._seen = torch.cat([aligned, aligned.new_ones((len(self._rows), room))], dim=1).bool()
        self._positions = torch.cat(positions)
        return torch.cat(logits)

    def _next(self) -> Any:
        """Reads the last token of each row; returns logits of (rows, 1, vocabulary)."""
        self._length += 1
        seen = self._seen[:, : self._length]
        if self._model.config._attn_implementation == "sdpa":
            # As it is: building it from two dimensions took a quarter of a step of 16 rows.
            seen = seen[:, None, None]
        output = self._model(
            input_ids=self._tokens,
            attention_mask=seen,
            position_ids=self._positions.expand(3, -1, -1),
            **{self._cache_name: self._cache},
            use_cache=True,
            logits_to_keep=1,
        )
        self._positions = self._positions + 1
        return output.logits

    def _extend(self, logits: Any, going: Sequence[int]) -> None:
        """Gives every row that goes on its next token."""
        # float32 as in generate(): a bfloat16 maximum has ties.
        logits = logits[:, -1].float()
        # Not logsumexp, which took 6.2 ms for 16 rows of 151,936 where this took 1.8 ms.
        distribution = logits.log_softmax(dim=-1)
        self._masks.apply(logits)
        self._tokens = logits.argmax(dim=-1, keepdim=True)
        thinking = [index for index in going if self._rows[index].is_thinking]
        self._think(logits, thinking)
        tokens = self._tokens[:, 0].tolist()
        logprobs = distribution.gather(1, self._tokens)[:, 0].tolist()
        for index in going:
            self._rows[index].steps += 1
        for index in sorted(set(going) - set(thinking)):
            row = self._rows[index]
            row.ids.append(tokens[index])
            row.logprobs.append(logprobs[index])
            self._masks.accept(index, tokens[index])
            row.finish_reason = row.limits.reason(row.ids)

    def _think(self, logits: Any, rows: Sequence[int]) -> None:
        """Puts the next tokens of these rows' thoughts in the place of the answers' tokens."""
        import torch

        thoughts = [(row, thought) for row in rows if (thought := self._rows[row].thought)]
        opened = [(row, thought) for row, thought in thoughts if thought.is_open]
        drawn = dict.fromkeys(rows, 0)
        if opened:
            assert self._sampler is not None  # whoever gives rows thoughts gives it too
            chosen = logits[torch.tensor([row for row, _ in opened], device=logits.device)]
            tokens = self._sampler.draw(chosen, [thought for _, thought in opened])
            drawn |= {row: token for (row, _), token in zip(opened, tokens, strict=True)}
        if thoughts:
            following = [thought.take(drawn[row]) for row, thought in thoughts]
            where = torch.tensor(rows, device=logits.device)
            self._tokens[where, 0] = torch.tensor(following, device=logits.device)

    def _drop_finished(self) -> None:
        """Takes finished rows out of the batch where that pays."""
        import torch

        kept = [i for i, row in enumerate(self._rows) if row.finish_reason is None]
        if len(kept) > KEPT_SHARE * len(self._rows):
            return
        indices = torch.tensor(kept, device=self._tokens.device)
        self._cache.reorder_cache(indices)
        self._tokens, self._seen = self._tokens[indices], self._seen[indices]
        self._positions = self._positions[indices]
        self._rows = [self._rows[i] for i in kept]
        self._masks.keep(kept)


def charge(rows: Sequence[Row], seconds: float) -> None:
    """Shares the seconds of one pass among the rows that were in it, by the tokens each read."""
    tokens = [1 if row.steps > 1 else row.prompt_tokens for row in rows]
    for row, share in zip(rows, tokens, strict=True):
        row.busy_s += seconds * share / sum(tokens)
        row.latency_s += seconds

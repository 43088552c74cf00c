"""Walks through a compiled grammar, as a model would take them that wants the worst."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from tools.qwen_tokenizer import FAMILIES, STOPS, byte_letters, save
from vlmbench_plugin.runners._grammar import GrammarMasks


@dataclass(frozen=True, slots=True, kw_only=True)
class RealVocabulary:
    """A real Qwen tokenizer, and what the walks need to know of its tokens.

    Attributes:
        tokenizer: The Hugging Face tokenizer.
        width: Width of the real models' logits.
        stops: Ids of the tokens that may end an answer.
        spelled: The bytes of each token, none for the ids that pad the logits.
        masks: Our own masks.
        taste: Taste -> how much a model of it likes each token, float32 of shape (width,).
    """

    tokenizer: Any
    width: int
    stops: tuple[int, ...]
    spelled: tuple[bytes, ...]
    masks: GrammarMasks
    taste: Mapping[str, torch.Tensor] = field(default_factory=dict)


def real_vocabulary(name: str, folder: Path) -> RealVocabulary:
    """Builds a tokenizer in a folder and loads it as a runner does."""
    family = FAMILIES[name]
    save(family, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    stops = tuple(tokenizer.convert_tokens_to_ids(list(STOPS)))
    byte_of = {letter: byte for byte, letter in enumerate(byte_letters())}
    added = tokenizer.added_tokens_decoder
    spelled = tuple(
        token.encode() if number in added else bytes(byte_of[letter] for letter in token)
        for number, token in enumerate(tokenizer.convert_ids_to_tokens(range(len(tokenizer))))
    )
    padded = (*spelled, *[b""] * (family.width - len(spelled)))
    lengths = torch.tensor([float(len(token)) for token in padded])
    control = torch.zeros(family.width)
    control[list(added)] = 9.0
    closes = torch.tensor([float(any(mark in token for mark in b'"]}')) for token in padded])
    opens = torch.tensor([float(any(mark in token for mark in b"[{,")) for token in padded])
    return RealVocabulary(
        tokenizer=tokenizer,
        width=family.width,
        stops=stops,
        spelled=padded,
        masks=GrammarMasks(tokenizer, family.width, stops),
        taste={
            "random": torch.zeros(family.width),
            "fewest bytes": -lengths,
            "most bytes": lengths,
            # Never ends a string or a list that it may go on with.
            "never closes": opens - 1000 * closes - lengths,
            "added tokens": control,
            "escapes": torch.tensor([float(b"\\" in token) for token in padded]),
        },
    )


TASTES = ("random", "fewest bytes", "most bytes", "never closes", "added tokens", "escapes")


def noise(width: int, seed: int) -> Callable[[int], torch.Tensor]:
    """Returns step -> numbers in [0, 1), of shape (width,), the same on every call."""
    drawn = torch.rand(2 * width, generator=torch.Generator().manual_seed(seed))
    # A window into one buffer: drawing anew at each step would cost more than the mask.
    return lambda step: drawn[(start := step * 7919 % width) : start + width]


def walk(
    vocabulary: RealVocabulary, compiled: Any, budget: int, taste: str, seed: int = 0
) -> list[int]:
    """Takes the best-liked allowed token until one stops; returns the ids, the stop included.

    Raises:
        AssertionError: If the answer is not finished within the budget.
    """
    mask = vocabulary.masks.rows([compiled])
    jitter = noise(vocabulary.width, seed)
    ids: list[int] = []
    # One buffer for all steps: a fresh one each time costs ten times the mask.
    logits = torch.empty((1, vocabulary.width))
    while len(ids) < budget:
        torch.add(vocabulary.taste[taste], jitter(len(ids)), out=logits[0])
        mask.fill([0])
        mask.apply(logits)
        token = int(logits[0].argmax())
        assert logits[0, token] > -torch.inf, "nothing is allowed"
        ids.append(token)
        mask.accept(0, token)
        if token in vocabulary.stops:
            return ids
    raise AssertionError(f"not finished after {budget} tokens")

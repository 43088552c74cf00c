"""The tokenizer of the trained models: what prompts repeat is one token, digits stand alone.

A prompt of the benchmark has 100 to 300 words, of which only the question differs between images.
Its constant sentences are added to the vocabulary, so that it has 7 to 70 tokens and costs less
than its image. A prompt in other words is read word by word, which nobody trained.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tools.make_tiny import byte_pairs
from tools.training.recipe import DIFFICULTIES, FENCED, SHARES, TRAINING_SEEDS
from tools.training.samples import Drawing, sample
from vlmbench_plugin.settings import Settings

SCENES = 60
"""Of each task, from which the vocabulary is learnt."""
WORDS = 1000
"""Tokens that are no sentence, at most."""
LEAST_SENTENCE = 16
"""Characters; what is shorter is left to the words."""

PIECES = r"\p{N}| ?\p{L}+(?:_\p{L}+)*|[^\p{L}\p{N}]+"
"""A digit, a word with the space before it, or what stands between them.

Colour and shape of a label are a token each, the same ones in question and answer."""

_SENTENCE = re.compile(r"(?<=[.:]) (?=[A-Z])|\n")


def sentences(prompt: str) -> list[str]:
    """Cuts a prompt at line ends and after full stops."""
    return [part for part in _SENTENCE.split(prompt) if part]


def texts(category: str) -> Iterator[tuple[str, str]]:
    """Prompt and right answer of some training scenes of one task."""
    difficulties = tuple(DIFFICULTIES)
    for index in range(SCENES):
        one = sample(
            Drawing(
                category=category,
                seed=TRAINING_SEEDS - 1,
                index=index,
                difficulty=difficulties[index % len(difficulties)],
                max_pixels=Settings().max_pixels,
                fenced=category in FENCED and index % 2 == 0,
            )
        )
        yield one.request.messages[0]["content"][1]["text"], one.answer


def corpus() -> tuple[list[str], list[str]]:
    """The sentences that most prompts of a task have, and all else that is read or written."""
    constant: dict[str, None] = {}
    rest: list[str] = []
    for category in SHARES:
        found = [(sentences(prompt), answer) for prompt, answer in texts(category)]
        counts = Counter(part for parts, _ in found for part in set(parts))
        kept = {
            part
            for part, count in counts.items()
            if count > SCENES // 2 and len(part) >= LEAST_SENTENCE
        }
        constant |= dict.fromkeys(sorted(kept))
        for parts, answer in found:
            rest += [part for part in parts if part not in kept]
            rest.append(answer)
    return list(constant), rest


def tokenizer_json() -> str:
    """The tokenizer, learnt from the project's own prompts and answers."""
    constant, rest = corpus()
    return byte_pairs(rest, PIECES, constant, vocab_size=WORDS, min_frequency=4)

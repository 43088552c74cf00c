"""TextVQA: photographs with text in them, and questions that need it (Singh et al. 2019)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vlmbench_plugin.adapters import lite
from vlmbench_plugin.adapters.rows import SMALLEST_SIDE, column, picture, texts
from vlmbench_plugin.metrics.text import contains_words, words
from vlmbench_plugin.sources import Labelled, LeftOut, Row, Table

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

TEXTVQA = Table(
    name="textvqa",
    title="TextVQA (LMMs-Eval-Lite)",
    hub_ids=lite.HUB_IDS,
    config="textvqa_val",
    splits=lite.SPLITS,
    revision=lite.REVISION,
    columns=("question_id", "image", "answers", "ocr_tokens"),
    licence="TextVQA CC-BY-4.0; images from Open Images, CC-BY-2.0; the card has none",
)

LEAST_ANNOTATORS = 3
LEAST_CHARACTERS = 3
MOST_CHARACTERS = 40
MOST_WORDS = 50
"""An image with more words is a page: no answer's bounds would hold its transcript."""


def readable_text(row: Row, rng: random.Random) -> Labelled | LeftOut:
    """Row -> what several annotators read in the image and a reading machine found there too.

    The question is not asked: the task is to transcribe all text. An answer counts if at least
    three of the ten annotators gave it and it stands, whole, in a row and in order, among the
    machine's words. One of fewer than three characters proves no reading.
    """
    image = picture(row)
    size = image.size()
    if min(size) < SMALLEST_SIDE:
        return LeftOut(f"an image below {SMALLEST_SIDE} pixels a side")
    tokens = texts(row, "ocr_tokens")
    if len(tokens) > MOST_WORDS:
        return LeftOut(f"more than {MOST_WORDS} words in the image")
    agreed = _agreed(texts(row, "answers"))
    if not agreed:
        return LeftOut(f"no answer that {LEAST_ANNOTATORS} annotators gave")
    bounded = [a for a in agreed if LEAST_CHARACTERS <= len(a) <= MOST_CHARACTERS]
    if not bounded:
        return LeftOut(f"an answer not of {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters")
    read = [answer for answer in bounded if contains_words(" ".join(tokens), answer)]
    if not read:
        return LeftOut("an answer that is not readable in the image")
    return Labelled(
        image_id=str(column(row, "question_id", int)),
        image=image,
        size=size,
        truth={"answers": read, "words": len(tokens)},
    )


def _agreed(answers: Sequence[str]) -> list[str]:
    """The answers given often enough, the most frequent first, compared as words are."""
    votes = Counter(" ".join(words(answer)) for answer in answers)
    del votes[""]
    return [answer for answer, count in votes.most_common() if count >= LEAST_ANNOTATORS]

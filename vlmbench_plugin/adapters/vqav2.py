"""VQAv2: questions about COCO photographs, ten people's answers each (Goyal et al. 2017)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from vlmbench_plugin.adapters import lite
from vlmbench_plugin.adapters.rows import SMALLEST_SIDE, column, picture, records, texts
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.metrics.text import vqa_accuracy
from vlmbench_plugin.sources import Labelled, LeftOut, Row, Table

if TYPE_CHECKING:
    import random

VQAV2 = Table(
    name="vqav2",
    title="VQAv2 (LMMs-Eval-Lite)",
    hub_ids=lite.HUB_IDS,
    config="vqav2_val",
    splits=lite.SPLITS,
    revision=lite.REVISION,
    columns=("question_id", "image", "question", "answers"),
    licence="CC-BY-4.0; each image under its own Flickr licence",
)

ANNOTATORS = 10
MOST_CHARACTERS = 40


def answered(row: Row, rng: random.Random) -> Labelled | LeftOut:
    """Row -> the question and the ten answers.

    Left out where so few agree that no answer could score 1.

    Raises:
        DataError: If a column is missing or of another kind, or there are not ten answers.
    """
    image = picture(row)
    size = image.size()
    if min(size) < SMALLEST_SIDE:
        return LeftOut(f"an image below {SMALLEST_SIDE} pixels a side")
    answers = [answer.strip() for answer in _answers(row)]
    if len(answers) != ANNOTATORS:
        raise DataError(
            f"expected {ANNOTATORS} answers, got {len(answers)} in {image.name}",
            hint="the test split has none; read the validation split or its lite form",
        )
    best = Counter(answers).most_common(1)[0][0]
    if not 1 <= len(best) <= MOST_CHARACTERS:
        return LeftOut(f"an answer not of 1 to {MOST_CHARACTERS} characters")
    if vqa_accuracy(best, answers) < 1:
        return LeftOut("no answer that four annotators gave")
    return Labelled(
        image_id=str(column(row, "question_id", int)),
        image=image,
        size=size,
        truth={"answers": answers},
        question=column(row, "question", str).strip(),
    )


def _answers(row: Row) -> list[str]:
    """The answers, stored as strings or as records that say more of each."""
    value = column(row, "answers", object)
    if isinstance(value, list) and not any(isinstance(item, Mapping) for item in value):
        return texts(row, "answers")
    return [column(record, "answer", str) for record in records(row, "answers")]

"""``vqav2_val`` of LMMs-Eval-Lite, of drawn scenes and questions with a known answer."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import datasets

from tools.hub_fixtures.images import cell, gray_jpeg, jpeg, turned_jpeg
from vlmbench_plugin.scenes.questions import vqa_scene

FEATURES = datasets.Features(
    {
        "question_type": datasets.Value("string"),
        "multiple_choice_answer": datasets.Value("string"),
        "answers": datasets.List(
            {
                "answer": datasets.Value("string"),
                "answer_confidence": datasets.Value("string"),
                "answer_id": datasets.Value("int64"),
            }
        ),
        "image_id": datasets.Value("int64"),
        "answer_type": datasets.Value("string"),
        "question_id": datasets.Value("int64"),
        "question": datasets.Value("string"),
        "image": datasets.Image(),
    }
)
_AGREEING = (10, 7, 4, 3)
_ENCODINGS = (jpeg, gray_jpeg, turned_jpeg)


def _row(number: int) -> dict[str, Any]:
    scene = vqa_scene(random.Random(number), "medium")
    right = scene.truth["answers"][0]
    agreeing = _AGREEING[number % len(_AGREEING)]
    answers = [right if k < agreeing else f"something else {k}" for k in range(10)]
    width, height = scene.size
    small = scene.draw().resize((width // 2, height // 2))
    return {
        "question_type": " ".join((scene.question or "").lower().split()[:2]),
        "multiple_choice_answer": right,
        "answers": [
            {"answer": answer, "answer_confidence": "yes", "answer_id": k + 1}
            for k, answer in enumerate(answers)
        ],
        "image_id": number // 2,
        "answer_type": "other",
        "question_id": 1000 * (number // 2) + number % 2,
        "question": scene.question,
        "image": cell(_ENCODINGS[number % len(_ENCODINGS)](small)),
    }


def lite() -> datasets.Dataset:
    """Twelve questions; on every fourth too few annotators agree."""
    return datasets.Dataset.from_list([_row(number) for number in range(12)], features=FEATURES)


TABLES: Mapping[str, Callable[[], datasets.Dataset]] = {
    "lmms-lab-encoder/LMMs-Eval-Lite/vqav2_val/lite-00000-of-00001.parquet": lite,
}

"""``textvqa_val`` of LMMs-Eval-Lite, of drawn lines of text."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import datasets

from tools.hub_fixtures.images import cell, gray_jpeg, jpeg, turned_jpeg
from vlmbench_plugin.scenes.text import ocr_scene

FEATURES = datasets.Features(
    {
        "image_id": datasets.Value("string"),
        "question_id": datasets.Value("int32"),
        "question": datasets.Value("string"),
        "question_tokens": datasets.List(datasets.Value("string")),
        "image": datasets.Image(),
        "image_width": datasets.Value("int32"),
        "image_height": datasets.Value("int32"),
        "flickr_original_url": datasets.Value("string"),
        "flickr_300k_url": datasets.Value("string"),
        "answers": datasets.List(datasets.Value("string")),
        "image_classes": datasets.List(datasets.Value("string")),
        "set_name": datasets.Value("string"),
        "ocr_tokens": datasets.List(datasets.Value("string")),
    }
)
_QUESTION = "what does it say?"

Answers: TypeAlias = Callable[[list[str]], list[str]]
"""The words in the image -> ten answers."""

_KINDS: tuple[tuple[Answers, Callable[..., bytes]], ...] = (
    (lambda words: [words[0].lower()] * 7 + ["unanswerable"] * 3, jpeg),
    (lambda words: [" ".join(words[:2])] * 5 + [words[0]] * 4 + ["no"], gray_jpeg),
    (lambda words: [words[-1]] * 10, turned_jpeg),
    (lambda words: ["yes"] * 10, jpeg),
    (lambda words: [f"{word}{k}" for k, word in enumerate((words * 10)[:10])], jpeg),
    (lambda words: [words[0][:2]] * 10, jpeg),
)


def _row(number: int, answers: Answers, encode: Callable[..., bytes]) -> dict[str, Any]:
    scene = ocr_scene(random.Random(number), "medium")
    words = " ".join(scene.truth["lines"]).split()
    width, height = scene.size
    small = scene.draw().resize((width // 2, height // 2))
    return {
        "image_id": f"{number:016x}",
        "question_id": 34602 + number,
        "question": _QUESTION,
        "question_tokens": _QUESTION.rstrip("?").split(),
        "image": cell(encode(small)),
        "image_width": width,
        "image_height": height,
        "flickr_original_url": "",
        "flickr_300k_url": "",
        "answers": answers(words),
        "image_classes": ["Poster"],
        "set_name": "val",
        "ocr_tokens": words,
    }


def lite() -> datasets.Dataset:
    """Two rounds of every kind of answers: agreed and readable, and each that is not."""
    rows = [_row(number, *_KINDS[number % len(_KINDS)]) for number in range(2 * len(_KINDS))]
    return datasets.Dataset.from_list(rows, features=FEATURES)


TABLES: Mapping[str, Callable[[], datasets.Dataset]] = {
    "lmms-lab-encoder/LMMs-Eval-Lite/textvqa_val/lite-00000-of-00001.parquet": lite,
}

FILES: Mapping[str, str] = {
    "lmms-lab-encoder/LMMs-Eval-Lite/README.md": """---
configs:
- config_name: textvqa_val
  data_files:
  - split: lite
    path: textvqa_val/lite-*
- config_name: vqav2_val
  data_files:
  - split: lite
    path: vqav2_val/lite-*
---
A stand-in for two configurations of LMMs-Eval-Lite, with drawings in the place of photographs.
"""
}

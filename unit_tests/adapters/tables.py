"""Rows of the fixtures as an adapter gets them, and what the right answer to one scores."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
from PIL import Image

from vlmbench_plugin.asking import build_request, right_answer
from vlmbench_plugin.core import FRAMES, Case, Generation, ModelSpec, VisionTask, Vocabulary
from vlmbench_plugin.evaluate import evaluate
from vlmbench_plugin.fingerprints import UNSTORED
from vlmbench_plugin.pictures import Picture
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.sources import Adapter, Labelled, LeftOut

HUB = Path(__file__).parents[2] / "fixtures" / "hub"
Object = tuple[str, tuple[float, float, float, float]]
"""Label, box x1 y1 x2 y2."""

SPEC = ModelSpec(name="oracle", hub_id="none", frame="norm_0_1000")


def fixture_rows(path: str) -> list[dict[str, Any]]:
    """The rows of a fixture: class labels as names, images as pictures."""
    table = pq.read_table(HUB / path)
    features = datasets.Features.from_arrow_schema(table.schema)
    return [_plain(row, features, f"{path}:{k}") for k, row in enumerate(table.to_pylist())]


def _plain(value: Any, feature: Any, name: str) -> Any:
    if isinstance(feature, datasets.Image):
        return Picture(value["bytes"], name)
    if isinstance(feature, datasets.ClassLabel):
        return feature.int2str(value)
    if isinstance(feature, datasets.List):
        return [_plain(item, feature.feature, name) for item in value]
    if isinstance(feature, dict):
        return {key: _plain(value[key], feature[key], name) for key in value}
    return value


def encoded(image: Image.Image, *, orientation: int = 1) -> Picture:
    """A JPEG as it is stored: EXIF may say that it is to be turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif)
    return Picture(file.getvalue(), "test.jpg")


def blank(width: int, height: int, *, mode: str = "RGB", orientation: int = 1) -> Picture:
    return encoded(Image.new(mode, (width, height)), orientation=orientation)


def oracle_scores(
    task: VisionTask, labelled: Labelled, vocabulary: Vocabulary
) -> Iterator[float | None]:
    """What the right answer scores in each frame; None where it is no legal answer."""
    case = Case(
        category=task.category,
        image_id=labelled.image_id,
        source="fixture",
        index=0,
        size=labelled.size,
        truth=labelled.truth,
        image=labelled.image.rgb,
        question=labelled.question,
        vocabulary=vocabulary,
    )
    assert case.image().size == case.size
    assert set(task.pixel_answer(case.truth)) <= set(task.fields)
    for frame in FRAMES:
        spec, run = replace(SPEC, frame=frame), Settings()
        text = json.dumps(right_answer(task, case, spec, run))
        request = build_request(task, case, spec, "json_mode", run)
        generation = Generation(text=text, finish_reason="stop", constraint="none")
        yield evaluate(task, case, spec, request, generation, run, UNSTORED).primary_score


def rng() -> random.Random:
    return random.Random(0)


def coco_row(objects: Sequence[Object], **changed: Any) -> dict[str, Any]:
    """A row of 200 x 100 pixels whose objects fill two thirds of their boxes."""
    row = {
        "image_id": 7,
        "image": blank(200, 100),
        "width": 200,
        "height": 100,
        "objects": {
            "bbox_id": [10 + k for k in range(len(objects))],
            "category": [name for name, _ in objects],
            "bbox": [list(box) for _, box in objects],
            "area": [(b[2] - b[0]) * (b[3] - b[1]) * 2 / 3 for _, b in objects],
        },
    }
    return {**row, **changed}


def case_of(adapter: Adapter, row: dict[str, Any]) -> Labelled:
    made = adapter(row, rng())
    assert isinstance(made, Labelled), made
    return made


def reason_of(adapter: Adapter, row: dict[str, Any]) -> str:
    made = adapter(row, rng())
    assert isinstance(made, LeftOut)
    return made.reason

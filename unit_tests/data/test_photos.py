from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import vlmbench_plugin
from vlmbench_plugin.core import Json, Packaged
from vlmbench_plugin.tasks import get_task

SMOKE = Path(vlmbench_plugin.__file__).parent / "assets" / "smoke"
PHOTOS = tuple(sorted(SMOKE.glob("*.jpg")))
CATEGORIES = ("bbox_grounding", "image_classification", "vit_accuracy_to_prompt")
MEGABYTE = 1_000_000


def read_rows(category: str) -> list[dict[str, Json]]:
    text = (SMOKE / f"{category}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def smoke_labels(category: str) -> set[str]:
    source = get_task(category).ground_truth["smoke"]
    assert isinstance(source, Packaged)
    return {*source.vocabulary["label"], *source.drawn.vocabulary["label"]}


def detections() -> Iterator[tuple[str, tuple[int, int], dict[str, Json]]]:
    for row in read_rows("bbox_grounding"):
        for found in row["truth"]["detections"]:
            yield row["id"], tuple(row["size"]), found


def test_photos_are_few_small_and_rgb() -> None:
    assert len(PHOTOS) >= 4
    assert sum(path.stat().st_size for path in PHOTOS) < MEGABYTE
    for path in PHOTOS:
        with Image.open(path) as image:
            assert image.mode == "RGB"
            assert max(image.size) <= 640
            image.load()


def test_every_photo_has_a_licence_that_allows_shipping_it() -> None:
    table = (SMOKE / "LICENSES.md").read_text(encoding="utf-8").splitlines()
    rows = [line.strip("|").split("|") for line in table if ".jpg |" in line]
    licences = {cells[0].strip(): cells[3].strip() for cells in rows}
    assert sorted(licences) == [path.name for path in PHOTOS]
    assert all(text == "CC0" or text.startswith("public domain") for text in licences.values())


@pytest.mark.parametrize("category", CATEGORIES)
def test_rows_are_complete_and_their_size_is_that_of_the_file(category: str) -> None:
    rows = read_rows(category)
    assert len({row["id"] for row in rows}) == len(rows) >= 4
    for row in rows:
        assert set(row) == {"id", "image", "size", "question", "truth"}
        with Image.open(SMOKE / row["image"]) as image:
            assert list(image.size) == row["size"]


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_photo_is_used(category: str) -> None:
    assert {row["image"] for row in read_rows(category)} == {path.name for path in PHOTOS}


def test_boxes_are_inside_their_image_and_not_empty() -> None:
    for photo, (width, height), found in detections():
        x1, y1, x2, y2 = found["box"]
        assert 0 <= x1 < x2 <= width, photo
        assert 0 <= y1 < y2 <= height, photo


def test_count_is_the_number_of_boxes() -> None:
    for row in read_rows("bbox_grounding"):
        assert row["truth"]["count"] == len(row["truth"]["detections"])


def test_labels_are_declared_by_the_tasks() -> None:
    boxed = {found["label"] for _, _, found in detections()}
    named = {row["truth"]["label"] for row in read_rows("image_classification")}
    assert boxed <= smoke_labels("bbox_grounding")
    assert named <= smoke_labels("image_classification")


def test_only_questions_have_a_question() -> None:
    for category in CATEGORIES:
        asks = category == "vit_accuracy_to_prompt"
        assert all(bool(row["question"]) == asks for row in read_rows(category))
    for row in read_rows("vit_accuracy_to_prompt"):
        assert row["truth"]["answers"]
        assert all(answer == answer.casefold() for answer in row["truth"]["answers"])

"""The packaged photographs and their hand-made labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import shapely
from PIL import Image

import vlmbench_plugin
from unit_tests.test_task_contract import SPEC, answered, oracle_text
from vlmbench_plugin.core import FRAMES, Case, Frame, Json
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.data.smoke import open_photo, photo_vocabulary
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.labels import match, resolve
from vlmbench_plugin.metrics.boxes import iou
from vlmbench_plugin.scenes.depth import asked_objects
from vlmbench_plugin.scenes.spatial import asked_pairs, relation_of
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

SMOKE = Path(vlmbench_plugin.__file__).parent / "assets" / "smoke"
PHOTOS = tuple(sorted(SMOKE.glob("*.jpg")))
CATEGORIES = tuple(sorted(path.stem for path in SMOKE.glob("*.jsonl")))
SHOWN_IN_ALL = ("bbox_grounding", "image_classification", "vit_accuracy_to_prompt")
ASKING = (
    "depth_analysis",
    "semantic_association",
    "structural_spatial_awareness",
    "vit_accuracy_to_prompt",
)
LICENCES = ("CC0", "CC-BY 2.0", "public domain")

each_category = pytest.mark.parametrize("category", CATEGORIES)


def read_rows(category: str) -> list[dict[str, Json]]:
    text = (SMOKE / f"{category}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def photo_cases(category: str) -> list[Case]:
    cases = load_cases(TASKS[category], Settings(dataset="smoke", n=1000))
    loaded = (cases[k] for k in range(len(cases)))
    return [case for case in loaded if case.source == "photo"]


def licence_table() -> dict[str, list[str]]:
    """File name -> the other cells of its row: shows, author, licence, source, changed."""
    lines = (SMOKE / "LICENSES.md").read_text(encoding="utf-8").splitlines()
    rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line)
    return {cells[0]: cells[1:] for cells in rows if cells[0].endswith(".jpg")}


def boxes_of(photo: str) -> list[tuple[str, list[int]]]:
    """Every (label, box) of a photograph in bbox_grounding."""
    (row,) = (row for row in read_rows("bbox_grounding") if row["image"] == photo)
    return [(found["label"], found["box"]) for found in row["truth"]["detections"]]


def all_boxes() -> Iterator[tuple[str, list[int], str, list[int]]]:
    """(photograph, its size, label, box) of every box of every task."""
    for row in read_rows("bbox_grounding"):
        for found in row["truth"]["detections"]:
            yield row["image"], row["size"], found["label"], found["box"]
    for row in read_rows("subject_fixation"):
        yield row["image"], row["size"], row["truth"]["subject"], row["truth"]["box"]


def all_polygons() -> Iterator[tuple[str, list[int], str, list[list[int]]]]:
    """(photograph, its size, label, polygon) of every outline of every task."""
    for category in ("segmentation", "outline_association"):
        for row in read_rows(category):
            for found in row["truth"].get("instances", [row["truth"]]):
                yield row["image"], row["size"], found["label"], found["polygon"]


def names_of(category: str, truth: Json) -> Iterator[tuple[str, str]]:
    """Every (vocabulary key, name) that a truth states."""
    if category in ("image_classification", "outline_association"):
        yield "label", truth["label"]
    for found in [*truth.get("detections", ()), *truth.get("instances", ())]:
        yield "label", found["label"]
    if "subject" in truth:
        yield "object", truth["subject"]
    for name in truth.get("order", ()):
        yield "object", name
    for relation in truth.get("relations", ()):
        yield "object", relation["subject"]
        yield "object", relation["object"]
        if "predicate" in relation:
            yield "predicate", relation["predicate"]


def test_photos_are_many_small_and_rgb() -> None:
    assert len(PHOTOS) >= 8
    assert sum(path.stat().st_size for path in SMOKE.iterdir()) < 1_200_000
    for path in PHOTOS:
        with Image.open(path) as image:
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert max(image.size) <= 640
            assert not image.getexif()
            image.load()


def test_every_photo_has_a_licence_that_allows_shipping_it() -> None:
    table = licence_table()
    assert sorted(table) == [path.name for path in PHOTOS]
    for shows, author, licence, source, changed in table.values():
        assert licence.startswith(LICENCES)
        assert all((shows, author, source, changed))


def test_what_must_be_attributed_is() -> None:
    text = (SMOKE / "LICENSES.md").read_text(encoding="utf-8")
    bound = {name: cells for name, cells in licence_table().items() if "CC-BY" in cells[2]}
    assert bound
    assert "https://creativecommons.org/licenses/by/2.0/" in text
    for name, (_, author, _, source, changed) in bound.items():
        assert f"- {name}: photograph by {author}, CC-BY 2.0, " in text
        assert "https://" in source
        assert changed != "-"


@each_category
def test_rows_are_complete_and_their_size_is_that_of_the_file(category: str) -> None:
    rows = read_rows(category)
    assert len({row["id"] for row in rows}) == len(rows) > 0
    for row in rows:
        assert set(row) == {"id", "image", "size", "question", "truth"}
        assert bool(row["question"]) == (category in ASKING)
        with Image.open(SMOKE / row["image"]) as image:
            assert list(image.size) == row["size"]


@pytest.mark.parametrize("category", SHOWN_IN_ALL)
def test_every_photo_is_used(category: str) -> None:
    assert {row["image"] for row in read_rows(category)} == {path.name for path in PHOTOS}


def test_every_task_with_photographs_declares_its_names_and_no_other_does() -> None:
    assert len(CATEGORIES) == 10
    assert {name for name in TASKS if photo_vocabulary(name) is not None} == set(CATEGORIES)


@each_category
def test_the_declared_names_are_those_of_the_truths(category: str) -> None:
    stated = {pair for row in read_rows(category) for pair in names_of(category, row["truth"])}
    case = photo_cases(category)[0]
    for key, name in stated:
        assert name in case.vocabulary[key]
    added = photo_vocabulary(category)
    assert added is not None
    assert {(key, name) for key, names in added.items() for name in names} <= stated


@each_category
def test_no_name_means_another_of_its_vocabulary(category: str) -> None:
    added = photo_vocabulary(category) or {}
    for key, names in photo_cases(category)[0].vocabulary.items():
        for name in names:
            assert resolve(name, names).name == name
        for name, other in product(added.get(key, ()), names):
            if name != other:
                assert match(name, other, names) is None
                assert match(other, name, names) is None
                assert match(f"large {name}", other, names) is None


def test_boxes_are_inside_their_image_and_counted() -> None:
    found = list(all_boxes())
    assert len(found) >= 25
    for photo, (width, height), label, (x1, y1, x2, y2) in found:
        assert 0 <= x1 < x2 <= width, (photo, label)
        assert 0 <= y1 < y2 <= height, (photo, label)
    for row in read_rows("bbox_grounding"):
        assert row["truth"]["count"] == len(row["truth"]["detections"]) <= 12


def test_polygons_are_simple_and_inside_their_image() -> None:
    for photo, (width, height), label, polygon in all_polygons():
        assert 3 <= len(polygon) <= 20, (photo, label)
        assert polygon[0] != polygon[-1]
        shape = shapely.Polygon(polygon)
        assert shape.is_valid, (photo, label)
        assert shapely.box(0, 0, width, height).covers(shape), (photo, label)


def test_outlines_fill_the_boxes_of_the_same_objects() -> None:
    for photo, _, label, polygon in all_polygons():
        (box,) = (box for name, box in boxes_of(photo) if name == label)
        assert iou(shapely.Polygon(polygon).bounds, box) >= 0.95, (photo, label)


def test_every_boxed_object_of_an_outlined_name_is_outlined() -> None:
    names = set((photo_vocabulary("segmentation") or {})["label"])
    rows = {row["image"]: row["truth"]["instances"] for row in read_rows("segmentation")}
    for path in PHOTOS:
        boxed = sorted(name for name, _ in boxes_of(path.name) if name in names)
        outlined = sorted(found["label"] for found in rows.get(path.name, []))
        assert boxed == outlined, path.name
        assert len(outlined) <= 4


def test_the_outline_is_that_of_the_segmentation() -> None:
    rows = {row["image"]: row["truth"]["instances"] for row in read_rows("segmentation")}
    for row in read_rows("outline_association"):
        assert row["truth"] in rows[row["image"]]


def test_the_subject_is_boxed_and_twice_as_large_as_any_other_outlined_object() -> None:
    for row in read_rows("subject_fixation"):
        subject, box = row["truth"]["subject"], row["truth"]["box"]
        assert (subject, box) in boxes_of(row["image"])
        areas = {
            label: shapely.Polygon(polygon).area
            for photo, _, label, polygon in all_polygons()
            if photo == row["image"]
        }
        assert all(areas[subject] >= 2 * areas[name] for name in areas if name != subject)


def test_relations_follow_from_the_boxes() -> None:
    checked = 0
    for row in read_rows("structural_spatial_awareness"):
        boxes = dict(boxes_of(row["image"]))
        for found in row["truth"]["relations"]:
            if found["subject"] in boxes and found["object"] in boxes:
                ends = boxes[found["subject"]], boxes[found["object"]]
                assert relation_of(*ends) == found["relation"], (row["image"], found)
                checked += 1
    assert checked >= 3


@pytest.mark.parametrize("category", ["structural_spatial_awareness", "semantic_association"])
def test_the_question_names_the_pairs_of_the_truth(category: str) -> None:
    for row in read_rows(category):
        pairs = [(found["subject"], found["object"]) for found in row["truth"]["relations"]]
        assert asked_pairs(row["question"]) == pairs
        assert 1 <= len({frozenset(pair) for pair in pairs}) == len(pairs) <= 6


def test_the_question_names_the_objects_to_order_and_not_always_in_their_order() -> None:
    rows = read_rows("depth_analysis")
    for row in rows:
        order = row["truth"]["order"]
        assert sorted(asked_objects(row["question"])) == sorted(order)
        assert 2 <= len(set(order)) == len(order) <= 6
    as_listed = [asked_objects(row["question"]) == row["truth"]["order"] for row in rows]
    assert True in as_listed
    assert False in as_listed


def test_answers_are_lower_case() -> None:
    for row in read_rows("vit_accuracy_to_prompt"):
        answers = row["truth"]["answers"]
        assert answers == [answer.casefold() for answer in answers] != []


def test_texts_are_as_many_words_as_they_say() -> None:
    for row in read_rows("ocr_text"):
        truth = row["truth"]
        assert truth["answers"]
        assert all(len(answer.split()) <= truth["words"] for answer in truth["answers"])
        if truth.get("lines"):
            assert len(" ".join(truth["lines"]).split()) == truth["words"]


@pytest.mark.parametrize("frame", FRAMES)
@each_category
def test_the_oracle_is_right_about_every_photograph(category: str, frame: Frame) -> None:
    task, spec = TASKS[category], replace(SPEC, frame=frame)
    for case in photo_cases(category):
        record = answered(task, case, oracle_text(task, case, spec), spec)
        assert record.schema_valid, case.image_id
        score = record.primary_score or 0.0
        assert score >= (0.95 if task.overlap else 1.0), case.image_id


def test_the_manifest_tells_how_many_photographs_there_are() -> None:
    for n, photographs in ((1, 1), (1000, 2)):
        cases = load_cases(TASKS["ocr_text"], Settings(dataset="smoke", n=n))
        assert cases.describe() == {"source": "smoke", "photographs": photographs}
    drawn = load_cases(TASKS["style_structural_awareness"], Settings(dataset="smoke"))
    assert drawn.describe()["photographs"] == 0


def test_a_missing_photograph_says_what_to_do() -> None:
    with pytest.raises(DataError, match=r"nothing\.jpg") as caught:
        open_photo("nothing.jpg")
    assert "reinstall" in str(caught.value)

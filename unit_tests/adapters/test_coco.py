from __future__ import annotations

import random
from typing import Any

import pytest

from unit_tests.adapters.tables import Object, blank, case_of, coco_row, reason_of, rng
from vlmbench_plugin.adapters import coco
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.scenes.spatial import asked_pairs, relation_of
from vlmbench_plugin.sources import LeftOut

CAT: Object = ("cat", (10, 20, 110, 90))
DOG: Object = ("dog", (150, 30, 190, 80))
CUP: Object = ("cup", (5, 2, 40, 14))


def test_the_names_are_the_80_in_the_order_of_the_hubs_numbers() -> None:
    names = coco.COCO_NAMES
    assert len(names) == 80
    # Of a real row: 45 and 50; by the hub's file: 0 and 62.
    assert [names[k] for k in (0, 45, 50, 62, 79)] == [
        "person",
        "bowl",
        "broccoli",
        "tv",
        "toothbrush",
    ]


def test_detections_hold_every_box_and_their_count() -> None:
    made = case_of(coco.detections, coco_row([CAT, DOG]))
    assert made.truth == {
        "detections": [
            {"label": "cat", "box": [10, 20, 110, 90]},
            {"label": "dog", "box": [150, 30, 190, 80]},
        ],
        "count": 2,
        "ignore": [],
    }
    assert (made.image_id, made.size, made.question) == ("7", (200, 100), None)


def test_both_shapes_of_objects_and_numbered_classes_read_alike() -> None:
    row = coco_row([CAT, DOG])
    lists = row["objects"]
    dicts = [dict(zip(lists, items, strict=True)) for items in zip(*lists.values(), strict=True)]
    numbered = {**lists, "category": [15, 16]}
    truth = case_of(coco.detections, row).truth
    assert case_of(coco.detections, {**row, "objects": dicts}).truth == truth
    assert case_of(coco.detections, {**row, "objects": numbered}).truth == truth


def test_a_real_row_is_taken() -> None:
    """Numbers of the hub's first rows, as published: float32 and areas with decimals."""
    row = coco_row(
        [("bowl", (1.08, 187.69, 612.67, 473.53)), ("broccoli", (249.6, 229.27, 565.84, 474.35))],
        image=blank(640, 480),
        width=640,
        height=480,
    )
    row["objects"]["area"] = [120057.13925, 49577.94434999999]
    assert case_of(coco.detections, row).truth["count"] == 2


def test_crowd_regions_are_ignored_and_not_counted() -> None:
    row = coco_row([CAT, ("dog", (0, 0, 200, 100)), DOG])
    row["objects"]["bbox_id"][1] = 900_100_448_263
    truth = case_of(coco.detections, row).truth
    assert [d["label"] for d in truth["detections"]] == ["cat", "dog"]
    assert truth["count"] == 2
    assert truth["ignore"] == [{"label": "dog", "box": [0, 0, 200, 100]}]
    row["objects"]["bbox_id"] = [900_100_000_000 + k for k in range(3)]
    assert reason_of(coco.detections, row) == "no objects"


def test_what_makes_no_detection_case() -> None:
    cups = [("cup", (10.0 * k, 0.0, 10.0 * k + 9, 20.0)) for k in range(13)]
    assert case_of(coco.detections, coco_row(cups[:12])).truth["count"] == 12
    assert reason_of(coco.detections, coco_row(cups)) == "more than 12 objects"
    assert reason_of(coco.detections, coco_row([])) == "no objects"
    assert reason_of(coco.detections, coco_row([CAT, ("dog", (150, 30, 153, 80))])) == (
        "an object below 4 pixels a side"
    )
    small = coco_row([CUP], image=blank(63, 100), width=63)
    assert reason_of(coco.detections, small) == "an image below 64 pixels a side"


def test_grayscale_and_boxes_a_pixel_outside() -> None:
    row = coco_row([("cat", (-0.4, 20, 200.6, 100.9))], image=blank(200, 100, mode="L"))
    made = case_of(coco.detections, row)
    assert made.truth["detections"][0]["box"] == [0, 20, 200, 100]
    assert made.image.rgb().mode == "RGB"


def test_an_image_that_exif_turns_must_be_declared_as_shown() -> None:
    lying = coco_row([CUP], image=blank(100, 200, orientation=6))
    assert case_of(coco.detections, lying).size == (200, 100)
    doubtful = "an image that EXIF turns, labelled perhaps before that"
    stored = coco_row([CUP], image=blank(200, 100, orientation=6))
    assert reason_of(coco.detections, stored) == doubtful
    upside_down = coco_row([CUP], image=blank(200, 100, orientation=3))
    assert reason_of(coco.detections, upside_down) == doubtful
    square = coco_row([CUP], image=blank(100, 100, orientation=6), width=100)
    assert reason_of(coco.detections, square) == doubtful


def test_another_size_than_declared_is_an_error() -> None:
    with pytest.raises(DataError, match=r"declared \(201, 100\), got test.jpg of \(200, 100\)"):
        coco.detections(coco_row([CAT], width=201), rng())


def as_xywh(row: dict[str, Any]) -> dict[str, Any]:
    boxes = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in row["objects"]["bbox"]]
    return {**row, "objects": {**row["objects"], "bbox": boxes}}


def random_row(numbers: random.Random, image: Any) -> dict[str, Any]:
    """Sizes and fillings about as COCO's are; boxes to hundredths, some at the very edge."""
    objects: list[Object] = []
    for _ in range(1 + min(30, int(numbers.expovariate(1 / 6)))):
        width = min(640.0, 1 + 640 * numbers.lognormvariate(-1.9, 0.9))
        height = min(480.0, 1 + 480 * numbers.lognormvariate(-1.6, 0.9))
        x, y = numbers.uniform(0, 640 - width), numbers.uniform(0, 480 - height)
        box = round(x, 2), round(y, 2), round(x + width, 2), round(y + height, 2)
        objects.append(("person", box))
    row = coco_row(objects, image=image, width=640, height=480)
    # Whole pixels may exceed a box of fractions.
    row["objects"]["area"] = [
        max(1.0, area * numbers.uniform(0.5, 1.48)) for area in row["objects"]["area"]
    ]
    return row


def test_a_table_of_xywh_is_caught_in_nearly_every_row_and_no_honest_row_is() -> None:
    image, numbers, caught, total = blank(640, 480), random.Random(1), 0, 200
    for _ in range(total):
        row = random_row(numbers, image)
        assert not isinstance(coco.read_photo(row), LeftOut)
        try:
            coco.read_photo(as_xywh(row))
        except DataError as error:
            caught += "x y width height" in str(error)
    assert caught >= 0.97 * total


def test_boxes_of_another_kind_are_an_error_one_odd_label_is_not() -> None:
    shares = coco_row([("cat", (0.1, 0.2, 0.5, 0.9)), ("dog", (0.6, 0.2, 0.9, 0.9))])
    shares["objects"]["area"] = [4000.0, 3000.0]
    with pytest.raises(DataError, match="in pixels of the image, got"):
        coco.detections(shares, rng())
    odd = coco_row([CAT, DOG, ("cup", (90.0, 50.0, 60.0, 20.0))])
    assert reason_of(coco.detections, odd) == "a box that its object does not fit"


def test_missing_and_ill_typed_values_name_their_column() -> None:
    for name in ("image", "image_id", "width", "objects"):
        row = coco_row([CAT])
        del row[name]
        with pytest.raises(DataError, match=f"expected a column '{name}', got"):
            coco.detections(row, rng())
    for key in ("bbox_id", "category", "bbox", "area"):
        row = coco_row([CAT])
        del row["objects"][key]
        with pytest.raises(DataError, match=f"expected a column '{key}'"):
            coco.detections(row, rng())
    for key, value, told in (
        ("bbox", [[1.0, 2.0, 3.0]], "expected 4 numbers in column 'bbox'"),
        ("bbox", [[1.0, 2.0, 3.0, "4"]], "expected float in column 'bbox', got str '4'"),
        ("area", [None], "expected float in column 'area', got NoneType None"),
        ("category", ["unicorn"], "expected one of 80 known names in column 'category'"),
        ("category", [80], "expected one of 80 known names in column 'category', got int 80"),
        ("bbox_id", [True], "expected int in column 'bbox_id', got bool True"),
        ("area", [1.0, 2.0], "lists of one length in column 'objects', got bbox_id 1"),
    ):
        row = coco_row([CAT])
        row["objects"][key] = value
        with pytest.raises(DataError, match=told):
            coco.detections(row, rng())
    with pytest.raises(DataError, match="expected records in column 'objects', got int 3"):
        coco.detections({**coco_row([CAT]), "objects": 3}, rng())


def test_spatial_asks_each_clear_pair_of_unique_names_once() -> None:
    objects: list[Object] = [
        ("cat", (0, 40, 30, 60)),
        ("dog", (80, 40, 110, 60)),
        ("cup", (160, 42, 190, 62)),
        ("bird", (80, 0, 110, 20)),
        ("bowl", (100, 30, 120, 50)),
        ("fork", (0, 0, 4, 4)),
        ("book", (0, 80, 20, 100)),
        ("book", (180, 80, 200, 100)),
    ]
    made = case_of(coco.spatial, coco_row(objects))
    asked = made.truth["relations"]
    boxes = dict(objects)
    for relation in asked:
        ends = boxes[relation["subject"]], boxes[relation["object"]]
        assert relation_of(*ends) == relation["relation"]
    pairs = [frozenset((r["subject"], r["object"])) for r in asked]
    assert len(set(pairs)) == len(pairs) == 6
    assert {name for pair in pairs for name in pair} <= {"cat", "dog", "cup", "bird", "bowl"}
    assert asked_pairs(made.question or "") == [(r["subject"], r["object"]) for r in asked]


def test_spatial_directions_are_balanced() -> None:
    row = coco_row(
        [("cat", (0, 40, 30, 60)), ("dog", (80, 40, 110, 60)), ("cup", (160, 40, 190, 60))]
    )
    found = [
        relation["relation"]
        for seed in range(200)
        for relation in coco.spatial(row, random.Random(seed)).truth["relations"]  # type: ignore[union-attr]
    ]
    assert set(found) == {"left_of", "right_of"}
    assert 0.4 < found.count("left_of") / len(found) < 0.6


def test_spatial_needs_two_clear_pairs() -> None:
    few = "fewer than 2 pairs with a clear relation"
    assert reason_of(coco.spatial, coco_row([CAT, DOG])) == few
    twins = coco_row([CAT, DOG, ("cup", (150, 2, 190, 14))])
    assert len(case_of(coco.spatial, twins).truth["relations"]) >= 2
    crowded = coco_row([CAT, DOG, ("cup", (150, 2, 190, 14)), ("dog", (0, 0, 20, 20))])
    crowded["objects"]["bbox_id"][3] = 900_100_000_001
    assert reason_of(coco.spatial, crowded) == few


def test_the_subject_shows_twice_the_area_of_the_next() -> None:
    assert case_of(coco.subject, coco_row([DOG, CAT])).truth == {
        "subject": "cat",
        "box": [10, 20, 110, 90],
    }
    row = coco_row([DOG, CAT])
    row["objects"]["area"] = [2000.0, 3999.0]
    next_too_large = "no object of twice the area of the next"
    assert reason_of(coco.subject, row) == next_too_large
    row["objects"]["area"] = [1999.0, 4000.0]
    assert case_of(coco.subject, row).truth["subject"] == "cat"
    row["objects"]["area"] = [500.0, 1999.0]
    assert reason_of(coco.subject, row) == "no object that covers a tenth of the image"
    row["objects"]["area"] = [500.0, 4000.0]
    row["objects"]["bbox_id"][1] = 900_100_000_001
    assert reason_of(coco.subject, row) == next_too_large

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from pycocotools import mask as run_lengths

from unit_tests.adapters.tables import (
    Object,
    case_of,
    coco_row,
    fixture_rows,
    oracle_scores,
    reason_of,
    rng,
)
from vlmbench_plugin.adapters import coco, coco_masks, tracing
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.metrics.polygons import iou
from vlmbench_plugin.sources import Adapter, Labelled
from vlmbench_plugin.tasks import TASKS

BOXES = "detection-datasets/coco/data/val-00000-of-00001.parquet"
MASKS = "ClownRat/COCO2017-Instance/data/val-00000-of-00001.parquet"

Mask = NDArray[np.bool_]


def disc(size: tuple[int, int], x: float, y: float, radius: float) -> Mask:
    columns, rows = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 <= radius**2)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (12, 17), (300, 40)])
def test_run_lengths_decode_as_pycocotools_encodes_them(
    share: float, height: int, width: int
) -> None:
    mask = np.random.default_rng(0).random((height, width)) < share
    mask[: height // 2, : width // 2] = True
    encoded = run_lengths.encode(np.asfortranarray(mask, dtype=np.uint8))
    assert (tracing.decode(encoded["counts"], (width, height)) == mask).all()


@pytest.mark.parametrize("encoded", [b"", b"\x00", b"P", b"1O", b"00", b"9999999"])
def test_what_are_no_run_lengths(encoded: bytes) -> None:
    with pytest.raises(DataError, match="expected run lengths of a mask of 4 x 3"):
        tracing.decode(encoded, (4, 3))


def test_what_a_mask_covers_is_what_pycocotools_and_counting_say() -> None:
    numbers = np.random.default_rng(0)
    for _ in range(20):
        mask = numbers.random((12, 17)) < 0.5
        area = tracing.covered(mask)
        encoded = run_lengths.encode(np.asfortranarray(mask, dtype=np.uint8))
        assert area.area == int(run_lengths.area(encoded)) == mask.sum()
        x, y, width, height = run_lengths.toBbox(encoded)
        assert area.bounds == (x, y, x + width, y + height)
        columns, rows = np.meshgrid(np.arange(17) + 0.5, np.arange(12) + 0.5)
        assert (shapely.contains_xy(area, columns, rows) == mask).all()


def test_a_rectangle_is_traced_exactly_and_a_disc_within_bounds() -> None:
    mask = np.zeros((50, 80), dtype=bool)
    mask[10:30, 20:70] = True
    ring = tracing.outline(mask, most_points=20, least_iou=0.95)
    assert ring is not None
    assert sorted(map(tuple, ring)) == [(20, 10), (20, 30), (70, 10), (70, 30)]
    ring = tracing.outline(disc((200, 200), 100, 90, 70), most_points=20, least_iou=0.95)
    assert ring is not None
    assert 8 <= len(ring) <= 20
    circle = shapely.Point(100, 90).buffer(70, quad_segs=64)
    assert iou(ring, list(circle.exterior.coords)[:-1]) >= 0.95


def test_what_one_ring_of_twenty_points_does_not_follow() -> None:
    hole = disc((200, 200), 100, 100, 80) & ~disc((200, 200), 100, 100, 40)
    parts = disc((200, 200), 50, 100, 40) | disc((200, 200), 150, 100, 30)
    comb = np.zeros((100, 200), dtype=bool)
    comb[:10] = True
    comb[:, ::8] = comb[:, 1::8] = comb[:, 2::8] = True
    for mask in (hole, parts, comb, np.zeros((20, 20), dtype=bool)):
        assert tracing.outline(mask, most_points=20, least_iou=0.95) is None
    speck = disc((200, 200), 100, 100, 80)
    speck[0, 0] = True
    assert tracing.outline(speck, most_points=20, least_iou=0.95) is not None


def masked_row(masks: Sequence[tuple[str, Mask]]) -> dict[str, Any]:
    objects: list[Object] = []
    encoded = []
    for name, mask in masks:
        runs = run_lengths.encode(np.asfortranarray(mask, dtype=np.uint8))
        x, y, width, height = (float(value) for value in run_lengths.toBbox(runs))
        objects.append((name, (x, y, x + width, y + height)))
        encoded.append({"counts": runs["counts"], "size": list(runs["size"])})
    row = coco_row(objects)
    row["objects"]["area"] = [float(mask.sum()) for _, mask in masks]
    ids = row["objects"]["bbox_id"]
    return {**row, "masks": {"image_id": 7, "objects": {"ids": list(ids), "masks": encoded}}}


SIZE = (200, 100)
LARGE, SMALL = disc(SIZE, 60, 50, 45), disc(SIZE, 160, 50, 25)


def test_segmentation_outlines_every_object() -> None:
    made = case_of(coco_masks.segmentation, masked_row([("cat", LARGE), ("dog", SMALL)]))
    found = made.truth["instances"]
    assert [instance["label"] for instance in found] == ["cat", "dog"]
    for instance, (x, y, radius) in zip(found, ((60, 50, 45), (160, 50, 25)), strict=True):
        circle = shapely.Point(x, y).buffer(radius, quad_segs=64)
        assert iou(instance["polygon"], list(circle.exterior.coords)[:-1]) >= 0.94
        assert len(instance["polygon"]) <= 20


def test_masks_in_another_order_and_as_a_list_of_records() -> None:
    row = masked_row([("cat", LARGE), ("dog", SMALL)])
    lists = row["masks"]["objects"]
    dicts = [dict(zip(lists, items, strict=True)) for items in zip(*lists.values(), strict=True)]
    turned = {**row, "masks": {"objects": dicts[::-1]}}
    assert (
        case_of(coco_masks.segmentation, turned).truth
        == case_of(coco_masks.segmentation, row).truth
    )


def test_outline_is_that_of_the_dominant_object() -> None:
    row = masked_row([("dog", SMALL), ("cat", LARGE)])
    truth = case_of(coco_masks.outline, row).truth
    assert truth["label"] == "cat"
    box = shapely.Polygon(truth["polygon"]).bounds
    assert box == pytest.approx((15, 5, 105, 95), abs=3)
    even = masked_row([("dog", disc(SIZE, 150, 50, 40)), ("cat", LARGE)])
    assert reason_of(coco_masks.outline, even) == "no object of twice the area of the next"


def test_what_makes_no_mask_case() -> None:
    holed = LARGE & ~disc(SIZE, 60, 50, 20)
    unfollowed = "an outline that 20 points do not follow at IoU 0.95"
    for adapter in (coco_masks.segmentation, coco_masks.outline):
        assert reason_of(adapter, masked_row([("donut", holed)])) == unfollowed
    tiny = masked_row([("cat", LARGE), ("dog", disc(SIZE, 160, 50, 7))])
    assert reason_of(coco_masks.segmentation, tiny) == "an object too small for an outline"
    crowd = masked_row([("cat", LARGE), ("dog", SMALL)])
    crowd["objects"]["bbox_id"][1] = crowd["masks"]["objects"]["ids"][1] = 900_100_000_001
    assert reason_of(coco_masks.segmentation, crowd) == "a crowd region"
    five = [("cat", disc(SIZE, 20 + 40 * k, 50, 15)) for k in range(5)]
    assert case_of(coco_masks.segmentation, masked_row(five[:4])).truth
    assert reason_of(coco_masks.segmentation, masked_row(five)) == "more than 4 objects"


def test_boxes_and_masks_must_be_of_the_same_objects() -> None:
    row = masked_row([("cat", LARGE), ("dog", SMALL)])
    row["masks"]["objects"]["ids"] = [10, 12]
    assert reason_of(coco_masks.segmentation, row) == "boxes and masks that differ"
    row["masks"]["objects"]["ids"] = [1, 2]
    with pytest.raises(DataError, match=r"of the objects \[10, 11\] of image 7, got \[1, 2\]"):
        coco_masks.segmentation(row, rng())


def test_broken_masks_are_clear_errors() -> None:
    row = masked_row([("cat", LARGE)])
    entry = row["masks"]["objects"]["masks"][0]
    for changed, told in (
        ({"size": [200, 100]}, r"width and height \(200, 100\), got \(100, 200\)"),
        ({"counts": entry["counts"][:-1]}, "expected run lengths of a mask of 200 x 100, got b'"),
        ({"counts": b""}, "expected run lengths of a mask of 200 x 100, got b''"),
        ({"size": [100]}, "expected 2 numbers in column 'size'"),
        ({"counts": "text"}, "expected bytes in column 'counts'"),
    ):
        row["masks"]["objects"]["masks"] = [{**entry, **changed}]
        with pytest.raises(DataError, match=told):
            coco_masks.outline(row, rng())
    with pytest.raises(DataError, match="expected a column 'masks'"):
        coco_masks.outline({k: v for k, v in row.items() if k != "masks"}, rng())


def fixture() -> list[dict[str, Any]]:
    masks = {row["image_id"]: row for row in fixture_rows(MASKS)}
    return [{**row, "masks": masks.get(row["image_id"])} for row in fixture_rows(BOXES)]


@pytest.mark.parametrize(
    ("adapter", "category", "key", "least", "cases"),
    [
        (coco.detections, "bbox_grounding", "label", 1.0, 9),
        (coco.spatial, "structural_spatial_awareness", "object", 1.0, 3),
        (coco.subject, "subject_fixation", "object", 1.0, 4),
        (coco_masks.segmentation, "segmentation", "label", 0.9, 6),
        (coco_masks.outline, "outline_association", "label", 0.9, 2),
    ],
)
def test_the_right_answer_to_every_fixture_scores_in_every_frame(
    adapter: Adapter, category: str, key: str, least: float, cases: int
) -> None:
    masked = category in ("segmentation", "outline_association")
    made = [adapter(row, rng()) for row in fixture() if row["masks"] or not masked]
    kept = [case for case in made if isinstance(case, Labelled)]
    assert len(kept) == cases
    assert len({case.image_id for case in kept}) == cases
    for case in kept:
        for score in oracle_scores(TASKS[category], case, {key: coco.COCO_NAMES}):
            assert score is not None
            assert score >= least


def test_fixture_masks_lie_in_their_boxes() -> None:
    """An independent look at the join: the decoded mask's extent is the xyxy box."""
    for row in fixture():
        if row["masks"] is None:
            continue
        objects = row["masks"]["objects"]
        for box, encoded in zip(row["objects"]["bbox"], objects["masks"], strict=True):
            x, y, width, height = run_lengths.toBbox(encoded)
            assert (x, y, x + width, y + height) == pytest.approx(box, abs=1)

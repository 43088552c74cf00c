from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import shapely

from unit_tests.adapters.tables import (
    blank,
    case_of,
    fixture_rows,
    oracle_scores,
    reason_of,
    rng,
)
from vlmbench_plugin.adapters.sunrgbd import SUNRGBD, SUNRGBD_LABELS, boxes3d
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.metrics.boxes3d import Box3D, iou
from vlmbench_plugin.scenes.camera import Intrinsics, stated_intrinsics
from vlmbench_plugin.sources import Labelled
from vlmbench_plugin.tasks import TASKS

ROWS = "kcz358/SUNRGBD-3D/data/test-00000-of-00001.parquet"
BED = [0.5, 0.8, 4.0, 2.0, 1.0, 1.5, 0.0, 0.0, 0.0]


def row_of(boxes: list[Any], labels: list[str] | None = None, **changed: Any) -> dict[str, Any]:
    return {
        "image": blank(640, 480),
        "bboxes_3d": boxes,
        "labels": labels or ["bed"] * len(boxes),
        "intrinsics": [520.0, 525.5, 320.0, 240.0],
        **changed,
    }


def turned(radians: float) -> list[float]:
    return [*BED[:8], radians]


def test_the_table_says_why_the_hub_cannot_serve() -> None:
    assert SUNRGBD.lacks == "it has no intrinsics"


def test_a_box_is_told_in_metres_and_degrees() -> None:
    case = case_of(
        boxes3d, row_of([BED, [-1, 0.5, 6, 0.4, 1.2345678, 0.5, 0, 0, 0]], ["bed", "Night_Stand"])
    )
    assert case.truth == {
        "objects": [
            {"label": "bed", "center": [0.5, 0.8, 4.0], "size": [2.0, 1.0, 1.5], "yaw": 0.0},
            {
                "label": "night stand",
                "center": [-1.0, 0.5, 6.0],
                "size": [0.4, 1.235, 0.5],
                "yaw": 0.0,
            },
        ]
    }
    assert "and no others: bed, night stand." in (case.question or "")
    assert case.size == (640, 480)


@pytest.mark.parametrize(
    ("degrees", "yaw", "size"),
    [
        (30, -30, [2.0, 1.0, 1.5]),
        (-30, 30, [2.0, 1.0, 1.5]),
        (90, 0, [1.5, 1.0, 2.0]),
        (100, -10, [1.5, 1.0, 2.0]),
        (180, 0, [2.0, 1.0, 1.5]),
        (-150, -30, [2.0, 1.0, 1.5]),
    ],
)
def test_yaw_turns_the_other_way_and_stays_within_45(
    degrees: float, yaw: float, size: list[float]
) -> None:
    (thing,) = case_of(boxes3d, row_of([turned(math.radians(degrees))])).truth["objects"]
    assert thing["yaw"] == pytest.approx(yaw)
    assert thing["size"] == size


@pytest.mark.parametrize("degrees", range(-180, 181, 15))
def test_the_box_covers_the_ground_that_the_public_evaluation_says(degrees: int) -> None:
    """Corners as lmms-eval turns them: (x, z) by the matrix of cos, -sin; sin, cos."""
    angle = math.radians(degrees)
    (thing,) = case_of(boxes3d, row_of([turned(angle)])).truth["objects"]
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    local = np.array([[-1.0, -0.75], [1.0, -0.75], [1.0, 0.75], [-1.0, 0.75]])
    theirs = shapely.Polygon(local @ turn.T + (0.5, 4.0))
    ours = Box3D.from_json(thing)
    yaw = math.radians(thing["yaw"])
    half_x, half_z = ours.size[0] / 2, ours.size[2] / 2
    x_axis, z_axis = (
        np.array([math.cos(yaw), -math.sin(yaw)]),
        np.array([math.sin(yaw), math.cos(yaw)]),
    )
    corners = [
        np.array([0.5, 4.0]) + u * half_x * x_axis + w * half_z * z_axis
        for u, w in ((1, 1), (1, -1), (-1, -1), (-1, 1))
    ]
    assert shapely.Polygon(corners).symmetric_difference(theirs).area < 0.02
    assert iou(ours, ours) == pytest.approx(1)


@pytest.mark.parametrize(
    "given",
    [
        [520.0, 525.5, 320.0, 240.0],
        [520, 525.5, 320, 240],
        [[520.0, 0.0, 320.0], [0.0, 525.5, 240.0], [0.0, 0.0, 1.0]],
    ],
)
def test_the_question_states_the_intrinsics(given: list[Any]) -> None:
    case = case_of(boxes3d, row_of([BED], intrinsics=given))
    assert stated_intrinsics(case.question or "") == Intrinsics(
        fx=520.0, fy=525.5, cx=320.0, cy=240.0
    )


@pytest.mark.parametrize(
    "given",
    [
        [0.0, 525.0, 320.0, 240.0],
        [520.0, 525.0, 700.0, 240.0],
        [520.0, 525.0, 320.0, 0.0],
        [[520.0, 1.0, 320.0], [0.0, 525.0, 240.0], [0.0, 0.0, 1.0]],
        [[520.0, 0.0, 320.0], [0.0, 525.0, 240.0], [0.0, 0.0, 0.0]],
    ],
)
def test_what_are_no_intrinsics(given: list[Any]) -> None:
    with pytest.raises(DataError, match="expected intrinsics as a pinhole camera's"):
        boxes3d(row_of([BED], intrinsics=given), rng())


def test_objects_of_unknown_kinds_are_not_asked_about() -> None:
    behind = [0.0, 0.0, -3.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    case = case_of(boxes3d, row_of([BED, behind], ["bed", "flux capacitor"]))
    assert [thing["label"] for thing in case.truth["objects"]] == ["bed"]
    unknown = row_of([BED], ["flux capacitor"])
    assert reason_of(boxes3d, unknown) == "no object of known kind"
    assert reason_of(boxes3d, row_of([])) == "no object of known kind"


@pytest.mark.parametrize(
    "center", [(0.0, 0.0, -4.0), (0.0, 0.0, 0.0), (3.0, 0.0, 4.0), (0.0, -2.0, 4.0)]
)
def test_an_object_out_of_view_leaves_the_row_out(center: tuple[float, ...]) -> None:
    row = row_of([BED, [*center, *BED[3:]]])
    assert reason_of(boxes3d, row) == "an object whose centre is not in view"


def test_what_else_is_left_out() -> None:
    assert len(case_of(boxes3d, row_of([BED] * 4)).truth["objects"]) == 4
    assert reason_of(boxes3d, row_of([BED] * 5)) == "more than 4 objects"
    flat = row_of([[*BED[:4], 0.0, *BED[5:]]])
    assert reason_of(boxes3d, flat) == "a box without extent"
    for tilted in ([*BED[:6], 0.1, 0.0, 0.0], [*BED[:6], 0.0, -0.1, 0.0]):
        assert reason_of(boxes3d, row_of([tilted])) == "a box that does not stand upright"
    small = row_of([BED], image=blank(640, 63))
    assert reason_of(boxes3d, small) == "an image below 64 pixels a side"


def test_what_is_an_error() -> None:
    with pytest.raises(DataError, match="expected centre and size in metres below 100"):
        boxes3d(row_of([[500.0, 800.0, 4000.0, *BED[3:]]]), rng())
    with pytest.raises(DataError, match="expected as many labels as boxes, got 2 and 1"):
        boxes3d(row_of([BED], ["bed", "chair"]), rng())
    with pytest.raises(DataError, match="expected 9 numbers in column 'bboxes_3d'"):
        boxes3d(row_of([BED[:7]]), rng())
    with pytest.raises(DataError, match="expected list in column 'intrinsics', got NoneType"):
        boxes3d(row_of([BED], intrinsics=None), rng())
    hub = row_of([BED])
    del hub["intrinsics"]
    with pytest.raises(DataError, match="expected a column 'intrinsics'"):
        boxes3d(hub, rng())


def test_the_right_answer_to_every_fixture_scores_and_every_box_is_where_it_is_drawn() -> None:
    cases = [boxes3d(row, rng()) for row in fixture_rows(ROWS)]
    kept = [case for case in cases if isinstance(case, Labelled)]
    assert len(kept) == len(cases) == 3
    assert "L" in {case.image.raw().mode for case in kept}
    for case in kept:
        assert all(abs(thing["yaw"]) <= 40 for thing in case.truth["objects"])
        scores = oracle_scores(TASKS["geometric_3d_object_id"], case, {"label": SUNRGBD_LABELS})
        assert set(scores) == {1.0}
        _check_ink(case)


def _check_ink(case: Labelled) -> None:
    """The middle of each box of a colour picture shows one of the boxes' bright colours."""
    image = case.image.rgb()
    lens = stated_intrinsics(case.question or "")
    assert lens is not None
    if case.image.raw().mode == "L":
        return
    for x, y, z in (thing["center"] for thing in case.truth["objects"]):
        pixel = image.getpixel((int(lens.cx + lens.fx * x / z), int(lens.cy + lens.fy * y / z)))
        assert isinstance(pixel, tuple)
        assert max(pixel) - min(pixel) > 60 or max(pixel) < 40

from __future__ import annotations

import io
import math
import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from unit_tests.adapters.tables import blank, case_of, fixture_rows, oracle_scores, reason_of, rng
from vlmbench_plugin.adapters.nyu import APART, POINTS, depth_order
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.labels import resolve
from vlmbench_plugin.pictures import Picture
from vlmbench_plugin.scenes.depth import asked_objects
from vlmbench_plugin.sources import Labelled
from vlmbench_plugin.tasks import TASKS

ROWS = "wyrx/NYUDepthv2_seg/data/test-00000-of-00001.parquet"
FEW = "fewer than 3 points well apart in depth"
UNSURE = "nothing shows that larger depth is farther"


def png(values: NDArray[Any]) -> Picture:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return Picture(file.getvalue(), "depth.png")


def stripes() -> NDArray[np.uint16]:
    """Three upright stripes above a near floor, 240 x 320, in millimetres."""
    depth = np.empty((240, 320), dtype=np.uint16)
    depth[:, :110], depth[:, 110:220], depth[:, 220:] = 1000, 1700, 1300
    depth[190:] = 700
    return depth


def row_of(values: NDArray[Any], **changed: Any) -> dict[str, Any]:
    size = values.shape[1], values.shape[0]
    return {"image": blank(*size), "depth": png(values), **changed}


def marks(case: Labelled) -> list[tuple[str, int, int]]:
    assert case.view is not None
    found: list[tuple[str, int, int]] = case.view.args[0]  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("seed", range(20))
def test_points_are_apart_in_flat_windows_and_in_order(seed: int) -> None:
    depth = stripes().astype(float)
    case = depth_order(row_of(stripes()), random.Random(seed))
    assert isinstance(case, Labelled)
    assert [name for name, _, _ in marks(case)] == case.truth["order"]
    assert case.truth["places"] == {name: [x, y] for name, x, y in marks(case)}
    assert 3 <= len(marks(case)) <= 4
    assert set(case.truth["order"]) == set(POINTS[: len(marks(case))])
    depths = []
    for _, x, y in marks(case):
        window = depth[y - 6 : y + 7, x - 6 : x + 7]
        assert window.shape == (13, 13)
        assert len(np.unique(window)) == 1
        assert 24 <= x < 320 - 24
        assert 24 <= y < 240 - 24
        depths.append(depth[y, x])
    assert all(far >= APART * near for near, far in pairwise(depths))
    spots = [(x, y) for _, x, y in marks(case)]
    assert min(math.dist(a, b) for a in spots for b in spots if a != b) >= 48


def test_the_question_names_the_points_in_an_order_that_tells_nothing() -> None:
    made = [depth_order(row_of(stripes()), random.Random(seed)) for seed in range(60)]
    cases = [case for case in made if isinstance(case, Labelled)]
    asked = [asked_objects(case.question or "") for case in cases]
    assert all(sorted(a) == sorted(c.truth["order"]) for a, c in zip(asked, cases, strict=True))
    same = sum(a == c.truth["order"] for a, c in zip(asked, cases, strict=True))
    alphabetical = sum(c.truth["order"] == sorted(c.truth["order"]) for c in cases)
    assert 0 < same < 25
    assert 0 < alphabetical < 25


def test_an_eight_bit_map_serves_too() -> None:
    assert len(case_of(depth_order, row_of((stripes() // 10).astype(np.uint8))).truth["order"]) >= 3


def test_gaps_edges_and_ends_of_the_scale_hold_no_point() -> None:
    for step, value in ((6, 0), (6, 65535), (6, 1100)):
        spoilt = stripes()
        spoilt[::step, ::step] = value
        assert reason_of(depth_order, row_of(spoilt)) == FEW
    close = stripes()
    close[close == 1300] = 1150
    close[close == 1700] = 1150
    close[190:] = 900
    assert reason_of(depth_order, row_of(close)) == FEW


def test_a_map_in_which_larger_may_be_nearer_is_left_out() -> None:
    assert reason_of(depth_order, row_of((2400 - stripes()).astype(np.uint16))) == UNSURE
    assert reason_of(depth_order, row_of(np.full((240, 320), 900, dtype=np.uint16))) == UNSURE
    assert reason_of(depth_order, row_of(np.zeros((240, 320), dtype=np.uint16))) == UNSURE


def test_a_small_image_is_left_out() -> None:
    small = row_of(np.ones((159, 320), dtype=np.uint16))
    assert reason_of(depth_order, small) == "an image below 160 pixels a side"


def test_what_is_no_depth_map_is_an_error() -> None:
    with pytest.raises(DataError, match=r"depth map of one channel.*depth.png of mode RGB"):
        depth_order(row_of(stripes(), depth=png(np.zeros((240, 320, 3), np.uint8))), rng())
    with pytest.raises(DataError, match=r"and \(320, 240\), got depth.png of mode I;16 and \(240"):
        depth_order(row_of(stripes(), depth=png(stripes().T.copy())), rng())
    with pytest.raises(DataError, match="expected a column 'depth', got 'image'"):
        depth_order({"image": blank(320, 240)}, rng())
    with pytest.raises(DataError, match="expected Picture in column 'depth', got NoneType"):
        depth_order(row_of(stripes(), depth=None), rng())


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_marks_show_on_any_ground_and_leave_the_point_bare(ground: int) -> None:
    case = case_of(depth_order, row_of(stripes()))
    photo = Image.new("RGB", case.size, (ground, ground, ground))
    assert case.view is not None
    shown = np.asarray(case.view(photo).convert("L"), dtype=int)
    assert set(np.unique(np.asarray(photo))) == {ground}
    for _, x, y in marks(case):
        assert (shown[y - 2 : y + 3, x - 2 : x + 3] == ground).all()
        ring = shown[y - 9 : y + 10, x - 9 : x + 10]
        letter = shown[y - 24 : y - 3, x + 7 : x + 24]
        for part in (ring, letter):
            assert part.max() - part.min() >= 200
    assert (case.view(photo).tobytes()) == case.view(photo).tobytes()


@pytest.mark.parametrize("name", POINTS)
def test_an_answer_may_name_a_point_by_its_letter(name: str) -> None:
    for text in (name, name.upper(), name[-1], name[-1].upper(), f"the {name}"):
        assert resolve(text, POINTS).name == name


def test_the_right_answer_to_every_fixture_scores_and_every_reason_occurs() -> None:
    cases = [depth_order(row, rng()) for row in fixture_rows(ROWS)]
    kept = [case for case in cases if isinstance(case, Labelled)]
    assert len(kept) == len({case.image_id for case in kept}) == 3
    assert [case.reason for case in cases if not isinstance(case, Labelled)] == [FEW, UNSURE]
    assert kept[2].image.raw().mode == "L"
    for case in kept:
        assert case.view is not None
        assert case.view(case.image.rgb()).size == case.size
        scores = oracle_scores(TASKS["depth_analysis"], case, {"object": POINTS})
        assert set(scores) == {1.0}

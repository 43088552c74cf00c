from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from unit_tests.adapters.tables import blank, case_of, encoded, fixture_rows, reason_of, rng
from vlmbench_plugin.adapters.roll import LEAST_TURN, cropped_size, rolled
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.scenes.camera import Camera
from vlmbench_plugin.scenes.solids import Painter, paint_grid
from vlmbench_plugin.sources import Labelled
from vlmbench_plugin.tasks import TASKS

ROWS = "detection-datasets/coco/data/val-00000-of-00001.parquet"


def row_of(image: Image.Image) -> dict[str, Any]:
    return {"image_id": 139, "image": encoded(image)}


def shown(case: Labelled, image: Image.Image) -> Image.Image:
    assert case.view is not None
    return case.view(image)


def made(size: tuple[int, int], seed: int) -> Labelled:
    case = rolled({"image_id": 1, "image": blank(*size)}, random.Random(seed))
    assert isinstance(case, Labelled)
    return case


@settings(max_examples=60)
@given(width=st.integers(320, 500), height=st.integers(320, 500), seed=st.integers(0, 99))
def test_no_corner_is_black_and_the_aspect_stays(width: int, height: int, seed: int) -> None:
    case = made((width, height), seed)
    image = shown(case, Image.new("RGB", (width, height), "white"))
    assert image.size == case.size == cropped_size((width, height))
    assert image.getextrema() == ((255, 255),) * 3
    assert case.size[0] / case.size[1] == pytest.approx(width / height, rel=0.03)


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (500, 500), (640, 427)])
def test_the_crop_is_the_largest_that_serves_every_angle(size: tuple[int, int]) -> None:
    width, height = cropped_size(size)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    larger = (left - 5, top - 5, left + width + 5, top + height + 5)
    white = Image.new("RGB", size, "white")
    corners = [white.rotate(a, Image.Resampling.BICUBIC).crop(larger) for a in range(15, 46)]
    assert min(int(np.asarray(image).min()) for image in corners) == 0


def test_640_by_480_by_hand() -> None:
    # At 45 degrees: 480 / (0.70711 x (640 + 480)) = 0.60609; of 640, 480: 387, 290, less 4.
    assert cropped_size((640, 480)) == (383, 286)


def test_positive_roll_lifts_the_right_end_of_the_horizon() -> None:
    level = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(level).rectangle((0, 150, 400, 300), fill="black")
    signs = set()
    for seed in range(8):
        case = made((400, 300), seed)
        ground = np.asarray(shown(case, level).convert("L")) < 128
        middle = case.size[0] // 2
        left, right = ground[:, middle - 60].sum(), ground[:, middle + 60].sum()
        assert (right > left) == (case.truth["roll"] > 0)
        slope = (right - left) / 120
        assert np.degrees(np.arctan(slope)) == pytest.approx(case.truth["roll"], abs=1.5)
        signs.add(case.truth["roll"] > 0)
    assert signs == {True, False}


def _seen(roll: float) -> Image.Image:
    camera = Camera(size=(400, 300), focal=320, roll=roll)
    painter = Painter(
        camera,
        sky=((226, 238, 248), (96, 156, 222)),
        ground=((206, 210, 196), (146, 160, 120)),
    )
    paint_grid(painter, 1.6, reach=24, colour=(120, 130, 100))
    return painter.finish()


@pytest.mark.parametrize("seed", range(6))
def test_it_looks_as_the_drawn_scenes_do_at_that_roll(seed: int) -> None:
    case = made((400, 300), seed)
    turned = np.asarray(shown(case, _seen(0)), dtype=float)
    left, top = (400 - case.size[0]) // 2, (300 - case.size[1]) // 2
    box = (left, top, left + case.size[0], top + case.size[1])
    there, back = (
        abs(np.asarray(_seen(sign * case.truth["roll"]).crop(box), dtype=float) - turned).mean()
        for sign in (1, -1)
    )
    assert there < 6
    assert back > 12


def test_the_size_does_not_tell_the_angle_nor_does_any_one_answer_serve() -> None:
    cases = [made((400, 300), seed) for seed in range(400)]
    assert {case.size for case in cases} == {cropped_size((400, 300))}
    rolls = [case.truth["roll"] for case in cases]
    assert min(map(abs, rolls)) == LEAST_TURN
    assert (min(rolls), max(rolls)) == (-45, 45)
    floors = [sum(abs(roll - guess) <= 30 for roll in rolls) / 400 for guess in range(-45, 46)]
    assert max(floors) < 0.6


def test_the_question_states_the_sign_and_the_truth_asks_for_roll_alone() -> None:
    case = case_of(rolled, row_of(Image.new("RGB", (640, 480))))
    assert (case.truth["yaw"], case.truth["pitch"]) == (None, None)
    assert type(case.truth["roll"]) is int
    assert case.image_id == "139"
    assert "the right end of the horizon appears higher" in (case.question or "")
    assert "answer 0 for both" in (case.question or "")


def test_exif_is_applied_before_the_turn() -> None:
    row = {"image_id": 1, "image": encoded(Image.new("RGB", (640, 480)), orientation=6)}
    assert case_of(rolled, row).size == cropped_size((480, 640))


def test_a_small_photograph_is_left_out_and_missing_values_are_errors() -> None:
    reason = "less than 128 pixels a side once turned and cropped"
    assert reason_of(rolled, {"image_id": 1, "image": blank(320, 200)}) == reason
    with pytest.raises(DataError, match="expected a column 'image_id', got 'image'"):
        rolled({"image": blank(640, 480)}, rng())
    with pytest.raises(DataError, match="expected Picture in column 'image', got NoneType"):
        rolled({"image_id": 1, "image": None}, rng())


def test_the_right_answer_to_every_fixture_scores() -> None:
    cases = [rolled(row, rng()) for row in fixture_rows(ROWS)]
    kept = [case for case in cases if isinstance(case, Labelled)]
    assert len(kept) == len({case.image_id for case in kept}) >= 4
    task = TASKS["camera_rotational_offset"]
    for case in kept:
        assert shown(case, case.image.rgb()).size == case.size
        assert task.score(task.pixel_answer(case.truth), case.truth, {}).primary == 1.0

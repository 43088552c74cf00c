"""Camera scenes against an independent rotation and against the pixels that are drawn."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vlmbench_plugin.core import DIFFICULTIES, Difficulty
from vlmbench_plugin.scenes import perspective
from vlmbench_plugin.scenes.camera import (
    NEAR,
    Camera,
    Intrinsics,
    direction,
    project_line,
    project_polygon,
    stated_intrinsics,
)
from vlmbench_plugin.scenes.canvas import PALETTE
from vlmbench_plugin.scenes.perspective import BOX_LABELS, boxes3d_scene, camera_scene, project
from vlmbench_plugin.scenes.solids import Painter
from vlmbench_plugin.sources import Scene

TURN = st.integers(-45, 45)
PLACE = st.floats(-20, 20)
Pixels = NDArray[np.int16]


def rays(camera: Camera) -> NDArray[np.float64]:
    """The world direction of every pixel's centre, by SciPy's rotations."""
    turn = Rotation.from_euler("YXZ", [camera.yaw, camera.pitch, camera.roll], degrees=True)
    x, y = np.meshgrid(np.arange(camera.size[0]) + 0.5, np.arange(camera.size[1]) + 0.5)
    cx, cy = camera.centre
    seen = np.stack([(x - cx) / camera.focal, (y - cy) / camera.focal, np.ones_like(x)], axis=-1)
    return turn.apply(seen.reshape(-1, 3)).reshape(seen.shape)


@given(TURN, TURN, TURN, PLACE, PLACE, PLACE)
def test_projection_agrees_with_scipy(
    yaw: int, pitch: int, roll: int, x: float, y: float, z: float
) -> None:
    camera = Camera(size=(640, 480), focal=500, yaw=yaw, pitch=pitch, roll=roll)
    turn = Rotation.from_euler("YXZ", [yaw, pitch, roll], degrees=True)
    seen = turn.inv().apply([x, y, z])
    spot = project((x, y, z), camera)
    if seen[2] > NEAR + 1e-9:
        assert spot == pytest.approx(
            (320 + 500 * seen[0] / seen[2], 240 + 500 * seen[1] / seen[2]), rel=1e-6, abs=1e-6
        )
    elif seen[2] < NEAR - 1e-9:
        assert spot is None


def test_signs_by_hand() -> None:
    lens = {"size": (640, 480), "focal": 500.0}
    north, tan = direction(0, 0), math.tan(math.radians(10))
    # Turned right, north is left; tilted up, the horizon sinks; rolled clockwise, it climbs right.
    assert project(north, Camera(**lens, yaw=10)) == pytest.approx((320 - 500 * tan, 240))  # type: ignore[arg-type]
    assert project(north, Camera(**lens, pitch=10)) == pytest.approx((320, 240 + 500 * tan))  # type: ignore[arg-type]
    right = project(direction(10, 0), Camera(**lens, roll=10))  # type: ignore[arg-type]
    assert right is not None
    assert right[0] > 320
    assert right[1] < 240
    assert project((0.0, 1.0, 2.0), Camera(**lens)) == pytest.approx((320, 490))  # type: ignore[arg-type]
    assert direction(90, 0) == pytest.approx((1, 0, 0))
    assert direction(0, 90) == pytest.approx((0, -1, 0))


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (45, -45, 30), (-20, 25, -45)])
def test_every_pixel_of_sky_and_ground_is_right(yaw: int, pitch: int, roll: int) -> None:
    camera = Camera(size=(160, 120), focal=110, yaw=yaw, pitch=pitch, roll=roll)
    blue, green = (0, 0, 255), (0, 255, 0)
    drawn = np.asarray(Painter(camera, sky=(blue, blue), ground=(green, green)).finish())
    below = rays(camera)[..., 1] > 0
    assert ((drawn[..., 1] > 127) != below).mean() < 0.01


def test_lines_and_polygons_are_cut_at_the_near_plane() -> None:
    camera = Camera(size=(100, 100), focal=100)
    assert project_line([(0, 1, -1), (0, 1, -2)], camera) == []
    ((start, end),) = project_line([(0, 1, -1), (0, 1, 1)], camera)
    assert start == pytest.approx((50, 50 + 100 / NEAR))
    assert end == pytest.approx((50, 150))
    floor = [(-1.0, 1.0, -1.0), (-1.0, 1.0, 2.0), (1.0, 1.0, 2.0), (1.0, 1.0, -1.0)]
    assert len(project_polygon(floor, camera)) == 4
    assert project_polygon([(x, y, -1) for x, y, _ in floor], camera) == []


def test_turns_are_uniform_and_always_readable() -> None:
    """Wherever the camera looks, at least two plates with azimuth and elevation are in view."""
    turns = []
    for seed in range(400):
        scene = camera_scene(random.Random(seed), "hard")
        turns.append([scene.truth[axis] for axis in ("yaw", "pitch", "roll")])
        assert scene.question is not None
        focal = re.search(r"focal length of (\d+) pixels", scene.question)
        assert focal is not None
        camera = Camera(size=scene.size, focal=int(focal[1]), **scene.truth)
        plates = 0
        for azimuth, elevation in itertools.product(range(-150, 181, 30), range(-60, 61, 15)):
            spot = project(direction(azimuth, elevation), camera)
            plates += bool(
                spot and 28 < spot[0] < scene.size[0] - 28 and 10 < spot[1] < scene.size[1] - 10
            )
        assert plates >= 2
    assert np.abs(turns).max() == 45
    # The standard deviation of a uniform draw from 91 whole degrees is 26.3.
    assert np.std(turns, axis=0) == pytest.approx([26.3] * 3, abs=2)
    assert np.mean(turns, axis=0) == pytest.approx([0] * 3, abs=5)


def intrinsics(scene: Scene) -> tuple[float, float, float, float]:
    """Focal length, cx, cy and height, read from the question alone."""
    assert scene.question is not None
    found = [
        re.search(pattern, scene.question)
        for pattern in (r"fx = (\d+)", r"cx = ([\d.]+)", r"cy = (\d+\.\d)", r"ground, ([\d.]+) m")
    ]
    focal, cx, cy, height = (float(match[1]) for match in found if match)
    return focal, cx, cy, height


def corners(item: dict[str, Any]) -> NDArray[np.float64]:
    """The eight corners of a truth object, by a rotation matrix about +y."""
    angle = math.radians(item["yaw"])
    sin, cos = math.sin(angle), math.cos(angle)
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    signs = np.array(list(itertools.product((-0.5, 0.5), repeat=3)))
    turned: NDArray[np.float64] = (signs * item["size"]) @ turn.T + item["center"]
    return turned


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_boxes_are_drawn_where_the_truth_says(difficulty: Difficulty) -> None:
    for seed in range(8):
        scene = boxes3d_scene(random.Random(seed), difficulty)
        focal, cx, cy, _ = intrinsics(scene)
        pixels = np.asarray(scene.draw()).astype(np.int16)
        objects = scene.truth["objects"]
        extents = [extent(item, focal, cx, cy) for item in objects]
        for item, own in zip(objects, extents, strict=True):
            if sum(meet(own, other) for other in extents) > 1:
                continue
            points = corners(item)
            u = cx + focal * points[:, 0] / points[:, 2]
            v = cy + focal * points[:, 1] / points[:, 2]
            drawn = shown_extent(pixels, item["label"], (u.min(), v.min(), u.max(), v.max()))
            assert drawn == pytest.approx((u.min(), v.min(), u.max(), v.max()), abs=2.5), item


def extent(
    item: dict[str, Any], focal: float, cx: float, cy: float
) -> tuple[float, float, float, float]:
    """The box around the image of a truth object."""
    points = corners(item)
    u = cx + focal * points[:, 0] / points[:, 2]
    v = cy + focal * points[:, 1] / points[:, 2]
    return float(u.min()), float(v.min()), float(u.max()), float(v.max())


def meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def shown_extent(
    pixels: Pixels, label: str, near: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """The extent of the pixels in any shade of a label's colour, looked for around a place."""
    left, top = max(0, int(near[0]) - 12), max(0, int(near[1]) - 12)
    part = pixels[top : int(near[3]) + 12, left : int(near[2]) + 12]
    hit = np.zeros(part.shape[:2], bool)
    for shade in (0.62, 0.82, 1.0):
        colour = np.round(np.array(PALETTE[label.removesuffix(" box")]) * shade)
        hit |= np.abs(part - colour).max(axis=2) <= 2
    rows, columns = np.nonzero(hit)
    return (
        float(left + columns.min()),
        float(top + rows.min()),
        float(left + columns.max() + 1),
        float(top + rows.max() + 1),
    )


def check_hiding(one: dict[str, Any], two: dict[str, Any], a: Any, b: Any) -> None:
    """One stands wholly behind the other, and most of the box around its image is free."""
    depths = [corners(item)[:, 2] for item in (one, two)]
    assert depths[0].max() < depths[1].min() or depths[1].max() < depths[0].min()
    far = a if depths[0].min() > depths[1].min() else b
    wide, tall = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    assert wide * tall <= 0.41 * (far[2] - far[0]) * (far[3] - far[1])


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_boxes_stand_on_the_ground_in_view_and_apart(difficulty: Difficulty) -> None:
    seen = set()
    pairs = 0
    for seed in range(300):
        scene = boxes3d_scene(random.Random(seed), difficulty)
        focal, cx, cy, height = intrinsics(scene)
        objects = scene.truth["objects"]
        seen.add(len(objects))
        assert len({item["label"] for item in objects}) == len(objects)
        assert json.loads(json.dumps(scene.truth)) == scene.truth
        extents = []
        for item in objects:
            assert item["label"] in BOX_LABELS
            assert -45 < item["yaw"] < 45
            points = corners(item)
            assert points[:, 1].max() == pytest.approx(height, abs=2e-3)
            u = cx + focal * points[:, 0] / points[:, 2]
            v = cy + focal * points[:, 1] / points[:, 2]
            assert points[:, 2].min() > 1
            assert 0 < u.min() < u.max() < scene.size[0]
            assert 0 < v.min() < v.max() < scene.size[1]
            extents.append((u.min(), v.min(), u.max(), v.max()))
        for (i, a), (j, b) in itertools.combinations(enumerate(extents), 2):
            if meet(a, b):
                pairs += 1
                check_hiding(objects[i], objects[j], a, b)
    assert min(seen) >= 1
    # Where boxes may hide each other, they do in most scenes.
    assert pairs > 200 if difficulty == "hard" else pairs == 0
    assert max(seen) == {"easy": 2, "medium": 3, "hard": 4}[difficulty]


@pytest.mark.parametrize("build", [camera_scene, boxes3d_scene])
def test_same_seed_same_image_also_in_a_fresh_process(build: Any) -> None:
    scene, again = (build(random.Random(5), "hard") for _ in range(2))
    assert (scene.truth, scene.question, scene.size) == (again.truth, again.question, again.size)
    picture = scene.draw()
    assert (picture.mode, picture.size) == ("RGB", scene.size)
    assert picture.tobytes() == scene.draw().tobytes() == again.draw().tobytes()
    code = (
        "import hashlib, random\n"
        f"from vlmbench_plugin.scenes.perspective import {build.__name__} as build\n"
        "print(hashlib.sha256(build(random.Random(5), 'hard').draw().tobytes()).hexdigest())"
    )
    fresh = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(perspective.__file__).parents[2],
    )
    assert fresh.stdout.strip() == hashlib.sha256(picture.tobytes()).hexdigest()


@pytest.mark.parametrize("build", [camera_scene, boxes3d_scene])
def test_the_question_ties_pixels_to_the_full_size(build: Any) -> None:
    """The image may be sent smaller, so intrinsics hold for a stated size only."""
    for seed in range(20):
        scene = build(random.Random(seed), DIFFICULTIES[seed % 3])
        width, height = scene.size
        before, stated, after = scene.question.partition(
            f"At its full size of {width} x {height} pixels the image has "
        )
        assert stated
        assert re.search(r"focal length of \d+|fx = \d+", after.split(". ")[0])
        assert not re.search("pixel|focal|fx|cx", before)


def test_stated_intrinsics_by_hand() -> None:
    assert stated_intrinsics("has fx = 525, fy = 520.5, cx = 320.0, cy = 240.0. Give") == (
        Intrinsics(fx=525, fy=520.5, cx=320, cy=240)
    )
    stated = "At its full size of 640 x 480 pixels the image has a focal length of 500 pixels and"
    assert stated_intrinsics(stated) == Intrinsics(fx=500, fy=500, cx=320, cy=240)
    assert stated_intrinsics("How is the camera turned?") is None


@pytest.mark.parametrize("build", [camera_scene, boxes3d_scene])
def test_every_question_states_its_intrinsics(build: Any) -> None:
    for seed in range(30):
        scene = build(random.Random(seed), DIFFICULTIES[seed % 3])
        found = stated_intrinsics(scene.question)
        assert found is not None
        assert (found.cx, found.cy) == (scene.size[0] / 2, scene.size[1] / 2)
        assert 0.5 < found.fx / scene.size[0] < 1
        assert found.fx == found.fy

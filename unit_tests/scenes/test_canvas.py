"""The canvas, and what holds for the scenes of every generator of shapes and objects."""

from __future__ import annotations

import hashlib
import json
import math
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench_plugin.core import DIFFICULTIES, Difficulty
from vlmbench_plugin.scenes import canvas
from vlmbench_plugin.scenes.depth import DEPTH_LABELS, depth_scene
from vlmbench_plugin.scenes.everyday import SUBJECTS, classification_scene, fixation_scene
from vlmbench_plugin.scenes.objects import CLASSES
from vlmbench_plugin.scenes.outlines import OUTLINES, outline_scene
from vlmbench_plugin.scenes.questions import ANSWERS, vqa_scene
from vlmbench_plugin.scenes.relations import RELATED_LABELS, semantic_scene
from vlmbench_plugin.scenes.shapes import (
    INSTANCE_LABELS,
    LABELS,
    grounding_scene,
    segmentation_scene,
)
from vlmbench_plugin.scenes.spatial import SPATIAL_LABELS, spatial_scene
from vlmbench_plugin.sources import Scene

Generator = Callable[[random.Random, Difficulty], Scene]

GENERATORS: Mapping[str, tuple[Generator, tuple[str, ...]]] = {
    "classification": (classification_scene, CLASSES),
    "fixation": (fixation_scene, CLASSES),
    "grounding": (grounding_scene, LABELS),
    "segmentation": (segmentation_scene, INSTANCE_LABELS),
    "outline": (outline_scene, OUTLINES),
    "spatial": (spatial_scene, SPATIAL_LABELS),
    "depth": (depth_scene, DEPTH_LABELS),
    "semantic": (semantic_scene, RELATED_LABELS),
    "vqa": (vqa_scene, ANSWERS),
}
every_generator = pytest.mark.parametrize("name", GENERATORS)


def _scenes(name: str, count: int) -> Iterator[Scene]:
    for seed in range(count):
        yield GENERATORS[name][0](random.Random(seed), DIFFICULTIES[seed % 3])


def _digest(name: str) -> str:
    digest = hashlib.sha256()
    for scene in _scenes(name, 6):
        digest.update(json.dumps([scene.size, scene.truth, scene.question]).encode())
        digest.update(scene.draw().tobytes())
    return digest.hexdigest()


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for inner, child in value.items():
            yield from _leaves(child, inner)
    elif isinstance(value, list):
        for child in value:
            yield from _leaves(child, key)
    else:
        yield key, value


@every_generator
def test_same_seed_same_truth_and_bytes(name: str) -> None:
    assert _digest(name) == _digest(name)


def test_a_fresh_process_draws_the_same_bytes() -> None:
    program = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('fresh', sys.argv[1])\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "print(*(module._digest(name) for name in module.GENERATORS))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, __file__], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [_digest(name) for name in GENERATORS]


@every_generator
def test_drawing_twice_gives_equal_bytes_and_leaves_the_truth(name: str) -> None:
    for scene in _scenes(name, 6):
        before = json.dumps(scene.truth)
        first, second = scene.draw(), scene.draw()
        assert first.tobytes() == second.tobytes()
        assert (first.size, first.mode) == (scene.size, "RGB")
        assert json.dumps(scene.truth) == before


@every_generator
def test_seeds_give_different_pictures(name: str) -> None:
    pictures = {scene.draw().tobytes() for scene in _scenes(name, 12)}
    assert len(pictures) == 12


@every_generator
def test_sizes_vary_within_limits(name: str) -> None:
    sizes = {scene.size for scene in _scenes(name, 60)}
    assert all(256 <= side <= 640 for size in sizes for side in size)
    assert len(sizes) > 10


@every_generator
def test_truth_is_plain_json_with_names_of_the_vocabulary(name: str) -> None:
    vocabulary = set(GENERATORS[name][1])
    named = {"label", "object", "subject", "order"}
    for scene in _scenes(name, 150):
        assert json.loads(json.dumps(scene.truth)) == scene.truth
        # The canonical answer comes first; the others say the same in other words.
        assert scene.truth.get("answers", [*vocabulary])[0] in vocabulary
        for key, value in _leaves(scene.truth):
            assert type(value) in {int, float, str}
            if key in named:
                assert value in vocabulary
                assert len(value) <= 64
                assert value == " ".join(value.lower().split())


@every_generator
def test_coordinates_lie_inside_the_image(name: str) -> None:
    for scene in _scenes(name, 150):
        width, height = scene.size
        boxes = [d["box"] for d in scene.truth.get("detections", [])]
        boxes += [scene.truth["box"]] if "box" in scene.truth else []
        polygons = [i["polygon"] for i in scene.truth.get("instances", [])]
        polygons += [scene.truth["polygon"]] if "polygon" in scene.truth else []
        for x1, y1, x2, y2 in boxes:
            assert 0 <= x1 < x2 <= width
            assert 0 <= y1 < y2 <= height
        for polygon in polygons:
            assert 3 <= len(polygon) <= 20
            assert all(0 <= x <= width and 0 <= y <= height for x, y in polygon)


@every_generator
def test_every_name_occurs(name: str) -> None:
    seen: set[Any] = set()
    for scene in _scenes(name, 900):
        seen.update(value for _, value in _leaves(scene.truth))
    missing = set(GENERATORS[name][1]) - seen
    # Of ten shapes in two to four kinds, nine or ten alike come once in thousands; thin objects are
    # bystanders but never the subject.
    rare = {"vqa": {"9", "10"}, "fixation": set(CLASSES) - set(SUBJECTS)}
    assert missing <= rare.get(name, set())


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_easy_grounds_are_plain_and_all_kinds_occur(difficulty: Difficulty) -> None:
    rng = random.Random(1)
    kinds = {canvas.choose_backdrop(rng, difficulty, (300, 300)).kind for _ in range(200)}
    assert (
        kinds
        == {
            "easy": {"plain"},
            "medium": {"plain", "gradient", "texture"},
            "hard": {"plain", "gradient", "texture", "clutter"},
        }[difficulty]
    )


def test_every_colour_is_far_from_every_other_and_from_every_ground() -> None:
    rng = random.Random(2)
    for _ in range(40):
        ground = np.asarray(canvas.choose_backdrop(rng, "hard", (64, 48)).paint(), dtype=float)
        for rgb in canvas.PALETTE.values():
            assert np.linalg.norm(ground - np.array(rgb), axis=2).min() > 70
    colours = list(canvas.PALETTE.values())
    for i, one in enumerate(colours):
        assert all(math.dist(one, other) > 70 for other in colours[:i])


@given(
    seed=st.integers(0, 2**32),
    radii=st.lists(st.floats(5, 200), min_size=1, max_size=12),
    width=st.integers(256, 640),
    height=st.integers(256, 640),
)
def test_scattered_circles_are_apart_and_inside(
    seed: int, radii: list[float], width: int, height: int
) -> None:
    circles = canvas.scatter(random.Random(seed), (width, height), radii, gap=4, margin=4)
    assert len(circles) == len(radii)
    scale = circles[0][2] / radii[0]
    for i, (x, y, r) in enumerate(circles):
        assert r == pytest.approx(radii[i] * scale)
        assert x - r + 1e-6 >= 4
        assert x + r <= width - 4 + 1e-6
        assert y - r + 1e-6 >= 4
        assert y + r <= height - 4 + 1e-6
        assert all(math.hypot(x - a, y - b) > r + s + 4 for a, b, s in circles[:i])


@pytest.mark.parametrize(
    ("box", "tint"),
    [
        ((2, 3, 6, 5), {(x, y): 255 for x in range(2, 6) for y in range(3, 5)}),
        ((2.5, 3, 4, 4), {(2, 3): 128, (3, 3): 255}),
        ((2, 3.25, 3, 4), {(2, 3): 191}),
    ],
)
def test_a_pixel_is_tinted_by_its_covered_share(
    box: tuple[float, float, float, float], tint: dict[tuple[int, int], int]
) -> None:
    x1, y1, x2, y2 = box
    ground = canvas.Backdrop(size=(10, 8), kind="plain", colour=(0, 0, 0), second=(0, 0, 0))
    square = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    drawn = np.asarray(canvas.render(ground, [(square, (255, 255, 255))]))[:, :, 0].astype(int)
    expected = np.zeros((8, 10), dtype=int)
    for (x, y), value in tint.items():
        expected[y, x] = value
    # A sample on the edge may fall to either side: a fine row is a quarter of a pixel.
    assert np.abs(drawn - expected).max() <= 64


def test_a_polygon_beyond_the_image_is_clipped() -> None:
    ground = canvas.Backdrop(size=(8, 8), kind="plain", colour=(0, 0, 0), second=(0, 0, 0))
    outside = ((20.0, 20.0), (30.0, 20.0), (30.0, 30.0))
    across = ((-5.0, -5.0), (50.0, -5.0), (50.0, 50.0), (-5.0, 50.0))
    assert not np.asarray(canvas.render(ground, [(outside, (9, 9, 9))])).any()
    assert (np.asarray(canvas.render(ground, [(across, (9, 9, 9))])) == 9).all()


def test_stroke_covers_length_times_width() -> None:
    corners = canvas.stroke((0, 0), (3, 4), 2)
    assert len(corners) == 4
    assert math.dist(corners[0], corners[1]) == pytest.approx(5)
    assert math.dist(corners[1], corners[2]) == pytest.approx(2)


def test_spin_is_clockwise_as_seen() -> None:
    ((x, y),) = canvas.spin([(1, 0)], 90)
    assert (x, y) == pytest.approx((0, 1))

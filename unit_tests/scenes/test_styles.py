"""Style scenes: every style and structure appears, differs from all others, and is repeatable."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter

import numpy as np
import pytest

from vlmbench_plugin.core import DIFFICULTIES, Difficulty
from vlmbench_plugin.scenes.canvas import Backdrop
from vlmbench_plugin.scenes.structures import ARRANGERS
from vlmbench_plugin.scenes.styles import _STYLES, STRUCTURES, STYLES, style_scene

SIZE = (256, 192)
WHITE = Backdrop(size=SIZE, kind="plain", colour=(255, 255, 255), second=(255, 255, 255))


def test_vocabulary_is_large_enough_and_used_evenly() -> None:
    assert len(STYLES) == len(set(STYLES)) >= 8
    assert len(STRUCTURES) == len(set(STRUCTURES)) == 6
    truths = [style_scene(random.Random(seed), "easy").truth for seed in range(1200)]
    assert all(json.loads(json.dumps(truth)) == truth for truth in truths)
    for field, names in (("style", STYLES), ("structure", STRUCTURES)):
        counts = Counter(truth[field] for truth in truths)
        assert set(counts) == set(names)
        assert min(counts.values()) > 0.6 * len(truths) / len(names)


@pytest.mark.parametrize("style", STYLES)
def test_style_paints_the_same_bytes_and_shows_the_shapes(style: str) -> None:
    fills = ARRANGERS["framed"](random.Random(3), SIZE)
    painted = _STYLES[style](WHITE, fills, 5)
    assert (painted.mode, painted.size) == ("RGB", SIZE)
    assert painted.tobytes() == _STYLES[style](WHITE, fills, 5).tobytes()
    assert painted.tobytes() != _STYLES[style](WHITE, [], 5).tobytes()


def test_styles_differ_visibly() -> None:
    fills = ARRANGERS["grid"](random.Random(1), SIZE)
    pictures = [np.asarray(paint(WHITE, fills, 2), np.float32) for paint in _STYLES.values()]
    for one, other in itertools.combinations(pictures, 2):
        assert np.abs(one - other).mean() > 3


@pytest.mark.parametrize("structure", STRUCTURES)
def test_shapes_lie_on_the_picture(structure: str) -> None:
    for seed in range(60):
        fills = ARRANGERS[structure](random.Random(seed), SIZE)
        assert len(fills) >= 6
        for points, _ in fills:
            middle = np.mean(points, axis=0)
            if structure == "diagonal" and len(points) == 4 and np.ptp(points, axis=0)[0] > 250:
                continue  # the bands run off the picture on purpose
            assert 0 < middle[0] < SIZE[0]
            assert 0 < middle[1] < SIZE[1]


def test_symmetric_is_a_mirror_image_and_scattered_is_not() -> None:
    def lopsidedness(structure: str, seed: int) -> float:
        fills = ARRANGERS[structure](random.Random(seed), SIZE)
        pixels = np.asarray(_STYLES["flat"](WHITE, fills, 0), np.float32)
        return float(np.abs(pixels - pixels[:, ::-1]).mean())

    assert max(lopsidedness("symmetric", seed) for seed in range(10)) < 1.5
    assert min(lopsidedness("scattered", seed) for seed in range(10)) > 8


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_same_seed_same_scene(difficulty: Difficulty) -> None:
    for seed in range(4):
        scene, again = (style_scene(random.Random(seed), difficulty) for _ in range(2))
        assert (scene.size, scene.truth) == (again.size, again.truth)
        assert scene.draw().size == scene.size
        assert scene.draw().tobytes() == again.draw().tobytes()


def test_few_colours_of_pixel_art_are_those_of_the_shapes() -> None:
    """A palette spent on the ground would leave two shapes of other colours alike."""
    ground = Backdrop(
        size=(512, 384), kind="gradient", colour=(255, 255, 255), second=(216, 218, 222)
    )
    for seed in range(20):
        fills = ARRANGERS["symmetric"](random.Random(seed), ground.size)
        painted = np.asarray(_STYLES["pixel art"](ground, fills, 0)).astype(float)
        for points, colour in fills:
            x, y = np.mean(points, axis=0)
            off = np.linalg.norm(painted[int(y), int(x)] - np.array(colour))
            assert off < 70, (seed, colour)

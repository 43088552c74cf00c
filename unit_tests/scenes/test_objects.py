"""Everyday objects: their extents, and the subject that outsizes the rest."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from vlmbench_plugin.core import DIFFICULTIES
from vlmbench_plugin.scenes.canvas import Backdrop, render
from vlmbench_plugin.scenes.everyday import (
    OBJECT_COLOURS,
    SUBJECTS,
    Sprite,
    classification_scene,
    fixation_scene,
)
from vlmbench_plugin.scenes.objects import CLASSES

PAPER = Backdrop(size=(300, 300), kind="plain", colour=(1, 2, 3), second=(0, 0, 0))


def _drawn(sprite: Sprite) -> np.ndarray[Any, np.dtype[np.bool_]]:
    pixels = np.asarray(render(PAPER, sprite.fills)).astype(int)
    ink: np.ndarray[Any, np.dtype[np.bool_]] = np.abs(pixels - PAPER.colour).sum(axis=2) > 20
    return ink


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize(("degrees", "mirrored"), [(0.0, False), (17.0, True)])
def test_a_sprite_fills_its_box_within_its_circle(
    name: str, degrees: float, mirrored: bool
) -> None:
    sprite = Sprite(
        name=name, circle=(150, 140, 100), colour="red", degrees=degrees, mirrored=mirrored
    )
    ys, xs = np.nonzero(_drawn(sprite))
    extent = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    assert np.abs(np.subtract(extent, sprite.box)).max() <= 1
    assert np.hypot(xs + 0.5 - 150, ys + 0.5 - 140).max() <= 101


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_subject_is_as_solid_as_the_fixation_scene_assumes(name: str) -> None:
    ink = _drawn(Sprite(name=name, circle=(150, 150, 100), colour="red")).sum()
    assert ink >= 200 * 200 / 6


def test_every_object_looks_different() -> None:
    masks = [_drawn(Sprite(name=n, circle=(150, 150, 100), colour="blue")) for n in CLASSES]
    for i, one in enumerate(masks):
        for other in masks[:i]:
            assert (one & other).sum() / (one | other).sum() < 0.9


def test_the_subject_shows_twice_the_area_of_the_next() -> None:
    overlapping = 0
    for seed in range(45):
        scene = fixation_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        # The subject is painted last: nothing hides it.
        sprites: list[Sprite] = scene.draw.args[1][::-1]  # type: ignore[attr-defined]
        ground = Backdrop(size=scene.size, kind="plain", colour=(1, 2, 3), second=(0, 0, 0))
        areas = []
        total = np.zeros((scene.size[1], scene.size[0]), dtype=int)
        for sprite in sprites:
            pixels = np.asarray(render(ground, sprite.fills)).astype(int)
            ink = np.abs(pixels - (1, 2, 3)).sum(axis=2) > 20
            areas.append(int(ink.sum()))
            total += ink
        if seed % 3 < 2:
            assert total.max() == 1, "nothing overlaps"
        overlapping += total.max() > 1
        assert sprites[0].name == scene.truth["subject"]
        assert sprites[0].box == scene.truth["box"]
        assert areas[0] >= 2 * max(areas[1:])
        assert len({s.name for s in sprites}) == len(sprites)
    assert overlapping >= 5


def test_the_subject_box_bounds_drawn_pixels() -> None:
    for seed in range(20):
        scene = fixation_scene(random.Random(seed), "easy")
        pixels = np.asarray(scene.draw()).astype(int)
        ink = np.abs(pixels - pixels[0, 0]).sum(axis=2) > 12
        x1, y1, x2, y2 = (round(v) for v in scene.truth["box"])
        ys, xs = np.nonzero(ink[y1:y2, x1:x2])
        assert xs.min() <= 1
        assert ys.min() <= 1
        assert xs.max() >= x2 - x1 - 2
        assert ys.max() >= y2 - y1 - 2


def test_subjects_are_not_always_in_the_middle() -> None:
    centred = 0
    for seed in range(200):
        scene = fixation_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        x1, y1, x2, y2 = scene.truth["box"]
        width, height = scene.size
        centred += abs((x1 + x2) / 2 - width / 2) < 0.08 * width and (
            abs((y1 + y2) / 2 - height / 2) < 0.08 * height
        )
    assert centred < 60


def test_classes_are_balanced() -> None:
    counts: Counter[str] = Counter()
    for seed in range(2100):
        counts[classification_scene(random.Random(seed), "hard").truth["label"]] += 1
    assert len(counts) == len(CLASSES) >= 12
    assert max(counts.values()) < 2 * min(counts.values())
    assert "black" not in OBJECT_COLOURS

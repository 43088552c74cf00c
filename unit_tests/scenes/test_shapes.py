"""Boxes and polygons against the pixels that are drawn."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import shapely
from scipy import ndimage

from vlmbench_plugin.core import DIFFICULTIES, Difficulty, Scene
from vlmbench_plugin.scenes import outlines
from vlmbench_plugin.scenes.canvas import PALETTE
from vlmbench_plugin.scenes.outlines import OUTLINES, outline_scene
from vlmbench_plugin.scenes.shapes import (
    POLYGONS,
    SHAPES,
    figure,
    grounding_scene,
    segmentation_scene,
)

Mask = np.ndarray[Any, np.dtype[np.bool_]]


def _plain(
    generator: Callable[[random.Random, Difficulty], Scene], difficulty: Difficulty, count: int
) -> Iterator[tuple[Scene, Mask]]:
    """Scenes on one colour, with the pixels that differ from it."""
    for seed in range(count):
        scene = generator(random.Random(seed), difficulty)
        if scene.draw.args[0].kind == "plain":  # type: ignore[attr-defined]
            pixels = np.asarray(scene.draw()).astype(int)
            yield scene, np.abs(pixels - pixels[0, 0]).sum(axis=2) > 20


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_boxes_are_the_extents_of_the_drawn_shapes(difficulty: Difficulty) -> None:
    checked = 0
    for scene, mask in _plain(grounding_scene, difficulty, 40):
        blobs, number = ndimage.label(mask, structure=np.ones((3, 3)))
        assert number == scene.truth["count"] == len(scene.truth["detections"])
        seen = [
            (columns.start, rows.start, columns.stop, rows.stop)
            for rows, columns in ndimage.find_objects(blobs)
        ]
        for detection in scene.truth["detections"]:
            gaps = [np.abs(np.subtract(box, detection["box"])).max() for box in seen]
            assert min(gaps) <= 1
            seen.pop(int(np.argmin(gaps)))
        checked += 1
    assert checked >= 5


def test_the_named_colour_is_in_the_box() -> None:
    for seed in range(40):
        scene = grounding_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        image = scene.draw()
        for detection in scene.truth["detections"]:
            rgb = PALETTE[detection["label"].split()[0]]
            x1, y1, x2, y2 = (round(v) for v in detection["box"])
            crop = np.asarray(image.crop((x1, y1, x2, y2)))
            assert (crop == rgb).all(axis=2).mean() > 0.2


def test_grounding_counts_and_sizes() -> None:
    counts: Counter[int] = Counter()
    repeated = 0
    for seed in range(600):
        truth = grounding_scene(random.Random(seed), DIFFICULTIES[seed % 3]).truth
        counts[truth["count"]] += 1
        names = Counter(d["label"] for d in truth["detections"])
        repeated += max(names.values()) > 1
        for d in truth["detections"]:
            assert min(d["box"][2] - d["box"][0], d["box"][3] - d["box"][1]) >= 8
        assert len({tuple(d["box"]) for d in truth["detections"]}) == truth["count"]
    assert set(counts) == set(range(1, 13))
    assert repeated > 100


def _agrees(polygons: list[shapely.Polygon], mask: Mask) -> None:
    """Pixels a pixel or more inside are drawn, those as far outside are not."""
    ys, xs = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
    whole = shapely.union_all(polygons)
    assert mask[shapely.contains_xy(whole.buffer(-1), xs, ys)].all()
    assert not mask[~shapely.contains_xy(whole.buffer(1), xs, ys)].any()


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_instance_polygons_are_what_is_drawn(difficulty: Difficulty) -> None:
    checked = 0
    for scene, mask in _plain(segmentation_scene, difficulty, 24):
        polygons = [shapely.Polygon(i["polygon"]) for i in scene.truth["instances"]]
        _agrees(polygons, mask)
        checked += 1
    assert checked >= 4


def test_instances_are_simple_apart_and_few() -> None:
    counts = set()
    for seed in range(300):
        truth = segmentation_scene(random.Random(seed), DIFFICULTIES[seed % 3]).truth
        polygons = [shapely.Polygon(i["polygon"]) for i in truth["instances"]]
        counts.add(len(polygons))
        assert all(p.is_valid and p.area > 100 for p in polygons)
        assert all(a.disjoint(b) for a, b in itertools.combinations(polygons, 2))
    assert counts == {1, 2, 3, 4}


def test_the_outline_is_what_is_drawn() -> None:
    checked = 0
    for scene, mask in _plain(outline_scene, "easy", 30):
        _agrees([shapely.Polygon(scene.truth["polygon"])], mask)
        checked += 1
    assert checked == 30


def test_outlines_are_simple_however_shaken() -> None:
    for seed in range(1500):
        truth = outline_scene(random.Random(seed), "hard").truth
        polygon = shapely.Polygon(truth["polygon"])
        assert polygon.is_valid, truth
        assert polygon.area > 400


def test_outlines_vary_between_scenes_of_one_name() -> None:
    ratios: dict[str, set[float]] = {}
    for seed in range(400):
        truth = outline_scene(random.Random(seed), "hard").truth
        x1, y1, x2, y2 = shapely.Polygon(truth["polygon"]).bounds
        ratios.setdefault(truth["label"], set()).add(round((x2 - x1) / (y2 - y1), 2))
    assert set(ratios) == set(OUTLINES)
    assert all(len(seen) > 5 for seen in ratios.values())


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_the_silhouette_stands_out_from_its_distractors(difficulty: Difficulty) -> None:
    for seed in range(30):
        scene = outline_scene(random.Random(seed), difficulty)
        pixels = np.asarray(scene.draw()).astype(float)
        ys, xs = np.mgrid[: pixels.shape[0], : pixels.shape[1]] + 0.5
        polygon = shapely.Polygon(scene.truth["polygon"])
        inside = pixels[shapely.contains_xy(polygon.buffer(-1), xs, ys)]
        outside = pixels[~shapely.contains_xy(polygon.buffer(1), xs, ys)]
        assert (inside == inside[0]).all()
        assert np.linalg.norm(outside - inside[0], axis=1).min() > 45


def test_some_silhouettes_are_concave() -> None:
    hulls = [shapely.Polygon(points) for points in outlines.SILHOUETTES.values()]
    assert sum(p.convex_hull.area > 1.1 * p.area for p in hulls) > len(hulls) / 2


@pytest.mark.parametrize("name", sorted({*SHAPES, *POLYGONS}))
def test_shapes_touch_the_unit_circle(name: str) -> None:
    for kinds in (SHAPES, POLYGONS):
        if name in kinds:
            reach = [np.hypot(x, y) for x, y in kinds[name].corners]
            assert max(reach) == pytest.approx(1)


def test_figure_names_its_parts() -> None:
    one = figure("red l shape", (50, 60, 10))
    assert (one.colour_name, one.shape_name, one.rgb) == ("red", "l shape", PALETTE["red"])
    assert figure("blue square", (50, 60, 10)).box == [42.9, 52.9, 57.1, 67.1]
    assert len(figure("red circle", (50, 60, 10), kinds=POLYGONS).points) == 20

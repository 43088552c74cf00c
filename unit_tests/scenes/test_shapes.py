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

from vlmbench_plugin.core import DIFFICULTIES, Difficulty
from vlmbench_plugin.scenes import outlines
from vlmbench_plugin.scenes.canvas import PALETTE, Fill
from vlmbench_plugin.scenes.outlines import OUTLINES, outline_scene
from vlmbench_plugin.scenes.overlaps import visible
from vlmbench_plugin.scenes.shapes import (
    POLYGONS,
    SHAPES,
    figure,
    grounding_scene,
    segmentation_scene,
)
from vlmbench_plugin.sources import Scene

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
    """In the drawn pixels, where one colour's pixels are apart from those of every other colour."""
    checked = 0
    for scene, _ in _plain(grounding_scene, difficulty, 40):
        pixels = np.asarray(scene.draw()).astype(int)
        boxes = [d["box"] for d in scene.truth["detections"]]
        assert scene.truth["count"] == len(boxes)
        for colour in {d["label"].split()[0] for d in scene.truth["detections"]}:
            # Edge pixels are blended with what is behind them: up to one is missing at each side.
            ink = np.abs(pixels - PALETTE[colour]).sum(axis=2) <= 3
            blobs, _ = ndimage.label(ink, structure=np.ones((3, 3)))
            for rows, columns in ndimage.find_objects(blobs):
                if min(rows.stop - rows.start, columns.stop - columns.start) < 4:
                    continue
                seen = columns.start, rows.start, columns.stop, rows.stop
                gaps = [np.abs(np.subtract(box, seen)).max() for box in boxes]
                # A tip of a star is thinner than a pixel for up to three of them.
                assert min(gaps) <= 3.5
                boxes.pop(int(np.argmin(gaps)))
        assert not boxes
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
            assert (crop == rgb).all(axis=2).mean() > 0.15


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


def test_instances_are_simple_and_few_and_share_no_pixel() -> None:
    counts = set()
    for seed in range(300):
        truth = segmentation_scene(random.Random(seed), DIFFICULTIES[seed % 3]).truth
        polygons = [shapely.Polygon(i["polygon"]) for i in truth["instances"]]
        counts.add(len(polygons))
        assert all(p.is_valid and p.area > 100 for p in polygons)
        # Corners are rounded to tenths of a pixel.
        assert all(a.intersection(b).area < 12 for a, b in itertools.combinations(polygons, 2))
    assert counts == {1, 2, 3, 4}


def _painted(scene: Scene, labels: list[str]) -> list[shapely.Polygon]:
    """The polygons as painted, in order; the last fills are those of the labels."""
    fills = scene.draw.args[1]  # type: ignore[attr-defined]
    assert [colour for _, colour in fills] == [PALETTE[label.split()[0]] for label in labels]
    return [shapely.Polygon(points) for points, _ in fills]


def test_an_instance_is_what_later_ones_leave_of_it() -> None:
    hidden = dict.fromkeys(DIFFICULTIES, 0)
    for seed in range(300):
        difficulty = DIFFICULTIES[seed % 3]
        scene = segmentation_scene(random.Random(seed), difficulty)
        instances = scene.truth["instances"]
        whole = _painted(scene, [i["label"] for i in instances])
        for index, instance in enumerate(instances):
            left = whole[index].difference(shapely.union_all(whole[index + 1 :]))
            seen = shapely.Polygon(instance["polygon"])
            assert isinstance(left, shapely.Polygon)
            assert seen.symmetric_difference(left).area <= 0.1 * left.length
            assert 0.59 * whole[index].area < seen.area
            assert len(instance["polygon"]) <= 20
            hidden[difficulty] += seen.area < 0.96 * whole[index].area
    assert hidden["easy"] == 0
    assert hidden["medium"] > 15
    assert hidden["hard"] > 50


def test_a_grounded_box_is_that_of_what_later_shapes_leave() -> None:
    hidden = 0
    for seed in range(150):
        scene = grounding_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        detections = scene.truth["detections"]
        whole = _painted(scene, [d["label"] for d in detections])
        for index, detection in enumerate(detections):
            left = whole[index].difference(shapely.union_all(whole[index + 1 :]))
            assert detection["box"] == pytest.approx(left.bounds, abs=0.06)
            hidden += left.bounds != whole[index].bounds
    assert hidden > 20


def test_what_is_visible_by_hand() -> None:
    square = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]

    def moved(dx: float, dy: float) -> list[tuple[float, float]]:
        return [(x + dx, y + dy) for x, y in square]

    left = visible(square, moved(7, 0))
    assert left is not None
    assert set(left) == {(0, 0), (7, 0), (7, 10), (0, 10)}
    corner = visible(square, moved(5, 5))
    assert corner is not None
    assert set(corner) == {(0, 0), (10, 0), (10, 5), (5, 5), (5, 10), (0, 10)}
    too_much, too_little, nothing = moved(3, 0), moved(9.8, 0), moved(20, 0)
    in_two = [(4.0, -1.0), (6.0, -1.0), (6.0, 11.0), (4.0, 11.0)]
    with_a_hole = [(4.0, 4.0), (7.0, 4.0), (7.0, 7.0), (4.0, 7.0)]
    for front in (too_much, too_little, nothing, in_two, with_a_hole):
        assert visible(square, front) is None


def test_the_outline_is_what_is_drawn() -> None:
    checked = 0
    for scene, mask in _plain(outline_scene, "easy", 30):
        _agrees([shapely.Polygon(scene.truth["polygon"])], mask)
        checked += 1
    assert checked == 30


def test_an_outline_is_what_the_piece_before_it_leaves() -> None:
    covered = dict.fromkeys(DIFFICULTIES, 0)
    for seed in range(300):
        difficulty = DIFFICULTIES[seed % 3]
        scene = outline_scene(random.Random(seed), difficulty)
        fills: list[Fill] = scene.draw.args[1]  # type: ignore[attr-defined]
        first, second = fills[-2:] if len(fills) > 1 else (fills[0], fills[0])
        seen = shapely.Polygon(scene.truth["polygon"])
        assert len(scene.truth["polygon"]) <= 20
        if second[1] in PALETTE.values():
            assert seen.equals(shapely.Polygon(second[0]))
            continue
        whole = shapely.Polygon(first[0])
        left = whole.difference(shapely.Polygon(second[0]))
        assert seen.symmetric_difference(left).area <= 0.1 * left.length
        assert 0.59 < seen.area / whole.area < 0.96
        covered[difficulty] += 1
    assert covered["easy"] == 0
    assert covered["medium"] > 15
    assert covered["hard"] > 50


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

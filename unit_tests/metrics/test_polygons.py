from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vlmbench_plugin.metrics.polygons import Ring, iou, iou_matrix

SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]]
BOW_TIE = [[0, 0], [10, 10], [10, 0], [0, 10]]
POINT = st.tuples(st.integers(0, 100), st.integers(0, 100))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (SQUARE, SQUARE, 1.0),
        (SQUARE, list(reversed(SQUARE)), 1.0),
        (SQUARE, [*SQUARE, SQUARE[0]], 1.0),
        (SQUARE, [[0, 0], [10, 0], [10, 10]], 0.5),
        (SQUARE, [[5, 0], [15, 0], [15, 10], [5, 10]], 1 / 3),
        (SQUARE, [[20, 20], [30, 20], [30, 30]], 0.0),
        (SQUARE, [[10, 0], [20, 0], [20, 10], [10, 10]], 0.0),
        (SQUARE, BOW_TIE, 0.5),
        (BOW_TIE, BOW_TIE, 1.0),
        (SQUARE, [[0, 0], [10, 10]], 0.0),
        (SQUARE, [], 0.0),
        ([], [], 0.0),
        (SQUARE, [[0, 0], [5, 5], [10, 10]], 0.0),
        (SQUARE, [[3, 3], [3, 3], [3, 3], [3, 3]], 0.0),
        # Repairing the second leaves a triangle and a stray line.
        ([], [[0, 0], [0, 2], [1, 0], [0, 1]], 0.0),
        # A spike outside has no area.
        (SQUARE, [[0, 0], [10, 0], [10, 10], [10, 90], [10, 10], [0, 10]], 1.0),
    ],
)
def test_iou(a: Ring, b: Ring, expected: float) -> None:
    assert iou(a, b) == pytest.approx(expected)
    assert iou(b, a) == pytest.approx(expected)


def raster(ring: Ring, scale: int) -> NDArray[np.bool_]:
    image = Image.new("1", (100 * scale, 100 * scale))
    # Half a pixel back: Pillow fills the pixels whose index lies in the ring, we ask for centres.
    points = [(x * scale - 0.5, y * scale - 0.5) for x, y in ring]
    ImageDraw.Draw(image).polygon(points, fill=1)
    return np.asarray(image)


@pytest.mark.parametrize("seed", range(10))
def test_iou_is_that_of_a_fine_raster(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks, rings = [], []
    for _ in range(2):
        angles = np.sort(rng.uniform(0, 2 * math.pi, rng.integers(3, 12)))
        radii = rng.uniform(15, 40, len(angles))
        middle = rng.uniform(42, 58, 2)
        ring = middle + np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]
        rings.append(ring.tolist())
        masks.append(raster(rings[-1], 16))
    expected = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
    assert iou(rings[0], rings[1]) == pytest.approx(expected, abs=0.005)


@given(st.lists(POINT, max_size=8), st.lists(POINT, max_size=8))
def test_any_rings_have_an_overlap(a: Ring, b: Ring) -> None:
    value = iou(a, b)
    assert type(value) is float
    assert 0 <= value <= 1
    assert value == pytest.approx(iou(b, a))
    assert iou(a, a) in (0.0, pytest.approx(1.0))


def test_iou_matrix_has_a_row_per_prediction() -> None:
    matrix = iou_matrix([SQUARE, BOW_TIE, []], [SQUARE, BOW_TIE])
    assert matrix == [pytest.approx([1, 0.5]), pytest.approx([0.5, 1]), [0.0, 0.0]]


def test_overlap_never_passes_one() -> None:
    """A fifth of random rings, against themselves from another start, does so without the cap."""
    ring = [
        [468.94, 191.06],
        [83.46, 241.55],
        [131.1, 414.31],
        [16.61, 102.69],
        [50.62, 278.11],
        [78.54, 210.2],
        [364.43, 99.43],
    ]
    assert iou(ring, ring[1:] + ring[:1]) <= 1.0

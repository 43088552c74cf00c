from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vlmbench_plugin.metrics.boxes3d import (
    Box3D,
    center_distance,
    center_f1,
    center_matches,
    iou,
    relative_radius,
)


def box(
    center: tuple[float, float, float] = (0.0, 0.0, 5.0),
    size: tuple[float, float, float] = (1.0, 1.0, 1.0),
    yaw: float = 0.0,
    label: str = "box",
) -> Box3D:
    return Box3D(label=label, center=center, size=size, yaw=yaw)


def same(a: str, b: str) -> bool:
    return a == b


LONG = (4.0, 1.0, 1.0)
SMALL = (0.1, 0.1, 0.1)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (box(), box(), 1.0),
        (box(), box(yaw=90), 1.0),
        (box(yaw=30), box(yaw=-150), 1.0),
        (box(), box((0.5, 0, 5)), 1 / 3),
        (box(), box((0, 0.5, 5)), 1 / 3),
        (box(), box((0, 0, 5.5)), 1 / 3),
        (box(), box((0.5, 0.5, 5.5)), 1 / 15),
        (box(), box((1, 0, 5)), 0.0),
        (box(), box((0, 3, 5)), 0.0),
        (box(), box(size=(1, 0.5, 1)), 0.5),
        (box(size=LONG), box(size=LONG, yaw=90), 1 / 7),
        # A square and the same turned by 45 degrees share a regular octagon.
        (box(), box(yaw=45), (2 * math.sqrt(2) - 2) / (4 - 2 * math.sqrt(2))),
        (box(size=(0, 1, 1)), box(size=(0, 1, 1)), 0.0),
        (box(size=(1, -1, 1)), box(size=(1, -1, 1)), 0.0),
    ],
)
def test_iou(a: Box3D, b: Box3D, expected: float) -> None:
    assert iou(a, b) == pytest.approx(expected)
    assert iou(b, a) == pytest.approx(expected)


def test_positive_yaw_turns_the_front_to_the_right_and_the_right_side_to_the_camera() -> None:
    wide = box(size=(4, 1, 1), yaw=45)
    # 1.2 m along (cos 45, -sin 45) in (x, z): right and nearer.
    near_right, far_right = box((0.85, 0, 4.15), SMALL), box((0.85, 0, 5.85), SMALL)
    assert iou(wide, near_right) == pytest.approx(0.1**3 / 4)
    assert iou(wide, far_right) == 0
    deep = box(size=(1, 1, 4), yaw=45)
    assert iou(deep, far_right) == pytest.approx(0.1**3 / 4)
    assert iou(deep, near_right) == 0


def contains(box_: Box3D, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points lie in the box, by turning them back into its own frame."""
    turn = math.radians(box_.yaw)
    rotation = np.array(
        [[math.cos(turn), 0, math.sin(turn)], [0, 1, 0], [-math.sin(turn), 0, math.cos(turn)]]
    )
    own = (points - np.array(box_.center)) @ rotation
    inside: NDArray[np.bool_] = (np.abs(own) <= np.array(box_.size) / 2).all(axis=1)
    return inside


@pytest.mark.parametrize("seed", range(8))
def test_iou_is_that_of_random_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = [
        Box3D(
            label="box",
            center=rng.uniform(-0.4, 0.4, 3).tolist(),
            size=rng.uniform(0.6, 2.0, 3).tolist(),
            yaw=float(rng.uniform(-180, 180)),
        )
        for _ in range(2)
    ]
    points = rng.uniform(-2, 2, (200_000, 3))
    first, second = contains(boxes[0], points), contains(boxes[1], points)
    expected = (first & second).sum() / (first | second).sum()
    assert iou(*boxes) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("apart", "expected"), [(1.4, 0.0001010 / 1.999899), (1.42, 0.0)])
def test_boxes_that_meet_in_their_corners_alone_overlap(apart: float, expected: float) -> None:
    """Two unit boxes on edge, half a diagonal of 0.7071 each: at 1.4 a square of diagonal 0.01421
    is shared, of area 0.01421 ** 2 / 2."""
    a, b = box((0.0, 0.0, 5.0), yaw=45.0), box((apart, 0.0, 5.0), yaw=45.0)
    assert iou(a, b) == pytest.approx(expected, rel=1e-2)


METRE = st.floats(-5, 5)
SIZE = st.floats(0.1, 3)
BOXES = st.builds(
    box,
    st.tuples(METRE, METRE, METRE),
    st.tuples(SIZE, SIZE, SIZE),
    st.floats(-180, 180),
    st.sampled_from("ab"),
)


@given(BOXES, BOXES)
def test_iou_is_bounded_and_symmetric(a: Box3D, b: Box3D) -> None:
    value = iou(a, b)
    assert type(value) is float
    assert 0 <= value <= 1
    assert value == pytest.approx(iou(b, a), abs=1e-9)
    assert iou(a, a) == pytest.approx(1)


def test_the_radius_is_a_tenth_of_the_distance_but_never_less_than_a_quarter_metre() -> None:
    assert relative_radius(box((0, 0, 1))) == 0.25
    assert relative_radius(box((0, 3, 4))) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("guess", "radius", "expected"),
    [
        (box((0.5, 0, 5)), None, 1.0),
        (box((0.51, 0, 5)), None, 0.0),
        (box((0.51, 0, 5)), 1.0, 1.0),
        (box((0, 1, 5)), 1.0, 1.0),
        (box((0, 1.01, 5)), 1.0, 0.0),
        (box((0, 0, 5), label="ball"), None, 0.0),
    ],
)
def test_center_f1_of_one_object(guess: Box3D, radius: float | None, expected: float) -> None:
    metres = relative_radius if radius is None else radius
    assert center_f1([guess], [box()], same=same, radius=metres) == expected


def test_matches_are_one_to_one_and_as_close_as_they_can_be() -> None:
    truths = [box((0, 0, 5)), box((0.6, 0, 5)), box((3, 0, 5))]
    guesses = [box((0.5, 0, 5)), box((0.1, 0, 5)), box((0.2, 0, 5))]
    assert center_matches(guesses, truths, same=same) == [(0, 1), (1, 0)]
    assert center_f1(guesses, truths, same=same) == pytest.approx(2 / 3)
    assert center_f1([], [], same=same) == 1.0
    assert center_f1([], truths, same=same) == 0.0


@given(st.lists(BOXES, max_size=4), st.lists(BOXES, max_size=4), st.floats(0.1, 3))
def test_a_wider_radius_never_lowers_the_score(
    guesses: list[Box3D], truths: list[Box3D], radius: float
) -> None:
    narrow = center_f1(guesses, truths, same=same, radius=radius)
    assert 0 <= narrow <= center_f1(guesses, truths, same=same, radius=2 * radius) <= 1
    assert center_f1(truths, truths, same=same, radius=radius) == 1
    for i, j in center_matches(guesses, truths, same=same, radius=radius):
        assert center_distance(guesses[i], truths[j]) <= radius
        assert guesses[i].label == truths[j].label


def test_from_json_reads_an_entry() -> None:
    entry = {"label": "box", "center": [0, 0, 5], "size": [1, 1, 1], "yaw": 90}
    assert iou(Box3D.from_json(entry), box()) == pytest.approx(1)

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vlmbench_plugin import coords
from vlmbench_plugin.core import FRAMES, Frame
from vlmbench_plugin.errors import DataError

SIDES = st.integers(1, 5000)
SIZES = st.tuples(SIDES, SIDES)


@pytest.mark.parametrize(
    ("frame", "stated", "pixel"),
    [
        # An image of 2000 x 1000 that was sent as 1000 x 500 and that Qwen2.5-VL sees as 1008 x 504
        ("norm_0_1000", (500, 250), (1000, 250)),
        ("norm_0_1000", (1000, 1000), (2000, 1000)),
        ("norm_0_1", (0.5, 0.25), (1000, 250)),
        ("pixel", (500, 250), (1000, 500)),
        ("pixel", (1000, 500), (2000, 1000)),
        ("pixel_resized", (504, 252), (1000, 500)),
        ("pixel_resized", (1008, 504), (2000, 1000)),
    ],
)
def test_frames_by_hand(
    frame: Frame, stated: tuple[float, float], pixel: tuple[float, float]
) -> None:
    size, sent = (2000, 1000), (1000, 500)
    assert coords.to_pixel(*stated, frame, size, sent) == pytest.approx(pixel)
    assert coords.from_pixel(*pixel, frame, size, sent) == stated


@given(
    st.sampled_from(FRAMES),
    SIZES,
    st.integers(1, 2_000_000),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_round_trip_moves_a_point_by_half_a_unit_at_most(
    frame: Frame, size: tuple[int, int], cap: int, share: tuple[float, float]
) -> None:
    sent = coords.capped_size(size, cap)
    assume(max(sent) <= 200 * min(sent))
    pixel = share[0] * size[0], share[1] * size[1]
    stated = coords.from_pixel(*pixel, frame, size, sent)
    back = coords.to_pixel(*stated, frame, size, sent)
    units = coords.extent(frame, sent)
    step = 1e-4 if frame == "norm_0_1" else 1.0
    for axis in (0, 1):
        assert 0 <= stated[axis] <= units[axis]
        assert abs(back[axis] - pixel[axis]) <= (0.5 + 1e-6) * step * size[axis] / units[axis]
        assert type(stated[axis]) is (float if frame == "norm_0_1" else int)


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((5, 6), (5, 6, False)),
        ((0, 0), (0, 0, False)),
        ((10, 20), (10, 20, False)),
        ((-1, 6), (0, 6, True)),
        ((10.5, 6), (10, 6, True)),
        ((5, 1e300), (5, 20, True)),
    ],
)
def test_clamp(point: tuple[float, float], expected: tuple[float, float, bool]) -> None:
    assert coords.clamp(*point, (10, 20)) == expected


@pytest.mark.parametrize(
    ("size", "cap", "expected"),
    [
        ((640, 480), 1_310_720, (640, 480)),
        ((2000, 1000), 500_000, (1000, 500)),
        ((4000, 3000), 1_310_720, (1321, 991)),
        ((1, 10_000), 100, (1, 100)),
        ((10_000, 1), 100, (100, 1)),
        ((30, 30), 1, (1, 1)),
    ],
)
def test_capped_size_by_hand(size: tuple[int, int], cap: int, expected: tuple[int, int]) -> None:
    assert coords.capped_size(size, cap) == expected


@given(SIZES, st.integers(1, 2_000_000))
def test_capped_size(size: tuple[int, int], cap: int) -> None:
    width, height = coords.capped_size(size, cap)
    assert width * height <= max(cap, 1)
    assert 1 <= width <= size[0]
    assert 1 <= height <= size[1]
    if size[0] * size[1] <= cap:
        assert (width, height) == size
    if min(width, height) > 1:  # the aspect holds within the rounding of each side
        assert (width - 1) / (height + 1) <= size[0] / size[1] <= (width + 1) / (height - 1)
    assert coords.capped_size((width, height), cap) == (width, height)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((640, 480), (644, 476)),
        ((28, 28), (56, 56)),
        ((1, 1), (56, 56)),
        ((42, 70), (56, 56)),  # 1.5 and 2.5 factors both round to the even 2
        ((5000, 4000), (4004, 3192)),
    ],
)
def test_smart_resize_by_hand(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert coords.smart_resize(*size) == expected


def test_smart_resize_refuses_what_the_processors_refuse() -> None:
    assert coords.smart_resize(200, 1)
    with pytest.raises(DataError, match="aspect ratio of at most 200, got an image of 201 x 1"):
        coords.smart_resize(201, 1)


def test_smart_resize_equals_that_of_transformers() -> None:
    pytest.importorskip("torchvision")
    reference = pytest.importorskip("transformers.models.qwen2_vl.image_processing_qwen2_vl")

    @given(
        SIZES, st.sampled_from([(28, 3136, 12_845_056), (28, 3136, 1_003_520), (32, 65_536, 2**24)])
    )
    def compare(size: tuple[int, int], limits: tuple[int, int, int]) -> None:
        width, height = size
        assume(max(size) <= 200 * min(size))
        expected = reference.smart_resize(height, width, *limits)
        assert coords.smart_resize(width, height, *limits) == expected[::-1]

    compare()


@pytest.mark.parametrize(
    ("frame", "unit"),
    [
        ("norm_0_1000", "integers from 0 to 1000, relative"),
        ("norm_0_1", "decimals from 0 to 1 with at most four digits, relative"),
        ("pixel", "integers in pixels of the image, which is 640 wide and 480 high"),
        ("pixel_resized", "integers in pixels of the image, which is 644 wide and 476 high"),
    ],
)
def test_describe(frame: Frame, unit: str) -> None:
    sentence = coords.describe(frame, (640, 480))
    assert sentence.startswith(f"Coordinates are {unit}")
    assert "[x1, y1, x2, y2]" in sentence

from __future__ import annotations

import cmath
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench_plugin.errors import DataError
from vlmbench_plugin.metrics.rotation import (
    all_within,
    axis_errors,
    circular_error,
    mean_error,
    share_within,
)

ANGLE = st.floats(-1000, 1000)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (0, 0, 0),
        (10, 350, 20),
        (-170, 170, 20),
        (0, 180, 180),
        (0, 181, 179),
        (5, 725, 0),
        (-45, 45, 90),
        (12.5, 10, 2.5),
    ],
)
def test_circular_error(a: float, b: float, expected: float) -> None:
    assert circular_error(a, b) == pytest.approx(expected)


@given(ANGLE, ANGLE)
def test_circular_error_is_the_angle_between_two_unit_vectors(a: float, b: float) -> None:
    turn = cmath.phase(cmath.rect(1, math.radians(a)) / cmath.rect(1, math.radians(b)))
    error = circular_error(a, b)
    assert error == pytest.approx(abs(math.degrees(turn)), abs=1e-6)
    assert 0 <= error <= 180
    assert error == circular_error(b, a)
    assert type(error) is float
    assert circular_error(a, a) == 0


def test_only_declared_axes_count() -> None:
    predicted = {"yaw": 20.0, "pitch": 99.0, "roll": 170.0}
    errors = axis_errors(predicted, {"yaw": 10.0, "pitch": None, "roll": -160.0})
    assert errors == {"yaw": 10.0, "roll": 30.0}
    assert all_within(errors, 30)
    assert not all_within(errors, 29.9)
    assert share_within(errors, 10) == 0.5
    assert mean_error(errors) == 20.0


def test_a_truth_without_an_axis_is_an_error() -> None:
    with pytest.raises(DataError, match="at least one axis"):
        axis_errors({"yaw": 1.0}, {"yaw": None})


@given(st.dictionaries(st.sampled_from("xyz"), st.floats(0, 180), min_size=1), st.floats(0, 180))
def test_summaries_agree(errors: dict[str, float], limit: float) -> None:
    share = share_within(errors, limit)
    assert all_within(errors, limit) == (share == 1)
    assert share * len(errors) == pytest.approx(len([e for e in errors.values() if e <= limit]))
    assert min(errors.values()) - 1e-9 <= mean_error(errors) <= max(errors.values()) + 1e-9

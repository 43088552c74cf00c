"""Angles in degrees, compared on the circle."""

from __future__ import annotations

from collections.abc import Mapping

from vlmbench_plugin.errors import DataError


def circular_error(a: float, b: float) -> float:
    """The angle between two directions given in degrees, in [0, 180]."""
    apart = abs(a - b) % 360
    return float(min(apart, 360 - apart))


def axis_errors(
    predicted: Mapping[str, float], truth: Mapping[str, float | None]
) -> dict[str, float]:
    """``circular_error`` of every axis that the truth declares.

    Args:
        predicted: Axis -> degrees, for at least the declared axes.
        truth: Axis -> degrees, None for an axis that it does not declare.

    Raises:
        DataError: If the truth declares no axis.
    """
    errors = {
        axis: circular_error(predicted[axis], angle)
        for axis, angle in truth.items()
        if angle is not None
    }
    if not errors:
        raise DataError(
            f"expected an angle for at least one axis, got {dict(truth)!r}",
            hint="give at least one of the truth's axes a number of degrees",
        )
    return errors


def all_within(errors: Mapping[str, float], limit: float) -> bool:
    """Whether every axis is off by no more than the limit, in degrees."""
    return all(error <= limit for error in errors.values())


def share_within(errors: Mapping[str, float], limit: float) -> float:
    """Share of the axes that are off by no more than the limit, in degrees."""
    return sum(error <= limit for error in errors.values()) / len(errors)


def mean_error(errors: Mapping[str, float]) -> float:
    """Mean over the axes, in degrees."""
    return sum(errors.values()) / len(errors)

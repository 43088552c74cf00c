"""Upright boxes in space: centre distance and volume overlap.

The frame is the camera's: metres, x right, y down, z forward. A box has a centre, its extents along
its own x (width), y (height) and z (depth) axes, and a yaw in degrees about +y. A point ``p`` of
the box's own frame lies at ``centre + R p`` with::

        |  cos yaw   0   sin yaw |
    R = |     0      1      0    |
        | -sin yaw   0   cos yaw |

which is the right-handed rotation about +y: it turns the box's z axis (forward, away from the
camera at yaw 0) towards +x (right), and its x axis towards -z (towards the camera).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import shapely

from vlmbench_plugin.metrics.matching import assign, f1, masked

Vector: TypeAlias = Sequence[float]
Radius: TypeAlias = float | Callable[["Box3D"], float]
"""Metres: the same for all truths, or by truth."""

_NEAR, _SHARE = 0.25, 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Box3D:
    """One object.

    Attributes:
        label: Its name.
        center: x, y, z in metres, camera frame.
        size: Extents in metres along the box's own x, y and z axes.
        yaw: Degrees about +y.
    """

    label: str
    center: Vector
    size: Vector
    yaw: float

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Box3D:
        """From an answer's or a truth's object with the keys label, center, size and yaw."""
        return cls(**{key: entry[key] for key in ("label", "center", "size", "yaw")})


def center_distance(a: Box3D, b: Box3D) -> float:
    """Metres between the centres."""
    return math.dist(a.center, b.center)


def relative_radius(truth: Box3D) -> float:
    """How far off a centre may be: 10 % of its distance from the camera, at least 0.25 m."""
    return max(_NEAR, _SHARE * math.hypot(*truth.center))


def center_matches(
    predicted: Sequence[Box3D],
    truths: Sequence[Box3D],
    *,
    same: Callable[[str, str], bool],
    radius: Radius = relative_radius,
) -> list[tuple[int, int]]:
    """One-to-one matches by centre: the most pairs, and of those the closest together.

    Args:
        predicted: The answer.
        truths: The true objects.
        same: (answered label, true label) -> whether they mean the same.
        radius: The farthest that a matched centre may be from the true one.

    Returns:
        (prediction, truth) in the order of the predictions.
    """
    weights = [
        [_closeness(guess, truth, _metres(radius, truth)) for truth in truths]
        for guess in predicted
    ]
    named = masked(weights, lambda i, j: same(predicted[i].label, truths[j].label))
    return assign(named, at_least=0.0)


def center_f1(
    predicted: Sequence[Box3D],
    truths: Sequence[Box3D],
    *,
    same: Callable[[str, str], bool],
    radius: Radius = relative_radius,
) -> float:
    """F1 of ``center_matches``, in [0, 1]."""
    pairs = center_matches(predicted, truths, same=same, radius=radius)
    return f1(len(pairs), len(predicted), len(truths))


def iou(a: Box3D, b: Box3D) -> float:
    """Intersection over union of two volumes, in [0, 1]; an empty box overlaps nothing.

    The footprints in the x-z plane intersect as polygons, the heights as intervals.
    """
    if min(*a.size, *b.size) <= 0:
        return 0.0
    reach = math.hypot(a.size[0], a.size[2]) / 2 + math.hypot(b.size[0], b.size[2]) / 2
    if math.hypot(a.center[0] - b.center[0], a.center[2] - b.center[2]) > reach:
        return 0.0
    high = max(a.center[1] - a.size[1] / 2, b.center[1] - b.size[1] / 2)
    low = min(a.center[1] + a.size[1] / 2, b.center[1] + b.size[1] / 2)
    if low <= high:
        return 0.0
    shared = float(_footprint(a).intersection(_footprint(b)).area) * (low - high)
    union = math.prod(a.size) + math.prod(b.size) - shared
    return min(1.0, shared / union)


def _metres(radius: Radius, truth: Box3D) -> float:
    return radius(truth) if callable(radius) else radius


def _closeness(guess: Box3D, truth: Box3D, radius: float) -> float:
    """Falls linearly from 1 at the true centre to 1/2 at the radius, and is 0 beyond."""
    distance = center_distance(guess, truth)
    return 1 - distance / (2 * radius) if distance <= radius else 0.0


def _footprint(box: Box3D) -> shapely.Polygon:
    x, _, z = box.center
    half_x, half_z = box.size[0] / 2, box.size[2] / 2
    cos, sin = math.cos(math.radians(box.yaw)), math.sin(math.radians(box.yaw))
    corners = ((half_x, half_z), (half_x, -half_z), (-half_x, -half_z), (-half_x, half_z))
    return shapely.Polygon([(x + cos * u + sin * w, z - sin * u + cos * w) for u, w in corners])

"""How is the camera turned? Every declared axis within 30 degrees."""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench_plugin.core import Answer, Drawn, Packaged, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.fields import number
from vlmbench_plugin.metrics.rotation import all_within, axis_errors, mean_error, share_within
from vlmbench_plugin.scenes.perspective import camera_scene
from vlmbench_plugin.tasks._prompts import prompt

LIMIT_DEG = 30.0
NARROW_DEG = 10.0

_DRAWN = Drawn(scene=camera_scene)


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """1 where every axis that the truth declares is within 30 degrees, circular."""
    axes = {axis: truth.get(axis) for axis in ("yaw", "pitch", "roll")}
    errors = axis_errors(answer, axes)
    return Score(
        primary=float(all_within(errors, LIMIT_DEG)),
        secondary={
            "axes_within_30": share_within(errors, LIMIT_DEG),
            "all_within_10": float(all_within(errors, NARROW_DEG)),
            "mean_error_deg": mean_error(errors),
        },
    )


def blind(question: str | None, size: tuple[int, int], vocabulary: Vocabulary) -> Sequence[Answer]:
    """Not turned at all."""
    return [{"yaw": 0, "pitch": 0, "roll": 0}]


TASK = VisionTask(
    category="camera_rotational_offset",
    title="tell how the camera is turned",
    fields={"yaw": number(-180, 180), "pitch": number(-180, 180), "roll": number(-180, 180)},
    prompt=prompt("Tell how the camera is turned, in degrees.\n{question}"),
    score=score,
    blind=blind,
    ground_truth={"synthetic": _DRAWN, "smoke": Packaged(drawn=_DRAWN)},
    answer_tokens=48,
)

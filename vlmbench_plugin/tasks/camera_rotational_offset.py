"""How is the camera turned? Every declared axis within 30 degrees."""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench_plugin.adapters.coco import COCO
from vlmbench_plugin.adapters.roll import rolled
from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.fields import number
from vlmbench_plugin.metrics.rotation import all_within, axis_errors, mean_error, share_within
from vlmbench_plugin.scenes.perspective import camera_scene
from vlmbench_plugin.sources import Drawn, Packaged, Public
from vlmbench_plugin.tasks._prompts import prompt

CONVENTION = (
    "Yaw is positive when the camera is turned to the right of straight ahead. Pitch is positive "
    "when it is tilted up from level. Roll is positive when it is turned clockwise as seen from "
    "behind it, so that the right end of the horizon appears higher."
)
AXES = ("yaw", "pitch", "roll")
LIMIT_DEG = 30.0
NARROW_DEG = 10.0

_DRAWN = Drawn(scene=camera_scene)
_ROLLED = Public(table=COCO, adapt=rolled)


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """1 where every axis that the truth declares is within 30 degrees, circular."""
    axes = {axis: truth.get(axis) for axis in AXES}
    errors = axis_errors(answer, axes)
    return Score(
        primary=float(all_within(errors, LIMIT_DEG)),
        secondary={
            "axes_within_30": share_within(errors, LIMIT_DEG),
            "all_within_10": float(all_within(errors, NARROW_DEG)),
            "mean_error_deg": mean_error(errors),
        },
    )


def right_answer(truth: Truth) -> Answer:
    """The declared axes; 0 for the others, which no score looks at."""
    return {axis: truth.get(axis) or 0 for axis in AXES}


def complete(label: Answer) -> Truth:
    """An axis that is not declared is null.

    Raises:
        DataError: If no axis is declared.
    """
    declared = {axis: label.get(axis) for axis in AXES}
    if all(angle is None for angle in declared.values()):
        raise DataError("expected yaw, pitch or roll in degrees, got none of them")
    return {**label, **declared}


def question(truth: Truth) -> str:
    """States the conventions, and which axes are not asked."""
    silent = [axis for axis in AXES if truth.get(axis) is None]
    return f"{CONVENTION} Answer 0 for {' and '.join(silent)}." if silent else CONVENTION


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
    answer=right_answer,
    complete=complete,
    question=question,
    ground_truth={
        "synthetic": _DRAWN,
        "smoke": Packaged(drawn=_DRAWN),
        "full": _DRAWN,
        "real": _ROLLED,
    },
    answer_tokens=48,
)

"""In which style is the image rendered, and how is it composed? Style accuracy."""

from __future__ import annotations

from vlmbench_plugin.core import Answer, Drawn, Packaged, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.fields import choice
from vlmbench_plugin.scenes.styles import STRUCTURES, STYLES, style_scene
from vlmbench_plugin.tasks._prompts import prompt

_DRAWN = Drawn(scene=style_scene, vocabulary={"style": STYLES, "structure": STRUCTURES})


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """1 where the style is the true one; the structure beside it, where it is known."""
    structure = truth.get("structure")
    return Score(
        primary=float(answer["style"] == truth["style"]),
        secondary={
            "structure": None if structure is None else float(answer["structure"] == structure)
        },
    )


TASK = VisionTask(
    category="style_structural_awareness",
    title="recognise rendering style and composition",
    fields={"style": choice(vocabulary="style"), "structure": choice(vocabulary="structure")},
    prompt=prompt("Name the style in which the image is rendered and the structure of its layout."),
    score=score,
    ground_truth={"synthetic": _DRAWN, "smoke": Packaged(drawn=_DRAWN)},
    answer_tokens=48,
)

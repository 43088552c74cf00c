"""In which style is the image rendered, and how is it composed? Style accuracy."""

from __future__ import annotations

from vlmbench_plugin.adapters.wikiart import STYLE_GROUPS, WIKIART, painting
from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.fields import choice
from vlmbench_plugin.scenes.styles import STRUCTURES, STYLES, style_scene
from vlmbench_plugin.sources import Drawn, Packaged, Public
from vlmbench_plugin.tasks._prompts import prompt

_DRAWN = Drawn(scene=style_scene, vocabulary={"style": STYLES, "structure": STRUCTURES})
_WIKIART = Public(
    table=WIKIART, adapt=painting, vocabulary={"style": STYLE_GROUPS, "structure": STRUCTURES}
)


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """1 where the style is the true one; the structure beside it, where it is known."""
    structure = truth.get("structure")
    return Score(
        primary=float(answer["style"] == truth["style"]),
        secondary={
            "structure": None if structure is None else float(answer.get("structure") == structure)
        },
    )


TASK = VisionTask(
    category="style_structural_awareness",
    title="recognise rendering style and composition",
    fields={
        "style": choice(vocabulary="style"),
        "structure": choice(vocabulary="structure", optional=True),
    },
    prompt=prompt(
        "Name the style in which the image is rendered, and the structure of its layout where it "
        "has one of these."
    ),
    score=score,
    ground_truth={
        "synthetic": _DRAWN,
        "smoke": Packaged(drawn=_DRAWN),
        "full": _DRAWN,
        "real": _WIKIART,
    },
    answer_tokens=48,
    version=2,
)

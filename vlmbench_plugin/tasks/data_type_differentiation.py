"""In which data format is the document written? Exact match."""

from __future__ import annotations

from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.fields import choice
from vlmbench_plugin.scenes.documents import format_scene
from vlmbench_plugin.scenes.formats import FORMATS
from vlmbench_plugin.sources import Drawn, Packaged
from vlmbench_plugin.tasks._prompts import prompt

_DRAWN = Drawn(scene=format_scene)


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """1 where the format is the true one."""
    return Score(primary=float(answer["format"] == truth["format"]))


TASK = VisionTask(
    category="data_type_differentiation",
    title="recognise the data format of a rendered document",
    fields={"format": choice(*FORMATS)},
    prompt=prompt("The image shows a document. Name the data format that it is written in."),
    score=score,
    ground_truth={
        "synthetic": _DRAWN,
        "smoke": Packaged(drawn=_DRAWN),
        "full": _DRAWN,
    },
    version=2,
    answer_tokens=32,
)

"""What does the image show? Tolerant top-1."""

from __future__ import annotations

from vlmbench_plugin import labels
from vlmbench_plugin.adapters.food101 import FOOD101, FOOD101_NAMES, dish
from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.fields import label, number
from vlmbench_plugin.scenes.everyday import classification_scene
from vlmbench_plugin.scenes.objects import CLASSES
from vlmbench_plugin.sources import Drawn, Packaged, Public
from vlmbench_plugin.tasks._prompts import prompt

_DRAWN = Drawn(scene=classification_scene, vocabulary={"label": CLASSES})
_FOOD = Public(table=FOOD101, adapt=dish, vocabulary={"label": FOOD101_NAMES})


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """Tolerant top-1; an answer that fits two classes fits none."""
    rule = labels.match(answer["label"], truth["label"], vocabulary.get("label", ()))
    return Score(
        primary=float(rule is not None),
        secondary={"strict": float(labels.strict(answer["label"], truth["label"]))},
        label_rule=rule,
    )


TASK = VisionTask(
    category="image_classification",
    title="name what the image shows",
    fields={"label": label("label"), "confidence": number(0, 1, optional=True)},
    prompt=prompt(
        "Name the one thing that the image is about. "
        "The confidence is how sure you are, from 0 to 1."
    ),
    score=score,
    confidence="confidence",
    ground_truth={
        "synthetic": _DRAWN,
        "smoke": Packaged(drawn=_DRAWN),
        "full": _FOOD,
        "real": _FOOD,
    },
    version=2,
    answer_tokens=64,
)

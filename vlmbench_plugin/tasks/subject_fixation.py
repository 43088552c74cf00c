"""Which object is the picture about, and where is it? Right label and IoU of at least 0.5."""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench_plugin import labels
from vlmbench_plugin.adapters.coco import COCO, COCO_NAMES, subject
from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.fields import box, label
from vlmbench_plugin.metrics.boxes import iou
from vlmbench_plugin.scenes.everyday import fixation_scene
from vlmbench_plugin.scenes.objects import CLASSES
from vlmbench_plugin.sources import Drawn, Packaged, Public
from vlmbench_plugin.tasks._prompts import prompt

IOU_BAR = 0.5

_DRAWN = Drawn(scene=fixation_scene, vocabulary={"object": CLASSES})
_COCO = Public(table=COCO, adapt=subject, vocabulary={"object": COCO_NAMES})


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """1 where the label matches and the boxes overlap by at least 0.5."""
    rule = labels.match(answer["subject"], truth["subject"], vocabulary.get("object", ()))
    overlap = iou(answer["box"], truth["box"])
    return Score(
        primary=float(rule is not None and overlap >= IOU_BAR),
        secondary={"iou": overlap, "label": float(rule is not None)},
        label_rule=rule,
    )


def blind(question: str | None, size: tuple[int, int], vocabulary: Vocabulary) -> Sequence[Answer]:
    """The middle of the image under each name."""
    width, height = size
    middle = [width // 5, height // 5, width * 4 // 5, height * 4 // 5]
    return [{"subject": name, "box": middle} for name in vocabulary.get("object", ())]


TASK = VisionTask(
    category="subject_fixation",
    title="find the dominant object",
    fields={"subject": label("object"), "box": box()},
    prompt=prompt(
        "Name the object that covers by far the largest area of the image, and give its tight "
        "bounding box.",
        coordinates=True,
    ),
    score=score,
    blind=blind,
    ground_truth={
        "synthetic": _DRAWN,
        "smoke": Packaged(drawn=_DRAWN),
        "full": _DRAWN,
        "real": _COCO,
    },
    version=2,
    answer_tokens=64,
)

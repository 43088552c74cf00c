"""What is the outline of the one object? Polygon IoU."""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench_plugin import labels
from vlmbench_plugin.adapters.coco import COCO_NAMES
from vlmbench_plugin.adapters.coco_masks import COCO_MASKS, outline
from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.fields import label, polygon
from vlmbench_plugin.metrics.polygons import iou
from vlmbench_plugin.scenes.outlines import OUTLINES, outline_scene
from vlmbench_plugin.sources import Drawn, Packaged, Public
from vlmbench_plugin.tasks._prompts import prompt

_DRAWN = Drawn(scene=outline_scene, vocabulary={"label": OUTLINES})
_COCO = Public(table=COCO_MASKS, adapt=outline, vocabulary={"label": COCO_NAMES})


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """IoU of the two polygons; the label is scored beside it."""
    rule = labels.match(answer["label"], truth["label"], vocabulary.get("label", ()))
    return Score(
        primary=iou(answer["polygon"], truth["polygon"]),
        secondary={"label": float(rule is not None)},
        label_rule=rule,
    )


def blind(question: str | None, size: tuple[int, int], vocabulary: Vocabulary) -> Sequence[Answer]:
    """A diamond and a rectangle in the middle of the image, each in two sizes."""
    width, height = size
    answers: list[Answer] = []
    for share in (0.25, 0.4):
        x, y = width // 2, height // 2
        left, right = x - round(share * width), x + round(share * width)
        top, bottom = y - round(share * height), y + round(share * height)
        diamond = [[left, y], [x, top], [right, y], [x, bottom]]
        rectangle = [[left, top], [right, top], [right, bottom], [left, bottom]]
        answers += [{"label": "object", "polygon": ring} for ring in (diamond, rectangle)]
    return answers


TASK = VisionTask(
    category="outline_association",
    title="trace the outline of the main object",
    fields={"label": label("label"), "polygon": polygon(40)},
    prompt=prompt(
        "Name the main object and trace its visible outline as a polygon, the corner points in "
        "order around it.",
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
    answer_tokens=250,
    overlap=True,
)

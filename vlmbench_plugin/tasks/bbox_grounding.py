"""Where is each object? F1 of label-compatible boxes at IoU 0.5, one to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmbench_plugin import labels
from vlmbench_plugin.core import Answer, Drawn, Packaged, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.fields import box, integer, label, list_of, number
from vlmbench_plugin.metrics import boxes
from vlmbench_plugin.scenes.shapes import LABELS, grounding_scene
from vlmbench_plugin.tasks._compose import match_instances, mean, same_label
from vlmbench_plugin.tasks._prompts import prompt

IOU_BAR = 0.5

_DRAWN = Drawn(scene=grounding_scene, vocabulary={"label": LABELS})
_PHOTO_LABELS = ("cat", "cup", "saucer", "spoon", "person", "rocket", "camera", "tripod", "helmet")


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """F1 at IoU 0.5 of label-compatible boxes, each truth matched at most once."""
    found, true = answer["detections"], truth["detections"]
    overlaps = boxes.iou_matrix([d["box"] for d in found], [d["box"] for d in true])
    names = [d["label"] for d in found], [d["label"] for d in true]
    same = same_label(vocabulary.get("label", ()))
    tolerant = match_instances(overlaps, *names, same, at_least=IOU_BAR)
    strict = match_instances(overlaps, *names, labels.strict, at_least=IOU_BAR)
    return Score(
        primary=tolerant.f1,
        secondary={
            "strict_f1": strict.f1,
            "matched_iou": mean(tolerant.overlaps),
            "count_exact": float(answer["count"] == len(true)),
        },
    )


def over_category(
    items: Sequence[tuple[Answer | None, Truth, Vocabulary]],
) -> Mapping[str, float | None]:
    """COCO mAP@[.5:.95]; a detection without a score has 1, an invalid answer no detection."""
    images = []
    for answer, truth, vocabulary in items:
        names = vocabulary.get("label", ())
        found = [
            (labels.resolve(d["label"], names).name or d["label"], d["box"], d.get("score", 1.0))
            for d in (answer["detections"] if answer else [])
        ]
        images.append((found, [(d["label"], d["box"]) for d in truth["detections"]]))
    return {"coco_map": boxes.average_precision(images)}


TASK = VisionTask(
    category="bbox_grounding",
    title="box and name every object, and count them",
    fields={
        "detections": list_of(
            {"label": label("label"), "box": box(), "score": number(0, 1, optional=True)},
            at_most=40,
        ),
        "count": integer(0, 99),
    },
    prompt=prompt(
        "Find every object. Give each one its label and its tight bounding box; the score is how "
        "sure you are, from 0 to 1. The count is the number of objects.",
        coordinates=True,
    ),
    score=score,
    over_category=over_category,
    ground_truth={
        "synthetic": _DRAWN,
        "smoke": Packaged(drawn=_DRAWN, vocabulary={"label": _PHOTO_LABELS}, photos=True),
    },
    answer_tokens=500,
)

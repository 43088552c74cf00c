"""Which pixels belong to each object? Matched IoU over the larger count, labels compatible."""

from __future__ import annotations

from vlmbench_plugin.adapters.coco import COCO_NAMES
from vlmbench_plugin.adapters.coco_masks import COCO_MASKS, segmentation
from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.fields import label, list_of, polygon
from vlmbench_plugin.metrics import matching, polygons
from vlmbench_plugin.scenes.shapes import INSTANCE_LABELS, segmentation_scene
from vlmbench_plugin.sources import Drawn, Packaged, Public
from vlmbench_plugin.tasks._compose import match_instances, mean, same_label
from vlmbench_plugin.tasks._prompts import prompt

IOU_BAR = 0.5

_DRAWN = Drawn(scene=segmentation_scene, vocabulary={"label": INSTANCE_LABELS})
_COCO = Public(table=COCO_MASKS, adapt=segmentation, vocabulary={"label": COCO_NAMES})


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """Sum of label-compatible matched IoU over max(truths, predictions); 1 where both are empty."""
    found, true = answer["instances"], truth["instances"]
    overlaps = polygons.iou_matrix([i["polygon"] for i in found], [i["polygon"] for i in true])
    names = [i["label"] for i in found], [i["label"] for i in true]
    same = same_label(vocabulary.get("label", ()))
    named = matching.masked(overlaps, lambda i, j: same(names[0][i], names[1][j]))
    matched = [overlaps[i][j] for i, j in matching.heaviest(named)]
    unnamed = [overlaps[i][j] for i, j in matching.heaviest(overlaps)]
    larger = max(len(found), len(true))
    return Score(
        primary=sum(matched) / larger if larger else 1.0,
        secondary={
            "without_labels": sum(unnamed) / larger if larger else 1.0,
            "matched_iou": mean(matched),
            "f1": match_instances(overlaps, *names, same, at_least=IOU_BAR).f1,
        },
    )


TASK = VisionTask(
    category="segmentation",
    title="outline and name every object",
    fields={
        "instances": list_of({"label": label("label"), "polygon": polygon(40)}, at_most=8),
    },
    prompt=prompt(
        "Find every object. Give each one its label and the polygon of its visible outline, the "
        "corner points in order around it.",
        coordinates=True,
    ),
    score=score,
    ground_truth={
        "synthetic": _DRAWN,
        "smoke": Packaged(drawn=_DRAWN),
        "full": _DRAWN,
        "real": _COCO,
    },
    version=2,
    answer_tokens=1000,
    overlap=True,
)

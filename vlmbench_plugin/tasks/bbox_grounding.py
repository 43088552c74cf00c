"""Where is each object? F1 of label-compatible boxes at IoU 0.5, one to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmbench_plugin import labels
from vlmbench_plugin.adapters.coco import COCO, COCO_NAMES, detections
from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.fields import box, integer, label, list_of, number
from vlmbench_plugin.metrics import boxes
from vlmbench_plugin.scenes.shapes import LABELS, grounding_scene
from vlmbench_plugin.sources import Drawn, Packaged, Public
from vlmbench_plugin.tasks._compose import match_instances, mean, same_label
from vlmbench_plugin.tasks._prompts import prompt

IOU_BAR = 0.5

_DRAWN = Drawn(scene=grounding_scene, vocabulary={"label": LABELS})
_COCO = Public(table=COCO, adapt=detections, vocabulary={"label": COCO_NAMES})


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """F1 at IoU 0.5 of label-compatible boxes, each truth matched at most once.

    A box that matches nothing and lies by half or more in a crowd region of its label (``ignore``)
    does not count, as in COCO.
    """
    found, true, crowds = answer["detections"], truth["detections"], truth.get("ignore", ())
    overlaps = boxes.iou_matrix([d["box"] for d in found], [d["box"] for d in true])
    names = [d["label"] for d in found], [d["label"] for d in true]
    same = same_label(vocabulary.get("label", ()))
    excused = {
        at
        for at, d in enumerate(found)
        for crowd in crowds
        if boxes.covered(d["box"], crowd["box"]) >= IOU_BAR and same(d["label"], crowd["label"])
    }
    tolerant = match_instances(overlaps, *names, same, at_least=IOU_BAR, excused=excused)
    strict = match_instances(overlaps, *names, labels.strict, at_least=IOU_BAR, excused=excused)
    return Score(
        primary=tolerant.f1,
        secondary={
            "strict_f1": strict.f1,
            "matched_iou": mean(tolerant.overlaps),
            "count_exact": None if crowds else float(answer["count"] == len(true)),
        },
    )


def over_category(
    items: Sequence[tuple[Answer | None, Truth, Vocabulary]],
) -> Mapping[str, float | None]:
    """COCO mAP@[.5:.95]; a detection without a score has 1, an invalid answer no detection."""
    images, crowds = [], []
    for answer, truth, vocabulary in items:
        names = vocabulary.get("label", ())
        found = [
            (labels.resolve(d["label"], names).name or d["label"], d["box"], d.get("score", 1.0))
            for d in (answer["detections"] if answer else [])
        ]
        images.append((found, [(d["label"], d["box"]) for d in truth["detections"]]))
        crowds.append([(d["label"], d["box"]) for d in truth.get("ignore", ())])
    return {"coco_map": boxes.average_precision(images, crowds=crowds)}


def complete(label: Answer) -> Truth:
    """Counts the detections where nobody has; with crowds the count is not scored.

    Raises:
        DataError: If a count is stated that is another, although there are no crowds.
    """
    truth = {"count": len(label["detections"]), **label}
    if truth["count"] != len(truth["detections"]) and not truth.get("ignore"):
        raise DataError(
            f"expected as many detections as the count says, got {len(truth['detections'])} and a "
            f"count of {truth['count']}",
            hint="state every object, or leave the count out",
        )
    return truth


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
        "Find every object. Give each one its label and the tight bounding box of what is visible "
        "of it; the score is how sure you are, from 0 to 1. The count is the number of objects.",
        coordinates=True,
    ),
    score=score,
    over_category=over_category,
    complete=complete,
    extras={"ignore": list_of({"label": label("label"), "box": box()}, at_most=40)},
    ground_truth={
        "synthetic": _DRAWN,
        "smoke": Packaged(drawn=_DRAWN),
        "full": _COCO,
        "real": _COCO,
    },
    version=2,
    answer_tokens=500,
)

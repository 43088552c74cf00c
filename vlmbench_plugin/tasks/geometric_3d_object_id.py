"""Where do the objects stand in space? F1 of label-compatible centre matches."""

from __future__ import annotations

from vlmbench_plugin.adapters.sunrgbd import SUNRGBD, SUNRGBD_LABELS, boxes3d
from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.fields import label, list_of, number
from vlmbench_plugin.metrics.boxes3d import Box3D, center_distance, center_f1, center_matches, iou
from vlmbench_plugin.metrics.matching import f1
from vlmbench_plugin.scenes.perspective import BOX_LABELS, boxes3d_scene
from vlmbench_plugin.sources import Drawn, Packaged, Public
from vlmbench_plugin.tasks._compose import match_instances, mean, same_label
from vlmbench_plugin.tasks._prompts import prompt

IOU_BAR = 0.25
RADII_M = (0.5, 1.0, 2.0)

_DRAWN = Drawn(scene=boxes3d_scene, vocabulary={"label": BOX_LABELS})
_SUNRGBD = Public(table=SUNRGBD, adapt=boxes3d, vocabulary={"label": SUNRGBD_LABELS})


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """F1 of centres within max(0.25 m, 10 % of the true distance), labels compatible."""
    found = [Box3D.from_json(entry) for entry in answer["objects"]]
    true = [Box3D.from_json(entry) for entry in truth["objects"]]
    same = same_label(vocabulary.get("label", ()))
    pairs = center_matches(found, true, same=same)
    overlaps = [[iou(a, b) if same(a.label, b.label) else 0.0 for b in true] for a in found]
    names = [box.label for box in found], [box.label for box in true]
    return Score(
        primary=f1(len(pairs), len(found), len(true)),
        secondary={
            **{f"f1_{r:g}m": center_f1(found, true, same=same, radius=r) for r in RADII_M},
            "center_error_m": mean([center_distance(found[i], true[j]) for i, j in pairs]),
            "iou_f1": match_instances(overlaps, *names, same, at_least=IOU_BAR).f1,
        },
    )


TASK = VisionTask(
    category="geometric_3d_object_id",
    title="place 3D boxes in camera coordinates",
    fields={
        "objects": list_of(
            {
                "label": label("label"),
                "center": list_of(number(-100, 100), at_least=3, at_most=3),
                "size": list_of(number(0, 100), at_least=3, at_most=3),
                "yaw": number(-180, 180),
            },
            at_most=10,
        )
    },
    prompt=prompt(
        "Find every box and give its 3D bounding box in camera coordinates: x to the right, y "
        "down, z forward, in metres. The center is [x, y, z]; the size is the extent along the "
        "box's own [x, y, z] axes before it is turned; yaw is in degrees.\n{question}"
    ),
    score=score,
    ground_truth={
        "synthetic": _DRAWN,
        "smoke": Packaged(drawn=_DRAWN),
        "full": _DRAWN,
        "real": _SUNRGBD,
    },
    version=2,
    answer_tokens=400,
)

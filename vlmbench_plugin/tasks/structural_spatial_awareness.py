"""How do the named objects lie to each other? Triple F1 over the named pairs."""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench_plugin.adapters.coco import COCO, COCO_NAMES, spatial
from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.fields import choice, label, list_of
from vlmbench_plugin.scenes.spatial import RELATIONS, SPATIAL_LABELS, asked_pairs, spatial_scene
from vlmbench_plugin.sources import Drawn, Packaged, Public
from vlmbench_plugin.tasks._compose import (
    each_pair_once,
    named_pairs,
    same_for_all,
    score_relations,
)
from vlmbench_plugin.tasks._prompts import prompt

INVERSE = {"left_of": "right_of", "above": "below"}

_DRAWN = Drawn(scene=spatial_scene, vocabulary={"object": SPATIAL_LABELS})
_COCO = Public(table=COCO, adapt=spatial, vocabulary={"object": COCO_NAMES})


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """F1 of triples; inverse relations are equal, a pair answered twice differently is wrong."""
    names = vocabulary.get("object", ())
    return score_relations(
        answer, truth, names, key="relation", inverse=INVERSE, symmetric=frozenset()
    )


def blind(question: str | None, size: tuple[int, int], vocabulary: Vocabulary) -> Sequence[Answer]:
    """Every named pair with one and the same relation."""
    return same_for_all(asked_pairs(question or ""), "relation", RELATIONS)


TASK = VisionTask(
    category="structural_spatial_awareness",
    title="say how named objects lie to each other",
    fields={
        "relations": list_of(
            {
                "subject": label("object"),
                "relation": choice(*RELATIONS),
                "object": label("object"),
            },
            at_most=16,
        )
    },
    prompt=prompt(
        "Say where the first object of each pair lies as seen from the second, in the image as it "
        "is shown: left_of, right_of, above or below, whichever describes the larger distance. "
        "Answer for the pairs that are asked about, and no others.\n{question}"
    ),
    score=score,
    blind=blind,
    complete=each_pair_once,
    question=named_pairs,
    ground_truth={
        "synthetic": _DRAWN,
        "smoke": Packaged(drawn=_DRAWN),
        "full": _DRAWN,
        "real": _COCO,
    },
    version=2,
    answer_tokens=250,
    right_at=0.75,  # of two pairs, one guessed right is no right label
)

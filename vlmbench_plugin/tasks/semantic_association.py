"""How do the named objects relate? Triple F1 over the named pairs."""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench_plugin.adapters.psg import PSG, PSG_LABELS, PSG_PREDICATES, PSG_SYMMETRIC, relations
from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.fields import choice, label, list_of
from vlmbench_plugin.scenes.relations import (
    INVERSE,
    PREDICATES,
    RELATED_LABELS,
    SYMMETRIC,
    semantic_scene,
)
from vlmbench_plugin.scenes.spatial import asked_pairs
from vlmbench_plugin.sources import Drawn, Packaged, Public
from vlmbench_plugin.tasks._compose import (
    each_pair_once,
    named_pairs,
    same_for_all,
    score_relations,
)
from vlmbench_plugin.tasks._prompts import prompt

_DRAWN = Drawn(scene=semantic_scene, vocabulary={"object": RELATED_LABELS, "predicate": PREDICATES})
_PSG = Public(
    table=PSG, adapt=relations, vocabulary={"object": PSG_LABELS, "predicate": PSG_PREDICATES}
)


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """F1 of triples; symmetric and inverse predicates are equal, contradictions are wrong."""
    names = vocabulary.get("object", ())
    return score_relations(
        answer, truth, names, key="predicate", inverse=INVERSE, symmetric=SYMMETRIC | PSG_SYMMETRIC
    )


def blind(question: str | None, size: tuple[int, int], vocabulary: Vocabulary) -> Sequence[Answer]:
    """Every named pair with one and the same predicate."""
    return same_for_all(asked_pairs(question or ""), "predicate", vocabulary["predicate"])


TASK = VisionTask(
    category="semantic_association",
    title="say how named objects relate",
    fields={
        "relations": list_of(
            {
                "subject": label("object"),
                "predicate": choice(vocabulary="predicate"),
                "object": label("object"),
            },
            at_most=16,
        )
    },
    prompt=prompt(
        "Say how the first object of each pair relates to the second. "
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
        "real": _PSG,
    },
    answer_tokens=250,
    right_at=0.75,  # of two pairs, one guessed right is no right label
)

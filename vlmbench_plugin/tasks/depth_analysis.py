"""Which object is nearer? Pairwise accuracy of the order from near to far."""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench_plugin import labels
from vlmbench_plugin.adapters.nyu import NYU, POINTS, depth_order
from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.fields import label, list_of
from vlmbench_plugin.metrics.ordering import kendall_tau, pairwise_accuracy
from vlmbench_plugin.scenes.depth import DEPTH_LABELS, ask_objects, asked_objects, depth_scene
from vlmbench_plugin.sources import Drawn, Packaged, Public
from vlmbench_plugin.tasks._prompts import prompt

_DRAWN = Drawn(scene=depth_scene, vocabulary={"object": DEPTH_LABELS})
_NYU = Public(table=NYU, adapt=depth_order, vocabulary={"object": POINTS})


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """Share of the pairs in the right order; a missing pair is wrong, of duplicates the first."""
    names = tuple(vocabulary.get("object", ())) or tuple(truth["order"])
    order = [labels.resolve(name, names).name for name in answer["order"]]
    accuracy = pairwise_accuracy(order, truth["order"])
    return Score(
        primary=accuracy if accuracy is not None else float(order == list(truth["order"])),
        secondary={"kendall_tau": kendall_tau(order, truth["order"])},
    )


def blind(question: str | None, size: tuple[int, int], vocabulary: Vocabulary) -> Sequence[Answer]:
    """The objects as listed, and the other way round."""
    listed = asked_objects(question or "")
    return [{"order": listed}, {"order": listed[::-1]}]


def complete(label: Answer) -> Truth:
    """Makes sure that the order is one.

    Raises:
        DataError: If it has fewer than two names, or one of them twice.
    """
    order = label.get("order", ())
    if len(order) < 2:
        raise DataError(
            f"expected an order of at least 2 names, got {len(order)}",
            hint="nothing is nearer than itself: name another object, or leave the image out",
        )
    if len(set(map(labels.normalise, order))) < len(order):
        raise DataError(
            f"expected every name once, got {', '.join(order)}",
            hint="tell objects of one kind apart, such as red cup and white cup",
        )
    return label


def question(truth: Truth) -> str:
    """Names the objects in the order of the alphabet."""
    return ask_objects(sorted(truth["order"]))


TASK = VisionTask(
    category="depth_analysis",
    title="order named objects from near to far",
    fields={"order": list_of(label("object"), at_most=16)},
    prompt=prompt(
        "Order the named objects by their distance from the viewer, the nearest first. "
        "Name each of them once, and no others.\n{question}"
    ),
    score=score,
    blind=blind,
    complete=complete,
    question=question,
    ground_truth={
        "synthetic": _DRAWN,
        "smoke": Packaged(drawn=_DRAWN),
        "full": _DRAWN,
        "real": _NYU,
    },
    version=3,
    answer_tokens=100,
    right_at=0.75,
)

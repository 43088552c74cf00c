"""Truth and answer side by side, leaf by leaf: what an answer got wrong, at one glance.

What is compared follows from the kind of a field's node, so that a task of one's own is told too.
It is a picture, not the score: a label that counts as right may be spelled otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vlmbench_plugin.core import Answer, Json, VisionTask
from vlmbench_plugin.fields import ListOf, Object, fields_object
from vlmbench_plugin.metrics import boxes, polygons
from vlmbench_plugin.nodes import Node
from vlmbench_plugin.numeric import Number, Points

ABSENT = ""
"""Stands for a side that has no such value."""

_LONGEST = 160
"""Characters of a value; a polygon of 40 points has 600."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One leaf of the answer's fields.

    Attributes:
        path: Where it stands, such as ``detections 2 box``.
        truth: As text; ``ABSENT`` where the truth has none.
        answer: As text; ``ABSENT`` where the answer has none.
        same: Whether both are there and equal.
        note: How far they are apart, where that is a number: ``+8`` or ``IoU 0.71``.
    """

    path: str
    truth: str
    answer: str
    same: bool
    note: str = ""


def differences(task: VisionTask, truth: Answer, answer: Answer) -> Iterator[Difference]:
    """Yields the leaves in the order of the fields.

    Args:
        task: The task.
        truth: The right answer in pixels, without what it leaves open.
        answer: A valid answer in pixels, without what the truth leaves open.
    """
    yield from _walk(fields_object(task.fields), truth, answer, "")


def _walk(node: Node, truth: Json, answer: Json, path: str) -> Iterator[Difference]:
    if isinstance(node, Object):
        for key, member in node.members:
            ends = _member(truth, key), _member(answer, key)
            if ends != (None, None):
                yield from _walk(member, *ends, f"{path} {key}".strip())
    elif isinstance(node, ListOf) and not _is_flat(node):
        pairs = list(_paired(truth or (), answer or ()))
        if not pairs:
            same = truth is not None and answer is not None
            yield Difference(path=path, truth=_text(truth), answer=_text(answer), same=same)
        for at, (one, other) in enumerate(pairs, 1):
            yield from _walk(node.item, one, other, f"{path} {at}")
    else:
        yield _leaf(node, truth, answer, path)


def _is_flat(node: ListOf) -> bool:
    """Whether a list is one value, such as the three numbers of a place in space."""
    return isinstance(node.item, Number) and node.at_least == node.at_most


def _member(value: Json, key: str) -> Json:
    return None if value is None else value.get(key)


def _paired(truth: Sequence[Json], answer: Sequence[Json]) -> Iterator[tuple[Json, Json]]:
    """Pairs the items of two lists: objects by their names, and what is left by its order."""
    left = list(range(len(answer)))
    partner: dict[int, int] = {}
    for at, item in enumerate(truth):
        found = next((i for i in left if _names(answer[i]) == _names(item) != ()), None)
        if found is not None:
            partner[at] = found
            left.remove(found)
    for at in range(len(truth)):
        if at not in partner and left:
            partner[at] = left.pop(0)
    yield from (
        (item, answer[partner[at]] if at in partner else None) for at, item in enumerate(truth)
    )
    yield from ((None, answer[i]) for i in left)


def _names(item: Json) -> tuple[str, ...]:
    """The words of an object; none of a bare value, whose place in the list is what it says."""
    if not isinstance(item, dict):
        return ()
    return tuple(value.casefold() for value in item.values() if isinstance(value, str))


def _leaf(node: Node, truth: Json, answer: Json, path: str) -> Difference:
    both = truth is not None and answer is not None
    return Difference(
        path=path,
        truth=_text(truth),
        answer=_text(answer),
        same=both and truth == answer,
        note=_note(node, truth, answer) if both and truth != answer else "",
    )


def _note(node: Node, truth: Json, answer: Json) -> str:
    if isinstance(node, Number):
        return f"{answer - truth:+.4g}"
    if isinstance(node, Points) and node.kind == "box":
        return f"IoU {boxes.iou(tuple(answer), tuple(truth)):.2f}"
    if isinstance(node, Points) and node.kind == "polygon":
        return f"IoU {polygons.iou(answer, truth):.2f}"
    return ""


def _text(value: Json) -> str:
    if value is None:
        return ABSENT
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."

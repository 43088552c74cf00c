"""One's own label -> the truth of a case, or all that is wrong with it.

A label is an answer in pixels under the task's field names; fields that follow from others may be
left out, and a null is not known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from vlmbench_plugin.core import Json, Truth, VisionTask, Vocabulary, VocabularyRule
from vlmbench_plugin.data.own_checks import (
    Leaf,
    did_you_mean,
    leaves,
    vocabulary_keys,
    wrong_shapes,
    wrong_words,
)
from vlmbench_plugin.errors import DataError, FieldError
from vlmbench_plugin.fields import (
    Artifacts,
    ListOf,
    Object,
    artifacts,
)
from vlmbench_plugin.nodes import Label, Node
from vlmbench_plugin.numeric import Points

_SHOWN = 60
_BOUNDS = ("too_long", "less_than_equal", "greater_than_equal")
_BOUND_HINT = (
    "that is a bound of the task: leave the image out, or bring a task of your own with a wider "
    "one (pytest_vlmbench_tasks)"
)

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTruth:
    """A label that fits its task.

    Attributes:
        truth: As in ``Case``.
        found: The values of the right answer, with pixel coordinates; and the names and positions
            that the label states beside it.
    """

    truth: Truth
    found: tuple[Leaf, ...]


def legal(task: VisionTask, vocabulary: Vocabulary, rule: VocabularyRule) -> Artifacts:
    """Returns what a legal answer is under a line's vocabulary.

    Raises:
        DataError: If a choice has no names, or a name cannot be a label.
    """
    try:
        return artifacts(task.fields, vocabulary, "pixel", rule)
    except FieldError as error:
        keys = vocabulary_keys(task.fields.values())
        lacking = ", ".join(f'"{key}": [...]' for key in keys if key not in vocabulary)
        hint = f'add "vocabulary": {{{lacking}}} with all possible names' if lacking else ""
        raise DataError(str(error.args[0]), hint=error.hint or hint) from error


def read_truth(
    task: VisionTask, given: Json, vocabulary: Vocabulary, built: Artifacts
) -> tuple[OwnTruth | None, list[DataError]]:
    """Completes and checks one label.

    Args:
        task: The task.
        given: What the line holds under ``truth``.
        vocabulary: The line's.
        built: ``legal`` with that vocabulary.

    Returns:
        The truth, None where there are faults; and all faults.
    """
    faults = list(_misfits(task, given, built.root))
    if faults:
        return None, faults
    # A field that is not known is one that is not there: whoever completes a label fills it in.
    given = {key: value for key, value in given.items() if value is not None}
    complete = task.complete
    try:
        truth = given if complete is None else called("complete", lambda: complete(given), given)
        # Through JSON, as an answer is: a task may give tuples.
        stated = called("answer", lambda: json.dumps(task.pixel_answer(truth)), given)
    except DataError as error:
        return None, [error]
    faults = list(_validated(_adapter(built.root), stated, built.root))
    if faults:
        return None, faults
    found = (*leaves(built.root, json.loads(stated)), *_beside(task, given))
    faults = [*wrong_words(found, vocabulary), *wrong_shapes(found)]
    return (None if faults else OwnTruth(truth=truth, found=found)), faults


def called(what: str, function: Callable[[], _Value], given: Mapping[str, Json]) -> _Value:
    """Calls a task's function on a label; it may be anybody's, and raise anything.

    Args:
        what: The function's name in ``VisionTask``.
        function: The call.
        given: The label, whose fields the error names.

    Raises:
        DataError: Whatever it raised.
    """
    try:
        return function()
    except DataError as error:
        raise DataError(f"truth: {error.args[0]}", hint=error.hint) from error
    except Exception as error:  # as a rule it looks for a field that this label lacks
        there = ", ".join(key for key, value in given.items() if value is not None)
        raise DataError(
            f"truth: expected the fields from which the others follow, got {there or 'none'} "
            f"({what}: {type(error).__name__}: {error})",
            hint="state every field of the task",
        ) from error


def _beside(task: VisionTask, given: Mapping[str, Json]) -> Iterator[Leaf]:
    """Walks names and positions of the extras; their texts are never what a model must spell."""
    for key, node in task.extras.items():
        if key in given:
            found = leaves(node, given[key], key)
            yield from (leaf for leaf in found if isinstance(leaf.node, Label | Points))


def _misfits(task: VisionTask, given: Json, root: Object) -> Iterator[DataError]:
    """Yields what is wrong with the fields that are there, before others follow from them."""
    if not isinstance(given, dict):
        yield DataError(
            f"truth: expected an object with fields of {task.category}, got {_shown(given)}",
            hint=f"fields: {', '.join(task.fields)}",
        )
        return
    nodes = {**dict(root.members), **task.extras}
    for key, value in given.items():
        if key not in nodes:
            yield DataError(
                f"truth.{key}: {task.category} has no such field",
                hint=did_you_mean(key, tuple(nodes)),
            )
        elif value is not None:
            node = nodes[key]
            yield from _validated(_adapter(node), json.dumps(value), node, key)


@lru_cache(maxsize=256)
def _adapter(node: Node) -> TypeAdapter[Any]:
    return TypeAdapter(node.python_type())


def _validated(
    adapter: TypeAdapter[Any], stated: str, node: Node, above: str = ""
) -> Iterator[DataError]:
    """Yields every way in which a JSON text is no value of a node."""
    try:
        # As JSON text, because strict validation of Python objects refuses a list for a tuple.
        adapter.validate_json(stated)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=False):
            yield _fault(detail, _at(node, detail["loc"]), _dotted(above, detail["loc"]))


def _fault(detail: ErrorDetails, node: Node, path: str) -> DataError:
    kind, got = detail["type"], detail["input"]
    if kind == "missing":
        return DataError(f"truth.{path}: expected a value, got none", hint="state this field")
    if kind == "extra_forbidden":
        valid = [key for key, _ in node.members] if isinstance(node, Object) else []
        hint = did_you_mean(str(detail["loc"][-1]), valid)
        return DataError(f"truth.{path}: there is no such field", hint=hint)
    told = detail["msg"][:1].lower() + detail["msg"][1:]
    shown = _shown(got)
    if kind.endswith(("too_long", "too_short")):
        shown += f", {len(got)} long"
    return DataError(
        f"truth.{path}: expected {_cut(node.describe(), 2 * _SHOWN)}, got {shown} ({told})",
        hint=_BOUND_HINT if kind.endswith(_BOUNDS) and not _of_fixed_length(node) else "",
    )


def _of_fixed_length(node: Node) -> bool:
    if isinstance(node, ListOf):
        return node.at_least == node.at_most
    return isinstance(node, Points) and node.kind != "polygon"


def _at(node: Node, path: Sequence[str | int]) -> Node:
    """Returns the node that a path leads to, or the last one on the way."""
    for step in path:
        if isinstance(node, ListOf):
            node = node.item
        elif isinstance(node, Object):
            node = dict(node.members).get(str(step), node)
    return node


def _dotted(above: str, path: Sequence[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return (above + "".join(steps)).removeprefix(".")


def _shown(value: Json) -> str:
    return _cut(json.dumps(value, ensure_ascii=False), _SHOWN)


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[:most]}..."

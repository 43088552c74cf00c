"""What a legal answer of a task is, as text that other tools read."""

from __future__ import annotations

import functools
import json
import keyword
from typing import Literal, get_args

from vlmbench_plugin.core import Frame, Vocabulary, VocabularyRule
from vlmbench_plugin.errors import FieldError, UnknownNameError
from vlmbench_plugin.fields import Fields, ListOf, Object, artifacts
from vlmbench_plugin.nodes import Boolean, Choice, Node, Text
from vlmbench_plugin.numeric import COORDINATE_RANGE, DECIMALS, Number, Points

Form = Literal["gbnf", "json-schema", "pydantic", "tool"]
FORMS: tuple[Form, ...] = get_args(Form)

_HEAD = f"""\
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

CONFIG = ConfigDict(strict=True, extra="forbid", protected_namespaces=())


def few_decimals(value: float) -> float:
    if round(value, {DECIMALS}) != value:
        raise ValueError("at most {DECIMALS} decimals")
    return value
"""


def render(
    fields: Fields, vocabulary: Vocabulary, frame: Frame, rule: VocabularyRule, form: str
) -> str:
    """Returns one form of a task's artifacts.

    Args:
        fields: Field name -> node.
        vocabulary: The source's names by vocabulary key.
        frame: The coordinate frame; it narrows the grammar alone.
        rule: ``closed`` narrows the labels of the grammar to the vocabulary.
        form: ``gbnf`` (the grammar), ``json-schema``, ``pydantic`` (the source text of a model
            named ``Answer`` that needs nothing but Pydantic) or ``tool`` (a function tool as
            OpenAI-compatible servers take it).

    Raises:
        FieldError: If a choice lacks its vocabulary, or for ``pydantic`` a key is no Python name.
        UnknownNameError: If there is no such form.
    """
    built = artifacts(fields, vocabulary, frame, rule)
    if form == "gbnf":
        return built.gbnf
    if form == "json-schema":
        return _dump(built.json_schema)
    if form == "tool":
        function = {
            "name": "answer",
            "description": "Gives the answer about the image.",
            "parameters": built.json_schema,
        }
        return _dump({"type": "function", "function": function})
    if form == "pydantic":
        classes: dict[str, str] = {}
        _define("Answer", built.root, classes)
        return "\n\n".join([_HEAD, *classes.values()])
    raise UnknownNameError("form", form, FORMS)


def _dump(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def _define(name: str, node: Object, classes: dict[str, str]) -> str:
    """Adds the classes of an object, the inner ones first; returns the name it got."""
    lines = []
    for key, member in node.members:
        if not key.isidentifier() or keyword.iskeyword(key) or key == "model_config":
            raise FieldError(
                f"expected keys that are Python names, got {key!r}",
                hint="the forms gbnf, json-schema and tool take any key",
            )
        kind = _kind(member, key.title().replace("_", ""), classes)
        lines.append(f"    {key}: {kind}{' = Field(default=None)' if member.optional else ''}\n")
    free, count = name, 1
    while free in classes:
        count += 1
        free = f"{name}{count}"
    classes[free] = f"class {free}(BaseModel):\n    model_config = CONFIG\n\n{''.join(lines)}"
    return free


@functools.singledispatch
def _kind(node: Node, name: str, classes: dict[str, str]) -> str:
    """Returns the annotation of a node; defines the classes that it refers to."""
    raise TypeError(f"no Pydantic source for {type(node)}")


@_kind.register
def _text(node: Text, name: str, classes: dict[str, str]) -> str:
    return f"Annotated[str, Field(min_length={node.at_least}, max_length={node.at_most})]"


@_kind.register
def _choice(node: Choice, name: str, classes: dict[str, str]) -> str:
    return f"Literal[{', '.join(json.dumps(value) for value in node.values)}]"


@_kind.register
def _boolean(node: Boolean, name: str, classes: dict[str, str]) -> str:
    return "bool"


@_kind.register
def _number(node: Number, name: str, classes: dict[str, str]) -> str:
    if node.whole:
        return f"Annotated[int, Field(ge={node.low}, le={node.high})]"
    return _decimal(node.low, node.high)


def _decimal(low: int, high: int) -> str:
    bounds = f"Field(ge={low}, le={high}, allow_inf_nan=False)"
    return f"Annotated[float, {bounds}, AfterValidator(few_decimals)]"


def _bounded_list(item: str, at_least: int, at_most: int) -> str:
    return f"Annotated[list[{item}], Field(min_length={at_least}, max_length={at_most})]"


@_kind.register
def _points(node: Points, name: str, classes: dict[str, str]) -> str:
    width = 4 if node.kind == "box" else 2
    flat = _bounded_list(_decimal(*COORDINATE_RANGE), width, width)
    return _bounded_list(flat, 3, node.at_most) if node.kind == "polygon" else flat


@_kind.register
def _list(node: ListOf, name: str, classes: dict[str, str]) -> str:
    return _bounded_list(_kind(node.item, f"{name}Item", classes), node.at_least, node.at_most)


@_kind.register
def _object(node: Object, name: str, classes: dict[str, str]) -> str:
    return _define(name, node, classes)

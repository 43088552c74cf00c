"""Field trees: from one tree come the Pydantic model, JSON Schema, grammar, and longest answer.

``artifacts`` turns a task's fields into all of them. Validity never depends on a label list or a
coordinate frame: those narrow the grammar alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, create_model

from vlmbench_plugin import gbnf
from vlmbench_plugin.core import Frame, Json, Vocabulary, VocabularyRule
from vlmbench_plugin.errors import FieldError
from vlmbench_plugin.nodes import Boolean, Choice, Label, Node, PointMap, Text
from vlmbench_plugin.numeric import Number, Points


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf(Node):
    """A bounded list of one kind of node."""

    item: Node
    at_most: int
    at_least: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.at_least <= self.at_most or self.at_most == 0:
            raise FieldError(
                "expected lengths 0 <= at_least <= at_most with at_most >= 1, "
                f"got {self.at_least} and {self.at_most}"
            )

    def resolve(self, vocabulary: Vocabulary, rule: VocabularyRule) -> ListOf:
        return replace(self, item=self.item.resolve(vocabulary, rule))

    def python_type(self) -> Any:
        item = self.item.python_type()
        bounds = Field(min_length=self.at_least, max_length=self.at_most, strict=True)
        return Annotated[list[item], bounds]  # type: ignore[valid-type]  # a type built at run time

    def json_schema(self) -> dict[str, Json]:
        return {
            "type": "array",
            "items": self.item.json_schema(),
            "minItems": self.at_least,
            "maxItems": self.at_most,
        }

    def grammar(self, rules: gbnf.Rules) -> str:
        item = rules.define("item", self.item.grammar(rules))
        return gbnf.array(item, self.at_least, self.at_most)

    def longest(self, frame: Frame) -> int:
        return 2 + self.at_most * self.item.longest(frame) + 2 * (self.at_most - 1)

    def describe(self) -> str:
        item = self.item.describe()
        if self.at_least == self.at_most:
            return "[" + ", ".join([item] * self.at_most) + "]"
        return f"[{item}, ... at most {self.at_most}]"

    def map_points(self, value: Json, move: PointMap) -> Json:
        return [self.item.map_points(item, move) for item in value]

    def is_full(self, value: Json) -> bool:
        full = self.at_least < self.at_most == len(value)
        return full or any(self.item.is_full(item) for item in value)

    def label_vocabularies(self) -> tuple[str, ...]:
        return self.item.label_vocabularies()


@dataclass(frozen=True, slots=True, kw_only=True)
class Object(Node):
    """An object with fixed keys in a fixed order, and no others."""

    members: tuple[tuple[str, Node], ...]

    def __post_init__(self) -> None:
        if not self.members or self.members[0][1].optional:
            raise FieldError("expected an object whose first field is required")

    def resolve(self, vocabulary: Vocabulary, rule: VocabularyRule) -> Object:
        return replace(
            self, members=tuple((k, node.resolve(vocabulary, rule)) for k, node in self.members)
        )

    def python_type(self) -> type[BaseModel]:
        definitions: dict[str, Any] = {
            key: (node.python_type(), None if node.optional else ...) for key, node in self.members
        }
        config = ConfigDict(strict=True, extra="forbid", protected_namespaces=())
        return create_model("Answer", __config__=config, **definitions)

    def json_schema(self) -> dict[str, Json]:
        return {
            "type": "object",
            "properties": {key: node.json_schema() for key, node in self.members},
            "required": [key for key, node in self.members if not node.optional],
            "additionalProperties": False,
        }

    def grammar(self, rules: gbnf.Rules) -> str:
        pieces = []
        for index, (key, node) in enumerate(self.members):
            comma = f"{gbnf.COMMA} " if index else ""
            member = f'{comma}{gbnf.literal(json.dumps(key) + ":")} " "? {node.grammar(rules)}'
            pieces.append(f"({member})?" if node.optional else member)
        return f'"{{" {" ".join(pieces)} "}}"'

    def longest(self, frame: Frame) -> int:
        keys = sum(len(json.dumps(key)) + 2 for key, _ in self.members)
        values = sum(node.longest(frame) for _, node in self.members)
        return 2 + keys + values + 2 * (len(self.members) - 1)

    def describe(self) -> str:
        members = ", ".join(
            f"{json.dumps(key)}: {node.describe()}{' (optional)' if node.optional else ''}"
            for key, node in self.members
        )
        return "{" + members + "}"

    def map_points(self, value: Json, move: PointMap) -> Json:
        return {k: n.map_points(value[k], move) for k, n in self.members if k in value}

    def is_full(self, value: Json) -> bool:
        return any(node.is_full(value[key]) for key, node in self.members if key in value)

    def label_vocabularies(self) -> tuple[str, ...]:
        keys = [key for _, node in self.members for key in node.label_vocabularies()]
        return tuple(dict.fromkeys(keys))


Fields: TypeAlias = Mapping[str, Node]


def text(
    at_most: int,
    *,
    at_least: int = 0,
    unicode: bool = False,
    escapes: bool = False,
    optional: bool = False,
) -> Text:
    """A string of ``at_least`` to ``at_most`` characters."""
    return Text(
        at_least=at_least, at_most=at_most, unicode=unicode, escapes=escapes, optional=optional
    )


def label(vocabulary: str, *, at_most: int = 64, optional: bool = False) -> Label:
    """A name; ``vocabulary`` is the key under which a source declares its names."""
    return Label(vocabulary=vocabulary, at_least=1, at_most=at_most, optional=optional)


def choice(*values: str, vocabulary: str | None = None, optional: bool = False) -> Choice:
    """One of ``values``, or of the names that a source declares under ``vocabulary``."""
    return Choice(values=values, vocabulary=vocabulary, optional=optional)


def boolean(*, optional: bool = False) -> Boolean:
    """True or false."""
    return Boolean(optional=optional)


def integer(low: int, high: int, *, optional: bool = False) -> Number:
    """A whole number from ``low`` to ``high``."""
    return Number(low=low, high=high, whole=True, optional=optional)


def number(low: int, high: int, *, optional: bool = False) -> Number:
    """A number from ``low`` to ``high`` with at most four decimals."""
    return Number(low=low, high=high, optional=optional)


def box(*, optional: bool = False) -> Points:
    """A box as x1, y1, x2, y2."""
    return Points(kind="box", optional=optional)


def point(*, optional: bool = False) -> Points:
    """A position as x, y."""
    return Points(kind="point", optional=optional)


def polygon(at_most: int, *, optional: bool = False) -> Points:
    """A ring of 3 to ``at_most`` points, not closed."""
    return Points(kind="polygon", at_most=at_most, optional=optional)


def list_of(
    item: Node | Fields, at_most: int, *, at_least: int = 0, optional: bool = False
) -> ListOf:
    """A list of ``at_least`` to ``at_most`` nodes, or of objects with the given fields."""
    node = item if isinstance(item, Node) else fields_object(item)
    return ListOf(item=node, at_least=at_least, at_most=at_most, optional=optional)


def fields_object(fields: Fields) -> Object:
    """The object whose keys are the given fields, in their order."""
    return Object(members=tuple(fields.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifacts:
    """What one field tree gives for one vocabulary and one coordinate frame.

    Attributes:
        root: The resolved tree.
        model: Strict Pydantic model: extra keys, wrong types and lax conversions are errors.
        json_schema: JSON Schema, ``additionalProperties: false`` throughout.
        gbnf: Bounded grammar; every string of it validates under the other two.
        longest_bytes: The most UTF-8 bytes of a string that the grammar accepts.
        description: The form of an answer, for the ``{schema}`` of a prompt.
    """

    root: Object
    model: type[BaseModel]
    json_schema: Mapping[str, Json]
    gbnf: str
    longest_bytes: int
    description: str


def artifacts(
    fields: Fields, vocabulary: Vocabulary, frame: Frame, rule: VocabularyRule
) -> Artifacts:
    """Builds the artifacts of a task's fields.

    Args:
        fields: Field name -> node; the order is the order of keys in the grammar.
        vocabulary: The source's names by vocabulary key.
        frame: The model's coordinate frame, which narrows the grammar.
        rule: ``closed`` narrows label nodes in the grammar to the vocabulary.

    Raises:
        FieldError: If a choice lacks its vocabulary, or a name cannot be a label.
    """
    return _resolved(_Same(fields), tuple(vocabulary.items()), frame, rule)


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A task's fields as a key: equal to themselves alone. Hashing the tree took 40 us an item.

    Trees that are equal without being the same share their artifacts by ``_build``.
    """

    fields: Fields

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.fields is other.fields

    def __hash__(self) -> int:
        return id(self.fields)


@lru_cache(maxsize=256)
def _resolved(
    same: _Same,
    vocabulary: tuple[tuple[str, tuple[str, ...]], ...],
    frame: Frame,
    rule: VocabularyRule,
) -> Artifacts:
    return _build(fields_object(same.fields).resolve(dict(vocabulary), rule), frame)


@lru_cache(maxsize=256)
def _build(root: Object, frame: Frame) -> Artifacts:
    rules = gbnf.Rules(frame)
    return Artifacts(
        root=root,
        model=root.python_type(),
        json_schema=root.json_schema(),
        gbnf=rules.text(root.grammar(rules)),
        longest_bytes=root.longest(frame),
        description=root.describe(),
    )

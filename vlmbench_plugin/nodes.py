"""The base of all field nodes, and the leaves that are words: text, label, choice, boolean.

Each node is a frozen value that knows its Pydantic type, JSON Schema, grammar, and longest legal
text. ``numeric.py`` has numbers and positions, ``fields.py`` lists, objects, and the short
constructors that tasks use.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from vlmbench_plugin import gbnf
from vlmbench_plugin.core import Frame, Json, Vocabulary, VocabularyRule
from vlmbench_plugin.errors import FieldError

ESCAPES = 2
MOST_CHARACTERS = 128
"""The most characters of a string: each is a rule, and compiling 128 takes about four seconds."""

PointMap: TypeAlias = Callable[[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(ABC):
    """One field of an answer. ``optional`` means that the key may be absent, never null."""

    optional: bool = False

    @abstractmethod
    def python_type(self) -> Any:
        """Returns the annotated type for the Pydantic model."""

    @abstractmethod
    def json_schema(self) -> dict[str, Json]:
        """Returns the JSON Schema of the value."""

    @abstractmethod
    def grammar(self, rules: gbnf.Rules) -> str:
        """Returns the GBNF expression of the value; defines the rules that it refers to."""

    @abstractmethod
    def longest(self, frame: Frame) -> int:
        """Returns the most UTF-8 bytes of a value that the grammar accepts."""

    @abstractmethod
    def describe(self) -> str:
        """Returns the form of the value for the ``{schema}`` of a prompt."""

    def resolve(self, vocabulary: Vocabulary, rule: VocabularyRule) -> Node:
        """Returns the node with a source's names filled in.

        Raises:
            FieldError: If the node needs names that the vocabulary lacks.
        """
        return self

    def map_points(self, value: Json, move: PointMap) -> Json:
        """Returns the value with every position moved, the rest as it is."""
        return value

    def is_full(self, value: Json) -> bool:
        """Whether a list or string within the value is as long as it may be."""
        return False

    def label_vocabularies(self) -> tuple[str, ...]:
        """Returns the vocabulary keys of the labels within, each once."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Node):
    """A bounded string.

    Attributes:
        at_least: Fewest characters.
        at_most: Most characters.
        unicode: Whether the grammar allows characters beyond printable ASCII.
        escapes: Whether it allows ``ESCAPES`` of the characters to be JSON escapes, after each of
            which at most half of ``at_most`` may follow.
    """

    at_least: int
    at_most: int
    unicode: bool = False
    escapes: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.at_least <= self.at_most <= MOST_CHARACTERS:
            raise FieldError(
                f"expected lengths 0 <= at_least <= at_most <= {MOST_CHARACTERS}, "
                f"got {self.at_least} and {self.at_most}",
                hint="ask for longer text as a list of lines",
            )

    def python_type(self) -> Any:
        return Annotated[str, Field(min_length=self.at_least, max_length=self.at_most, strict=True)]

    def json_schema(self) -> dict[str, Json]:
        return {"type": "string", "minLength": self.at_least, "maxLength": self.at_most}

    def grammar(self, rules: gbnf.Rules) -> str:
        escapes = min(self.at_most, ESCAPES) if self.escapes else 0
        return gbnf.string(
            rules, self.at_least, self.at_most, unicode=self.unicode, escapes=escapes
        )

    def longest(self, frame: Frame) -> int:
        if self.unicode:
            return 2 + 4 * self.at_most
        return 2 + self.at_most + (min(self.at_most, ESCAPES) if self.escapes else 0)

    def describe(self) -> str:
        return f"<text, at most {self.at_most} characters>"

    def is_full(self, value: Json) -> bool:
        return len(value) >= self.at_most


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Text):
    """A name out of a source's vocabulary; ``names`` narrow the grammar, not validity."""

    vocabulary: str
    names: tuple[str, ...] = ()

    def resolve(self, vocabulary: Vocabulary, rule: VocabularyRule) -> Label:
        names = vocabulary.get(self.vocabulary, ()) if rule == "closed" else ()
        for name in names:
            if not (name.isascii() and self.at_least <= len(name) <= self.at_most):
                raise FieldError(
                    f"expected ASCII names of {self.at_least} to {self.at_most} characters in the "
                    f"vocabulary {self.vocabulary!r}, got {name!r}",
                    hint="shorten or transliterate the name",
                )
        return replace(self, names=names)

    def grammar(self, rules: gbnf.Rules) -> str:
        if not self.names:
            return Text.grammar(self, rules)
        return gbnf.alternatives(gbnf.literal(json.dumps(name)) for name in self.names)

    def longest(self, frame: Frame) -> int:
        if not self.names:
            return Text.longest(self, frame)
        return max(len(json.dumps(name)) for name in self.names)

    def describe(self) -> str:
        return "<label>"

    def is_full(self, value: Json) -> bool:
        return not self.names and len(value) >= self.at_most

    def label_vocabularies(self) -> tuple[str, ...]:
        return (self.vocabulary,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Node):
    """One of fixed strings, or of those that a source declares under ``vocabulary``."""

    values: tuple[str, ...] = ()
    vocabulary: str | None = None

    def _known(self) -> tuple[str, ...]:
        if not self.values:
            raise FieldError(f"expected a vocabulary {self.vocabulary!r} for a choice, got none")
        return self.values

    def resolve(self, vocabulary: Vocabulary, rule: VocabularyRule) -> Choice:
        if self.vocabulary is None:
            return self
        return replace(self, values=tuple(vocabulary.get(self.vocabulary, self.values)))

    def python_type(self) -> Any:
        return Literal[self._known()]

    def json_schema(self) -> dict[str, Json]:
        return {"type": "string", "enum": list(self._known())}

    def grammar(self, rules: gbnf.Rules) -> str:
        return gbnf.alternatives(gbnf.literal(json.dumps(value)) for value in self._known())

    def longest(self, frame: Frame) -> int:
        return max(len(json.dumps(value)) for value in self._known())

    def describe(self) -> str:
        return "<one of " + ", ".join(json.dumps(value) for value in self._known()) + ">"


@dataclass(frozen=True, slots=True, kw_only=True)
class Boolean(Node):
    """true or false."""

    def python_type(self) -> Any:
        return Annotated[bool, Field(strict=True)]

    def json_schema(self) -> dict[str, Json]:
        return {"type": "boolean"}

    def grammar(self, rules: gbnf.Rules) -> str:
        return '("true" | "false")'

    def longest(self, frame: Frame) -> int:
        return len("false")

    def describe(self) -> str:
        return "<true or false>"

"""Every way in which we spoil a legal answer, at every place where it applies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from unit_tests.artifacts.cases import dump
from vlmbench_plugin.fields import ListOf, Object
from vlmbench_plugin.nodes import ESCAPES, Boolean, Choice, Label, Node, Text
from vlmbench_plugin.numeric import Number, Points

Mutation = tuple[str, str]
"""(kind, spoilt text)."""

HOLE = "\x00"


def mutations(node: Node, value: Any) -> Iterator[Mutation]:
    """Yields the spoilt texts of one legal value of a node."""
    whole = dump(value)
    yield "trailing text", whole + " Done."
    yield "a second value", whole + whole
    yield "a code fence", f"```json\n{whole}\n```"
    yield "unfinished", whole[:-1]
    yield "trailing white space", whole + "\n"
    yield "leading white space", " " + whole
    yield "indented", json.dumps(value, ensure_ascii=False, indent=1)
    yield "two spaces", json.dumps(value, ensure_ascii=False, separators=(",  ", ":  "))
    yield "space before a colon", json.dumps(value, ensure_ascii=False, separators=(", ", " : "))
    for kind, spoilt in _inner(node, value):
        yield kind, dump(spoilt[0]).replace(json.dumps(HOLE), spoilt[1])


Spoilt = tuple[Any, str]
"""(the value with ``HOLE`` where the raw text goes, the raw text)."""


def _inner(node: Node, value: Any) -> Iterator[tuple[str, Spoilt]]:
    for kind, raw in _here(node, value):
        yield kind, (HOLE, raw)
    if isinstance(node, Object):
        for key, member in node.members:
            for kind, (inner, raw) in _inner(member, value[key]):
                yield kind, (value | {key: inner}, raw)
    elif isinstance(node, ListOf) and value:
        for kind, (inner, raw) in _inner(node.item, value[-1]):
            yield kind, ([*value[:-1], inner], raw)


def _here(node: Node, value: Any) -> Iterator[Mutation]:
    for raw in ("null", "{}", '"5"', "5", "true", "[]", "[null]"):
        if not _same_kind(node, raw):
            yield "wrong type", raw
    if isinstance(node, Object):
        yield from _object(node, value)
    elif isinstance(node, ListOf):
        most = node.at_most + 1
        yield "one item too many", dump((value * most)[:most] if value else [None] * most)
        if node.at_least:
            yield "one item too few", dump(value[: node.at_least - 1])
        yield "trailing comma", dump(value)[:-1] + ",]"
    elif isinstance(node, Text):
        yield from _text(node)
    elif isinstance(node, Choice):
        yield "no such choice", dump(value + "x")
        yield "no such choice", dump(value.upper() + "S")
    elif isinstance(node, Number):
        yield from _number(node)
    elif isinstance(node, Points):
        yield from _points(node, value)


def _same_kind(node: Node, raw: str) -> bool:
    kinds = {
        Text: ('"5"',),
        Label: ('"5"',),
        Boolean: ("true",),
        Number: ("5",),
        ListOf: ("[]",),
    }
    return raw in kinds.get(type(node), ())


def _object(node: Object, value: dict[str, Any]) -> Iterator[Mutation]:
    yield "extra key", dump(value | {"extra": 1})
    yield "extra key", dump({"extra": 1} | value)
    for key, member in node.members:
        rest = {k: v for k, v in value.items() if k != key}
        if not member.optional:
            yield "missing key", dump(rest)
        yield "null", dump(value | {key: None})
        yield "key in capitals", dump(rest | {key.upper(): value[key]})
        yield "doubled key", dump(value)[:-1] + f", {dump(key)}: {dump(value[key])}" + "}"
    if len(value) > 1:
        yield "other order", dump(dict(reversed(value.items())))
    yield "trailing comma", dump(value)[:-1] + ",}"
    yield "single quotes", dump(value).replace('"', "'")


def _text(node: Text) -> Iterator[Mutation]:
    yield "one character too many", dump("x" * (node.at_most + 1))
    yield "raw control character", '"\t"'
    yield "half a surrogate pair", r'"\ud800"'
    if node.at_least:
        yield "one character too few", dump("x" * (node.at_least - 1))
    if isinstance(node, Label) and node.names:
        yield "name outside the vocabulary", '"zebra crossing"'
        return
    if not node.unicode:
        yield "beyond ASCII", '"\u00e9"'
    escapes = ESCAPES if node.escapes else 0
    yield "one escape too many", dump("\n" * (escapes + 1))
    if node.escapes:
        yield "escape too early", dump("\n" + "x" * (node.at_most // 2 + 1))
    yield "Unicode escape", r'"\u0041"'


def _number(node: Number) -> Iterator[Mutation]:
    yield "out of range", str(node.high + 1)
    yield "out of range", str(node.low - 1)
    yield "out of range", f"{node.high}.0001"
    yield "leading zero", f"0{node.high}"
    yield "plus sign", f"+{node.high}"
    yield ("not an integer" if node.whole else "not a number"), "NaN"
    yield ("exponent of an integer" if node.whole else "exponent"), f"{node.high}00e-2"
    middle = (node.low + node.high) // 2
    yield ("decimals of an integer" if node.whole else "five decimals"), f"{middle}.00001"
    if node.whole:
        yield "integer with a point", f"{node.high}.0"


def _points(node: Points, value: Any) -> Iterator[Mutation]:
    flat = value[0] if node.kind == "polygon" else value

    def spoilt(point: list[Any], raw: str = "") -> str:
        full = [point, *value[1:]] if node.kind == "polygon" else point
        return dump(full).replace(json.dumps(HOLE), raw)

    yield "one coordinate too many", spoilt([*flat, 1])
    yield "one coordinate too few", spoilt(flat[:-1])
    for raw in ("100000", "-10000"):
        yield "out of range", spoilt([HOLE, *flat[1:]], raw)
    for raw in ('"5"', "null", "true"):
        yield "wrong type", spoilt([HOLE, *flat[1:]], raw)
    yield "beyond the frame", spoilt([1001, *flat[1:]])
    yield "five decimals", spoilt([HOLE, *flat[1:]], "0.12345")
    if node.kind == "polygon":
        yield "two points", dump(value[:2])
        yield "one point too many", dump([[0, 0]] * (node.at_most + 1))

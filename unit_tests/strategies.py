"""Hypothesis strategies that draw answers from a field tree, as the grammar would write them."""

from __future__ import annotations

import functools
from typing import Any

from hypothesis import strategies as st

from vlmbench_plugin.core import Frame
from vlmbench_plugin.fields import ListOf, Object
from vlmbench_plugin.nodes import ESCAPES, Boolean, Choice, Label, Node, Text
from vlmbench_plugin.numeric import GRAMMAR_COORDINATES, Number, Points

ASCII = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) not in '"\\')


def answers(node: Node, frame: Frame = "norm_0_1000") -> st.SearchStrategy[Any]:
    """Draws values of a resolved node that its grammar accepts when dumped canonically."""
    return _draw(node, frame)


@functools.singledispatch
def _draw(node: Node, frame: Frame) -> st.SearchStrategy[Any]:
    raise TypeError(f"no strategy for {type(node)}")


@_draw.register
def _text(node: Text, frame: Frame) -> st.SearchStrategy[str]:
    plain = st.sampled_from(ASCII)
    if node.unicode:
        beyond = st.characters(min_codepoint=0xA0, exclude_categories=["Cs"])
        plain |= beyond.filter(lambda c: c not in "\ufffe\uffff")
    drawn = st.lists(plain, min_size=node.at_least, max_size=node.at_most)
    if not node.escapes:
        return drawn.map("".join)
    places = st.integers(max(0, node.at_least - 1), node.at_most - 1)
    escaped = st.dictionaries(places, st.sampled_from('"\\\b\f\n\r\t'), max_size=ESCAPES)

    def put(chars: list[str], at: dict[int, str]) -> str:
        inside = [place for place in at if place < len(chars)]
        # After its first escape a text has half of its length left.
        end = min(inside) + 1 + node.at_most // 2 if inside else len(chars)
        return "".join(at.get(i, char) for i, char in enumerate(chars[:end]))

    return st.builds(put, drawn, escaped)


@_draw.register
def _label(node: Label, frame: Frame) -> st.SearchStrategy[str]:
    return st.sampled_from(node.names) if node.names else _text(node, frame)


@_draw.register
def _choice(node: Choice, frame: Frame) -> st.SearchStrategy[str]:
    return st.sampled_from(node.values)


@_draw.register
def _boolean(node: Boolean, frame: Frame) -> st.SearchStrategy[bool]:
    return st.booleans()


@_draw.register
def _number(node: Number, frame: Frame) -> st.SearchStrategy[float]:
    if node.whole:
        return st.integers(node.low, node.high)
    return _decimals(node.low, node.high)


def _decimals(low: int, high: int) -> st.SearchStrategy[float]:
    """Numbers with four decimals; Python writes none of them with an exponent."""
    return st.integers(low * 10_000, high * 10_000).map(lambda i: i / 10_000)


@_draw.register
def _points(node: Points, frame: Frame) -> st.SearchStrategy[Any]:
    low, high = GRAMMAR_COORDINATES[frame]
    coordinate = st.integers(low, high) if high > 1 else _decimals(low, high)
    if node.kind == "box":
        return st.lists(coordinate, min_size=4, max_size=4)
    point = st.lists(coordinate, min_size=2, max_size=2)
    return st.lists(point, min_size=3, max_size=node.at_most) if node.kind == "polygon" else point


@_draw.register
def _list(node: ListOf, frame: Frame) -> st.SearchStrategy[list[Any]]:
    most = min(node.at_most, node.at_least + 4)
    return st.lists(_draw(node.item, frame), min_size=node.at_least, max_size=most)


@_draw.register
def _object(node: Object, frame: Frame) -> st.SearchStrategy[dict[str, Any]]:
    required = {k: _draw(n, frame) for k, n in node.members if not n.optional}
    optional = {k: _draw(n, frame) for k, n in node.members if n.optional}
    order = [key for key, _ in node.members]
    return st.fixed_dictionaries(required, optional=optional).map(
        lambda value: {key: value[key] for key in order if key in value}
    )

"""Hypothesis strategies that draw answers from a field tree, as the grammar would write them."""

from __future__ import annotations

import functools
from typing import Any

from hypothesis import strategies as st

from vlmbench_plugin.core import Frame
from vlmbench_plugin.fields import ListOf, Object
from vlmbench_plugin.nodes import Boolean, Choice, Label, Node, Text
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
    return st.text(ASCII, min_size=node.at_least, max_size=node.at_most)


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
    scaled = st.integers(node.low * 10_000, node.high * 10_000)
    # Small magnitudes print with an exponent, which is JSON but not in the grammar.
    return scaled.map(lambda i: i / 10_000).filter(lambda x: x == 0 or abs(x) >= 0.0001)


@_draw.register
def _points(node: Points, frame: Frame) -> st.SearchStrategy[Any]:
    low, high = GRAMMAR_COORDINATES[frame]
    coordinate = st.integers(low, high)
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

"""What a schema cannot say of one's own label: its words, its shapes, and where they lie."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

import shapely

from vlmbench_plugin.core import Json, Vocabulary
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.fields import ListOf, Object
from vlmbench_plugin.gbnf import ASCII_CLASS, UNICODE_CLASS
from vlmbench_plugin.nodes import ESCAPES, Choice, Label, Node, Text
from vlmbench_plugin.numeric import Points

LEAST_PIXELS = 1
"""A box that is narrower, or a polygon of less area, is taken for shares of the image."""

_IN_PIXELS = "positions are pixels of the image as shown, not shares of it"
_ESCAPED = frozenset('"\\\b\f\n\r\t')
_PLAIN = {
    False: re.compile(f"[{ASCII_CLASS}]"),
    True: re.compile(f"[{UNICODE_CLASS}]"),
}

_PARTING = (", ", "; ", " - ")
"""What parts names in prompts and questions."""

Ring: TypeAlias = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One value of a valid answer that is no list or object of fields.

    Attributes:
        path: Where it stands, such as ``detections[2].box``.
        node: Its node.
        value: The value.
    """

    path: str
    node: Node
    value: Json

    def ring(self) -> Ring:
        """Returns the points of a position: of a box its two corners."""
        assert isinstance(self.node, Points)
        if self.node.kind == "polygon":
            points: Ring = self.value
            return points
        return [self.value[at : at + 2] for at in range(0, len(self.value), 2)]


def did_you_mean(name: str, valid: Sequence[str]) -> str:
    """Returns a hint that names the nearest valid name, or all of them."""
    close = get_close_matches(name, valid, n=1)
    return f"did you mean {close[0]!r}?" if close else f"valid: {', '.join(valid) or 'none'}"


def is_name(name: Json, at_most: int) -> bool:
    """Whether a value can stand in a vocabulary.

    Args:
        name: The value.
        at_most: The most characters.
    """
    return (
        isinstance(name, str)
        and 1 <= len(name) <= at_most
        and name == name.strip()
        and name.isascii()
        and name.isprintable()
        and not any(parting in name for parting in _PARTING)
    )


def leaves(node: Node, value: Json, path: str = "") -> Iterator[Leaf]:
    """Walks a valid answer, depth first."""
    if isinstance(node, ListOf):
        for index, item in enumerate(value):
            yield from leaves(node.item, item, f"{path}[{index}]")
    elif isinstance(node, Object):
        for key, member in node.members:
            if key in value:
                yield from leaves(member, value[key], f"{path}.{key}" if path else key)
    else:
        yield Leaf(path=path, node=node, value=value)


def vocabulary_keys(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Returns the vocabulary keys that the labels and choices within name, each once."""
    return tuple(dict.fromkeys(key for node in nodes for key in _keys(node)))


def _keys(node: Node) -> Iterator[str]:
    if isinstance(node, ListOf):
        yield from _keys(node.item)
    elif isinstance(node, Object):
        for _, member in node.members:
            yield from _keys(member)
    elif isinstance(node, Label | Choice) and node.vocabulary is not None:
        yield node.vocabulary


def wrong_words(found: Sequence[Leaf], vocabulary: Vocabulary) -> Iterator[DataError]:
    """Yields labels that the vocabulary lacks, and texts that no grammar of ours can spell."""
    for leaf in found:
        if not isinstance(leaf.node, Text):
            continue
        names = vocabulary.get(leaf.node.vocabulary, ()) if isinstance(leaf.node, Label) else ()
        if names and leaf.value not in names:
            yield DataError(
                f"truth.{leaf.path}: expected a name of the line's vocabulary, got {leaf.value!r}",
                hint=did_you_mean(leaf.value, names),
            )
        elif not (isinstance(leaf.node, Label) and leaf.node.names):
            yield from _unspellable(leaf.path, leaf.node, leaf.value)


def _unspellable(path: str, node: Text, value: str) -> Iterator[DataError]:
    """Yields why the node's grammar (``gbnf.string``) has no such string."""
    odd = [(at, char) for at, char in enumerate(value) if not _PLAIN[node.unicode].match(char)]
    never = [char for _, char in odd if not (node.escapes and char in _ESCAPED)]
    if never:
        kind = "text" if node.unicode else "printable ASCII"
        reason = f"{kind} that a constrained answer can hold, got {never[0]!r}"
    elif len(odd) > ESCAPES:
        reason = f"at most {ESCAPES} quotes, backslashes or line ends, got {len(odd)}"
    elif odd and len(value) - odd[0][0] - 1 > node.at_most // 2:
        reason = (
            f"at most {node.at_most // 2} characters after the first {odd[0][1]!r}, "
            f"got {len(value) - odd[0][0] - 1}"
        )
    else:
        return
    yield DataError(
        f"truth.{path}: expected {reason} in {value!r}",
        hint="no constrained answer could be right: rewrite the text, or leave the image out",
    )


def wrong_shapes(found: Sequence[Leaf]) -> Iterator[DataError]:
    """Yields boxes that are none, and polygons that enclose nothing or cross themselves."""
    for leaf in found:
        if not isinstance(leaf.node, Points):
            continue
        if leaf.node.kind == "box":
            yield from _wrong_box(leaf)
        elif leaf.node.kind == "polygon":
            yield from _wrong_polygon(leaf)


def _wrong_box(leaf: Leaf) -> Iterator[DataError]:
    x1, y1, x2, y2 = leaf.value
    if x2 <= x1 or y2 <= y1:
        as_corners = [x1, y1, round(x1 + x2, 4), round(y1 + y2, 4)]
        yield DataError(
            f"truth.{leaf.path}: expected x1, y1, x2, y2 with x1 < x2 and y1 < y2, "
            f"got {leaf.value}",
            hint=f"if these are x, y, width and height, the box is {as_corners}, and every other "
            "box needs the same",
        )
    elif x2 - x1 < LEAST_PIXELS or y2 - y1 < LEAST_PIXELS:
        yield DataError(
            f"truth.{leaf.path}: expected a box of at least {LEAST_PIXELS} pixel each way, "
            f"got {leaf.value}",
            hint=_IN_PIXELS,
        )


def _wrong_polygon(leaf: Leaf) -> Iterator[DataError]:
    ring = leaf.ring()
    distinct = {tuple(point) for point in ring}
    if len(distinct) < 3:
        yield DataError(
            f"truth.{leaf.path}: expected a polygon of at least 3 different points, "
            f"got {len(distinct)}"
        )
    elif not shapely.LinearRing(ring).is_simple:
        yield DataError(
            f"truth.{leaf.path}: expected a polygon that does not cross itself, "
            f"got {_points(ring)}",
            hint="list the corners in order around the object",
        )
    elif shapely.Polygon(ring).area < LEAST_PIXELS:
        yield DataError(
            f"truth.{leaf.path}: expected a polygon of at least {LEAST_PIXELS} square pixel, "
            f"got {_points(ring)}",
            hint=_IN_PIXELS,
        )


def outside(found: Sequence[Leaf], size: tuple[int, int]) -> Iterator[DataError]:
    """Yields positions that lie outside an image of this width and height."""
    width, height = size
    for leaf in found:
        if not isinstance(leaf.node, Points):
            continue
        ring = leaf.ring()
        far = [(x, y) for x, y in ring if not (0 <= x <= width and 0 <= y <= height)]
        if not far:
            continue
        turned = width != height and all(0 <= x <= height and 0 <= y <= width for x, y in ring)
        yield DataError(
            f"truth.{leaf.path}: expected pixels inside the image, which is {width} wide and "
            f"{height} high as shown, got {_points(far)}",
            hint="was the label made before EXIF rotation was applied?"
            if turned
            else "cut off what lies outside; boxes are x1, y1, x2, y2",
        )


def _points(ring: Ring) -> str:
    shown = ", ".join(f"({x:g}, {y:g})" for x, y in ring[:4])
    return f"{shown}, ..." if len(ring) > 4 else shown

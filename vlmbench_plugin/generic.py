"""A scorer for tasks of one's own: every field is compared as its node says.

====================  =========================================================================
node                  similarity of an answered with a true value, in [0, 1]
====================  =========================================================================
choice, boolean,      1 where equal, else 0
integer
label                 1 where ``labels.match`` finds the true name in the source's vocabulary
text                  1 where ``words`` are equal: case, space and punctuation do not count, but
                      digits, signs and decimal points do
number                1 where off by no more than ``tolerance`` of the true number; only 0 is 0
box, polygon          intersection over union
point                 1 within ``radius`` pixels of the truth
list                  soft F1, in whatever order: items are matched one to one so that their
                      similarities add up to the most, ``2 * sum / (answered + true)``; two empty
                      lists are equal. Of items that are right or wrong this is the usual F1
object                mean of its fields
====================  =========================================================================

A truth may be partial. A field that it holds as null is unknown and not scored; neither is a
required field that it lacks. An optional field that it lacks is known to be absent: leaving it out
is right, stating it is wrong.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from vlmbench_plugin import labels
from vlmbench_plugin.core import Answer, Json, Score, Scorer, Truth, Vocabulary
from vlmbench_plugin.errors import DataError, FieldError
from vlmbench_plugin.fields import Fields, ListOf, Object, fields_object
from vlmbench_plugin.metrics import boxes, matching, polygons
from vlmbench_plugin.nodes import Label, Node, Text
from vlmbench_plugin.numeric import Number, Points

# Print sets a minus as U+2212 or as an en dash; apostrophes join.
_SAME = str.maketrans(
    {**dict.fromkeys("\u2010\u2013\u2212", "-"), **dict.fromkeys("'\u2018\u2019\u02bc", "")}
)
# Marks that count: a point or comma between digits, a leading decimal point, a minus that stands
# free before a number (which may have a currency sign).
_MARKS = re.compile(r"(?<=\d)[.,](?=\d)|(?<!\w)\.(?=\d)|(?<!\w)-(?=[^\w\s]?\.?\d)")
_SIGNS = frozenset("%#&@")
_EDGES = re.compile(r"(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)")


def field_score(fields: Fields, *, tolerance: float = 0.01, radius: float = 10.0) -> Scorer:
    """Returns a scorer for the given fields; the table above says how each is compared.

    The primary score is the mean over the top-level fields that are scored. The secondary numbers
    are theirs, each under the field's name, None where it is not scored. The scorer raises
    DataError for a truth that scores no field at all.

    Args:
        fields: Field name -> node, as in ``VisionTask.fields``.
        tolerance: How far off a number may be, as a share of the true one; 0 for amounts that have
            to be exact.
        radius: How far off a point may be, in pixels of the image as shown.

    Raises:
        FieldError: If ``tolerance`` or ``radius`` is negative or not finite.
    """
    for name, value in (("tolerance", tolerance), ("radius", radius)):
        if not (math.isfinite(value) and value >= 0):
            raise FieldError(f"expected a {name} of at least 0, got {value!r}")
    root = fields_object(fields)

    def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
        judge = _Judge(tolerance=tolerance, radius=radius, vocabulary=vocabulary)
        found = judge.members(root, answer, truth)
        primary = _mean(found.values())
        if primary is None:
            raise DataError(
                f"expected a truth with at least one of {', '.join(fields)}, got {dict(truth)!r}",
                hint="give at least one field a value that is not null",
            )
        return Score(primary=primary, secondary=found)

    return score


def words(text: str) -> tuple[str, ...]:
    """Returns what counts in a plain text: its words, numbers and signs.

    NFKC, casefold, apostrophes off, other punctuation to spaces; a letter beside a digit begins a
    new word. Numbers keep their points, commas and minus, so that 12.50 is neither 1250 nor -12.50;
    symbols and ``%#&@`` are words of their own, so that $5 is "$ 5" and not 5. A text of which this
    would leave nothing stays as it is, white space squeezed.
    """
    folded = unicodedata.normalize("NFKC", text).translate(_SAME).casefold()
    folded = unicodedata.normalize("NFKC", folded)
    marks = {mark.start() for mark in _MARKS.finditer(folded)}
    spaced = "".join(_spaced(char, i in marks) for i, char in enumerate(folded))
    return tuple(_EDGES.sub(" ", spaced).split()) or tuple(folded.split())


def _spaced(char: str, counts: bool) -> str:
    """Returns one character as it stands among the words."""
    kind = unicodedata.category(char)[0]
    if kind in "LMN" or (counts and char != "-"):
        return char
    return f" {char} " if kind == "S" or char in _SIGNS or counts else " "


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """What one comparison needs beside the values."""

    tolerance: float
    radius: float
    vocabulary: Vocabulary

    def members(
        self, node: Object, answer: Mapping[str, Json], truth: Mapping[str, Json]
    ) -> dict[str, float | None]:
        """Returns the similarity of each field, None where it is not scored."""
        return {key: self._member(key, inner, answer, truth) for key, inner in node.members}

    def _member(
        self, key: str, node: Node, answer: Mapping[str, Json], truth: Mapping[str, Json]
    ) -> float | None:
        # An answer may lack a required field where it is the partial truth of another case.
        given = answer.get(key)
        if key not in truth and node.optional:
            return float(given is None)
        if truth.get(key) is None:
            return None
        return self.similarity(node, given, truth[key]) if given is not None else 0.0

    def similarity(self, node: Node, given: Json, true: Json) -> float | None:
        """Returns the similarity of two values; None where the truth says nothing of it."""
        match node:
            case Object():
                return _mean(self.members(node, given, true).values())
            case ListOf():
                return self._soft_f1(node.item, given, true)
            case Points():
                return self._overlap(node, given, true)
            case Number(whole=False):
                return float(self._close(given, true))
            case Label():
                names = self.vocabulary.get(node.vocabulary, ())
                return float(labels.match(given, true, names) is not None)
            case Text():
                return float(words(given) == words(true))
        return float(given == true)

    def _soft_f1(self, item: Node, given: Json, true: Json) -> float:
        # Nothing is known of an item whose fields are all null, but that there is one.
        table = [[_or_one(self.similarity(item, a, b)) for b in true] for a in given]
        shared = math.fsum(table[i][j] for i, j in matching.heaviest(table))
        count = len(given) + len(true)
        return min(1.0, 2 * shared / count) if count else 1.0

    def _overlap(self, node: Points, given: Json, true: Json) -> float:
        if node.kind == "point":
            return float(math.dist(given, true) <= self.radius)
        return boxes.iou(given, true) if node.kind == "box" else polygons.iou(given, true)

    def _close(self, given: float, true: float) -> bool:
        # As decimals: 0.99 is within 1 % of 1, which in binary it misses by an ulp.
        exact, allowed = Decimal(str(true)), Decimal(str(self.tolerance))
        return abs(Decimal(str(given)) - exact) <= allowed * abs(exact)


def _or_one(value: float | None) -> float:
    return 1.0 if value is None else value


def _mean(values: Iterable[float | None]) -> float | None:
    scored = [value for value in values if value is not None]
    return math.fsum(scored) / len(scored) if scored else None

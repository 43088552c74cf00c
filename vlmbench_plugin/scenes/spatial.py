"""Shapes whose place relative to each other is asked for."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from vlmbench_plugin.scenes.canvas import Backdrop, Size, choose_backdrop, choose_size, render
from vlmbench_plugin.scenes.shapes import LABELS, Figure, lay_out, push_together
from vlmbench_plugin.sources import Scene

if TYPE_CHECKING:
    import random

    from vlmbench_plugin.core import Difficulty

Relation = Literal["left_of", "right_of", "above", "below"]
RELATIONS: tuple[Relation, ...] = ("left_of", "right_of", "above", "below")

SPATIAL_LABELS: tuple[str, ...] = LABELS
"""All names of the spatial scenes."""

Asked: TypeAlias = tuple[Figure, Relation, Figure]

_ASK = "Name the relation for each pair, subject first: "
_COUNTS: Mapping[Difficulty, tuple[int, int]] = {"easy": (3, 3), "medium": (3, 4), "hard": (4, 5)}
_PAIRS: Mapping[Difficulty, tuple[int, int]] = {"easy": (2, 2), "medium": (2, 4), "hard": (3, 6)}


def relation_of(subject: Sequence[float], other: Sequence[float]) -> Relation | None:
    """Where the box ``subject`` lies as seen from the box ``other``.

    Args:
        subject: x1, y1, x2, y2 in pixels.
        other: The same of the other box.

    Returns:
        The relation if it is clear: the boxes are apart along one axis, and their centres lie more
        than twice as far apart along it as along the other. None where it is not.
    """
    dx = (subject[0] + subject[2] - other[0] - other[2]) / 2
    dy = (subject[1] + subject[3] - other[1] - other[3]) / 2
    if abs(dx) > 2 * abs(dy) and (subject[2] < other[0] or other[2] < subject[0]):
        return "left_of" if dx < 0 else "right_of"
    if abs(dy) > 2 * abs(dx) and (subject[3] < other[1] or other[3] < subject[1]):
        return "above" if dy < 0 else "below"
    return None


def ask_pairs(pairs: Sequence[tuple[str, str]]) -> str:
    """The question that names subject and object of each pair."""
    return _ASK + "; ".join(f"{subject} - {other}" for subject, other in pairs)


def asked_pairs(question: str) -> list[tuple[str, str]]:
    """The pairs that a question ending in ``ask_pairs`` names, for baselines that see no image.

    Args:
        question: A spatial or semantic scene's question.

    Returns:
        Subject and object of each pair, in the order asked; none where the question has another
        form, as one's own may have.
    """
    _, found, listed = question.partition(_ASK)
    if not found:
        return []
    ends = (pair.partition(" - ") for pair in listed.split("; "))
    return [(subject, other) for subject, _, other in ends]


def _choose_pairs(rng: random.Random, figures: Sequence[Figure], wanted: int) -> list[Asked]:
    """Asks each pair of shapes at most once, going round the four relations in random order."""
    open_pairs: list[Asked] = []
    for subject, other in itertools.permutations(figures, 2):
        relation = relation_of(subject.box, other.box)
        if relation is not None:
            open_pairs.append((subject, relation, other))
    rng.shuffle(open_pairs)
    turns = itertools.cycle(rng.sample(RELATIONS, len(RELATIONS)))
    asked: list[Asked] = []
    while open_pairs and len(asked) < wanted:
        turn = next(turns)
        found = next((pair for pair in open_pairs if pair[1] == turn), None)
        if found is not None:
            asked.append(found)
            ends = {found[0].label, found[2].label}
            open_pairs = [p for p in open_pairs if {p[0].label, p[2].label} != ends]
    return asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """What a spatial scene is made of.

    Attributes:
        size: Width and height in pixels.
        backdrop: Behind the shapes.
        figures: The shapes, the hindmost first.
        asked: Subject, relation and object of each pair that is asked for.
    """

    size: Size
    backdrop: Backdrop
    figures: Sequence[Figure]
    asked: Sequence[Asked]


def arrange(rng: random.Random, difficulty: Difficulty) -> Arrangement:
    """Three to five shapes of distinct names, some behind others; two to six pairs of them."""
    size = choose_size(rng, difficulty)
    backdrop = choose_backdrop(rng, difficulty, size)
    labels = rng.sample(SPATIAL_LABELS, rng.randint(*_COUNTS[difficulty]))
    wanted = rng.randint(*_PAIRS[difficulty])
    asked: list[Asked] = []
    figures: list[Figure] = []
    while len(asked) < 2:
        figures = push_together(rng, size, lay_out(rng, size, labels, difficulty), difficulty)
        asked = _choose_pairs(rng, figures, wanted)
    rng.shuffle(asked)
    return Arrangement(size=size, backdrop=backdrop, figures=figures, asked=asked)


def spatial_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """Three to five shapes of distinct names, some behind others; two to six pairs are asked.

    Image coordinates: above is the smaller y. Pairs without one clear relation are not asked.
    """
    made = arrange(rng, difficulty)
    return Scene(
        size=made.size,
        truth={
            "relations": [
                {"subject": subject.label, "relation": relation, "object": other.label}
                for subject, relation, other in made.asked
            ]
        },
        draw=partial(render, made.backdrop, [f.fill for f in made.figures]),
        question=ask_pairs([(subject.label, other.label) for subject, _, other in made.asked]),
    )

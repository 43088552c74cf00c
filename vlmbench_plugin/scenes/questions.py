"""Shapes and one question about them that has exactly one short answer, in one or more wordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from vlmbench_plugin.scenes.canvas import COLOURS, choose_backdrop, choose_size, render
from vlmbench_plugin.scenes.shapes import FLAT_SHAPES, LABELS, Figure, lay_out, push_together
from vlmbench_plugin.sources import Scene

if TYPE_CHECKING:
    import random

    from vlmbench_plugin.core import Difficulty

_MOST_SHAPES = 10
_COUNTS: Mapping[Difficulty, tuple[int, int]] = {
    "easy": (2, 4),
    "medium": (4, 7),
    "hard": (6, _MOST_SHAPES),
}
_PLURALS: Mapping[str, str] = {
    shape: {"cross": "crosses"}.get(shape, f"{shape}s") for shape in FLAT_SHAPES
}

ANSWERS: tuple[str, ...] = (
    "yes",
    "no",
    *COLOURS,
    *FLAT_SHAPES,
    *(str(n) for n in range(_MOST_SHAPES + 1)),
)
"""All canonical answers of the scenes."""

_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "cross": ("plus",),
    "diamond": ("rhombus",),
    "purple": ("violet",),
}

Asked: TypeAlias = tuple[str, tuple[str, ...]]
"""Question and accepted answers, the canonical one first."""
Asker: TypeAlias = "Callable[[random.Random, Sequence[Figure]], Asked | None]"
"""Finds a question about the shapes, or None where they admit none of its kind."""


def _wordings(name: str) -> tuple[str, ...]:
    """A colour or shape and its synonyms."""
    return name, *_SYNONYMS.get(name, ())


def _shape_wordings(figure: Figure) -> tuple[str, ...]:
    """Names of a figure's shape, bare and with its colour: at most six, never ten.

    Ten answers would be scored as those of ten annotators.
    """
    shapes = _wordings(figure.shape_name)
    return *shapes, *(f"{c} {s}" for c in _wordings(figure.colour_name) for s in shapes)


def _count_shapes(rng: random.Random, figures: Sequence[Figure]) -> Asked:
    shape = rng.choice(FLAT_SHAPES) if rng.random() < 0.15 else rng.choice(figures).shape_name
    number = sum(f.shape_name == shape for f in figures)
    return f"How many {_PLURALS[shape]} are there?", (str(number),)


def _count_colours(rng: random.Random, figures: Sequence[Figure]) -> Asked:
    colour = rng.choice(COLOURS) if rng.random() < 0.15 else rng.choice(figures).colour_name
    number = sum(f.colour_name == colour for f in figures)
    return f"How many {colour} shapes are there?", (str(number),)


def _colour_of(rng: random.Random, figures: Sequence[Figure]) -> Asked | None:
    counts = Counter(f.shape_name for f in figures)
    alone = [f for f in figures if counts[f.shape_name] == 1]
    if not alone:
        return None
    chosen = rng.choice(alone)
    return f"What colour is the {chosen.shape_name}?", _wordings(chosen.colour_name)


def _shape_of(rng: random.Random, figures: Sequence[Figure]) -> Asked | None:
    counts = Counter(f.colour_name for f in figures)
    alone = [f for f in figures if counts[f.colour_name] == 1]
    if not alone:
        return None
    chosen = rng.choice(alone)
    return f"What shape is the {chosen.colour_name} one?", _shape_wordings(chosen)


def _is_there(rng: random.Random, figures: Sequence[Figure]) -> Asked:
    """Asks as often for what is there as for what is not, though its colour and shape are."""
    there = {f.label for f in figures}
    if rng.random() < 0.5:
        label, answer = rng.choice(sorted(there)), "yes"
    else:
        near = {f"{a.colour_name} {b.shape_name}" for a in figures for b in figures} - there
        label, answer = rng.choice(sorted(near or set(LABELS) - there)), "no"
    article = "an" if label[0] in "aeiou" else "a"
    return f"Is there {article} {label}?", (answer,)


def _more_than(rng: random.Random, figures: Sequence[Figure]) -> Asked | None:
    """Compares two shapes of unequal number; either may be named first."""
    counts = Counter(f.shape_name for f in figures)
    kinds = sorted(counts)
    unequal = [(a, b) for a in kinds for b in kinds if counts[a] > counts[b]]
    if not unequal:
        return None
    more, less = rng.choice(unequal)
    question = "Are there more {} than {}?"
    if rng.random() < 0.5:
        return question.format(_PLURALS[more], _PLURALS[less]), ("yes",)
    return question.format(_PLURALS[less], _PLURALS[more]), ("no",)


def _outermost(rng: random.Random, figures: Sequence[Figure]) -> Asked | None:
    """Asks for the shape at one side, if by its edge as by its middle it leads by eight pixels."""
    word, axis, sign = rng.choice(
        (("leftmost", 0, 1), ("rightmost", 0, -1), ("highest", 1, 1), ("lowest", 1, -1))
    )

    def edge(figure: Figure) -> float:
        return sign * figure.box[axis if sign > 0 else axis + 2]

    def middle(figure: Figure) -> float:
        return sign * (figure.box[axis] + figure.box[axis + 2]) / 2

    first, second = sorted(figures, key=edge)[:2]
    by_middle = sorted(figures, key=middle)[:2]
    clear = edge(second) - edge(first) >= 8 and middle(by_middle[1]) - middle(by_middle[0]) >= 8
    if not clear or by_middle[0] is not first:
        return None
    return f"Which shape is {word}?", _shape_wordings(first)


_ASKERS: tuple[Asker, ...] = (
    _count_shapes,
    _count_colours,
    _colour_of,
    _shape_of,
    _is_there,
    _more_than,
    _outermost,
)


def vqa_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """Two to ten shapes, and one question with its one answer.

    Some hide a part of another, unless it is asked which lies farthest out.

    The truth is ``{"answers": [...]}``: the canonical answer, one of ``ANSWERS``, then other
    wordings of it. Number words need none: the scorer reads them as digits.
    """
    size = choose_size(rng, difficulty)
    backdrop = choose_backdrop(rng, difficulty, size)
    asker = rng.choice(_ASKERS)
    asked: Asked | None = None
    figures: list[Figure] = []
    while asked is None:
        count = rng.randint(*_COUNTS[difficulty])
        shapes = rng.sample(FLAT_SHAPES, rng.randint(2, 4))
        colours = rng.sample(COLOURS, rng.randint(2, 5))
        labels = [f"{rng.choice(colours)} {rng.choice(shapes)}" for _ in range(count)]
        figures = lay_out(rng, size, labels, difficulty)
        asked = asker(rng, figures)
    if asker is not _outermost:
        figures = push_together(rng, size, figures, difficulty)
    question, answers = asked
    return Scene(
        size=size,
        truth={"answers": list(answers)},
        draw=partial(render, backdrop, [f.fill for f in figures]),
        question=question,
    )

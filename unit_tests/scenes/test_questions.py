"""Each question answered anew from the shapes that are drawn."""

from __future__ import annotations

import random
import re
from collections import Counter

import numpy as np
import pytest

from vlmbench_plugin.core import DIFFICULTIES
from vlmbench_plugin.metrics.text import vqa_accuracy
from vlmbench_plugin.scenes.canvas import PALETTE, Fill, bounds
from vlmbench_plugin.scenes.questions import ANSWERS, vqa_scene
from vlmbench_plugin.sources import Scene

COLOUR_OF = {rgb: name for name, rgb in PALETTE.items()}
CORNERS = {3: "triangle", 6: "hexagon", 10: "star", 12: "cross", 40: "circle"}


def _shape_name(fill: Fill) -> str:
    points = np.array(fill[0])
    if len(points) != 4:
        return CORNERS[len(points)]
    diagonals = np.linalg.norm(points[0] - points[2]), np.linalg.norm(points[1] - points[3])
    return "square" if max(diagonals) < 1.1 * min(diagonals) else "diamond"


def _seen(scene: Scene) -> list[tuple[str, str, tuple[float, float, float, float]]]:
    fills: list[Fill] = scene.draw.args[1]  # type: ignore[attr-defined]
    return [(COLOUR_OF[f[1]], _shape_name(f), bounds(f[0])) for f in fills]


def _singular(plural: str) -> str:
    return "cross" if plural == "crosses" else plural.removesuffix("s")


def _answer(question: str, seen: list[tuple[str, str, tuple[float, float, float, float]]]) -> str:
    shapes, colours = Counter(s for _, s, _ in seen), Counter(c for c, _, _ in seen)
    if found := re.fullmatch(r"How many (\w+) shapes are there\?", question):
        return str(colours[found[1]])
    if found := re.fullmatch(r"How many (\w+) are there\?", question):
        return str(shapes[_singular(found[1])])
    if found := re.fullmatch(r"What colour is the (\w+)\?", question):
        (colour,) = [c for c, s, _ in seen if s == found[1]]
        return colour
    if found := re.fullmatch(r"What shape is the (\w+) one\?", question):
        (shape,) = [s for c, s, _ in seen if c == found[1]]
        return shape
    if found := re.fullmatch(r"Is there an? (\w+) (\w+)\?", question):
        return "yes" if any((c, s) == (found[1], found[2]) for c, s, _ in seen) else "no"
    if found := re.fullmatch(r"Are there more (\w+) than (\w+)\?", question):
        return "yes" if shapes[_singular(found[1])] > shapes[_singular(found[2])] else "no"
    found = re.fullmatch(r"Which shape is (\w+)\?", question)
    assert found is not None, question
    return _outermost(found[1], seen)


def _outermost(word: str, seen: list[tuple[str, str, tuple[float, float, float, float]]]) -> str:
    axis = {"leftmost": 0, "rightmost": 2, "highest": 1, "lowest": 3}[word]
    ranked = sorted(seen, key=lambda one: one[2][axis], reverse=axis > 1)
    assert abs(ranked[0][2][axis] - ranked[1][2][axis]) >= 8
    return ranked[0][1]


def test_the_answer_is_right() -> None:
    for seed in range(900):
        scene = vqa_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        assert scene.question is not None
        answer = scene.truth["answers"][0]
        assert answer in ANSWERS
        assert answer == _answer(scene.question, _seen(scene)), scene.question


def test_yes_and_no_are_balanced_and_no_answer_dominates() -> None:
    answers: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for seed in range(2000):
        scene = vqa_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        answers[scene.truth["answers"][0]] += 1
        assert scene.question is not None
        kinds[" ".join(scene.question.split()[:2])] += 1
    assert 0.85 < answers["yes"] / answers["no"] < 1.18
    assert max(answers.values()) < 0.2 * answers.total()
    assert len(kinds) == 6
    assert min(kinds.values()) > 150


CANONICAL = {"plus": "cross", "rhombus": "diamond", "violet": "purple"}


def _objects_meant(question: str, answer: str, scene: Scene) -> set[tuple[str, str]]:
    """Colour and shape of the drawn objects that answer a question for a shape in these words."""
    seen = [one for one in _seen(scene) if one[1] == answer]
    if found := re.fullmatch(r"What shape is the (\w+) one\?", question):
        return {(c, s) for c, s, _ in seen if c == found[1]}
    found = re.fullmatch(r"Which shape is (\w+)\?", question)
    assert found is not None
    axis = {"leftmost": 0, "rightmost": 2, "highest": 1, "lowest": 3}[found[1]]
    edge = (max if axis > 1 else min)(one[2][axis] for one in seen)
    return {(c, s) for c, s, box in seen if box[axis] == edge}


def test_other_wordings_mean_the_very_object() -> None:
    several = 0
    for seed in range(900):
        scene = vqa_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        answers = scene.truth["answers"]
        assert len(set(answers)) == len(answers) < 10
        assert scene.question is not None
        plain = [" ".join(CANONICAL.get(w, w) for w in a.split()) for a in answers]
        if not scene.question.startswith(("What shape", "Which shape")):
            # A colour in other words; a number or yes and no in one.
            assert set(plain) == {answers[0]}
            assert len(answers) == 1 + (answers[0] == "purple")
            continue
        ((colour, shape),) = _objects_meant(scene.question, answers[0], scene)
        assert set(plain) == {shape, f"{colour} {shape}"}
        names = 1 + (shape in CANONICAL.values())
        assert len(answers) == names + names * (1 + (colour == "purple"))
        several += len(answers) == 6
    assert several > 2


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (r"Which shape is \w+\?", "A {colour} {shape}."),
        (r"What shape is the \w+ one\?", "the {shape}"),
        (r"What shape is the \w+ one\?", "{colour} {shape}"),
    ],
)
def test_a_shape_is_right_with_and_without_its_colour(question: str, said: str) -> None:
    asked = 0
    for seed in range(200):
        scene = vqa_scene(random.Random(seed), "easy")
        assert scene.question is not None
        if re.fullmatch(question, scene.question):
            asked += 1
            answers = scene.truth["answers"]
            ((colour, shape),) = _objects_meant(scene.question, answers[0], scene)
            assert vqa_accuracy(said.format(colour=colour, shape=shape), answers) == 1.0
            other = next(c for c in PALETTE if c != colour)
            assert vqa_accuracy(said.format(colour=other, shape="arrow"), answers) == 0.0
            assert vqa_accuracy(f"{other} {shape}", answers) == 0.0
    assert asked > 10


@pytest.mark.parametrize(
    ("number", "word"),
    [(0, "zero"), (1, "one"), (2, "two"), (3, "three"), (7, "seven"), (10, "ten")],
)
def test_a_count_may_be_said_in_words(number: int, word: str) -> None:
    assert str(number) in ANSWERS
    assert vqa_accuracy(word.capitalize(), [str(number)]) == 1.0

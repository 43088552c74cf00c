"""Each question answered anew from the shapes that are drawn."""

from __future__ import annotations

import random
import re
from collections import Counter

import numpy as np

from vlmbench_plugin.core import DIFFICULTIES, Scene
from vlmbench_plugin.scenes.canvas import PALETTE, Fill, bounds
from vlmbench_plugin.scenes.questions import ANSWERS, vqa_scene

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
        (answer,) = scene.truth["answers"]
        assert answer in ANSWERS
        assert answer == _answer(scene.question, _seen(scene)), scene.question


def test_yes_and_no_are_balanced_and_no_answer_dominates() -> None:
    answers: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for seed in range(2000):
        scene = vqa_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        answers.update(scene.truth["answers"])
        assert scene.question is not None
        kinds[" ".join(scene.question.split()[:2])] += 1
    assert 0.85 < answers["yes"] / answers["no"] < 1.18
    assert max(answers.values()) < 0.2 * answers.total()
    assert len(kinds) == 6
    assert min(kinds.values()) > 150

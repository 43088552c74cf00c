"""Drawn relations: what is drawn is what the truth says, and nothing else holds."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
import shapely

from vlmbench_plugin.core import DIFFICULTIES, Scene
from vlmbench_plugin.scenes.canvas import PALETTE, Fill
from vlmbench_plugin.scenes.relations import INVERSE, PREDICATES, SYMMETRIC, semantic_scene

COLOUR_OF = {rgb: name for name, rgb in PALETTE.items()}


def _parts(scene: Scene) -> tuple[list[tuple[str, shapely.Polygon]], list[shapely.Polygon]]:
    """The coloured shapes with their colours, and the ink of arrows and lines."""
    fills: list[Fill] = scene.draw.args[1]  # type: ignore[attr-defined]
    shapes = [(COLOUR_OF[c], shapely.Polygon(p)) for p, c in fills if c in COLOUR_OF]
    ink = [shapely.Polygon(p) for p, c in fills if c not in COLOUR_OF]
    return shapes, ink


def _observed(a: Any, b: Any, ink: list[Any]) -> set[str]:
    """Every predicate that the geometry supports for (a, b), worked out anew."""
    found = set()
    if a.contains(b):
        found.add("contains")
    elif b.contains(a):
        found.add("inside")
    elif a.distance(b) < 1.5:
        found.add("touches")
    heads = [p for p in ink if len(p.exterior.coords) == 4]
    shafts = [p for p in ink if len(p.exterior.coords) == 5]
    for shaft in shafts:
        head = next((h for h in heads if h.distance(shaft) < 1e-3), None)
        if head is None and shaft.intersects(a) and shaft.intersects(b):
            found.add("connected_to")
        if head is not None and shaft.intersects(a) and head.distance(b) < a.distance(b) / 3:
            found.add("points_to")
        if head is not None and shaft.intersects(b) and head.distance(a) < a.distance(b) / 3:
            found.add("pointed_to_by")
    return found


def _matching(label: str, shapes: list[tuple[str, Any]]) -> list[Any]:
    colour, shape = label.split(" ")
    corners = {"triangle": 3, "square": 4, "diamond": 4, "hexagon": 6, "star": 10, "cross": 12}
    found = [
        p for c, p in shapes if c == colour and len(p.exterior.coords) - 1 == corners.get(shape, 40)
    ]
    if shape in {"square", "diamond"}:
        sides = [shapely.oriented_envelope(p).area / p.area for p in found]
        found = [p for p, s in zip(found, sides, strict=True) if (s > 1.2) == (shape == "diamond")]
    return found


def test_exactly_the_stated_relation_is_drawn() -> None:
    for seed in range(150):
        scene = semantic_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        shapes, ink = _parts(scene)
        for relation in scene.truth["relations"]:
            (a,) = _matching(relation["subject"], shapes)
            (b,) = _matching(relation["object"], shapes)
            assert _observed(a, b, ink) == {relation["predicate"]}


def test_no_other_two_shapes_are_related() -> None:
    for seed in range(90):
        scene = semantic_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        shapes, ink = _parts(scene)
        related = 0
        for i, (_, a) in enumerate(shapes):
            related += sum(bool(_observed(a, b, ink)) for _, b in shapes[:i])
        assert related == len(scene.truth["relations"])


def test_pairs_and_names_are_distinct_and_asked_in_order() -> None:
    counts = set()
    for seed in range(300):
        scene = semantic_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        relations = scene.truth["relations"]
        counts.add(len(relations))
        names = [r[end] for r in relations for end in ("subject", "object")]
        assert len(set(names)) == len(names)
        assert scene.question is not None
        asked = scene.question.split(": ")[1].split("; ")
        assert asked == [f"{r['subject']} - {r['object']}" for r in relations]
        shapes, _ = _parts(scene)
        width, height = scene.size
        for _, polygon in shapes:
            x1, y1, x2, y2 = polygon.bounds
            assert x1 >= 0
            assert y1 >= 0
            assert x2 <= width
            assert y2 <= height
    assert counts == {2, 3, 4, 5}


def test_predicates_are_balanced() -> None:
    counts: Counter[str] = Counter()
    for seed in range(1000):
        truth = semantic_scene(random.Random(seed), DIFFICULTIES[seed % 3]).truth
        counts.update(r["predicate"] for r in truth["relations"])
    assert set(counts) == set(PREDICATES)
    assert max(counts.values()) < 1.3 * min(counts.values())


@pytest.mark.parametrize("predicate", PREDICATES)
def test_each_predicate_is_symmetric_or_has_an_inverse(predicate: str) -> None:
    if predicate in SYMMETRIC:
        assert predicate not in INVERSE
    else:
        assert INVERSE[INVERSE[predicate]] == predicate
        assert INVERSE[predicate] != predicate

"""Drawn relations: what is drawn is what the truth says, and nothing else holds."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from vlmbench_plugin.core import DIFFICULTIES
from vlmbench_plugin.scenes.canvas import PALETTE, RGB, Backdrop, render
from vlmbench_plugin.scenes.relations import INVERSE, PREDICATES, SYMMETRIC, inks, semantic_scene
from vlmbench_plugin.scenes.shapes import FLAT_SHAPES
from vlmbench_plugin.scenes.spatial import asked_pairs
from vlmbench_plugin.sources import Scene

COLOUR_OF = {rgb: name for name, rgb in PALETTE.items()}


def _parts(scene: Scene) -> tuple[list[tuple[str, shapely.Polygon]], list[shapely.Polygon]]:
    """The coloured shapes with their colours, and the ink of arrows and lines."""
    fills = inks(*scene.draw.args[1:])  # type: ignore[attr-defined]
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
        assert asked_pairs(scene.question) == [(r["subject"], r["object"]) for r in relations]
        last = f"{relations[-1]['subject']} - {relations[-1]['object']}"
        assert scene.question.endswith(last)
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


@pytest.mark.parametrize("predicate", PREDICATES)
def test_the_question_says_what_each_predicate_means(predicate: str) -> None:
    question = semantic_scene(random.Random(0), "easy").question
    assert question is not None
    meanings, _, _ = question.partition("Name the relation")
    # "touches" and the pair of containment are words of the sentence, the others are names.
    assert re.search(rf"\b{predicate}\b", meanings)
    assert len(meanings.split(". ")) <= 3


Told = tuple[tuple[str, str], str]


def _told(first_seed: int) -> list[Told]:
    """Shape names and predicate of every relation of 600 cases."""
    found = []
    for seed in range(first_seed, first_seed + 600):
        for r in semantic_scene(random.Random(seed), DIFFICULTIES[seed % 3]).truth["relations"]:
            shapes = r["subject"].split()[1], r["object"].split()[1]
            found.append((shapes, r["predicate"]))
    return found


def test_the_names_do_not_tell_the_predicate() -> None:
    """Neither by rote, in sample, nor on cases that the predictor has not seen."""
    seen, unseen = _told(0), _told(600)
    by_shapes: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for shapes, predicate in seen:
        by_shapes[shapes][predicate] += 1
    assert len(by_shapes) == len(FLAT_SHAPES) ** 2
    guess = {shapes: counts.most_common(1)[0][0] for shapes, counts in by_shapes.items()}
    for told, advantage in ((seen, 0.08), (unseen, 0.04)):
        majority = Counter(predicate for _, predicate in told).most_common(1)[0][1]
        right = sum(guess[shapes] == predicate for shapes, predicate in told)
        assert right / len(told) < majority / len(told) + advantage


def _pixels(scene: Scene, ground: RGB) -> NDArray[np.int16]:
    """A scene's fills on plain ground."""
    plain = Backdrop(size=scene.size, kind="plain", colour=ground, second=ground)
    fills = inks(*scene.draw.args[1:])  # type: ignore[attr-defined]
    return np.asarray(render(plain, fills)).astype(np.int16)


def _largest(mask: NDArray[np.bool_], label_map: NDArray[np.signedinteger[Any]]) -> int:
    return int(np.bincount(label_map[mask]).argmax())


def test_what_touches_meets_in_ink_and_what_contains_shows_all_round() -> None:
    checked: Counter[str] = Counter()
    for seed in range(120):
        scene = semantic_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        shapes, _ = _parts(scene)
        colours = Counter(colour for colour, _ in shapes)
        white, green = (_pixels(scene, ground) for ground in ((255, 255, 255), (0, 255, 0)))
        # Ink is what no ground shines through; a sixteenth is one sample of a pixel's sixteen.
        ink, _ = ndimage.label(np.abs(white - green).max(axis=2) <= 16)
        for relation in scene.truth["relations"]:
            one, two = (relation[end].split()[0] for end in ("subject", "object"))
            if colours[one] > 1 or colours[two] > 1:
                continue
            a, b = ((white == PALETTE[colour]).all(axis=2) for colour in (one, two))
            related = relation["predicate"]
            if related == "touches":
                assert _largest(a, ink) == _largest(b, ink)
            elif related in {"points_to", "pointed_to_by"}:
                # The arrow leaves its tail's ink and ends short of what it points to.
                assert _largest(a, ink) != _largest(b, ink)
            elif related in {"inside", "contains"}:
                inner = a if related == "inside" else b
                # The ground keeps away from it: its rim, one blended pixel, and more.
                assert ink[ndimage.binary_dilation(inner, iterations=3)].all()
            checked[related] += 1
    assert min(checked[name] for name in PREDICATES) > 10


def test_touching_shapes_cut_little_into_each_other() -> None:
    pairs = set()
    for seed in range(400):
        scene = semantic_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        shapes, _ = _parts(scene)
        for (_, a), (_, b) in itertools.combinations(shapes, 2):
            common = a.intersection(b)
            if common.is_empty or a.contains(b) or b.contains(a):
                continue
            # A rim of a pixel of each, or as much of two tips as that cuts off.
            assert common.buffer(-1.6).is_empty
            assert common.area < 0.16 * min(a.area, b.area)
            pairs.add((len(a.exterior.coords), len(b.exterior.coords)))
    assert len(pairs) > 25

"""Relations of place, and depth on the ground plane."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench_plugin.core import DIFFICULTIES
from vlmbench_plugin.scenes.canvas import Backdrop, render
from vlmbench_plugin.scenes.depth import (
    DEPTH_LABELS,
    Standing,
    ask_objects,
    asked_objects,
    depth_scene,
)
from vlmbench_plugin.scenes.shapes import figure
from vlmbench_plugin.scenes.spatial import (
    RELATIONS,
    SPATIAL_LABELS,
    ask_pairs,
    asked_pairs,
    relation_of,
    spatial_scene,
)
from vlmbench_plugin.sources import Scene

INVERSE = {"left_of": "right_of", "right_of": "left_of", "above": "below", "below": "above"}

boxes = st.tuples(
    st.integers(0, 100), st.integers(0, 100), st.integers(1, 40), st.integers(1, 40)
).map(lambda t: (t[0], t[1], t[0] + t[2], t[1] + t[3]))


@pytest.mark.parametrize(
    ("subject", "other", "expected"),
    [
        ((0, 0, 10, 10), (30, 0, 40, 10), "left_of"),
        ((30, 5, 40, 15), (0, 0, 10, 10), "right_of"),
        ((0, 0, 10, 10), (0, 30, 10, 40), "above"),
        ((3, 30, 13, 40), (0, 0, 10, 10), "below"),
        ((0, 0, 10, 10), (20, 10, 30, 20), None),  # exactly twice is not more than twice
        ((0, 0, 10, 10), (30, 30, 40, 40), None),
        ((0, 0, 40, 10), (30, 0, 80, 10), None),  # overlap along the axis
    ],
)
def test_relation_of(
    subject: tuple[int, ...], other: tuple[int, ...], expected: str | None
) -> None:
    assert relation_of(subject, other) == expected


@given(one=boxes, two=boxes)
def test_the_other_way_round_is_the_inverse(
    one: tuple[int, int, int, int], two: tuple[int, int, int, int]
) -> None:
    there, back = relation_of(one, two), relation_of(two, one)
    assert (there is None) == (back is None)
    if there is not None:
        assert back == INVERSE[there]


def _colour_mask(scene: Scene, label: str) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    rgb = figure(label, (0, 0, 1)).rgb
    return np.asarray((np.asarray(scene.draw()) == rgb).all(axis=2))


def test_relations_hold_in_the_drawn_pixels() -> None:
    checked = 0
    for seed in range(60):
        scene = spatial_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        figures = {r[end] for r in scene.truth["relations"] for end in ("subject", "object")}
        colours = Counter(fill[1] for fill in scene.draw.args[1])  # type: ignore[attr-defined]
        alone = {f for f in figures if colours[figure(f, (0, 0, 1)).rgb] == 1}
        for relation in scene.truth["relations"]:
            if {relation["subject"], relation["object"]} <= alone:
                (sy, sx), (oy, ox) = (
                    np.nonzero(_colour_mask(scene, relation[end])) for end in ("subject", "object")
                )
                holds = {
                    "left_of": sx.max() < ox.min(),
                    "right_of": sx.min() > ox.max(),
                    "above": sy.max() < oy.min(),
                    "below": sy.min() > oy.max(),
                }
                assert holds[relation["relation"]]
                checked += 1
    assert checked > 40


def test_questions_name_the_pairs_in_order() -> None:
    for seed in range(300):
        scene = spatial_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        relations = scene.truth["relations"]
        assert 2 <= len(relations) <= 6
        assert scene.question is not None
        assert asked_pairs(scene.question) == [(r["subject"], r["object"]) for r in relations]
        pairs = [frozenset((r["subject"], r["object"])) for r in relations]
        assert len(set(pairs)) == len(pairs)
        fills = scene.draw.args[1]  # type: ignore[attr-defined]
        assert 3 <= len(fills) <= 5


@given(
    pairs=st.lists(
        st.tuples(st.sampled_from(SPATIAL_LABELS), st.sampled_from(SPATIAL_LABELS)), min_size=1
    ),
    before=st.sampled_from(["", "An arrow means: a points_to b; a line - connected_to. "]),
)
def test_asked_pairs_undoes_ask_pairs(pairs: list[tuple[str, str]], before: str) -> None:
    assert asked_pairs(before + ask_pairs(pairs)) == pairs


def test_other_questions_name_neither_pairs_nor_objects() -> None:
    assert asked_pairs(ask_objects(["red box", "blue box"])) == []
    assert asked_objects(ask_pairs([("red circle", "blue star")])) == []
    assert asked_objects(ask_objects(["red box", "blue box"])) == ["red box", "blue box"]


def test_the_four_relations_are_balanced() -> None:
    counts: Counter[str] = Counter()
    for seed in range(1500):
        truth = spatial_scene(random.Random(seed), DIFFICULTIES[seed % 3]).truth
        counts.update(r["relation"] for r in truth["relations"])
    assert set(counts) == set(RELATIONS)
    assert max(counts.values()) < 1.15 * min(counts.values())


def _standing(scene: Scene) -> list[Standing]:
    found: list[Standing] = scene.draw.args[3]  # type: ignore[attr-defined]
    return found


def test_depths_are_strictly_apart_and_in_order() -> None:
    counts = set()
    for seed in range(400):
        scene = depth_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        standing = _standing(scene)
        counts.add(len(standing))
        assert scene.truth["order"] == [one.label for one in standing]
        assert len(set(scene.truth["order"])) == len(standing)
        for one in standing:
            (x, y), (x1, y1, x2, y2) = scene.truth["places"][one.label], one.box
            assert x1 < x < x2
            assert y - y1 == pytest.approx(y2 - y, abs=0.2)
        for near, far in itertools.pairwise(standing):
            assert far.distance >= 1.25 * near.distance - 1e-9
            assert far.height < near.height
            assert far.foot[1] < near.foot[1]
        # One ground plane and one height: drop below the horizon and height shrink alike.
        assert {round(one.height * one.distance / standing[0].height, 6) for one in standing} == {
            1.0
        }
        for one in standing:
            x1, y1, x2, y2 = one.box
            assert 0 <= x1 < x2 <= scene.size[0]
            assert 0 <= y1 < y2 <= scene.size[1]
    assert counts == {3, 4, 5, 6}


def test_the_question_lists_the_objects_shuffled() -> None:
    as_truth = 0
    for seed in range(300):
        scene = depth_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        assert scene.question is not None
        listed = asked_objects(scene.question)
        assert sorted(listed) == sorted(scene.truth["order"])
        as_truth += listed == scene.truth["order"]
    assert as_truth < 60


def test_nearer_objects_hide_farther_ones_but_never_most_of_them() -> None:
    occluded = 0
    for seed in range(90):
        scene = depth_scene(random.Random(seed), DIFFICULTIES[seed % 3])
        pixels = np.asarray(scene.draw())
        ground = Backdrop(size=scene.size, kind="plain", colour=(1, 2, 3), second=(0, 0, 0))
        for one in _standing(scene):
            body = one.fills((9, 9, 9))[1:]
            alone = np.asarray(render(ground, body))
            ink = (alone != (1, 2, 3)).any(axis=2)
            shown = (alone == pixels).all(axis=2) & ink
            hidden = 1 - shown.sum() / ink.sum()
            assert hidden < 0.75
            # A small object's blended edge pixels never equal those drawn alone.
            occluded += ink.sum() > 2000 and hidden > 0.15
        assert _standing(scene)[0].label == scene.truth["order"][0]
    assert occluded > 20


def test_easy_scenes_hold_one_kind() -> None:
    for seed in range(60):
        order = depth_scene(random.Random(seed), "easy").truth["order"]
        assert len({label.split()[1] for label in order}) == 1
    assert len(set(DEPTH_LABELS)) == len(DEPTH_LABELS)

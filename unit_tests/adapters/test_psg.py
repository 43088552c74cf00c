from __future__ import annotations

import json
import random
from typing import Any

import pytest

from unit_tests.adapters.tables import (
    HUB,
    blank,
    case_of,
    fixture_rows,
    oracle_scores,
    reason_of,
    rng,
)
from vlmbench_plugin.adapters.psg import PSG_LABELS, PSG_PREDICATES, PSG_SYMMETRIC, relations
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.scenes.relations import INVERSE, SYMMETRIC
from vlmbench_plugin.scenes.spatial import asked_pairs
from vlmbench_plugin.sources import Labelled
from vlmbench_plugin.tasks import TASKS

FOLDER = "maelic/PSG-coco-format"
ROWS = f"{FOLDER}/data/val-00000-of-00001.parquet"
NAMES = json.loads((HUB / FOLDER / "categories.json").read_text(encoding="utf-8"))
CATEGORY = {entry["name"]: entry["id"] for entry in NAMES["categories"]}
PREDICATE = {entry["name"]: entry["id"] for entry in NAMES["rel_categories"]}
FEW = "fewer than 2 pairs of unmistakable names with one predicate"

Triple = tuple[int, str, int]


def row_of(things: list[str], triples: list[Triple], **changed: Any) -> dict[str, Any]:
    """A row whose objects are numbered from 70."""
    return {
        "image_id": 5,
        "image": blank(120, 90),
        "objects": [{"id": 70 + k, "category_id": CATEGORY[n]} for k, n in enumerate(things)],
        "relations": [
            {"subject_id": 70 + a, "object_id": 70 + b, "predicate_id": PREDICATE[name]}
            for a, name, b in triples
        ],
        "categories.json": NAMES,
        **changed,
    }


def triples_of(row: dict[str, Any], seed: int = 0) -> list[tuple[str, str, str]]:
    case = relations(row, random.Random(seed))
    assert isinstance(case, Labelled), case
    return [(r["subject"], r["predicate"], r["object"]) for r in case.truth["relations"]]


SCENE = ["person", "horse", "grass-merged", "sky-other-merged"]
CLEAR: list[Triple] = [(0, "riding", 1), (1, "standing on", 2)]


def test_the_names_are_133_and_54_words() -> None:
    assert len(set(PSG_LABELS)) == 133
    assert len(set(PSG_PREDICATES)) == 54
    assert not any("-" in name or "_" in name or ";" in name for name in PSG_LABELS)
    assert PSG_LABELS[0] == "person"
    assert {"wall", "brick wall", "wooden floor", "playing field", "sky", "door"} <= set(PSG_LABELS)
    assert set(PSG_PREDICATES) >= PSG_SYMMETRIC
    # One scorer serves the drawn scenes' predicates and these.
    assert set(PSG_PREDICATES).isdisjoint(SYMMETRIC | INVERSE.keys())


def test_pairs_are_asked_with_their_one_predicate() -> None:
    case = case_of(relations, row_of(SCENE, CLEAR))
    assert set(triples_of(row_of(SCENE, CLEAR))) == {
        ("person", "riding", "horse"),
        ("horse", "standing on", "grass"),
    }
    pairs = [(r["subject"], r["object"]) for r in case.truth["relations"]]
    assert asked_pairs(case.question or "") == pairs
    assert (case.image_id, case.size) == ("5", (120, 90))


@pytest.mark.parametrize(
    "extra",
    [
        (3, "in front of", 2),  # depends on the view
        (0, "on back of", 2),
        (0, "looking at", 0),  # itself
    ],
)
def test_some_relations_are_not_asked(extra: Triple) -> None:
    assert len(triples_of(row_of(SCENE, [*CLEAR, extra]))) == 2


def test_a_pair_with_several_relations_is_not_asked() -> None:
    more: list[Triple] = [(3, "over", 2)]
    assert len(triples_of(row_of(SCENE, [*CLEAR, *more]))) == 3
    for second in ((0, "guiding", 1), (1, "carrying", 0), (0, "in front of", 1)):
        assert ("person", "riding", "horse") not in triples_of(
            row_of(SCENE, [*CLEAR, *more, second])
        )
    # The same said twice is said once.
    assert len(triples_of(row_of(SCENE, [*CLEAR, CLEAR[0]]))) == 2


@pytest.mark.parametrize("second", ["horse", "wall-brick"])
def test_a_name_that_could_mean_two_things_is_not_asked(second: str) -> None:
    things = ["person", "horse", "grass-merged", "wall-other-merged", second]
    triples: list[Triple] = [*CLEAR, (0, "beside", 3), (3, "on", 2), (0, "on", 2)]
    named = {name for a, _, b in triples_of(row_of(things, triples)) for name in (a, b)}
    assert ("horse" in named) == (second != "horse")
    assert ("wall" in named) == (second != "wall-brick")


def test_at_most_six_pairs_chosen_by_the_generator() -> None:
    things = ["person", "horse", "dog", "cat", "bench"]
    triples: list[Triple] = [(a, "beside", b) for a in range(5) for b in range(a + 1, 5)]
    asked = [triples_of(row_of(things, triples), seed) for seed in range(5)]
    assert {len(one) for one in asked} == {6}
    assert len({frozenset(one) for one in asked}) > 1
    assert triples_of(row_of(things, triples), 1) == asked[1]


def test_what_is_left_out() -> None:
    assert reason_of(relations, row_of(SCENE, CLEAR[:1])) == FEW
    assert reason_of(relations, row_of(SCENE, [])) == FEW
    small = row_of(SCENE, CLEAR, image=blank(120, 63))
    assert reason_of(relations, small) == "an image below 64 pixels a side"


def test_names_are_found_by_number_however_the_file_counts_and_spells() -> None:
    plain = {"floor-other-merged": "floor", "door-stuff": "door"}
    other = {
        "categories": [
            {"id": 900 - k, "name": plain.get(name, name)} for name, k in CATEGORY.items()
        ],
        "rel_categories": [
            {"id": 0, "name": "__background__"},
            *({"id": 100 + k, "name": name} for name, k in PREDICATE.items()),
        ],
    }
    row = row_of(SCENE, CLEAR, **{"categories.json": other})
    for thing in row["objects"]:
        thing["category_id"] = 900 - thing["category_id"]
    for relation in row["relations"]:
        relation["predicate_id"] += 100
    assert set(triples_of(row)) == set(triples_of(row_of(SCENE, CLEAR)))


def test_a_file_with_other_names_is_an_error() -> None:
    for kind, odd in (("categories", "unicorn"), ("rel_categories", "dreaming of")):
        changed = {**NAMES, kind: [*NAMES[kind][:-1], {"id": 999, "name": odd}]}
        with pytest.raises(DataError, match=rf"known names under '{kind}'.*{odd}"):
            relations(row_of(SCENE, CLEAR, **{"categories.json": changed}), rng())
    short = {**NAMES, "categories": NAMES["categories"][1:]}
    with pytest.raises(DataError, match=r"133 known names.*got 132; not in both: person"):
        relations(row_of(SCENE, CLEAR, **{"categories.json": short}), rng())


def test_numbers_that_lead_nowhere_and_missing_columns_are_errors() -> None:
    with pytest.raises(DataError, match=r"between the objects \[70, 71, 72, 73\], got \[79\]"):
        relations(row_of(SCENE, [(0, "riding", 9)]), rng())
    with pytest.raises(DataError, match="in column 'category_id', got 134; it has 1 to 133"):
        relations(row_of([], [], objects=[{"id": 1, "category_id": 134}]), rng())
    with pytest.raises(DataError, match="expected a column 'predicate_id'"):
        relations(row_of(SCENE, [], relations=[{"subject_id": 70, "object_id": 71}]), rng())
    for name in ("image", "image_id", "objects", "relations", "categories.json"):
        row = row_of(SCENE, CLEAR)
        del row[name]
        with pytest.raises(DataError, match=f"expected a column '{name}'"):
            relations(row, rng())


def test_lists_of_values_read_as_lists_of_records_do() -> None:
    row = row_of(SCENE, CLEAR)
    turned = {
        name: {key: [entry[key] for entry in row[name]] for key in row[name][0]}
        for name in ("objects", "relations")
    }
    assert triples_of({**row, **turned}) == triples_of(row)


def test_the_right_answer_to_every_fixture_scores() -> None:
    rows = [{**row, "categories.json": NAMES} for row in fixture_rows(ROWS)]
    cases = [relations(row, rng()) for row in rows]
    kept = [case for case in cases if isinstance(case, Labelled)]
    assert [case.image_id for case in kept] == ["501", "502"]
    assert kept[1].image.raw().mode == "L"
    assert [case.reason for case in cases if not isinstance(case, Labelled)] == [FEW]
    vocabulary = {"object": PSG_LABELS, "predicate": PSG_PREDICATES}
    for case in kept:
        scores = oracle_scores(TASKS["semantic_association"], case, vocabulary)
        assert set(scores) == {1.0}

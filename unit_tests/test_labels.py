from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench_plugin.labels import match, normalise, resolve, singular, strict
from vlmbench_plugin.synonyms import KINDS, SYNONYMS

_COCO = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,"
    "stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,"
    "backpack,umbrella,handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,"
    "baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,"
    "banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,"
    "oven,toaster,sink,refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
)
COCO = tuple(_COCO.split(","))
SHAPES = tuple(
    f"{colour} {shape}"
    for colour in ("red", "gray", "blue")
    for shape in ("circle", "ellipse", "cross")
)
WORDS = st.sampled_from(
    sorted({word for name in COCO + SHAPES for word in name.split()} | {"the", "big", "two", "hot"})
)
PHRASES = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  The_Hot-Dog! ", "hot dog"),
        ("\uff34\uff36", "tv"),
        ("shepherd's pie", "shepherds pie"),
        ("shepherd\u2019s pie", "shepherds pie"),
        ("cat/dog,bird", "cat dog bird"),
        ("a", "a"),
        ("The A", "a"),
        ("Straße", "strasse"),
        ("cafe\u0301", "café"),
        ("!?", ""),
        ("हिंदी", "हिंदी"),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    assert normalise(text) == expected


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    ("plural", "expected"),
    [
        ("cats", "cat"),
        ("glasses", "glass"),
        ("glass", "glass"),
        ("buses", "bus"),
        ("bus", "bus"),
        ("dresses", "dress"),
        ("dress", "dress"),
        ("boxes", "box"),
        ("benches", "bench"),
        ("toothbrushes", "toothbrush"),
        ("knives", "knife"),
        ("leaves", "leaf"),
        ("gloves", "glove"),
        ("mice", "mouse"),
        ("people", "person"),
        ("horses", "horse"),
        ("vases", "vase"),
        ("houses", "house"),
        ("octopuses", "octopus"),
        ("fries", "fry"),
        ("ties", "tie"),
        ("cookies", "cookie"),
        ("potatoes", "potato"),
        ("shoes", "shoe"),
        ("skis", "ski"),
        ("tvs", "tv"),
        ("lens", "lens"),
        ("lenses", "lens"),
        ("tennis rackets", "tennis racket"),
        ("red circles", "red circle"),
        ("crosses", "cross"),
    ],
)
def test_singular(plural: str, expected: str) -> None:
    assert singular(plural) == expected


@pytest.mark.parametrize("name", COCO)
def test_coco_names_and_their_plurals_resolve_to_themselves(name: str) -> None:
    assert resolve(name, COCO).name == name
    ends_hissing = name.endswith(("s", "x", "ch", "sh"))
    plural = {"person": "people", "knife": "knives", "mouse": "mice"}.get(
        name, name + ("es" if ends_hissing else "s")
    )
    if name not in {"broccoli", "scissors", "sheep", "skis"}:
        found = resolve(plural, COCO)
        assert (found.name, found.rule) == (name, "singular")


@pytest.mark.parametrize(
    ("prediction", "truth", "rule"),
    [
        ("dog", "dog", "exact"),
        (" DOG ", "dog", "exact"),
        ("the hot-dog", "hot dog", "normalised"),
        ("dogs", "dog", "singular"),
        ("ski", "skis", "singular"),
        ("television", "tv", "alias"),
        ("TV set", "tv", "alias"),
        ("sofas", "couch", "alias"),
        ("bike", "bicycle", "alias"),
        ("motorbike", "motorcycle", "alias"),
        ("basketball", "sports ball", "alias"),
        ("man", "person", "alias"),
        ("puppies", "dog", "alias"),
        ("big hot dog", "hot dog", "contained"),
        ("big hot dog", "dog", None),
        ("brown teddy bear", "teddy bear", "contained"),
        ("brown teddy bear", "bear", None),
        ("red sports car", "car", "contained"),
        ("table", "dining table", "contained"),
        ("dog and cat", "dog", None),
        ("hot dog and dog", "dog", None),
        ("hot dog", "dog", None),
        ("dog", "hot dog", None),
        ("house", "mouse", None),
        ("pork", "fork", None),
        ("carpet", "car", None),
        ("animal", "dog", None),
        ("person", "dog", None),
        ("baseball", "baseball bat", None),
        ("!", "dog", None),
        ("", "dog", None),
    ],
)
def test_match_in_coco(prediction: str, truth: str, rule: str | None) -> None:
    assert match(prediction, truth, COCO) == rule


@pytest.mark.parametrize(
    ("prediction", "truth", "rule"),
    [
        ("grey disc", "gray circle", "alias"),
        ("red ovals", "red ellipse", "alias"),
        ("Blue_Plus", "blue cross", "alias"),
        ("large red circle", "red circle", "contained"),
        ("circle", "red circle", None),
        ("red", "red circle", None),
        ("blue disc", "gray circle", None),
    ],
)
def test_match_of_drawn_shapes(prediction: str, truth: str, rule: str | None) -> None:
    assert match(prediction, truth, SHAPES) == rule


def test_containment_needs_one_fit() -> None:
    both = ("spaghetti bolognese", "spaghetti carbonara", "ice_cream", "french_fries")
    assert resolve("spaghetti", both[:1]).name == "spaghetti bolognese"
    assert resolve("spaghetti", both).name is None
    assert resolve("spaghetti bolognaise", both).rule == "alias"
    assert resolve("Ice Cream", both).name == "ice_cream"
    assert resolve("french fry", both).name == "french_fries"
    assert resolve("bolognese spaghetti", both).name is None


def test_an_alias_applies_only_where_its_name_is_possible() -> None:
    assert resolve("television", ("cat", "dog")).name is None
    assert resolve("television", ("tv", "television")).rule == "exact"
    assert resolve("television set", ("tv", "television")).name is None
    assert match("tv", "television", ("television", "radio")) == "alias"
    assert match("person", "man", ("man", "woman")) is None
    assert match("man", "person", ("man", "person")) is None


def test_without_a_vocabulary_the_two_strings_are_compared() -> None:
    assert match("Dogs", "dog", ()) == "singular"
    assert match("sofa", "couch", ()) == "alias"
    assert match("woman", "man", ()) is None
    assert match("red sports car", "car", ()) is None
    assert resolve("dog", ()).name is None


def test_a_truth_outside_the_vocabulary_is_one_more_name() -> None:
    assert match("unicorns", "unicorn", COCO) == "singular"
    assert match("unicorn", "dog", COCO) is None


def test_strict_forgives_case_and_outer_space_only() -> None:
    assert strict(" Hot Dog", "hot dog")
    assert not strict("hot-dog", "hot dog")
    assert not strict("dogs", "dog")


def test_no_word_stands_in_two_groups() -> None:
    keys = [{singular(normalise(word)) for word in group} for group in SYNONYMS]
    kinds = [singular(kind) for kind in KINDS]
    words = [word for group in keys for word in group] + kinds
    assert len(words) == len(set(words))
    assert not set(kinds) & set(COCO)
    assert set(KINDS.values()) <= set(COCO)


@pytest.mark.parametrize("name", COCO)
def test_no_synonym_merges_two_names(name: str) -> None:
    for group in SYNONYMS:
        members = [other for other in COCO if singular(other) in map(singular, group)]
        assert len(members) <= 1, group
    assert match(name, name, COCO) == "exact"


@given(PHRASES, st.sampled_from([COCO, SHAPES]))
def test_a_text_names_at_most_one_name(text: str, vocabulary: tuple[str, ...]) -> None:
    found = resolve(text, vocabulary)
    fits = [name for name in vocabulary if match(text, name, vocabulary)]
    assert fits == ([] if found.name is None else [found.name])
    assert (found.name is None) == (found.rule is None)


@given(PHRASES, PHRASES)
def test_without_a_vocabulary_matching_is_symmetric_but_for_kinds(a: str, b: str) -> None:
    if not set(a.split()) & set(KINDS) and not set(b.split()) & set(KINDS):
        assert match(a, b, ()) == match(b, a, ())


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_read(a: str, b: str) -> None:
    assert match(a, a, (a, b)) == "exact"
    assert resolve(a, [b]).name in (None, b)

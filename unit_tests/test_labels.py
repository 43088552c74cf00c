from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench_plugin import labels
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.labels import match, normalise, resolve, singular, strict
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.sources import Packaged
from vlmbench_plugin.synonyms import COCO as COCO_TABLE
from vlmbench_plugin.synonyms import FOOD101, HEAD_FIRST, KINDS, OPAQUE, SYNONYMS, AliasTable
from vlmbench_plugin.tasks import TASKS

COCO = tuple(COCO_TABLE)
FOOD = tuple(FOOD101)
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
        ("glasses", "glasses"),
        ("wine glasses", "wine glass"),
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


# Prediction -> (truth, the rule that must accept it).
ACCEPTED_IN_COCO = {
    "tv": ("tv", "exact"),
    "Hot Dog": ("hot dog", "exact"),
    "cell-phone": ("cell phone", "normalised"),
    "wine_glass": ("wine glass", "normalised"),
    "The cat.": ("cat", "normalised"),
    "an orange": ("orange", "normalised"),
    "oranges": ("orange", "singular"),
    "wine glasses": ("wine glass", "singular"),
    "potted plants": ("potted plant", "singular"),
    "mice": ("mouse", "singular"),
    "people": ("person", "singular"),
    "knives": ("knife", "singular"),
    "buses": ("bus", "singular"),
    "television": ("tv", "alias"),
    "TV monitor": ("tv", "alias"),
    "mobile phone": ("cell phone", "alias"),
    "smartphones": ("cell phone", "alias"),
    "wineglass": ("wine glass", "alias"),
    "houseplant": ("potted plant", "alias"),
    "aeroplane": ("airplane", "alias"),
    "hotdog": ("hot dog", "alias"),
    "sofa": ("couch", "alias"),
    "doughnuts": ("donut", "alias"),
    "hair dryer": ("hair drier", "alias"),
    "fridge": ("refrigerator", "alias"),
    "mug": ("cup", "alias"),
    "tennis racquet": ("tennis racket", "alias"),
    "traffic signal": ("traffic light", "alias"),
    "orange fruit": ("orange", "alias"),
    "teddy": ("teddy bear", "alias"),
    "woman": ("person", "alias"),
    "kitten": ("cat", "alias"),
    "soccer ball": ("sports ball", "alias"),
    "glass": ("wine glass", "contained"),
    "plant": ("potted plant", "contained"),
    "phone": ("cell phone", "contained"),
    "racket": ("tennis racket", "contained"),
    "old man": ("person", "contained"),
    "white sofa": ("couch", "contained"),
    "orange cat": ("cat", "contained"),
    "cup of tea": ("cup", "contained"),
    "slice of pizza": ("pizza", "contained"),
    "computer mouse": ("mouse", "contained"),
    "coffee mug": ("cup", "contained"),
}
ACCEPTED_IN_FOOD = {
    "ice cream": ("ice_cream", "normalised"),
    "French Fries": ("french_fries", "normalised"),
    "donut": ("donuts", "singular"),
    "pancake": ("pancakes", "singular"),
    "doughnut": ("donuts", "alias"),
    "fries": ("french_fries", "alias"),
    "crème brûlée": ("creme_brulee", "alias"),
    "mac and cheese": ("macaroni_and_cheese", "alias"),
    "spaghetti bolognaise": ("spaghetti_bolognese", "alias"),
    "cheeseburger": ("hamburger", "alias"),
    "lasagne": ("lasagna", "alias"),
    "cupcakes": ("cup_cakes", "alias"),
    "omelet": ("omelette", "alias"),
    "steak tartare": ("beef_tartare", "alias"),
    "potstickers": ("gyoza", "alias"),
    "curry": ("chicken_curry", "contained"),
    "carbonara spaghetti carbonara": ("spaghetti_carbonara", "contained"),
    "plate of nachos": ("nachos", "contained"),
    "vegetable samosas": ("samosa", "contained"),
    "tacos with salsa": ("tacos", "contained"),
    "beef pho": ("pho", "contained"),
}
REJECTED_IN_COCO = (
    ("dog", "hot dog"),
    ("hot dog", "dog"),
    ("corn dog", "dog"),
    ("corn dog", "hot dog"),
    ("hot", "hot dog"),
    ("cat", "car"),
    ("car", "cat"),
    ("cart", "car"),
    ("house", "mouse"),
    ("moose", "mouse"),
    ("pork", "fork"),
    ("boat", "goat"),
    ("bowl", "owl"),
    ("cup", "cap"),
    ("bed", "bread"),
    ("bear", "teddy bear"),
    ("teddy bear", "bear"),
    ("gummy bear", "bear"),
    ("orange color", "orange"),
    ("the color orange", "orange"),
    ("orange circle", "orange"),
    ("orange juice", "orange"),
    ("orange cat", "orange"),
    ("wine", "wine glass"),
    ("glasses", "wine glass"),
    ("spectacles", "wine glass"),
    ("glass", "cup"),
    ("potted", "potted plant"),
    ("power plant", "potted plant"),
    ("stop", "stop sign"),
    ("street sign", "stop sign"),
    ("street light", "traffic light"),
    ("hair", "hair drier"),
    ("fire", "fire hydrant"),
    ("desk", "dining table"),
    ("coffee table", "dining table"),
    ("dining", "dining table"),
    ("tennis", "tennis racket"),
    ("baseball", "baseball bat"),
    ("baseball glove", "baseball bat"),
    ("bus stop", "bus"),
    ("car wheel", "car"),
    ("mouse pad", "mouse"),
    ("cup holder", "cup"),
    ("cat food", "cat"),
    ("clock tower", "clock"),
    ("toothbrush holder", "toothbrush"),
    ("bicycle", "motorcycle"),
    ("dirt bike", "bicycle"),
    ("truck", "car"),
    ("jet ski", "skis"),
    ("cable car", "car"),
    ("animal", "dog"),
    ("vehicle", "car"),
    ("furniture", "chair"),
    ("cat and dog", "cat"),
    ("man on a horse", "horse"),
    ("bowl of apples", "bowl"),
    ("monitor", "tv"),
    ("telephone pole", "cell phone"),
    ("notebook", "laptop"),
    ("wheelchair", "chair"),
    ("pineapple", "apple"),
    ("none", "cat"),
)
REJECTED_IN_FOOD = (
    ("spaghetti", "spaghetti_bolognese"),
    ("spaghetti carbonara", "spaghetti_bolognese"),
    ("dog", "hot_dog"),
    ("cream", "ice_cream"),
    ("ice", "ice_cream"),
    ("apple", "apple_pie"),
    ("cake", "carrot_cake"),
    ("carrot", "carrot_cake"),
    ("chicken", "chicken_curry"),
    ("bread", "garlic_bread"),
    ("eggs", "deviled_eggs"),
    ("soup", "miso_soup"),
    ("fish", "fish_and_chips"),
    ("chips", "fish_and_chips"),
    ("cheese", "cheese_plate"),
    ("plate", "cheese_plate"),
    ("lobster", "lobster_bisque"),
    ("onion", "onion_rings"),
    ("strawberry", "strawberry_shortcake"),
    ("tartare", "tuna_tartare"),
    ("pancakes", "cup_cakes"),
    ("pho", "paella"),
    ("ramen", "pho"),
    ("beef carpaccio", "beef_tartare"),
)


def pairs(table: Mapping[str, tuple[str, str]]) -> list[tuple[str, str, str]]:
    return [(prediction, truth, rule) for prediction, (truth, rule) in table.items()]


def test_the_pair_tables_are_long_enough() -> None:
    assert len(ACCEPTED_IN_COCO) + len(ACCEPTED_IN_FOOD) >= 60
    assert len({*REJECTED_IN_COCO, *REJECTED_IN_FOOD}) >= 60
    rules = Counter(rule for _, rule in (ACCEPTED_IN_COCO | ACCEPTED_IN_FOOD).values())
    assert rules.keys() == {"exact", "normalised", "singular", "alias", "contained"}


@pytest.mark.parametrize(("prediction", "truth", "rule"), pairs(ACCEPTED_IN_COCO))
def test_accepted_in_coco(prediction: str, truth: str, rule: str) -> None:
    assert match(prediction, truth, COCO) == rule
    assert strict(prediction, truth) == (rule == "exact")


@pytest.mark.parametrize(("prediction", "truth", "rule"), pairs(ACCEPTED_IN_FOOD))
def test_accepted_in_food(prediction: str, truth: str, rule: str) -> None:
    assert match(prediction, truth, FOOD) == rule
    assert not strict(prediction, truth)


@pytest.mark.parametrize(("prediction", "truth"), REJECTED_IN_COCO)
def test_rejected_in_coco(prediction: str, truth: str) -> None:
    assert match(prediction, truth, COCO) is None


@pytest.mark.parametrize(("prediction", "truth"), REJECTED_IN_FOOD)
def test_rejected_in_food(prediction: str, truth: str) -> None:
    assert match(prediction, truth, FOOD) is None


def test_spaghetti_is_bolognese_only_where_there_is_no_carbonara() -> None:
    without = tuple(name for name in FOOD if name != "spaghetti_carbonara")
    assert match("spaghetti", "spaghetti_bolognese", without) == "contained"
    assert match("spaghetti", "spaghetti_bolognese", FOOD) is None
    assert match("bolognese", "spaghetti_bolognese", without) is None


def test_the_colour_orange_is_no_fruit_and_the_fruit_no_colour() -> None:
    shapes = ("orange circle", "red circle", "red square")
    assert match("orange circle", "orange circle", shapes) == "exact"
    assert match("orange", "orange circle", shapes) is None
    assert match("an orange", "orange circle", shapes) is None
    assert match("orange circle", "orange", COCO) is None


@pytest.mark.parametrize(
    ("prediction", "truth", "rule"),
    [
        ("grey disc", "gray circle", "alias"),
        ("red ovals", "red ellipse", "alias"),
        ("Blue_Plus", "blue cross", "alias"),
        ("large red circle", "red circle", "contained"),
        ("red circle outline", "red circle", None),
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


def test_the_tables_hold_the_classes_of_both_data_sets() -> None:
    assert (len(COCO), len(FOOD)) == (80, 101)
    assert len(set(map(key, FOOD))) == 101
    assert COCO[0] == "person"
    assert COCO[-1] == "toothbrush"


def test_a_word_has_one_meaning_over_all_tables() -> None:
    meanings: dict[str, set[str]] = {}
    for group in SYNONYMS:
        for word in group:
            meanings.setdefault(key(word), set()).add(key(group[0]))
    assert {word: heads for word, heads in meanings.items() if len(heads) > 1} == {}
    assert not set(map(key, KINDS)) & set(meanings)
    classes = {key(name) for name in COCO + FOOD}
    assert {key(name) for name in KINDS.values()} <= classes


def key(text: str) -> str:
    return singular(normalise(text))


def declared_vocabularies() -> set[tuple[str, ...]]:
    found = {
        names
        for task in TASKS.values()
        for source in task.ground_truth.values()
        if not isinstance(source, Packaged)
        for names in source.vocabulary.values()
    }
    smoke = (load_cases(task, Settings(dataset="smoke"))[0] for task in TASKS.values())
    return found | {names for case in smoke for names in case.vocabulary.values()}


@pytest.mark.parametrize("vocabulary", [COCO, FOOD, *sorted(declared_vocabularies())])
def test_no_text_has_two_names_before_containment(vocabulary: tuple[str, ...]) -> None:
    # A text has one key per rule, so that one name per key proves it for every text.
    index = labels._index(vocabulary)
    for rule in (index.exact, index.normalised, index.singular, index.alias):
        assert len(rule) == len(vocabulary)
        assert {name for names in rule.values() for name in names} == set(vocabulary)


@pytest.mark.parametrize("table", [COCO_TABLE, FOOD101], ids=["coco", "food-101"])
def test_every_alias_means_its_class_alone_or_described(table: AliasTable) -> None:
    names = tuple(table)
    rows = [(alias, name) for name, aliases in table.items() for alias in aliases]
    rows += [(kind, name) for kind, name in KINDS.items() if name in table]
    assert len(rows) > 80
    for alias, name in rows:
        found = resolve(alias, names)
        assert (found.name, found.rule) == (name, "alias"), alias
        assert resolve(f"big {alias}", names).name == name, alias
    for name in names:
        assert resolve(f"two large {name}", names).name == name


def test_opaque_phrases_and_head_first_names_are_used() -> None:
    words = {word for name in COCO + FOOD for word in name.replace("_", " ").split()}
    drawn = {word for names in declared_vocabularies() for name in names for word in name.split()}
    for phrase in OPAQUE:
        assert set(key(phrase).split()) & set(map(key, words | drawn)), phrase
    assert {name.replace(" ", "_") for name in HEAD_FIRST} <= set(FOOD)


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


def test_a_full_width_apostrophe_joins() -> None:
    assert normalise("shepherd\uff07s pie") == "shepherds pie"

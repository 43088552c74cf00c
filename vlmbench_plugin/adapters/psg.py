"""Panoptic scene graphs: how the things and stuff of COCO photographs relate.

Yang et al. 2022, "Panoptic Scene Graph Generation". Annotators gave each pair the most exact of 56
predicates, as a rule one. Where a looser one holds too ("on" for "standing on") it is not the
truth; that is why the predicates stand in the vocabulary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from vlmbench_plugin.adapters.rows import SMALLEST_SIDE, column, picture, record, records
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.scenes.spatial import ask_pairs
from vlmbench_plugin.sources import Labelled, LeftOut, Row, Table
from vlmbench_plugin.synonyms import COCO as COCO_SYNONYMS

if TYPE_CHECKING:
    import random

PSG = Table(
    name="psg",
    title="Panoptic scene graphs",
    hub_ids=("maelic/PSG-coco-format",),
    splits=("val", "validation", "test"),
    columns=("image_id", "image", "objects", "relations"),
    licence="mit on the card; the images are COCO's, under their own Flickr licences",
    files=("categories.json",),
)

_STUFF = (
    "banner", "blanket", "bridge", "cardboard", "counter", "curtain", "door-stuff", "floor-wood",
    "flower", "fruit", "gravel", "house", "light", "mirror-stuff", "net", "pillow", "platform",
    "playingfield", "railroad", "river", "road", "roof", "sand", "sea", "shelf", "snow", "stairs",
    "tent", "towel", "wall-brick", "wall-stone", "wall-tile", "wall-wood", "water-other",
    "window-blind", "window-other", "tree-merged", "fence-merged", "ceiling-merged",
    "sky-other-merged", "cabinet-merged", "table-merged", "floor-other-merged", "pavement-merged",
    "mountain-merged", "grass-merged", "dirt-merged", "paper-merged", "food-other-merged",
    "building-other-merged", "rock-merged", "wall-other-merged", "rug-merged",
)  # fmt: skip
_AS_WORDS: Mapping[str, str] = {
    "floor-wood": "wooden floor",
    "playingfield": "playing field",
    "wall-brick": "brick wall",
    "wall-stone": "stone wall",
    "wall-tile": "tiled wall",
    "wall-wood": "wooden wall",
    "window-blind": "window blind",
}
_PREDICATES = (
    "over", "in front of", "beside", "on", "in", "attached to", "hanging from", "on back of",
    "falling off", "going down", "painted on", "walking on", "running on", "crossing",
    "standing on", "lying on", "sitting on", "flying over", "jumping over", "jumping from",
    "wearing", "holding", "carrying", "looking at", "guiding", "kissing", "eating", "drinking",
    "feeding", "biting", "catching", "picking", "playing with", "chasing", "climbing", "cleaning",
    "playing", "touching", "pushing", "pulling", "opening", "cooking", "talking to", "throwing",
    "slicing", "driving", "riding", "parked on", "driving on", "about to hit", "kicking",
    "swinging", "entering", "exiting", "enclosing", "leaning on",
)  # fmt: skip
# In front of what: of the thing's own front, or nearer to the viewer? Annotators meant either.
_DEPENDS_ON_THE_VIEW = frozenset({"in front of", "on back of"})


def _cleaned(name: str) -> str:
    """A category as words: "wall-other-merged" is "wall"."""
    plain = name.removesuffix("-merged").removesuffix("-other").removesuffix("-stuff")
    return _AS_WORDS.get(name, plain)


PSG_LABELS: tuple[str, ...] = (*COCO_SYNONYMS, *map(_cleaned, _STUFF))
"""All 133 names of things and stuff, as words."""

PSG_PREDICATES: tuple[str, ...] = tuple(
    name for name in _PREDICATES if name not in _DEPENDS_ON_THE_VIEW
)
"""The 54 predicates that are asked for: all but those that depend on the view."""

PSG_SYMMETRIC: frozenset[str] = frozenset({"beside", "touching", "kissing"})
"""Those that hold both ways. No two are the inverse of each other."""

PAIRS = (2, 6)

Relation: TypeAlias = tuple[int, str, int]
"""Subject's number, predicate, object's number."""


def relations(row: Row, rng: random.Random) -> Labelled | LeftOut:
    """Row -> the predicates of up to six pairs, which the generator chooses.

    A pair can be asked about if the image has nothing else that either of its names could mean, and
    if it is annotated exactly once, in one direction, with a predicate of ``PSG_PREDICATES``.

    Raises:
        DataError: If a column is missing, ``categories.json`` does not hold the names known here,
            or an object, a category or a predicate is named that is not there.
    """
    image = picture(row)
    size = image.size()
    if min(size) < SMALLEST_SIDE:
        return LeftOut(f"an image below {SMALLEST_SIDE} pixels a side")
    declared = record(row, "categories.json")
    categories = _names(declared, "categories", PSG_LABELS)
    predicates = _names(declared, "rel_categories", _PREDICATES)
    things = {
        column(thing, "id", int): _of(categories, thing, "category_id")
        for thing in records(row, "objects")
    }
    annotated = {
        (
            column(relation, "subject_id", int),
            _of(predicates, relation, "predicate_id"),
            column(relation, "object_id", int),
        )
        for relation in records(row, "relations")
    }
    asked = _clear(annotated, things)
    least, most = PAIRS
    if len(asked) < least:
        return LeftOut(f"fewer than {least} pairs of unmistakable names with one predicate")
    truth = [
        {"subject": things[subject], "predicate": predicate, "object": things[other]}
        for subject, predicate, other in rng.sample(asked, min(most, len(asked)))
    ]
    return Labelled(
        image_id=str(column(row, "image_id", int)),
        image=image,
        size=size,
        truth={"relations": truth},
        question=ask_pairs([(pair["subject"], pair["object"]) for pair in truth]),
    )


def _names(declared: Row, kind: str, known: Sequence[str]) -> dict[int, str]:
    """The table's own numbers -> names as words, which must be those known here, in any order.

    An entry such as ``__background__`` is none.
    """
    entries = [
        (column(entry, "id", int), column(entry, "name", str)) for entry in records(declared, kind)
    ]
    found = {number: _cleaned(name) for number, name in entries if not name.startswith("__")}
    if sorted(found.values()) != sorted(known):
        odd = sorted(set(found.values()) ^ set(known))
        raise DataError(
            f"expected the {len(known)} known names under {kind!r} of categories.json, got "
            f"{len(found)}; not in both: {', '.join(odd) or 'none'}",
            hint="the table has changed, or the mirror is of another one",
        )
    return found


def _of(names: Mapping[int, str], entry: Row, name: str) -> str:
    number = column(entry, name, int)
    if number not in names:
        raise DataError(
            f"expected a number of categories.json in column {name!r}, got {number}; it has "
            f"{min(names)} to {max(names)}"
        )
    return names[number]


def _clear(annotated: set[Relation], things: Mapping[int, str]) -> list[Relation]:
    """The relations that can be asked about, in a fixed order."""
    strange = {end for one, _, two in annotated for end in (one, two)} - things.keys()
    if strange:
        raise DataError(
            f"expected relations between the objects {sorted(things)}, got {sorted(strange)}",
            hint="relations name objects otherwise than by id; see docs/known-limitations.md",
        )
    # A brick wall is a wall: the last word must be the only one.
    heads = Counter(_head(label) for label in things.values())
    times = Counter(frozenset((one, two)) for one, _, two in annotated)
    return sorted(
        (one, predicate, two)
        for one, predicate, two in annotated
        if one != two
        and times[frozenset((one, two))] == 1
        and predicate in PSG_PREDICATES
        and heads[_head(things[one])] == heads[_head(things[two])] == 1
    )


def _head(label: str) -> str:
    return label.split(" ")[-1]

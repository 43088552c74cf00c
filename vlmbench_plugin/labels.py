"""Tolerant label matching: which name of a vocabulary does a free text mean?

A ladder of rules, the strictest first. The first rule under which a text fits any name decides: if
it fits exactly one, that is the name; if it fits two, the text names nothing. There is no edit
distance: it would make a mouse of a house.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from vlmbench_plugin.synonyms import HEAD_FIRST, KINDS, OPAQUE, SYNONYMS

_LONGEST_SYNONYM = max(len(word.split()) for group in SYNONYMS for word in group)
# What may follow a name that a text is about: "a cup of tea" is a cup, "cup holder" is none.
_FOLLOWERS = "above and at behind below beside by for from in near next of on or over to under with"
_ARTICLES = frozenset({"a", "an", "the"})
_APOSTROPHES = str.maketrans("", "", "'\u2018\u2019\u02bc`\u00b4")

_F_STEMS = "lea loa wol shel cal hal scar thie el hoo"
_FE_STEMS = "kni wi li"
# Words that only take an s, although their ending looks like one of _ENDINGS.
_PLAIN_S = (
    "axe bikini brioche brownie cache calorie canoe collie cookie fuse genie headache hoe hoodie "
    "horseshoe kiwi martini moustache movie muse mustache oboe panini pie prairie quiche rookie "
    "selfie shoe ski smoothie taxi tie toe tv veggie zombie zucchini"
)
_PLAIN_ES = "bus canvas gas lens"
_SINGULARS: Mapping[str, str] = {
    **{f"{stem}ves": f"{stem}f" for stem in _F_STEMS.split()},
    **{f"{stem}ves": f"{stem}fe" for stem in _FE_STEMS.split()},
    **{f"{word}s": word for word in _PLAIN_S.split()},
    **{f"{word}es": word for word in _PLAIN_ES.split()},
    "children": "child",
    "feet": "foot",
    "geese": "goose",
    "men": "man",
    "mice": "mouse",
    "oxen": "ox",
    "people": "person",
    "teeth": "tooth",
    "women": "woman",
}
_UNCHANGED = frozenset(
    ("atlas", "canvas", "christmas", "gas", "lens", "molasses", "news", "series", "species")
)
# (ending, what stands in its place), the first that fits.
_ENDINGS: tuple[tuple[str, str], ...] = (
    ("ss", "ss"),
    ("us", "us"),
    ("is", "is"),
    ("ouses", "ouse"),
    ("auses", "ause"),
    ("uses", "us"),
    ("ies", "y"),
    ("oes", "o"),
    ("sses", "ss"),
    ("xes", "x"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("zzes", "zz"),
    ("s", ""),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What a text means in a vocabulary.

    Attributes:
        name: The name as the vocabulary spells it; None where the text fits none, or two.
        rule: The rule that found it: ``exact``, ``normalised``, ``singular``, ``alias`` or
            ``contained``; None where there is no name.
    """

    name: str | None
    rule: str | None


_NOTHING = Resolution(name=None, rule=None)


@lru_cache(maxsize=65536)
def normalise(text: str) -> str:
    """NFKC, casefold, separators and punctuation to single spaces, leading articles off.

    An apostrophe joins ("shepherd's" is "shepherds"). An article that is the whole text stays.
    """
    folded = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).casefold()
    folded = unicodedata.normalize("NFKC", folded)
    spaced = (char if unicodedata.category(char)[0] in "LMN" else " " for char in folded)
    words = "".join(spaced).split()
    while len(words) > 1 and words[0] in _ARTICLES:
        del words[0]
    return " ".join(words)


def singular(text: str) -> str:
    """The singular of every word of a normalised text, by a small table of English rules.

    Glasses alone stay plural: they are worn, a glass is not.
    """
    if text == "glasses":
        return text
    return " ".join(_singular_word(word) for word in text.split())


def strict(prediction: str, truth: str) -> bool:
    """Whether two labels are the same string but for letter case and outer white space."""
    return _exact_key(prediction) == _exact_key(truth)


def resolve(text: str, vocabulary: Sequence[str]) -> Resolution:
    """Finds the one name of a vocabulary that a text means.

    The rules in order: ``exact`` (see ``strict``), ``normalised``, ``singular``, ``alias`` (a
    curated synonym, or a kind that names its class), ``contained`` (whole words in a row: the text
    is about a name, as "red sports car" is about a car and "car wheel" is not; or it is the head of
    a name and stands in no other name, as "table" in "dining table"). A text that fits two names
    under the rule that decides means neither. A name within a longer name or an opaque phrase does
    not count: a "big hot dog" is a hot dog, not a dog.

    Args:
        text: The label as answered.
        vocabulary: All names that are possible; empty resolves nothing.
    """
    return _resolve(text, tuple(vocabulary))


def match(prediction: str, truth: str, vocabulary: Sequence[str]) -> str | None:
    """The rule under which a prediction names the truth and nothing else.

    Args:
        prediction: The label as answered.
        truth: The true label, as a rule one of the vocabulary.
        vocabulary: All names that are possible. Where it is empty the two strings are compared with
            each other, without ``contained``, which nothing could then contradict.

    Returns:
        ``exact``, ``normalised``, ``singular``, ``alias`` or ``contained``; None for no match.
    """
    if strict(prediction, truth):
        return "exact"
    names = tuple(vocabulary)
    found = _resolve(prediction, names if truth in names else (*names, truth))
    if found.name is None or not strict(found.name, truth):
        return None
    return None if found.rule == "contained" and not names else found.rule


def _exact_key(text: str) -> str:
    return text.strip().casefold()


def _singular_word(word: str) -> str:
    if word in _SINGULARS:
        return _SINGULARS[word]
    if len(word) <= 3 or word in _UNCHANGED:
        return word
    for ending, replacement in _ENDINGS:
        if word.endswith(ending):
            return word.removesuffix(ending) + replacement
    return word


@lru_cache(maxsize=1)
def _heads() -> Mapping[str, str]:
    return {
        singular(normalise(word)): singular(normalise(group[0]))
        for group in SYNONYMS
        for word in group
    }


def _alias_key(key: str) -> str:
    """A singular text with every run of words that stands in a group replaced by its head."""
    heads, words = _heads(), key.split()
    replaced: list[str] = []
    start = 0
    while start < len(words):
        ends = range(min(len(words), start + _LONGEST_SYNONYM), start, -1)
        end = next((end for end in ends if " ".join(words[start:end]) in heads), start + 1)
        part = " ".join(words[start:end])
        replaced.append(heads.get(part, part))
        start = end
    return " ".join(replaced)


@lru_cache(maxsize=1)
def _opaque() -> frozenset[str]:
    return frozenset(_alias_key(singular(normalise(phrase))) for phrase in OPAQUE)


@lru_cache(maxsize=1)
def _head_first() -> frozenset[str]:
    return frozenset(_alias_key(singular(name)) for name in HEAD_FIRST)


@lru_cache(maxsize=1)
def _classes() -> Mapping[str, str]:
    return {_alias_key(kind): _alias_key(singular(name)) for kind, name in KINDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Index:
    """Every key of a vocabulary -> the names that have it, one mapping per rule."""

    exact: Mapping[str, frozenset[str]]
    normalised: Mapping[str, frozenset[str]]
    singular: Mapping[str, frozenset[str]]
    alias: Mapping[str, frozenset[str]]
    parts: Mapping[str, frozenset[str]]
    heads: Mapping[str, frozenset[str]]


@lru_cache(maxsize=256)
def _index(vocabulary: tuple[str, ...]) -> _Index:
    # Names that differ in letter case alone are one name: the first spelling stands for both.
    names = {_exact_key(name): name for name in reversed(vocabulary)}
    exact: dict[str, frozenset[str]] = {key: frozenset({name}) for key, name in names.items()}
    keys: tuple[dict[str, frozenset[str]], ...] = ({}, {}, {}, {}, {})
    for name in names.values():
        plain = normalise(name)
        if not plain:
            continue
        single = singular(plain)
        alias = _alias_key(single)
        for mapping, key in zip(keys, (plain, single, alias), strict=False):
            mapping[key] = mapping.get(key, frozenset()) | {name}
        for _, _, part in _spans(alias.split()):
            keys[3][part] = keys[3].get(part, frozenset()) | {name}
            if _is_head(part, alias):
                keys[4][part] = keys[4].get(part, frozenset()) | {name}
    fields = ("normalised", "singular", "alias", "parts", "heads")
    return _Index(exact=exact, **dict(zip(fields, keys, strict=True)))


def _is_head(part: str, name: str) -> bool:
    """Whether a run of a name's words says what the thing is."""
    if name in _opaque():
        return False
    words, count = name.split(), len(part.split())
    return part == " ".join(words[:count] if name in _head_first() else words[-count:])


@lru_cache(maxsize=65536)
def _resolve(text: str, vocabulary: tuple[str, ...]) -> Resolution:
    for rule, names in _ladder(text, _index(vocabulary)):
        if names:
            return Resolution(name=min(names), rule=rule) if len(names) == 1 else _NOTHING
    return _NOTHING


def _ladder(text: str, index: _Index) -> Iterator[tuple[str, frozenset[str]]]:
    """Each rule with the names that the text fits under it, lazily."""
    none: frozenset[str] = frozenset()
    yield "exact", index.exact.get(_exact_key(text), none)
    plain = normalise(text)
    if not plain:
        return
    yield "normalised", index.normalised.get(plain, none)
    single = singular(plain)
    yield "singular", index.singular.get(single, none)
    alias = _alias_key(single)
    yield "alias", _named(alias, index)
    parts = index.parts.get(alias, none)
    whole = parts if parts == index.heads.get(alias) else none
    yield "contained", _inside(alias.split(), index) | whole


def _named(key: str, index: _Index) -> frozenset[str]:
    """The names that an alias key means, itself or as a kind."""
    return index.alias.get(key) or index.alias.get(_classes().get(key, ""), frozenset())


def _spans(words: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """(start, end, text) of every run of words, the longest first."""
    for length in range(len(words), 0, -1):
        for start in range(len(words) - length + 1):
            yield start, start + length, " ".join(words[start : start + length])


def _inside(words: Sequence[str], index: _Index) -> frozenset[str]:
    """The names that a text is about, but for those that stand only within a longer phrase."""
    taken: list[tuple[int, int]] = []
    names: frozenset[str] = frozenset()
    for start, end, part in _spans(words):
        found = _named(part, index)
        if not (found or part in _opaque()):
            continue
        if any(first <= start and end <= last for first, last in taken):
            continue
        taken.append((start, end))
        if end == len(words) or words[end] in _FOLLOWERS.split():
            names |= found
    return names

"""What a drawn document says: trees of keys and values, by lot."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from vlmbench_plugin.scenes.formats import FORMATS, WRITERS, Leaf, Tree

if TYPE_CHECKING:
    from vlmbench_plugin.core import Difficulty

MOST_ENTRIES = 12
"""No document has more values than this."""

_TABLES = ("csv", "markdown_table", "html_table")
_TOPIC_LIST = """
    account author backup camera cart client cluster device engine invoice library mailer network
    order printer route sensor server station storage store ticket vehicle weather worker
"""
_TOPICS = tuple(_TOPIC_LIST.split())
_LISTS = ("items", "tags", "zones", "members", "ports", "colors", "steps", "levels")
_NAME_LIST = """
    amber birch cedar cobalt coral delta ember falcon granite harbor indigo jasper lagoon maple
    meadow nickel onyx pebble quartz raven saffron sierra tundra velvet willow zephyr
"""
_NAMES = tuple(_NAME_LIST.split())
_TEXT_KEYS = ("name", "title", "label", "owner", "region", "city", "status", "mode", "group")
_DECIMAL_KEYS = ("weight", "price", "total", "rate", "score")
_INTEGER_KEYS = (
    *("count", "limit", "size", "port", "width", "height"),
    *("retries", "timeout", "stock", "quantity", "priority"),
)
_SWITCH_KEYS = ("enabled", "public", "active")
_DATE_KEYS = ("date", "created")
_KEYS = (
    *(*_TEXT_KEYS, *_DECIMAL_KEYS, *_INTEGER_KEYS, *_SWITCH_KEYS, *_DATE_KEYS),
    *("code", "version", "email"),
)


def document(rng: random.Random, difficulty: Difficulty) -> tuple[str, Tree, str]:
    """Draws lots for one document.

    Returns:
        Its format, its tree, and its source text. At most ``MOST_ENTRIES`` values; keys of at most
        32 and values of at most 40 characters of ASCII without quotation mark and backslash.
    """
    name = rng.choice(FORMATS)
    tree = _table(rng, difficulty) if name in _TABLES else _nested(rng, difficulty, name)
    return name, tree, WRITERS[name](tree)


def _table(rng: random.Random, difficulty: Difficulty) -> Tree:
    shapes = {
        "easy": ((1, 3), (2, 2), (2, 3)),
        "medium": ((2, 3), (3, 2), (4, 2), (3, 3)),
        "hard": ((3, 3), (4, 3), (3, 4), (6, 2)),
    }[difficulty]
    rows, columns = rng.choice(shapes)
    keys = _keys(rng, columns)
    return [{key: _leaf(rng, key) for key in keys} for _ in range(rows)]


def _nested(rng: random.Random, difficulty: Difficulty, name: str) -> Tree:
    """Groups of values, with a list where the format has lists and attributes where it has those.

    The first value of each group is text: INI and TOML differ in nothing but its quotation marks.
    """
    left = rng.randint(*{"easy": (2, 4), "medium": (5, 8), "hard": (9, MOST_ENTRIES)}[difficulty])
    tree: dict[str, Tree] = {}
    lists = rng.sample(_LISTS, 2) if name in ("json", "yaml", "toml") else []
    for topic in rng.sample(_TOPICS, MOST_ENTRIES):
        if left == 0:
            break
        size = min(left, rng.randint(2, 4))
        left -= size
        keys = _keys(rng, size)
        group: dict[str, Tree] = {key: _leaf(rng, key) for key in keys}
        if name == "xml" and rng.random() < 0.6:
            marked = keys[: rng.randint(1, size)]
            group = {("@" + key if key in marked else key): leaf for key, leaf in group.items()}
        if lists and left and rng.random() < 0.6:
            length = min(left, rng.randint(2, 3))
            left -= length
            key = lists.pop()
            plain = rng.random() < 0.6
            kind = rng.choice(_TEXT_KEYS)
            items: list[Tree] = [_leaf(rng, kind) for _ in range(length)]
            group[key] = items if plain else [{kind: item} for item in items]
        tree[topic] = group
    return tree


def _keys(rng: random.Random, count: int) -> list[str]:
    rest = rng.sample(_KEYS, count)
    first = rng.choice(_TEXT_KEYS)
    return [first, *(key for key in rest if key != first)][:count]


def _leaf(rng: random.Random, key: str) -> Leaf:
    if key in _SWITCH_KEYS:
        return Leaf(text=rng.choice(("true", "false")), quoted=False)
    if key in _DECIMAL_KEYS:
        return Leaf(text=f"{rng.randint(1, 480)}.{rng.randint(0, 99):02d}", quoted=False)
    if key in _INTEGER_KEYS:
        return Leaf(text=str(rng.randint(1, 9999)), quoted=False)
    word = rng.choice(_NAMES)
    if key in _DATE_KEYS:
        text = f"{rng.randint(1990, 2029)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    elif key == "code":
        text = f"{word[:2].upper()}-{rng.randint(100, 999)}"
    elif key == "version":
        text = f"v{rng.randint(0, 9)}.{rng.randint(0, 20)}.{rng.randint(0, 9)}"
    elif key == "email":
        text = f"{word}@example.org"
    else:
        text = word if rng.random() < 0.6 else f"{word} {rng.choice(_NAMES)}"
    return Leaf(text=text, quoted=True)

"""Turns a grammar of ours into a regular expression: a second reading, independent of any engine.

Our grammars are bounded and not recursive, so each is a regular language.
"""

from __future__ import annotations

import json
import re
from re import _parser  # type: ignore[attr-defined]  # the width of a pattern has no public form

_TOKEN = re.compile(
    r"""\s*(?:(?P<literal>"(?:[^"\\]|\\.)*")|(?P<cls>\[(?:[^\]\\]|\\.)*\])"""
    r"""|(?P<repeat>\{\d+(?:,\d+)?\})|(?P<symbol>[()|?])|(?P<name>[a-z][a-z0-9-]*))""",
    re.DOTALL,
)


def to_regex(grammar: str) -> str:
    """Returns an anchored pattern for ``re`` with the language of the grammar."""
    rules = dict(line.split(" ::= ", 1) for line in grammar.splitlines())
    return _expression(rules["root"], rules)


def _expression(text: str, rules: dict[str, str]) -> str:
    pieces, position = [], 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        assert match is not None, f"not our GBNF: {text[position : position + 40]!r}"
        position = match.end()
        kind = match.lastgroup
        token = match.group(kind or 0)
        if kind == "literal":
            pieces.append(f"(?:{re.escape(json.loads(token))})")
        elif kind == "cls":
            pieces.append(token.replace("[ !", r"[\ !"))
        elif kind == "name":
            pieces.append(f"(?:{_expression(rules[token], rules)})")
        else:
            pieces.append("(?:" if token == "(" else token)
    return "".join(pieces)


def accepts(grammar: str, text: str) -> bool:
    """Whether the whole text is in the grammar's language."""
    return re.fullmatch(to_regex(grammar), text, re.DOTALL) is not None


def longest(grammar: str) -> int:
    """Returns the most characters of a text in the grammar's language."""
    width: int = _parser.parse(to_regex(grammar)).getwidth()[1]
    return width

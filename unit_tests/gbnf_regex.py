"""Reads a grammar of ours without any engine: a parser and a set-of-positions matcher.

Our grammars are bounded and not recursive, so each is a regular language.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from typing import TypeAlias

_TOKEN = re.compile(
    r"""\s*(?:(?P<literal>"(?:[^"\\]|\\.)*")|(?P<cls>\[(?:[^\]\\]|\\.)*\])"""
    r"""|(?P<repeat>\{\d+(?:,\d+)?\}|\?)|(?P<symbol>[()|])|(?P<name>[a-z][a-z0-9-]*))""",
    re.DOTALL,
)

Piece: TypeAlias = "tuple[str, str | Options, int, int]"
"""(kind, text or group, fewest, most): one repeated element of a sequence."""
Options: TypeAlias = "tuple[tuple[Piece, ...], ...]"
"""Alternative sequences."""


class Reading:
    """A grammar's rules, parsed."""

    def __init__(self, grammar: str) -> None:
        lines = (line.split(" ::= ", 1) for line in grammar.splitlines())
        self.rules: dict[str, Options] = {name: parse(body) for name, body in lines}

    def ends(self, text: str) -> set[int]:
        """Where a match of the root that begins at 0 may end."""
        return _Match(self.rules, text).of_rule("root", 0)

    def width(self) -> int:
        """The most characters of a text in the language."""

        @functools.cache
        def of_rule(name: str) -> int:
            return of_options(self.rules[name])

        def of_options(options: Options) -> int:
            return max(sum(map(of_piece, sequence)) for sequence in options)

        def of_piece(piece: Piece) -> int:
            kind, content, _, most = piece
            if not isinstance(content, str):
                return most * of_options(content)
            if kind == "name":
                return most * of_rule(content)
            return most * (len(content) if kind == "literal" else 1)

        return of_rule("root")


class _Match:
    """Follows every reading of one text at once: from a set of positions to a set of positions."""

    def __init__(self, rules: dict[str, Options], text: str) -> None:
        self.rules = rules
        self.text = text
        self.known: dict[tuple[str, int], set[int]] = {}

    def of_rule(self, name: str, start: int) -> set[int]:
        if (name, start) not in self.known:
            self.known[name, start] = self.of_options(self.rules[name], start)
        return self.known[name, start]

    def of_options(self, options: Options, start: int) -> set[int]:
        found: set[int] = set()
        for sequence in options:
            at = {start}
            for piece in sequence:
                at = self.of_piece(piece, at)
            found |= at
        return found

    def of_piece(self, piece: Piece, at: set[int]) -> set[int]:
        kind, content, fewest, most = piece
        found = set(at) if fewest == 0 else set()
        for count in range(1, most + 1):
            at = {end for start in at for end in self.once(kind, content, start)}
            if not at:
                break
            if count >= fewest:
                found |= at
        return found

    def once(self, kind: str, content: str | Options, start: int) -> set[int]:
        if not isinstance(content, str):
            return self.of_options(content, start)
        if kind == "name":
            return self.of_rule(content, start)
        if kind == "literal":
            return {start + len(content)} if self.text.startswith(content, start) else set()
        return {start + 1} if re.compile(content).match(self.text, start) else set()


def parse(body: str) -> Options:
    """Returns the alternatives of one rule."""
    stack: list[list[list[Piece]]] = [[[]]]
    for kind, token in _tokens(body):
        sequence = stack[-1][-1]
        if kind == "repeat":
            fewest, most = (0, 1) if token == "?" else _counts(token)
            sequence[-1] = (*sequence[-1][:2], fewest, most)
        elif token == "(" and kind == "symbol":
            stack.append([[]])
        elif token == ")" and kind == "symbol":
            group = stack.pop()
            stack[-1][-1].append(("group", tuple(map(tuple, group)), 1, 1))
        elif token == "|" and kind == "symbol":
            stack[-1].append([])
        else:
            content = json.loads(token) if kind == "literal" else token
            sequence.append((kind, content, 1, 1))
    assert len(stack) == 1, "unbalanced parentheses"
    return tuple(map(tuple, stack[0]))


def _tokens(body: str) -> Iterable[tuple[str, str]]:
    position = 0
    while position < len(body.rstrip()):
        match = _TOKEN.match(body, position)
        assert match is not None, f"not our GBNF: {body[position : position + 40]!r}"
        position = match.end()
        kind = str(match.lastgroup)
        yield kind, match.group(kind)


def _counts(token: str) -> tuple[int, int]:
    numbers = [int(number) for number in token.strip("{}").split(",")]
    return numbers[0], numbers[-1]


@functools.lru_cache(maxsize=128)
def read(grammar: str) -> Reading:
    """Parses a grammar, each once."""
    return Reading(grammar)


def accepts(grammar: str, text: str) -> bool:
    """Whether the whole text is in the grammar's language."""
    return len(text) in read(grammar).ends(text)


def longest(grammar: str) -> int:
    """Returns the most characters of a text in the grammar's language."""
    return read(grammar).width()

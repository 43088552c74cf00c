r"""GBNF pieces: literals, counted strings, bounded numbers.

All repetition is bounded, and a string is a counted repetition of one inline *positive* character
class: a counted repetition of a rule costs xgrammar seconds a token, and from a negated class it
emits encoded surrogates. The text is the dialect that llama.cpp, xgrammar and llguidance all read,
so characters stand raw in a class instead of as ``\u`` escapes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from vlmbench_plugin.core import Frame

ASCII_CLASS = r" !#-Z\[\]^-~"
UNICODE_CLASS = ASCII_CLASS + "\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff"
ESCAPE = r'"\\" ["\\/bfnrt]'
COMMA = '"," " "?'


class Rules:
    """Collects the named rules of one grammar.

    Args:
        frame: The coordinate frame whose positions the grammar admits.
    """

    def __init__(self, frame: Frame) -> None:
        self.frame: Frame = frame
        self._rules: dict[str, str] = {}

    def define(self, name: str, expression: str) -> str:
        """Names an expression and returns the name; equal expressions share one rule."""
        free = name
        count = 1
        while self._rules.get(free, expression) != expression:
            count += 1
            free = f"{name}-{count}"
        self._rules[free] = expression
        return free

    def text(self, root: str) -> str:
        """Returns the grammar whose start symbol is ``root``."""
        lines = [f"{name} ::= {expression}" for name, expression in self._rules.items()]
        return "\n".join([f"root ::= {root}", *lines]) + "\n"


def array(item: str, at_least: int, at_most: int) -> str:
    """Returns a JSON array of ``at_least`` to ``at_most`` items (a rule's name)."""
    if at_most == 1:
        body = item
    else:
        body = f"{item} ({COMMA} {item}){{{max(at_least, 1) - 1},{at_most - 1}}}"
    return f'"[" {body} "]"' if at_least else f'"[" ({body})? "]"'


def literal(text: str) -> str:
    r"""Returns the quoted GBNF literal of ASCII text: ``a"b`` gives ``"a\"b"``."""
    return json.dumps(text)


def alternatives(options: Iterable[str]) -> str:
    """Returns a parenthesised alternation, or the one option as it is."""
    options = list(options)
    return options[0] if len(options) == 1 else f"({' | '.join(options)})"


def string(at_least: int, at_most: int, *, unicode: bool, escapes: bool) -> str:
    """Returns a JSON string of bounded length.

    Args:
        at_least: Fewest characters (only without ``escapes``).
        at_most: Most characters in a run without an escape.
        unicode: Whether characters beyond printable ASCII are allowed.
        escapes: Whether two JSON escapes, each followed by at most half a run, are allowed.
    """
    char = f"[{UNICODE_CLASS if unicode else ASCII_CLASS}]"
    body = f"{char}{{{at_least},{at_most}}}"
    if escapes:
        body = f"{body} ({ESCAPE} {char}{{0,{at_most // 2}}}){{0,2}}"
    return rf'"\"" {body} "\""'


def _digits(low: str, high: str) -> list[str]:
    """Ranges of equally long digit strings, as concatenated classes without leading prefix."""
    if low == high:
        return [literal(low)]
    if len(low) == 1:
        return [f"[{low}-{high}]"]
    rest = len(low) - 1
    if low[0] == high[0]:
        return [f"{literal(low[0])} {alternatives(_digits(low[1:], high[1:]))}"]
    pieces = []
    first, last = int(low[0]), int(high[0])
    if low[1:] != "0" * rest:
        pieces.append(f"{literal(low[0])} {alternatives(_digits(low[1:], '9' * rest))}")
        first += 1
    tail = high[1:] != "9" * rest
    if first <= last - tail:
        span = f"[{first}-{last - tail}]" if first < last - tail else literal(str(first))
        pieces.append(f"{span} [0-9]{{{rest}}}")
    if tail:
        pieces.append(f"{literal(high[0])} {alternatives(_digits('0' * rest, high[1:]))}")
    return pieces


def natural(low: int, high: int) -> str:
    """Returns the integers ``low..high`` (0 <= low <= high) without leading zeros."""
    pieces = []
    for length in range(len(str(low)), len(str(high)) + 1):
        start = max(low, 0 if length == 1 else 10 ** (length - 1))
        pieces += _digits(str(start), str(min(high, 10**length - 1)))
    return alternatives(pieces)


def integer(low: int, high: int) -> str:
    """Returns the integers ``low..high`` without leading zeros; minus zero is not among them."""
    if low >= 0:
        return natural(low, high)
    minus = f'"-" {natural(max(1, -high), -low)}'
    return minus if high < 0 else alternatives([minus, natural(0, high)])


def number(low: int, high: int, decimals: int) -> str:
    """Returns decimal numbers in ``[low, high]`` with at most ``decimals`` places, no exponent.

    Args:
        low: A whole number, at most ``high``; negative only together with ``high >= 0``.
        high: A whole number, at least 0.
        decimals: The most digits after the point.
    """

    def side(start: int, end: int) -> list[str]:
        whole = [f'{natural(start, end - 1)} ("." [0-9]{{1,{decimals}}})?'] if end > start else []
        return [*whole, f'{literal(str(end))} ("." "0"{{1,{decimals}}})?']

    pieces = side(max(low, 0), high)
    if low < 0:
        pieces.append(f'"-" {alternatives(side(0, -low))}')
    return alternatives(pieces)

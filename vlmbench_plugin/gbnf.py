r"""GBNF pieces: literals, counted strings, bounded numbers.

All repetition is bounded. A string is a chain of rules, one for each number of characters that are
still free, of which each may close the string: ``text-2 ::= "\"" | ascii text-1``. Two states are
then all that an engine has to follow. The same language as a counted repetition costs xgrammar
30 to 100 times more a mask (0.7-2.5 ms instead of 0.02 on real answers), and one of more than 128
characters makes it refuse tokens that its own mask let through. Classes are positive, since from a
negated one xgrammar emits encoded surrogates. The text is the dialect that llama.cpp, xgrammar and
llguidance all read, so characters stand raw in a class instead of as ``\u`` escapes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from vlmbench_plugin.core import Frame

ASCII_CLASS = r" !#-Z\[\]^-~"
UNICODE_CLASS = ASCII_CLASS + "\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff"
ESCAPE = r'"\\" ["\\/bfnrt]'
COMMA = '"," " "?'
QUOTE = r'"\""'


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


def string(rules: Rules, at_least: int, at_most: int, *, unicode: bool, escapes: int) -> str:
    """Returns a JSON string of bounded length.

    Args:
        rules: Takes the rules of the chain.
        at_least: Fewest characters; all but the last of them are no escapes.
        at_most: Most characters; an escape counts as the one character that it stands for.
        unicode: Whether characters beyond printable ASCII are allowed.
        escapes: How many of the characters, at most ``at_most``, may be JSON escapes. After each at
            most half of ``at_most`` remains: a rule takes 0.03 to 0.05 seconds to compile, and the
            whole again for each escape would make 240 of them for a line of 80 characters.
    """
    char = rules.define(
        "unicode" if unicode else "ascii", f"[{UNICODE_CLASS if unicode else ASCII_CLASS}]"
    )
    escape = rules.define("escape", ESCAPE) if escapes else ""
    half = at_most // 2
    chain: dict[tuple[int, int], str] = {}
    for left in range(escapes + 1):
        chain[0, left] = QUOTE
        spent = escapes - left
        for room in range(1, (half - spent + 1 if spent else at_most) + 1):
            least = 0 if spent else max(0, at_least - (at_most - room))
            options = [] if least else [QUOTE]
            options.append(f"{char} {chain[room - 1, left]}")
            if left and least <= 1:
                options.append(f"{escape} {chain[min(room - 1, half), left - 1]}")
            name = f"{'unicode-' if unicode else ''}text-{room}"
            name += f"-least-{least}" if least else ""
            name += f"-escapes-{left}-of-{half}" if left else ""
            chain[room, left] = rules.define(name, " | ".join(options))
    return f"{QUOTE} {chain[at_most, escapes]}"


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

"""How sure a model was of the values in its JSON answer: log probabilities of their tokens."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from vlmbench_plugin.core import Json
from vlmbench_plugin.parsing import read

_THOUGHT = "</think>"
# In valid JSON a string is a key exactly where a colon follows it.
_SCALAR = re.compile(
    r'"(?P<text>(?:[^"\\]|\\.)*+)"(?P<key>\s*+:)?|(?P<bare>-?\d[\d.eE+-]*+|true|false|null)'
)
_OPENING = re.compile(r'[\[{]|(?<!\S)["\dtfn-]')
_DECODER = json.JSONDecoder()

OPENINGS = 256
"""Places that are tried for the value; unclosed brackets cost a scan of the rest each."""


def value_logprob(
    pieces: Sequence[bytes], logprobs: Sequence[float], *, finished: bool
) -> dict[str, float] | None:
    """The mean and the least log probability of the tokens of an answer's leaf values.

    Leaf values are strings without their quotes, numbers, booleans and null; keys and punctuation
    are left out. A token counts if it holds a character of a value, whatever else it holds.

    Args:
        pieces: UTF-8 bytes of each token, the stop token left out; a character may straddle tokens.
        logprobs: The natural log probability of each token.
        finished: Whether the model ended by itself.

    Returns:
        ``mean`` and ``min``; None where the answer cannot be read, or holds no leaf value.
    """
    spans = list(_spans(pieces))
    text = "".join(part for _, _, part in spans)
    parsed = read(text, finished=finished)
    found = None if parsed.status == "none" else _locate(text, parsed.value)
    if found is None:
        return None
    inside = _marked(leaf_spans(text, *found), len(text))
    chosen = [
        logprob
        for logprob, (start, end, _) in zip(logprobs, spans, strict=True)
        if any(inside[start:end])
    ]
    if not chosen:
        return None
    return {"mean": sum(chosen) / len(chosen), "min": min(chosen)}


def leaf_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yields the characters [from, to) of each leaf value of the JSON text in [start, end)."""
    for scalar in _SCALAR.finditer(text, start, end):
        if scalar["key"] is None:
            yield scalar.span("bare" if scalar["text"] is None else "text")


def _spans(pieces: Iterable[bytes]) -> Iterator[tuple[int, int, str]]:
    """Yields the characters [from, to) that each token holds at least a byte of, and what it ends.

    Bytes that are no UTF-8 read as replacement characters, as tokenizers decode them.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    position = 0
    for piece in pieces:
        part = decoder.decode(piece)
        begun = len(part) + bool(decoder.getstate()[0])
        yield position, position + begun, part
        position += len(part)


def _locate(text: str, value: Json) -> tuple[int, int] | None:
    """Where in the text the value is that was read from it: its first occurrence as JSON."""
    answer = max(text.rfind(_THOUGHT), 0)
    for begin in dict.fromkeys((answer, 0)):
        for opening in islice(_OPENING.finditer(text, begin), OPENINGS):
            try:
                found, end = _DECODER.raw_decode(text, opening.start())
            except (ValueError, RecursionError):
                continue
            if found == value:
                return opening.start(), end
    return None


def _marked(spans: Iterable[tuple[int, int]], length: int) -> bytearray:
    """One byte a character: 1 within a span."""
    marks = bytearray(length + 1)
    for start, end in spans:
        marks[start:end] = b"\x01" * (end - start)
    return marks

"""Which tokens of an answer are its values, by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench_plugin.runners._values import leaf_spans, value_logprob

LOGPROBS = (-1.0, -2.0, -4.0, -8.0, -16.0, -32.0, -64.0, -128.0)


def counted(*pieces: str | bytes, finished: bool = True) -> list[int] | None:
    """The tokens that count: the logprobs are powers of two, so that their sum tells which."""
    found = value_logprob(
        [piece.encode() if isinstance(piece, str) else piece for piece in pieces],
        LOGPROBS[: len(pieces)],
        finished=finished,
    )
    if found is None:
        return None
    chosen = [
        subset
        for mask in range(1, 1 << len(pieces))
        if (subset := [i for i in range(len(pieces)) if mask >> i & 1])
        and sum(LOGPROBS[i] for i in subset) / len(subset) == found["mean"]
        and LOGPROBS[max(subset)] == found["min"]
    ]
    assert len(chosen) == 1
    return chosen[0]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (('{"', "label", '": "', "red", '"}'), [3]),
        (('{"label": "', "r", "ed", '"}'), [1, 2]),
        (('{"n":', " ", "1", "2", ",", ' "m": ', "-0.5", "}"), [2, 3, 6]),
        (('{"a": [', "true", ", ", "null", "]}"), [1, 3]),
        # A token that straddles counts when it holds a character of a value.
        (('{"label": "r', "ed", '"}'), [0, 1]),
        (('{"label": "', "red", ' cat"}'), [1, 2]),
        # An escaped quote does not end a string, and a colon inside one makes no key.
        (('{"a": "', 'x\\"', ': y"', "}"), [1, 2]),
        (('{"a"', ' :"', "b", '":1}'), None),
        (('{"a"', ' :"', "b", '"}'), [2]),
        # Characters may straddle tokens, and each of these holds a part.
        (('{"a": "', b"\xe6\xbc", b"\xa2", '"}'), [1, 2]),
        (('{"a": "x', b"\xf0", b"\x9f\x99", b"\x82y", '"}'), [0, 1, 2, 3]),
        # A bare value counts too, and in prose and fences only the answer does.
        (("4", "2"), [0, 1]),
        (("red 7 ", '{"a": ', "7", "}", " it is 7"), [2]),
        (("```json\n", '{"a": ', "7", "}\n```"), [2]),
        (("<think>", '{"a": 1}', "</think>", '{"a": ', "1", "}"), [4]),
    ],
)
def test_the_tokens_of_values_count(pieces: Sequence[str | bytes], expected: list[int]) -> None:
    assert counted(*pieces) == expected


@pytest.mark.parametrize(
    "pieces",
    [
        ("no", " JSON"),
        ('{"a": ', "1"),
        ('{"a": ', "[]", "}"),
        ('{"a": "', '"}'),
        ('{"a": 1, "a": 2}',),
        (b'{"a": "', b"\xff"),
        (),
    ],
)
def test_without_an_answer_or_a_value_there_is_no_figure(pieces: Sequence[str | bytes]) -> None:
    assert counted(*pieces) is None
    assert counted(*pieces, finished=False) is None


def test_the_stop_tokens_and_logprobs_must_match() -> None:
    with pytest.raises(ValueError, match="argument"):
        value_logprob([b'{"a": ', b"1}"], [-1.0], finished=True)


def test_thousands_of_unclosed_brackets_are_read_in_no_time() -> None:
    pieces = [b"[1, "] * 20_000 + [b'{"a": 1}']
    assert value_logprob(pieces, [-1.0] * len(pieces), finished=True) is None


SCALARS = st.one_of(st.text(), st.integers(), st.booleans(), st.none())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for member in value.values() for leaf in leaves(member)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


@given(value=VALUES)
def test_the_spans_are_the_leaves_in_order(value: object) -> None:
    text = json.dumps(value)
    found = []
    for start, end in leaf_spans(text, 0, len(text)):
        quoted = text[start - 1 : start] == '"'
        found.append(json.loads(text[start - quoted : end + quoted]))
    assert found == leaves(value)

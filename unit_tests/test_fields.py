from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from unit_tests.gbnf_regex import accepts, longest
from unit_tests.strategies import answers
from vlmbench_plugin import gbnf
from vlmbench_plugin.core import FRAMES, Frame
from vlmbench_plugin.errors import FieldError
from vlmbench_plugin.fields import (
    Artifacts,
    artifacts,
    boolean,
    box,
    choice,
    integer,
    label,
    list_of,
    number,
    point,
    polygon,
    text,
)
from vlmbench_plugin.nodes import Node

VOCABULARY = {"label": ("red circle", 'five "star" sign', "back\\slash")}


def build(node: Node, frame: Frame = "norm_0_1000", rule: str = "open") -> Artifacts:
    return artifacts({"v": node}, VOCABULARY, frame, rule)  # type: ignore[arg-type]  # parametrised


def verdicts(built: Artifacts, raw: str) -> tuple[bool, bool, bool]:
    """(grammar, pydantic, JSON Schema) on the object ``{"v": raw}``."""
    text_ = f'{{"v": {raw}}}'
    value = json.loads(text_)
    try:
        built.model.model_validate(value)
        valid = True
    except ValidationError:
        valid = False
    schema_valid = jsonschema.Draft202012Validator(built.json_schema).is_valid(value)
    return accepts(built.gbnf, text_), valid, schema_valid


# (node, raw JSON) that all three accept.
ACCEPTED: list[tuple[Node, str]] = [
    (text(5), '""'),
    (text(5), '"a b c"'),
    (text(5, at_least=2), '"ab"'),
    (text(4, unicode=True), '"\u00e9\u4e2d\U0001f600~"'),
    (text(7, escapes=True), r'"abc\nd\"e"'),
    (text(2, escapes=True), r'"\\\n"'),
    (text(1, escapes=True), r'"\n"'),
    (text(3, at_least=2, escapes=True), r'"a\n"'),
    (text(8, escapes=True), r'"abc\nefgh"'),
    (text(0), '""'),
    (label("label"), '"x"'),
    (choice("a", "b"), '"b"'),
    (boolean(), "false"),
    (integer(0, 99), "0"),
    (integer(0, 99), "99"),
    (integer(-7, 120), "-7"),
    (integer(-7, 120), "120"),
    (number(0, 1), "1"),
    (number(0, 1), "0.1234"),
    (number(-180, 180), "-179.9999"),
    (number(-180, 180), "180.0"),
    (box(), "[0, 1000, 5, 37]"),
    (point(), "[0,1000]"),
    (polygon(4), "[[0, 0], [1, 1], [2, 2]]"),
    (polygon(4), "[[0,0],[1,1],[2,2], [1000, 1000]]"),
    (list_of(integer(0, 9), 3), "[]"),
    (list_of(integer(0, 9), 3), "[1, 2,3]"),
    (list_of(integer(0, 9), 1), "[]"),
    (list_of(integer(0, 9), 1, at_least=1), "[4]"),
    (list_of(integer(0, 9), 3, at_least=3), "[1,2,3]"),
    (list_of({"a": integer(0, 9), "b": boolean(optional=True)}, 2), '[{"a": 1}]'),
    (list_of({"a": integer(0, 9), "b": boolean(optional=True)}, 2), '[{"a":1,"b":true}]'),
]

# (node, raw JSON) that all three reject.
REJECTED: list[tuple[Node, str]] = [
    (text(5), '"abcdef"'),
    (text(5), "null"),
    (text(5), "5"),
    (text(5, at_least=2), '"a"'),
    (text(3, escapes=True), '"xxxx"'),
    (text(3, escapes=True), r'"xx\nx"'),
    (text(1, escapes=True), r'"\n\n"'),
    (text(3, at_least=2, escapes=True), r'"\n"'),
    (text(0), '"x"'),
    (label("label"), '""'),
    (choice("a", "b"), '"c"'),
    (choice("a", "b"), '"A"'),
    (boolean(), "0"),
    (boolean(), '"true"'),
    (integer(0, 99), "100"),
    (integer(0, 99), "-1"),
    (integer(0, 99), "1.5"),
    (integer(0, 99), '"1"'),
    (integer(-7, 120), "-8"),
    (integer(-7, 120), "121"),
    (number(0, 1), "1.0001"),
    (number(0, 1), "-0.1"),
    (number(0, 1), "true"),
    (number(-180, 180), "180.0001"),
    (box(), "[1, 2, 3]"),
    (box(), "[1, 2, 3, 4, 5]"),
    (box(), "[1, 2, 3, -10000]"),
    (box(), '[1, 2, 3, "4"]'),
    (point(), "[1, 100000]"),
    (polygon(4), "[[0, 0], [1, 1]]"),
    (polygon(4), "[[0,0],[1,1],[2,2],[3,3],[4,4]]"),
    (polygon(4), "[[0,0],[1,1],[2,2,2]]"),
    (list_of(integer(0, 9), 3), "[1, 2, 3, 4]"),
    (list_of(integer(0, 9), 3, at_least=3), "[1, 2]"),
    (list_of({"a": integer(0, 9), "b": boolean(optional=True)}, 2), '[{"b": true}]'),
    (list_of({"a": integer(0, 9), "b": boolean(optional=True)}, 2), '[{"a": 1, "c": 1}]'),
    (list_of({"a": integer(0, 9), "b": boolean(optional=True)}, 2), '[{"a": 1, "b": null}]'),
]

# (node, raw JSON, who rejects, why the others cannot): (grammar, pydantic, JSON Schema).
DIFFER: list[tuple[Node, str, tuple[bool, bool, bool]]] = [
    # JSON Schema counts 1.0 as an integer; Pydantic in strict mode and the grammar do not.
    (integer(0, 99), "1.0", (False, False, True)),
    # multipleOf on decimals is not exact in binary floating point, so JSON Schema leaves it out.
    (number(0, 1), "0.12345", (False, False, True)),
    (box(), "[1.23456, 2, 3, 4]", (False, False, True)),
    # The grammar is narrower: the integers of the frame.
    (box(), "[-5, 2.5, 1001, 4]", (False, True, True)),
    # ... printable ASCII where a field does not ask for more,
    (text(5), '"\u00e9"', (False, True, True)),
    # ... no escapes where a field does not ask for them,
    (text(5), r'"\n"', (False, True, True)),
    # ... two at most where it does,
    (text(5, escapes=True), r'"\n\n\n"', (False, True, True)),
    # ... and none so early that half of the length or the fewest characters come after it,
    (text(8, escapes=True), r'"ab\nefghi"', (False, True, True)),
    (text(3, at_least=2, escapes=True), r'"\na"', (False, True, True)),
    # ... and no exponents.
    (number(0, 1), "1e-1", (False, True, True)),
]


@pytest.mark.parametrize(("node", "raw"), ACCEPTED)
def test_accepted_by_all(node: Node, raw: str) -> None:
    assert verdicts(build(node), raw) == (True, True, True)


@pytest.mark.parametrize(("node", "raw"), REJECTED)
def test_rejected_by_all(node: Node, raw: str) -> None:
    assert verdicts(build(node), raw) == (False, False, False)


@pytest.mark.parametrize(("node", "raw", "expected"), DIFFER)
def test_documented_differences(node: Node, raw: str, expected: tuple[bool, bool, bool]) -> None:
    assert verdicts(build(node), raw) == expected


@pytest.mark.parametrize(("at_least", "at_most"), [(-1, 5), (6, 5), (0, 129)])
def test_lengths_of_text_that_make_no_grammar(at_least: int, at_most: int) -> None:
    with pytest.raises(FieldError, match="at_least <= at_most <= 128"):
        text(at_most, at_least=at_least)


def test_lengths_of_lists_that_make_no_grammar() -> None:
    for at_least, at_most in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(FieldError, match="at_most >= 1"):
            list_of(boolean(), at_most, at_least=at_least)
    with pytest.raises(FieldError, match="at least 3 points, got at most 2"):
        polygon(2)


def test_closed_vocabulary_narrows_the_grammar_alone() -> None:
    built = build(label("label"), rule="closed")
    for name in VOCABULARY["label"]:
        assert verdicts(built, json.dumps(name)) == (True, True, True)
    assert verdicts(built, '"blue circle"') == (False, True, True)


@pytest.mark.parametrize(
    ("frame", "inside", "outside"),
    [
        ("norm_0_1000", "[0, 1000]", "[0, 1001]"),
        ("norm_0_1", "[0.1234, 1]", "[0.5, 1.5]"),
        ("pixel", "[0, 9999]", "[0, 10000]"),
        ("pixel_resized", "[28, 9999]", "[28.5, 3]"),
    ],
)
def test_the_frame_narrows_the_grammar_alone(frame: Frame, inside: str, outside: str) -> None:
    built = build(point(), frame)
    assert verdicts(built, inside) == (True, True, True)
    assert verdicts(built, outside) == (False, True, True)


def test_white_space_is_one_optional_space_after_colon_and_comma() -> None:
    grammar = build(list_of(integer(0, 9), 3)).gbnf
    assert accepts(grammar, '{"v":[1,2]}')
    assert accepts(grammar, '{"v": [1, 2]}')
    for spaced in ('{ "v": [1]}', '{"v":  [1]}', '{"v": [ 1]}', '{"v": [1 ,2]}', '{"v": [1]} '):
        assert not accepts(grammar, spaced)


@given(low=st.integers(-3000, 3000), span=st.integers(0, 3000), value=st.integers(-7000, 7000))
def test_integer_ranges_against_comparison(low: int, span: int, value: int) -> None:
    grammar = f"root ::= {gbnf.integer(low, low + span)}"
    assert accepts(grammar, str(value)) == (low <= value <= low + span)
    assert not accepts(grammar, "0" + str(abs(value)))


@given(
    high=st.integers(0, 400), low=st.integers(-400, 0), scaled=st.integers(-5_000_000, 5_000_000)
)
def test_number_ranges_against_comparison(high: int, low: int, scaled: int) -> None:
    grammar = f"root ::= {gbnf.number(low, high, 4)}"
    value = scaled / 10_000
    spelled = f"{value:.4f}"
    assert accepts(grammar, spelled) == (low <= value <= high or (spelled == "-0.0000" and low < 0))


TREE = {
    "items": list_of(
        {"label": label("label"), "box": box(), "score": number(0, 1, optional=True)}, 5
    ),
    "ring": polygon(6),
    "kind": choice("x", "longer"),
    "flag": boolean(optional=True),
    "count": integer(-3, 250),
    "note": text(12),
}


@pytest.mark.parametrize("rule", ["open", "closed"])
@pytest.mark.parametrize("frame", FRAMES)
def test_longest_is_the_width_of_the_language(frame: Frame, rule: Any) -> None:
    built = artifacts(TREE, VOCABULARY, frame, rule)
    # Signs and zeros that one number cannot have at once make the bound a little generous.
    width = longest(built.gbnf)
    assert width <= built.longest_bytes <= width * 1.02 + 8


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_drawn_answers_are_accepted_by_all(data: st.DataObject) -> None:
    built = artifacts(TREE, VOCABULARY, "norm_0_1000", "closed")
    value = data.draw(answers(built.root))
    for separators in ((", ", ": "), (",", ":")):
        dumped = json.dumps(value, separators=separators)
        assert accepts(built.gbnf, dumped)
        assert len(dumped.encode()) <= built.longest_bytes
    built.model.model_validate(value)
    jsonschema.Draft202012Validator(built.json_schema).validate(value)


def test_map_points_moves_positions_alone() -> None:
    built = artifacts(TREE, VOCABULARY, "norm_0_1000", "open")
    value = {
        "items": [{"label": "a", "box": [1, 2, 3, 4]}],
        "ring": [[1, 2], [3, 4], [5, 6]],
        "kind": "x",
        "count": 7,
        "note": "n",
    }
    moved = built.root.map_points(value, lambda x, y: (x * 10, y + 1))
    assert moved == value | {
        "items": [{"label": "a", "box": [10, 3, 30, 5]}],
        "ring": [[10, 3], [30, 5], [50, 7]],
    }


@pytest.mark.parametrize(
    ("node", "full", "room"),
    [
        (list_of(integer(0, 9), 2), [1, 2], [1]),
        (text(3), "abc", "ab"),
        (polygon(3), [[0, 0], [1, 0], [1, 1]], None),
        (list_of(integer(0, 9), 3, at_least=3), None, [1, 2, 3]),
        (list_of({"t": text(2)}, 3), [{"t": "ab"}], [{"t": "a"}]),
        (integer(0, 9), None, 9),
    ],
)
def test_is_full(node: Node, full: Any, room: Any) -> None:
    assert full is None or node.is_full(full)
    assert room is None or not node.is_full(room)


def test_errors_say_what_is_missing() -> None:
    with pytest.raises(FieldError, match="vocabulary 'style'"):
        artifacts({"s": choice(vocabulary="style")}, {}, "pixel", "closed")
    with pytest.raises(FieldError, match="ASCII names"):
        artifacts({"s": label("label")}, {"label": ("caf\u00e9",)}, "pixel", "closed")
    with pytest.raises(FieldError, match="first field is required"):
        artifacts({"s": boolean(optional=True)}, {}, "pixel", "closed")


def test_the_same_fields_share_their_artifacts() -> None:
    first = artifacts(TREE, VOCABULARY, "pixel", "closed")
    assert artifacts(dict(TREE), dict(VOCABULARY), "pixel", "closed") is first

"""Drawn answers are accepted by all artifacts, spoilt ones rejected by all that can tell."""

from __future__ import annotations

import json
from collections.abc import Mapping

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from unit_tests.artifacts.cases import built, dump, example
from unit_tests.artifacts.mutations import mutations
from unit_tests.gbnf_regex import accepts
from unit_tests.strategies import answers
from vlmbench_plugin.categories import CATEGORIES
from vlmbench_plugin.core import FRAMES, Frame, VocabularyRule
from vlmbench_plugin.fields import Artifacts

each_task = pytest.mark.parametrize("category", CATEGORIES)
each_rule = pytest.mark.parametrize("rule", ["open", "closed"])

NARROWER = (False, True, True)
EXCEPTIONS: Mapping[str, tuple[bool, bool, bool]] = {
    # Kind of mutation -> (grammar, Pydantic, JSON Schema); all others are rejected by all three.
    # The grammar is narrower on purpose: it writes one canonical form.
    "trailing white space": NARROWER,
    "leading white space": NARROWER,
    "indented": NARROWER,
    "two spaces": NARROWER,
    "space before a colon": NARROWER,
    "other order": NARROWER,
    "name outside the vocabulary": NARROWER,
    "beyond the frame": NARROWER,
    "beyond ASCII": NARROWER,
    "one escape too many": NARROWER,
    "escape too early": NARROWER,
    "Unicode escape": NARROWER,
    "exponent": NARROWER,
    # `json.loads` keeps the last of two equal keys; our own reading (parsing.py) refuses them.
    "doubled key": NARROWER,
    # JSON Schema has no rule on decimals that is exact in binary floating point.
    "five decimals": (False, False, True),
    # JSON Schema counts 1.0 as an integer.
    "integer with a point": (False, False, True),
    "exponent of an integer": (False, False, True),
    # `json.loads` takes NaN for a number, which is neither below nor above any bound.
    "not a number": (False, False, True),
    # A Python string may hold half a pair, UTF-8 may not.
    "half a surrogate pair": (False, False, True),
}


def verdicts(artifacts: Artifacts, text: str) -> tuple[bool, bool, bool]:
    """(grammar, Pydantic, JSON Schema)."""
    grammar = accepts(artifacts.gbnf, text)
    try:
        value = json.loads(text)
    except ValueError:
        return grammar, False, False
    try:
        artifacts.model.model_validate(value)
        valid = True
    except ValidationError:
        valid = False
    return grammar, valid, jsonschema.Draft202012Validator(artifacts.json_schema).is_valid(value)


@each_rule
@each_task
def test_spoilt_answers(category: str, rule: VocabularyRule) -> None:
    artifacts = built(category, rule)
    value = example(artifacts.root)
    assert verdicts(artifacts, dump(value)) == (True, True, True)
    seen = set()
    for kind, text in mutations(artifacts.root, value):
        seen.add(kind)
        expected = EXCEPTIONS.get(kind, (False, False, False))
        assert verdicts(artifacts, text) == expected, (kind, text)
    assert {"extra key", "missing key", "wrong type", "trailing text", "indented"} <= seen


def test_every_exception_occurs() -> None:
    seen = {
        kind
        for category in CATEGORIES
        for rule in ("open", "closed")
        for kind, _ in mutations(built(category, rule).root, example(built(category, rule).root))
    }
    assert set(EXCEPTIONS) <= seen


@pytest.mark.parametrize("frame", FRAMES)
@each_rule
@each_task
@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_drawn_answers(
    category: str, rule: VocabularyRule, frame: Frame, data: st.DataObject
) -> None:
    artifacts = built(category, rule, frame)
    value = data.draw(answers(artifacts.root, frame))
    for separators in ((", ", ": "), (",", ":")):
        text = json.dumps(value, ensure_ascii=False, separators=separators)
        assert verdicts(artifacts, text) == (True, True, True)
        assert len(text.encode()) <= artifacts.longest_bytes

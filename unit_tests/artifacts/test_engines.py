"""Two engines and our own reading of a grammar agree on legal and on spoilt answers."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unit_tests.artifacts.cases import built, dump, example, truths
from unit_tests.artifacts.engines import llguidance_accepts, xgrammar_accepts
from unit_tests.artifacts.mutations import mutations
from unit_tests.gbnf_regex import accepts
from unit_tests.strategies import answers
from vlmbench_plugin.categories import CATEGORIES
from vlmbench_plugin.core import FRAMES, Frame, VocabularyRule

each_task = pytest.mark.parametrize("category", CATEGORIES)
each_rule = pytest.mark.parametrize("rule", ["open", "closed"])


def assert_agree(grammar: str, text: str) -> None:
    expected = accepts(grammar, text)
    assert xgrammar_accepts(grammar, text) == expected, text
    assert llguidance_accepts(grammar, text) == expected, text


@each_rule
@each_task
def test_the_engines_agree_on_spoilt_answers(category: str, rule: VocabularyRule) -> None:
    artifacts = built(category, rule)
    value = example(artifacts.root)
    for _, text in [("", dump(value)), *mutations(artifacts.root, value)]:
        # Half a surrogate pair is written as an escape; nothing here is not UTF-8.
        assert_agree(artifacts.gbnf, text)


@each_task
def test_the_engines_take_truths_and_refuse_their_beginnings(category: str) -> None:
    grammar = built(category, "closed").gbnf
    (text,) = truths(category, 1)
    assert accepts(grammar, text)
    for end in {len(text), len(text) - 1, len(text) // 2, 1, 0}:
        assert_agree(grammar, text[:end])


@pytest.mark.parametrize("frame", FRAMES)
@each_task
@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_engines_take_drawn_answers(category: str, frame: Frame, data: st.DataObject) -> None:
    artifacts = built(category, "open", frame)
    text = dump(data.draw(answers(artifacts.root, frame)))
    assert accepts(artifacts.gbnf, text)
    assert_agree(artifacts.gbnf, text)

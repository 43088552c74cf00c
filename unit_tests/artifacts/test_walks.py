"""Whatever the model wants, the real vocabularies and our masks give a complete legal answer."""

from __future__ import annotations

import json
from collections.abc import Callable

import jsonschema
import pytest

from tools.qwen_tokenizer import FAMILIES
from unit_tests.artifacts.cases import built, truths
from unit_tests.artifacts.walks import TASTES, RealVocabulary, walk
from unit_tests.gbnf_regex import accepts
from vlmbench_plugin.categories import CATEGORIES
from vlmbench_plugin.core import FRAMES, Frame, VocabularyRule
from vlmbench_plugin.fields import Artifacts, artifacts, list_of, number, polygon, text

FEW = ("subject_fixation", "vit_accuracy_to_prompt", "camera_rotational_offset")


def assert_walk(real: RealVocabulary, made: Artifacts, taste: str, seed: int = 0) -> bytes:
    """Walks once, asserts that the answer is legal in every way; returns its bytes."""
    budget = made.longest_bytes + 1
    ids = walk(real, real.masks.compile(made.gbnf), budget, taste, seed)
    *inner, last = ids
    assert last in real.stops
    assert not set(inner) & set(real.tokenizer.added_tokens_decoder)
    assert max(inner) < len(real.tokenizer)
    raw = b"".join(real.spelled[token] for token in inner)
    assert len(raw) <= made.longest_bytes
    answer = raw.decode("utf-8", errors="strict")
    assert answer == real.tokenizer.decode(inner, skip_special_tokens=True)
    value = json.loads(answer)
    made.model.model_validate(value)
    jsonschema.Draft202012Validator(made.json_schema).validate(value)
    assert accepts(made.gbnf, answer)
    return raw


def test_the_vocabulary_is_the_real_one(vocabulary_of: Callable[[str], RealVocabulary]) -> None:
    real = vocabulary_of("qwen3")
    assert len(real.tokenizer) == 151_669
    assert real.stops == (151_645, 151_643)
    # Ids that the transformers library publishes in its own test of this tokenizer.
    assert real.tokenizer.encode("This is a test") == [1986, 374, 264, 1273]
    assert real.tokenizer.convert_tokens_to_ids("<|image_pad|>") == 151_655


@pytest.mark.parametrize("taste", TASTES)
@pytest.mark.parametrize("category", FEW)
def test_few_walks(
    vocabulary_of: Callable[[str], RealVocabulary], category: str, taste: str
) -> None:
    assert_walk(vocabulary_of("qwen3"), built(category, "closed"), taste)


def test_walks_through_escapes_and_unicode(
    vocabulary_of: Callable[[str], RealVocabulary],
) -> None:
    fields = {"v": list_of(text(9, at_least=2, unicode=True, escapes=True), 3)}
    made = artifacts(fields, {}, "pixel", "open")
    texts = [
        assert_walk(vocabulary_of("qwen3"), made, taste, seed)
        for taste in TASTES
        for seed in range(4)
    ]
    assert any(b"\\" in raw for raw in texts)
    assert any(not raw.isascii() for raw in texts)


def test_a_walk_that_never_closes_fills_every_bound(
    vocabulary_of: Callable[[str], RealVocabulary],
) -> None:
    made = artifacts({"v": list_of({"t": text(20)}, 4), "p": polygon(5)}, {}, "pixel", "open")
    value = json.loads(assert_walk(vocabulary_of("qwen3"), made, "never closes"))
    assert [len(item["t"]) for item in value["v"]] == [20] * 4
    assert len(value["p"]) == 5


@pytest.mark.parametrize("frame", FRAMES)
def test_walks_in_every_frame(vocabulary_of: Callable[[str], RealVocabulary], frame: Frame) -> None:
    made = artifacts({"p": polygon(4), "n": number(-180, 180)}, {}, frame, "open")
    for taste in TASTES:
        assert_walk(vocabulary_of("qwen3"), made, taste)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rule", ["closed", "open"])
@pytest.mark.parametrize("category", CATEGORIES)
def test_all_walks(
    vocabulary_of: Callable[[str], RealVocabulary],
    category: str,
    rule: VocabularyRule,
    family: str,
) -> None:
    real = vocabulary_of(family)
    for taste in TASTES:
        assert_walk(real, built(category, rule), taste)
    assert_walk(real, built(category, rule), "random", seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("category", CATEGORIES)
def test_the_masks_let_every_truth_through(
    vocabulary_of: Callable[[str], RealVocabulary], category: str, family: str
) -> None:
    real = vocabulary_of(family)
    compiled = real.masks.compile(built(category, "closed").gbnf)
    for truth in truths(category, 6):
        mask = real.masks.rows([compiled])
        # `accept` raises where the grammar refuses a token.
        for token in [*real.tokenizer.encode(truth), real.stops[0]]:
            mask.accept(0, token)

"""Masks and the decoding loop, driven by made-up logits on the packaged tokenizer."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from unit_tests.tiny_models import ASSET, ENOUGH, GRAMMAR, LEGAL
from vlmbench_plugin.errors import RunnerError
from vlmbench_plugin.runners._decoding import LOOP_CHECK_EVERY, Limits, decode
from vlmbench_plugin.runners._grammar import GrammarMasks, allowed_ids, packed_bits

PADDING = 31
ANY_TEXT = 'root ::= "\\"" [ -!#-~]{0,20} "\\""'


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(ASSET)


@pytest.fixture(scope="module")
def width(tokenizer: Any) -> int:
    return len(tokenizer) + PADDING


@pytest.fixture(scope="module")
def stops(tokenizer: Any) -> tuple[int, ...]:
    return (tokenizer.eos_token_id, tokenizer.pad_token_id)


@pytest.fixture(scope="module")
def masks(tokenizer: Any, width: int, stops: tuple[int, ...]) -> GrammarMasks:
    return GrammarMasks(tokenizer, width, stops)


def saying(logits: Callable[[int], torch.Tensor]) -> Callable[..., Any]:
    """A model whose logits, of shape (rows, vocabulary), depend on the step alone."""
    steps = iter(range(10_000))

    def model(**_: Any) -> Any:
        return SimpleNamespace(logits=logits(next(steps))[:, None], past_key_values=None)

    return model


def prompt(rows: int = 1) -> dict[str, torch.Tensor]:
    return {"input_ids": torch.zeros((rows, 4), dtype=torch.long)}


@pytest.mark.parametrize("grammar", [GRAMMAR, ANY_TEXT])
def test_a_model_that_wants_control_tokens_gets_none(
    tokenizer: Any, width: int, stops: tuple[int, ...], masks: GrammarMasks, grammar: str
) -> None:
    added = set(tokenizer.added_tokens_decoder)
    unwanted = sorted((added | set(range(len(tokenizer), width))) - set(stops))
    logits = torch.zeros((1, width))
    logits[0, unwanted] = 50.0
    mask = masks.mask(masks.compile(grammar))
    (row,) = decode(
        saying(lambda _: logits.clone()), prompt(), Limits(budget=99, stop_ids=stops), mask
    )
    assert row.finish_reason == "stop"
    assert not set(row.ids[:-1]) & (added | set(unwanted))
    assert row.ids[-1] in stops


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_whatever_the_logits_the_answer_is_legal_and_within_its_bytes(
    tokenizer: Any, width: int, stops: tuple[int, ...], masks: GrammarMasks, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    model = saying(lambda _: torch.randn((2, width), generator=generator))
    mask = masks.mask(masks.compile(GRAMMAR), 2)
    for row in decode(model, prompt(2), Limits(budget=ENOUGH, stop_ids=stops), mask):
        assert row.finish_reason == "stop"
        assert re.fullmatch(LEGAL, tokenizer.decode(row.ids[:-1]))


def test_the_allowed_ids_are_text_and_stops(
    tokenizer: Any, width: int, stops: tuple[int, ...]
) -> None:
    ids = allowed_ids(tokenizer, width, stops)
    names = set(tokenizer.convert_ids_to_tokens(ids))
    assert {"<|im_end|>", "<|endoftext|>", "red"} <= names
    assert not {"<|image_pad|>", "<think>", "</think>", "<|im_start|>"} & names
    assert max(ids) < len(tokenizer)
    assert len(ids) == len(tokenizer) - len(tokenizer.added_tokens_decoder) + len(stops)


@given(ids=st.sets(st.integers(0, 99)))
def test_packed_bits_are_those_of_the_set(ids: set[int]) -> None:
    words = packed_bits(ids, 100)
    assert words.dtype == torch.int32
    assert words.shape == (4,)
    found = {i for i in range(128) if int(words[i // 32]) >> (i % 32) & 1}
    assert found == ids


def test_a_token_outside_the_grammar_is_an_error_and_not_an_answer(masks: GrammarMasks) -> None:
    mask = masks.mask(masks.compile(GRAMMAR))
    with pytest.raises(RunnerError, match="refused token 0"):
        mask.accept(0, 0)


def test_free_rows_end_each_by_itself(width: int, stops: tuple[int, ...]) -> None:
    script = [[7, 8], [stops[0], 9], [11, 10], [12, stops[1]], [13, 14]]

    def logits(step: int) -> torch.Tensor:
        return torch.nn.functional.one_hot(torch.tensor(script[step]), width).float()

    rows = decode(saying(logits), prompt(2), Limits(budget=9, stop_ids=stops), None)
    assert [row.ids for row in rows] == [[7, stops[0]], [8, 9, 10, stops[1]]]
    assert [row.finish_reason for row in rows] == ["stop", "stop"]


@pytest.mark.parametrize(
    ("length", "looping", "reason"),
    [
        (LOOP_CHECK_EVERY, True, "loop"),
        (LOOP_CHECK_EVERY, False, None),
        (LOOP_CHECK_EVERY + 1, True, None),
        (5 * LOOP_CHECK_EVERY, True, "length"),
        (5 * LOOP_CHECK_EVERY - 1, True, None),
    ],
)
def test_limits(length: int, looping: bool, reason: str | None) -> None:
    limits = Limits(
        budget=5 * LOOP_CHECK_EVERY, stop_ids=frozenset({3}), is_looping=lambda _: looping
    )
    assert limits.reason([1] * length) == reason
    assert limits.reason([1] * (length - 1) + [3]) == "stop"

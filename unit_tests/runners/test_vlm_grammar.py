"""Masks and the decoding loop, driven by made-up logits on the packaged tokenizer."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoTokenizer

from unit_tests.tiny_models import ASSET, ENOUGH, GRAMMAR, LEGAL
from vlmbench_plugin.errors import RunnerError
from vlmbench_plugin.runners._decoding import LOOP_CHECK_EVERY, Decoding, Limits, Row
from vlmbench_plugin.runners._grammar import (
    SMALL_VOCABULARY,
    GrammarMasks,
    RowMasks,
    allowed_ids,
    packed_bits,
)

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


class Saying:
    """A model whose logits, of shape (rows, vocabulary), depend on the step alone.

    A narrower batch hears the first rows.
    """

    config = AutoConfig.from_pretrained(ASSET)
    model = SimpleNamespace(rope_deltas=0)

    def __init__(self, logits: Callable[[int], torch.Tensor]) -> None:
        self._logits = logits
        self.widths: list[int] = []

    def __call__(self, input_ids: torch.Tensor, **_: Any) -> Any:
        said = self._logits(len(self.widths))[: len(input_ids)]
        self.widths.append(len(input_ids))
        return SimpleNamespace(logits=said[:, None])

    forward = __call__


def decode(
    model: Any, masks: GrammarMasks, limits: Limits, grammars: Sequence[str | None]
) -> list[Row]:
    rows = [
        Row(prompt_tokens=4, limits=limits, grammar=masks.compile(one) if one else None)
        for one in grammars
    ]
    shape = (len(rows), 4)
    prompt = {"input_ids": torch.zeros(shape).long(), "attention_mask": torch.ones(shape).long()}
    ended = [row for step in Decoding(model, rows, masks).run([prompt]) for row in step]
    assert sorted(map(id, ended)) == sorted(map(id, rows))
    return rows


@pytest.mark.parametrize("grammar", [GRAMMAR, ANY_TEXT])
def test_a_model_that_wants_control_tokens_gets_none(
    tokenizer: Any, width: int, stops: tuple[int, ...], masks: GrammarMasks, grammar: str
) -> None:
    added = set(tokenizer.added_tokens_decoder)
    unwanted = sorted((added | set(range(len(tokenizer), width))) - set(stops))
    logits = torch.zeros((1, width))
    logits[0, unwanted] = 50.0
    limits = Limits(budget=99, stop_ids=stops)
    (row,) = decode(Saying(lambda _: logits.clone()), masks, limits, [grammar])
    assert row.finish_reason == "stop"
    assert not set(row.ids[:-1]) & (added | set(unwanted))
    assert row.ids[-1] in stops


def test_masks_of_a_large_vocabulary_are_filled_beside_the_model(
    tokenizer: Any, stops: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = GrammarMasks(tokenizer, SMALL_VOCABULARY + 1, stops)
    where: set[str] = set()
    fill = RowMasks._fill

    def watched(own: RowMasks, rows: list[int]) -> list[int]:
        where.add(threading.current_thread().name)
        return fill(own, rows)

    monkeypatch.setattr(RowMasks, "_fill", watched)
    model = Saying(lambda _: torch.zeros((2, SMALL_VOCABULARY + 1)))
    limits = Limits(budget=ENOUGH, stop_ids=stops)
    for row in decode(model, masks, limits, [GRAMMAR] * 2):
        assert re.fullmatch(LEGAL, tokenizer.decode(row.ids[:-1]))
    assert where == {"masks_0"}
    masks.close()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_whatever_the_logits_the_answer_is_legal_and_within_its_bytes(
    tokenizer: Any, width: int, stops: tuple[int, ...], masks: GrammarMasks, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    model = Saying(lambda _: torch.randn((3, width), generator=generator))
    for row in decode(model, masks, Limits(budget=ENOUGH, stop_ids=stops), [GRAMMAR] * 3):
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
    mask = masks.rows([None, masks.compile(GRAMMAR)])
    mask.accept(0, 0)
    with pytest.raises(RunnerError, match="refused token 0"):
        mask.accept(1, 0)


def test_rows_end_each_by_itself_and_leave_when_a_quarter_of_them_have(
    width: int, stops: tuple[int, ...], masks: GrammarMasks
) -> None:
    stop = stops[0]
    script = [[7, 8, 9, 6, 5], [stop, 8, 9, 6, 5], [1, 8, stop, 6, 5], [8, stop, 5], [2, 5], [3, 5]]

    def logits(step: int) -> torch.Tensor:
        return torch.nn.functional.one_hot(torch.tensor(script[step]), width).float()

    model = Saying(logits)
    rows = decode(model, masks, Limits(budget=6, stop_ids=stops), [None] * 5)
    assert [row.ids for row in rows] == [
        [7, stop],
        [8, 8, 8, 8, 2, 3],
        [9, 9, stop],
        [6, 6, 6, stop],
        [5] * 6,
    ]
    assert [row.finish_reason for row in rows] == ["stop", "length", "stop", "stop", "length"]
    assert model.widths == [5, 5, 5, 3, 2, 2]


def test_free_and_held_rows_share_a_batch(
    tokenizer: Any, width: int, stops: tuple[int, ...], masks: GrammarMasks
) -> None:
    model = Saying(lambda _: torch.eye(width)[[5, 5]])
    limits = Limits(budget=6, stop_ids=stops)
    held, free = decode(model, masks, limits, [GRAMMAR, None])
    assert free.ids == [5] * 6
    assert tokenizer.decode(held.ids).startswith('{"')


def test_log_probabilities_are_those_before_the_mask(
    tokenizer: Any, width: int, stops: tuple[int, ...], masks: GrammarMasks
) -> None:
    brace = tokenizer.encode("{")[0]
    logits = torch.zeros((1, width))
    logits[0, 0] = 3.0  # an exclamation mark, which the grammar forbids
    logits[0, brace] = 1.0
    limits = Limits(budget=1, stop_ids=stops)
    (row,) = decode(Saying(lambda _: logits.clone()), masks, limits, [r'root ::= "{" "x"'])
    assert row.ids == [brace]
    expected = 1.0 - math.log(math.exp(3) + math.exp(1) + width - 2)
    assert row.logprobs == pytest.approx([expected], rel=1e-5)


def test_a_grammar_is_compiled_once_and_beside_the_caller(
    tokenizer: Any, width: int, stops: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = GrammarMasks(tokenizer, width, stops)
    begun, release, compiled = threading.Event(), threading.Event(), []
    compile_grammar = masks._compile

    def slowly(grammar: str) -> Any:
        begun.set()
        assert release.wait(10)
        compiled.append(grammar)
        return compile_grammar(grammar)

    monkeypatch.setattr(masks, "_compile", slowly)
    masks.prepare(GRAMMAR)
    masks.prepare(GRAMMAR)
    assert begun.wait(10)
    assert compiled == []
    release.set()
    assert masks.compile(GRAMMAR) is masks.compile(GRAMMAR)
    assert compiled == [GRAMMAR]
    masks.close()


def test_the_pieces_of_tokens_are_their_bytes(tokenizer: Any, masks: GrammarMasks) -> None:
    text = '{"label": "naïve 漢字 🙂"} <think>'
    pieces = masks.pieces(tokenizer.encode(text))
    assert b"".join(pieces) == text.encode()


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

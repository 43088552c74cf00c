"""Holds every generated token to a grammar, by xgrammar's bit masks over the vocabulary."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from vlmbench_plugin.errors import RunnerError

SMALL_VOCABULARY = 10_000
"""Up to here masks are filled without the thread, whose hand-over then costs more than they do: on
a busy machine 32 answers of the random checkpoint took 0.8 s with it and 0.65 s without."""


class GrammarMasks:
    """Compiles grammars for one model, each once and in the background, and hands out masks.

    xgrammar compiles and fills masks without Python's lock: a thread that counts went on at 1.8 of
    its 2.1 million counts a second beside a compilation, on two cores.

    Args:
        tokenizer: The model's Hugging Face tokenizer.
        vocab_size: Width of the model's logits, which may exceed the tokenizer.
        stop_ids: Tokens that may end an answer.
    """

    def __init__(self, tokenizer: Any, vocab_size: int, stop_ids: Sequence[int]) -> None:
        self._vocab_size = vocab_size
        self._compiling = ThreadPoolExecutor(1, "compile")
        self._filling = ThreadPoolExecutor(1, "masks")
        # 1.5 s for a vocabulary of 151,936.
        self._vocabulary = self._compiling.submit(_vocabulary, tokenizer, vocab_size, stop_ids)
        self._compiled: dict[str, Future[Any]] = {}

    def prepare(self, grammar: str) -> None:
        """Begins to compile a GBNF grammar, unless that has begun."""
        if grammar not in self._compiled:
            self._compiled[grammar] = self._compiling.submit(self._compile, grammar)

    def compile(self, grammar: str) -> Any:
        """A compiled grammar, waited for.

        Raises:
            RunnerError: If it is no grammar.
        """
        self.prepare(grammar)
        return self._compiled[grammar].result()

    def rows(self, compiled: Sequence[Any]) -> RowMasks:
        """Fresh masks for answers that begin now: a compiled grammar each, None for a free one."""
        return RowMasks(compiled, self._vocabulary, self._vocab_size, self._filling)

    def pieces(self, ids: Iterable[int]) -> list[bytes]:
        """The bytes of each token."""
        spelled = self._vocabulary.result().pieces
        return [spelled[token] for token in ids]

    def close(self) -> None:
        """Ends the threads; a compilation that runs is waited for."""
        self._compiling.shutdown(cancel_futures=True)
        self._filling.shutdown(cancel_futures=True)

    def _compile(self, grammar: str) -> Any:
        try:
            return self._vocabulary.result().compiler.compile_grammar(grammar)
        except (RuntimeError, ValueError) as error:
            raise RunnerError(
                f"the grammar does not compile: {error}",
                hint="`qwen-vlmbench schema CATEGORY --format gbnf` prints a task's grammar",
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vocabulary:
    """What masks need to know of a tokenizer: its compiler, its legal ids, its tokens' bytes."""

    compiler: Any
    allowed: Any
    pieces: list[bytes]


def _vocabulary(tokenizer: Any, vocab_size: int, stop_ids: Sequence[int]) -> _Vocabulary:
    import xgrammar

    info = xgrammar.TokenizerInfo.from_huggingface(
        tokenizer, vocab_size=vocab_size, stop_token_ids=list(stop_ids)
    )
    # Half of the processors: the model computes on the others.
    threads = max(1, (os.cpu_count() or 1) // 2)
    return _Vocabulary(
        compiler=xgrammar.GrammarCompiler(info, max_threads=threads),
        allowed=packed_bits(allowed_ids(tokenizer, vocab_size, stop_ids), vocab_size),
        pieces=info.decoded_vocab,
    )


class RowMasks:
    """The grammars' states in the rows of a batch.

    Args:
        compiled: Each row's compiled grammar, or None.
        vocabulary: Of the model; waited for by the first mask.
        vocab_size: Width of the logits.
        filling: The thread that fills masks while the model computes.
    """

    def __init__(
        self,
        compiled: Sequence[Any],
        vocabulary: Future[_Vocabulary],
        vocab_size: int,
        filling: ThreadPoolExecutor,
    ) -> None:
        import torch
        import xgrammar

        self._matchers = [one and xgrammar.GrammarMatcher(one) for one in compiled]
        self._vocabulary = vocabulary
        self._filling = filling
        self._filled: Future[list[int]] | None = None
        if any(self._matchers):
            self._apply = xgrammar.apply_token_bitmask_inplace
            # xgrammar takes half of the processors, one of two: a second thread beside the model
            # made 16 masks of 0.3 ms take 0.6 ms.
            self._batch = xgrammar.BatchGrammarMatcher("auto")
            bits = xgrammar.allocate_token_bitmask(len(compiled), vocab_size)
            self._bits = bits.pin_memory() if torch.cuda.is_available() else bits

    def fill(self, rows: Sequence[int]) -> None:
        """Begins to fill the masks of these rows' next tokens."""
        held = [row for row in rows if self._matchers[row] is not None]
        self._filled = None
        if held and self._bits.shape[1] * 32 > SMALL_VOCABULARY:
            self._filled = self._filling.submit(self._fill, held)
        elif held:
            self._filled = Future()
            self._filled.set_result(self._fill(held))

    def apply(self, logits: Any) -> None:
        """Sets the logits of all illegal next tokens of the filled rows to minus infinity.

        Args:
            logits: float32 of shape (rows, vocabulary), changed in place.
        """
        if self._filled is not None:
            held = self._filled.result()
            self._apply(logits, self._bits.to(logits.device, non_blocking=True), indices=held)

    def accept(self, row: int, token: int) -> None:
        """Moves one row past its next token.

        Raises:
            RunnerError: If its grammar does not allow the token, which a mask rules out.
        """
        matcher = self._matchers[row]
        if matcher is not None and not matcher.accept_token(token):
            raise RunnerError(
                f"the grammar refused token {token}, which its own mask had let through",
                hint="please report this with the model's name and the category",
            )

    def keep(self, rows: Sequence[int]) -> None:
        """Forgets all other rows."""
        self._matchers = [self._matchers[row] for row in rows]

    def _fill(self, rows: list[int]) -> list[int]:
        matchers = [self._matchers[row] for row in rows]
        self._batch.batch_fill_next_token_bitmask(matchers, self._bits, rows)
        self._bits &= self._vocabulary.result().allowed
        return rows


def allowed_ids(tokenizer: Any, vocab_size: int, stop_ids: Iterable[int]) -> list[int]:
    """Ids of ordinary text, and the stop tokens.

    To xgrammar an added token such as ``<|image_pad|>`` is ordinary text that fits into any JSON
    string; decoding may then hide it, or a template may read it as a control token. Ids beyond the
    tokenizer pad the output layer and mean nothing.
    """
    added = set(tokenizer.added_tokens_decoder)
    text = {token for token in tokenizer.get_vocab().values() if token not in added}
    return sorted(token for token in text | set(stop_ids) if token < vocab_size)


def packed_bits(ids: Iterable[int], vocab_size: int) -> Any:
    """The set of ids as xgrammar lays it out: bit i of word w is token 32 w + i.

    Returns:
        An int32 tensor of shape (ceil(vocab_size / 32),).
    """
    import torch

    words = [0] * -(-vocab_size // 32)
    for token in ids:
        words[token // 32] |= 1 << (token % 32)
    # Bit 31 is the sign of an int32.
    return torch.tensor([word - (word >> 31 << 32) for word in words], dtype=torch.int32)

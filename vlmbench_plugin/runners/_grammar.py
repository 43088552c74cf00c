"""Holds every generated token to a grammar, by xgrammar's bit masks over the vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from vlmbench_plugin.errors import RunnerError


class GrammarMasks:
    """Compiles grammars for one model, each once, and hands out masks.

    Args:
        tokenizer: The model's Hugging Face tokenizer.
        vocab_size: Width of the model's logits, which may exceed the tokenizer.
        stop_ids: Tokens that may end an answer.
    """

    def __init__(self, tokenizer: Any, vocab_size: int, stop_ids: Sequence[int]) -> None:
        import xgrammar

        info = xgrammar.TokenizerInfo.from_huggingface(
            tokenizer, vocab_size=vocab_size, stop_token_ids=list(stop_ids)
        )
        self._compiler = xgrammar.GrammarCompiler(info)
        self._vocab_size = vocab_size
        self._allowed = packed_bits(allowed_ids(tokenizer, vocab_size, stop_ids), vocab_size)

    def compile(self, grammar: str) -> Any:
        """Compiles a GBNF grammar; xgrammar's compiler remembers those it has seen.

        Raises:
            RunnerError: If it is no grammar.
        """
        try:
            return self._compiler.compile_grammar(grammar)
        except (RuntimeError, ValueError) as error:
            raise RunnerError(
                f"the grammar does not compile: {error}",
                hint="`qwen-vlmbench schema CATEGORY --format gbnf` prints a task's grammar",
            ) from error

    def mask(self, compiled: Any, rows: int = 1) -> GrammarMask:
        """A fresh mask, for answers that begin now."""
        return GrammarMask(compiled, self._allowed, self._vocab_size, rows)


class GrammarMask:
    """The grammar's state in each row of a batch.

    Args:
        compiled: The compiled grammar.
        allowed: Bit mask of the tokens that may occur at all, int32 of shape (words,).
        vocab_size: Width of the logits.
        rows: Answers generated together.
    """

    def __init__(self, compiled: Any, allowed: Any, vocab_size: int, rows: int) -> None:
        import xgrammar

        self._matchers = [xgrammar.GrammarMatcher(compiled) for _ in range(rows)]
        self._allowed = allowed
        self._bits = xgrammar.allocate_token_bitmask(rows, vocab_size)
        self._apply = xgrammar.apply_token_bitmask_inplace

    def apply(self, logits: Any) -> None:
        """Sets the logits of all illegal next tokens to minus infinity.

        Args:
            logits: float32 of shape (rows, vocabulary), changed in place. Rows that have ended are
                left as they are.
        """
        live = [row for row, matcher in enumerate(self._matchers) if not matcher.is_terminated()]
        for row in live:
            self._matchers[row].fill_next_token_bitmask(self._bits, row)
        self._bits &= self._allowed
        self._apply(logits, self._bits.to(logits.device, non_blocking=True), indices=live)

    def accept(self, row: int, token: int) -> None:
        """Moves one row past its next token.

        Raises:
            RunnerError: If the grammar does not allow the token, which a mask rules out.
        """
        if not self._matchers[row].accept_token(token):
            raise RunnerError(
                f"the grammar refused token {token}, which its own mask had let through",
                hint="please report this with the model's name and the category",
            )


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

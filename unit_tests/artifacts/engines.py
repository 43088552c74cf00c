"""Two engines that read GBNF, asked whether a whole text is in a grammar's language."""

from __future__ import annotations

import functools
from typing import Any

import llguidance
import xgrammar
from llguidance.gbnf_to_lark import any_to_lark

BYTES = [bytes([byte]) for byte in range(256)]


@functools.cache
def _byte_compiler() -> Any:
    """Compiles for a vocabulary of the 256 bytes and one stop token."""
    info = xgrammar.TokenizerInfo([*BYTES, b"<stop>"], stop_token_ids=[256])
    return xgrammar.GrammarCompiler(info)


def xgrammar_accepts(grammar: str, text: str) -> bool:
    """Whether xgrammar takes each byte of the text, and then lets it end."""
    matcher = xgrammar.GrammarMatcher(_byte_compiler().compile_grammar(grammar))
    return all(map(matcher.accept_token, text.encode())) and matcher.accept_token(256)


@functools.lru_cache(maxsize=4)
def _llguidance_matcher(grammar: str) -> Any:
    tokenizer = llguidance.LLTokenizer("byte")
    lark = llguidance.LLMatcher.grammar_from_lark(any_to_lark(grammar))
    matcher = llguidance.LLMatcher(tokenizer, lark)
    assert not matcher.is_error(), matcher.get_error()
    return matcher


def llguidance_accepts(grammar: str, text: str) -> bool:
    """Whether llguidance takes each byte of the text, and then lets it end."""
    matcher = _llguidance_matcher(grammar)
    matcher.reset()
    data = list(text.encode())
    taken: int = matcher.try_consume_tokens(data)
    ends: bool = matcher.is_accepting()
    return taken == len(data) and ends

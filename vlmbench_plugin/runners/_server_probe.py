"""Finds out what a server really does with a constraint, and which tokens must not be written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from vlmbench_plugin.core import Json
from vlmbench_plugin.errors import RunnerError
from vlmbench_plugin.runners._server_http import RefusedError

Form = Literal["grammar", "json_schema"]
FORMS: tuple[Form, ...] = get_args(Form)
"""The forms in which a constraint may go out, the stricter first."""

PROBE = "Say hello."
WORD = "vqz7-kx3w"
"""An answer to ``PROBE`` that no model gives by itself."""
PROBE_GRAMMAR = f'root ::= "{WORD}"'
PROBE_SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "properties": {"word": {"type": "string", "enum": [WORD]}},
    "required": ["word"],
    "additionalProperties": False,
}
PROBE_BUDGET = 64

ADDED_TOKENS = (
    *("<|im_start|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>"),
    *("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>"),
    *("<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>"),
    *("<|audio_start|>", "<|audio_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>"),
    *("<tts_text_bos_single>", "<|audio_pad|>"),
)
"""Added tokens of the Qwen families but for the two that may end an answer.

To xgrammar, vLLM's default, they are text that fits into any JSON string."""


def constraint_fields(form: Form, grammar: str, schema: Mapping[str, Json]) -> Mapping[str, Json]:
    """What a request says to be held to a grammar, or to a schema."""
    if form == "grammar":
        return {"structured_outputs": {"grammar": grammar}}
    answer = {"name": "answer", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": answer}}


def holds(form: Form, text: str) -> bool:
    """Tells whether the answer to the probe was held.

    White space is left out: a schema may allow any amount of it, up to the budget.
    """
    expected = WORD if form == "grammar" else json.dumps({"word": WORD}, separators=(",", ":"))[:-1]
    return "".join(text.split()).startswith(expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a server does with a constraint.

    Attributes:
        form: The strictest form that it obeys, or None.
        told: What it did with each form tried before that.
        bias: Token id -> logit bias for constrained answers; empty where no id can be known.
    """

    form: Form | None
    told: str
    bias: Mapping[str, int]


class Prober:
    """Asks the probes once, however many items wait for the outcome.

    Args:
        answer: Text of the answer to (question, budget, further fields of the request).
        tokens: Token ids of a text, by the server's own tokenizer.
    """

    def __init__(
        self,
        answer: Callable[[str, int, Mapping[str, Json]], Awaitable[str]],
        tokens: Callable[[str], Awaitable[Sequence[int]]],
    ) -> None:
        self._answer = answer
        self._tokens = tokens
        self._lock = asyncio.Lock()
        self.found: Finding | None = None

    async def form(self) -> tuple[Form, Mapping[str, int]]:
        """Returns the form in which constraints go out, and the logit bias to send with them.

        Raises:
            RunnerError: If the server obeys no form; or if it fails, and then the next call asks
                again.
        """
        async with self._lock:
            if self.found is None:
                self.found = await self._probe()
        if self.found.form is None:
            raise RunnerError(
                f"the server holds no answer to a constraint: {self.found.told}",
                hint="serve the model with vLLM, or measure it with --mode json_mode alone",
            )
        return self.found.form, self.found.bias

    async def _probe(self) -> Finding:
        told = []
        for form in FORMS:
            fields = constraint_fields(form, PROBE_GRAMMAR, PROBE_SCHEMA)
            try:
                text = await self._answer(PROBE, PROBE_BUDGET, fields)
            except RefusedError as error:
                told.append(f"{form} refused ({error})")
                continue
            if holds(form, text):
                bias = {str(token): -100 for token in (await self.added()).values()}
                return Finding(form=form, told="; ".join(told), bias=bias)
            told.append(f"{form} ignored, expected {WORD}, got {text[:40]!r}")
        return Finding(form=None, told="; ".join(told), bias={})

    async def added(self) -> Mapping[str, int]:
        """Text -> id of every added token that the server's tokenizer knows as one token."""
        try:
            found = [await self._tokens(ADDED_TOKENS[0])]
            found += await asyncio.gather(*map(self._tokens, ADDED_TOKENS[1:]))
        except RunnerError:
            return {}  # a server without /tokenize: `Finding.bias` says so
        known = zip(ADDED_TOKENS, found, strict=True)
        return {text: ids[0] for text, ids in known if len(ids) == 1}

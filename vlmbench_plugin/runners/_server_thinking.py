"""Thinking on a server, in two requests: a thought with a budget of its own, then its answer.

Named with an underscore: it is no runner. The second request goes on from the thought's text, so
that it is greedy, held to its grammar and bounded as an answer without thinking is.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from vlmbench_plugin.core import Json
from vlmbench_plugin.errors import ModelLoadError, RunnerError
from vlmbench_plugin.thinking import CLOSE, OPEN, SEAM, Thinking

ALOUD: Mapping[str, Json] = {"chat_template_kwargs": {"enable_thinking": True}}
GOING_ON: Mapping[str, Json] = {
    "add_generation_prompt": False,
    "continue_final_message": True,
    **ALOUD,
}
"""How a request says that the last message is to be gone on from: vLLM's words, and SGLang's."""

QUESTION = "Say hello."
_ROOT = re.compile(r"^root(?=\s*::=)", re.MULTILINE)
_BEHIND = "behind-the-seam"

Messages = Sequence[Mapping[str, Json]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """What a server said before an answer.

    Attributes:
        text: Without its end.
        tokens: Those of them that it counted; None where it counts none.
        forced: Whether the model did not end it.
        prompt_tokens: Of the question.
    """

    text: str
    tokens: int | None
    forced: bool
    prompt_tokens: int | None


def thinking_fields(plan: Thinking, added: Mapping[str, int]) -> dict[str, Json]:
    """What a request says to get a thought.

    Args:
        plan: How the model thinks.
        added: Text -> id of the added tokens that must not be thought.
    """
    bias = {str(token): -100 for text, token in added.items() if text != CLOSE}
    return {
        **plan.sampling,
        "top_k": int(plan.sampling["top_k"]),
        "seed": plan.seed,
        "stop": [CLOSE],
        **ALOUD,
        **({"logit_bias": bias} if bias else {}),
    }


def going_on(messages: Messages, thought: str) -> list[Mapping[str, Json]]:
    """The messages of the request for the answer.

    The templates of Qwen's models render a last message of the assistant as it is here, and leave
    out white space around its thought and behind its end. So the seam to the answer is no part of
    it: the model writes it, and where a grammar holds it, the grammar begins with it.
    """
    said = f"{OPEN}\n{thought.strip()}\n{CLOSE}"
    return [*messages, {"role": "assistant", "content": said}]


def behind_seam(grammar: str) -> str:
    """A GBNF grammar of what comes between a thought and the end of its answer."""
    seam = SEAM.replace("\n", r"\n")
    renamed, count = _ROOT.subn(_BEHIND, grammar)
    if count != 1:
        raise RunnerError(f"expected a grammar with one root, got {count}")
    return f'root ::= "{seam}" {_BEHIND}\n{renamed}'


async def check_going_on(
    tokens: Callable[[str], Awaitable[Sequence[int]]],
    rendered: Callable[[Messages, Mapping[str, Json]], Awaitable[Sequence[int]]],
) -> None:
    """Looks whether a server begins a thought where it is told to, and goes on from one.

    A server that does not know a field may ignore it, and would answer another question.

    Args:
        tokens: Ids of a text.
        rendered: Ids of messages by the chat template, with further fields of the request.

    Raises:
        ModelLoadError: If it does not, or does not tell.
    """
    question = [{"role": "user", "content": QUESTION}]
    begun = question, {"add_generation_prompt": True, **ALOUD}, f"{OPEN}\n"
    ended = going_on(question, "Hm."), GOING_ON, CLOSE
    hint = "serve a model that thinks with vLLM, or ask it with --reasoning off"
    for messages, fields, end in (begun, ended):
        try:
            found, expected = await rendered(messages, fields), await tokens(end)
        except RunnerError as error:
            raise ModelLoadError(
                f"the server does not tell how it renders a thought (/tokenize): {error}", hint=hint
            ) from error
        if list(found[-len(expected) :]) != list(expected):
            raise ModelLoadError(
                f"expected the server to render a prompt that ends in {end!r}, it ends otherwise",
                hint=hint,
            )

"""Runner ``openai``: any OpenAI-compatible server, such as vLLM on one machine or many.

Requests of the coming items run concurrently, within a bound, and are sent again after failures
that may pass. docs/servers.md has the commands and what was seen of which server.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from PIL import Image

from vlmbench_plugin.core import Answer, FinishReason, Generation, Json, ModelSpec, Request
from vlmbench_plugin.errors import ModelLoadError, RunnerError, UnknownNameError, UsageError
from vlmbench_plugin.runners._server_items import Clock, ItemLoop, Stopwatch, drawn, whole_number
from vlmbench_plugin.runners._server_replies import (
    Completion,
    ModelList,
    Tokens,
    Usage,
    UsageDetails,
)
from vlmbench_plugin.runners._server_thinking import (
    GOING_ON,
    Thought,
    behind_seam,
    check_going_on,
    going_on,
    thinking_fields,
)
from vlmbench_plugin.runners._thinking import thinking_facts
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.thinking import CLOSE, SEAM, Thinking

if TYPE_CHECKING:
    from vlmbench_plugin.runners._server_http import Server
    from vlmbench_plugin.runners._server_probe import Form

LOADS_MODEL = False
NEEDS_PIXELS = True

RUNNER_ARGS = ("concurrency", "retries", "timeout")
CONCURRENCY = 16
RETRIES = 4
TIMEOUT_S = 600.0

GREEDY: Mapping[str, Json] = {
    "temperature": 0,
    # vLLM takes penalties from the checkpoint's generation_config.json where a request has none.
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "repetition_penalty": 1.0,
    "chat_template_kwargs": {"enable_thinking": False},
    # As the vlm runner decodes: an added token that was written shows.
    "skip_special_tokens": False,
    "spaces_between_special_tokens": False,
}


class OpenaiRunner:
    """One model on a server.

    Args:
        spec: Its ``served_name``, else its ``hub_id``, must be served.
        settings: ``server_url``, and ``runner_args``: ``concurrency`` (items under way at once),
            ``timeout`` (seconds for one answer), ``retries``.

    Raises:
        ImportError: If httpx2 is not installed.
        UsageError: If the address, the key or an argument cannot be used.
        ModelLoadError: If the server cannot be reached or does not serve the model.
    """

    def __init__(self, spec: ModelSpec, settings: Settings) -> None:
        from vlmbench_plugin.runners._server_http import Server
        from vlmbench_plugin.runners._server_probe import Prober

        arguments = dict(settings.runner_args)
        self._concurrency = whole_number(arguments, "concurrency", CONCURRENCY)
        retries = whole_number(arguments, "retries", RETRIES, least=0)
        timeout_s = _seconds(arguments.pop("timeout", None))
        for argument in arguments:
            raise UnknownNameError("--runner-arg of the openai runner", argument, RUNNER_ARGS)
        self._model = spec.served_name or spec.hub_id
        self._server = Server(settings.server_url, timeout_s, retries)
        self._prober = Prober(self._probe, self._tokens)
        self._clock = Clock()
        self._facts = thinking_facts(spec, settings)
        self._added: Mapping[str, int] = {}
        self._fingerprint: str | None = None
        self._items = ItemLoop(self._concurrency)
        try:
            self._context = self._items.run(_context(self._server, self._model))
            if settings.reasoning == "on":
                self._items.run(check_going_on(self._tokens, self._rendered))
                self._added = self._items.run(self._prober.added())
        except BaseException:
            self.close()
            raise

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation | RunnerError]:
        """Yields one generation per request, in order, or the error of an item that failed."""
        return self._items.in_order(requests, self._answer)

    def describe(self) -> Mapping[str, Json]:
        """The address and name, what holds constrained answers, and how requests are sent."""
        found = self._prober.found
        return {
            "runner": "openai",
            "server_url": self._server.url,
            "served_name": self._model,
            "max_model_len": self._context,
            "system_fingerprint": self._fingerprint,
            "constraint": found.form if found else None,
            "constraint_told": found.told if found else None,
            "forbidden_tokens": len(found.bias) if found else None,
            **self._facts,
            "temperature": 0,
            "concurrency": self._concurrency,
            "httpx2": version("httpx2"),
        }

    def close(self) -> None:
        """Ends what is under way and closes the connections; a second call does nothing."""
        if self._items.is_open:
            self._items.run(self._server.close())
            self._items.close()

    async def _answer(self, request: Request) -> Generation:
        form, fields = await self._held(request)
        part = {"type": "image_url", "image_url": {"url": await drawn(request, data_url)}}
        messages = [_with_image(message, part) for message in request.messages]
        watch, budget = Stopwatch(self._clock), request.budget
        thought = None
        if request.thinking is not None:
            thought = await self._think(messages, request.thinking, watch)
            messages, fields = going_on(messages, thought.text), {**GOING_ON, **fields}
            budget += len(SEAM)  # which is written on top of the answer
        completion = await self._post(self._chat(messages, budget, fields), watch)
        choice, usage = completion.choices[0], completion.usage or Usage()
        details = usage.completion_tokens_details or UsageDetails()
        return Generation(
            text=(
                f"{thought.text}{CLOSE}{choice.message.whole}"
                if thought
                else choice.message.content or ""
            ),
            finish_reason=_finish_reason(choice.finish_reason),
            constraint=form or "none",
            prompt_tokens=thought.prompt_tokens if thought else usage.prompt_tokens,
            output_tokens=(
                _sum(thought.tokens, usage.completion_tokens)
                if thought
                else usage.completion_tokens
            ),
            thinking_tokens=thought.tokens if thought else details.reasoning_tokens,
            thinking_forced=thought.forced if thought else None,
            busy_s=watch.busy_s,
            latency_s=watch.latency_s,
            batch_size=watch.together,
        )

    async def _held(self, request: Request) -> tuple[Form | None, dict[str, Json]]:
        """The form in which a constraint goes out, if there is one, and its fields."""
        if request.mode != "constrained":
            return None, {}
        from vlmbench_plugin.runners._server_probe import constraint_fields

        form, bias = await self._prober.form()
        grammar = request.grammar if request.thinking is None else behind_seam(request.grammar)
        fields = dict(constraint_fields(form, grammar, request.json_schema))
        return form, fields | ({"logit_bias": bias} if bias else {})

    async def _think(
        self, messages: Sequence[Mapping[str, Json]], plan: Thinking, watch: Stopwatch
    ) -> Thought:
        body = self._chat(messages, plan.budget, thinking_fields(plan, self._added))
        completion = await self._post(body, watch)
        choice, usage = completion.choices[0], completion.usage or Usage()
        stopped = _finish_reason(choice.finish_reason) == "stop"
        return Thought(
            text=choice.message.whole,
            tokens=usage.completion_tokens,
            forced=not (stopped and choice.stop_reason == CLOSE),
            prompt_tokens=usage.prompt_tokens,
        )

    async def _post(self, body: bytes, watch: Stopwatch) -> Completion:
        completion = await self._server.post("/chat/completions", body, Completion, watch)
        self._fingerprint = completion.system_fingerprint
        return completion

    def _chat(
        self, messages: Sequence[Mapping[str, Json]], budget: int, fields: Mapping[str, Json]
    ) -> bytes:
        # vLLM refuses a budget beyond its context; one within it ends where the context does.
        most = budget if self._context is None else min(budget, self._context)
        body = {
            "model": self._model,
            "messages": messages,
            "max_tokens": most,
            **GREEDY,
            **fields,
        }
        # A schema may be any Mapping; json knows dict alone.
        return json.dumps(body, default=dict).encode()

    async def _probe(self, question: str, budget: int, fields: Mapping[str, Json]) -> str:
        body = self._chat([{"role": "user", "content": question}], budget, fields)
        completion = await self._server.post("/chat/completions", body, Completion)
        return completion.choices[0].message.content or ""

    async def _rendered(
        self, messages: Sequence[Mapping[str, Json]], fields: Mapping[str, Json]
    ) -> list[int]:
        body = json.dumps({"model": self._model, "messages": messages, **fields}).encode()
        return (await self._server.post("/tokenize", body, Tokens, at_root=True)).tokens

    async def _tokens(self, text: str) -> list[int]:
        asked = {"model": self._model, "prompt": text, "add_special_tokens": False}
        body = json.dumps(asked).encode()
        return (await self._server.post("/tokenize", body, Tokens, at_root=True)).tokens


def data_url(image: Image.Image) -> str:
    """An image as PNG within a URL: exact, and what every server reads."""
    written = io.BytesIO()
    # A photograph of 1.3 megapixels: 0.08 s instead of 0.32 s, and as many bytes.
    image.save(written, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"


def _with_image(message: Mapping[str, Json], part: Mapping[str, Json]) -> Mapping[str, Json]:
    content = message["content"]
    if isinstance(content, str):
        return message
    parts = [part if old["type"] == "image" else old for old in content]
    return {**message, "content": parts}


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


def _finish_reason(stated: str | None) -> FinishReason:
    if stated == "stop":
        return "stop"
    if stated == "length":
        return "length"
    raise RunnerError(
        f"expected an answer that ended by stop or length, it ended by {stated!r:.40}"
    )


def _seconds(stated: str | None) -> float:
    if stated is None:
        return TIMEOUT_S
    try:
        seconds = float(stated)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UsageError(f"expected --runner-arg timeout= seconds above 0, got {stated!r}")
    return seconds


async def _context(server: Server, model: str) -> int | None:
    """Looks whether a server has a model, and returns its context length where that is stated."""
    try:
        served = (await server.get("/models", ModelList)).data
    except RunnerError as error:
        raise ModelLoadError(
            f"the server at {server.url} does not list its models: {error}",
            hint="is it running, and is its address the one that ends in /v1?",
        ) from error
    for found in served:
        if found.id == model:
            return found.max_model_len
    names = ", ".join(sorted(repr(found.id) for found in served)) or "none"
    raise ModelLoadError(
        f"expected the server at {server.url} to serve {model!r}; it serves: {names}",
        hint="name it as the server does: --model NAME=SERVED_NAME",
    )


def RUNNER(  # noqa: N802  # the name by which the registry finds it
    spec: ModelSpec, settings: Settings, oracle: Callable[[str], Answer] | None
) -> OpenaiRunner:
    """Connects to a server; it never sees the oracle."""
    return OpenaiRunner(spec, settings)

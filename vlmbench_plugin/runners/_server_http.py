"""Speaks HTTP with an OpenAI-compatible server: addresses, keys, retries, and clean messages."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from vlmbench_plugin.errors import RunnerError, UsageError

KEY = "OPENAI_API_KEY"
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
LARGEST_ANSWER = 64 * 1024 * 1024
LONGEST_MESSAGE = 300
NO_BODY = b""

Reply = TypeVar("Reply", bound=BaseModel)


class RefusedError(RunnerError):
    """The server understood the request and said no, so that asking again would not help."""


class _PassingError(Exception):
    """What may go better next time.

    Args:
        message: What came instead of an answer.
        after_s: Seconds that the server asks to be left alone, or None.
    """

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class Server:
    """One server, asked from within one event loop.

    The key is read from the environment, and is in no message, attribute or representation.

    Args:
        url: Its address, with or without ``/v1``.
        timeout_s: Seconds for one whole answer.
        retries: Times that a request is sent again.

    Attributes:
        url: The address that requests go to.

    Raises:
        UsageError: If the address or the key cannot be used.
    """

    def __init__(self, url: str | None, timeout_s: float, retries: int) -> None:
        self.url = read_address(url)
        key = os.environ.get(KEY, "").strip()
        if not key.isascii() or not key.isprintable():
            raise UsageError(f"{KEY} holds characters that no HTTP header can", hint="set it again")
        self._clean = cleaner(key)
        self._timeout_s = timeout_s
        self._retries = retries
        self._client = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            # One answer's whole time is bounded below: a server that sends a byte now and then
            # never runs into a timeout per read.
            timeout=httpx2.Timeout(None, connect=min(timeout_s, 10.0)),
            # The items under way are bounded elsewhere.
            limits=httpx2.Limits(max_connections=None),
        )

    async def get(self, path: str, reply: type[Reply]) -> Reply:
        """Asks for ``url + path``; as ``post``."""
        return await self._ask("GET", self.url + path, NO_BODY, reply, None)

    async def post(
        self,
        path: str,
        body: bytes,
        reply: type[Reply],
        watch: AbstractContextManager[object] | None = None,
        *,
        at_root: bool = False,
    ) -> Reply:
        """Sends a body to ``url + path`` until an answer comes.

        Args:
            path: Begins with a slash.
            body: JSON.
            reply: What the answer must read as.
            watch: Entered while the server has the request.
            at_root: Whether the path is beside ``/v1`` instead of below it.

        Raises:
            RefusedError: If the server refuses the request.
            RunnerError: If no answer came in all attempts.
        """
        base = self.url.removesuffix("/v1") if at_root else self.url
        return await self._ask("POST", base + path, body, reply, watch)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _ask(
        self,
        method: str,
        url: str,
        body: bytes,
        reply: type[Reply],
        watch: AbstractContextManager[object] | None,
    ) -> Reply:
        attempt = 0
        while True:
            try:
                if watch is None:
                    status, headers, content = await self._once(method, url, body)
                else:
                    with watch:
                        status, headers, content = await self._once(method, url, body)
                return self._read(status, headers, content, reply)
            except _PassingError as error:
                if attempt == self._retries:
                    raise RunnerError(
                        f"{method} {url} failed {attempt + 1} times, at last: {error}",
                        hint="see the server's own log; --runner-arg timeout= and retries= give "
                        "it more time",
                    ) from None
                await asyncio.sleep(pause_s(attempt, error.after_s))
                attempt += 1

    async def _once(self, method: str, url: str, body: bytes) -> tuple[int, httpx2.Headers, bytes]:
        """One exchange; the whole body, or an error."""
        headers = {"Content-Type": "application/json"} if body else {}
        content = bytearray()
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream(method, url, content=body or None, headers=headers) as response,
            ):
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > LARGEST_ANSWER:
                        raise _PassingError(f"an answer of more than {LARGEST_ANSWER} bytes")
        except TimeoutError:
            raise _PassingError(f"no whole answer within {self._timeout_s:g} s") from None
        except httpx2.HTTPError as error:
            raise _PassingError(self._clean(f"{type(error).__name__}: {error}")) from None
        return response.status_code, response.headers, bytes(content)

    def _read(
        self, status: int, headers: httpx2.Headers, content: bytes, reply: type[Reply]
    ) -> Reply:
        if status in (408, 429) or status >= 500:
            message = f"HTTP {status}: {self._clean(told(content))}"
            raise _PassingError(message, retry_after_s(headers.get("Retry-After")))
        if status != 200:
            hint = f"set {KEY} to a key of this server" if status in (401, 403) else ""
            raise RefusedError(f"HTTP {status}: {self._clean(told(content))}", hint=hint)
        try:
            return reply.model_validate_json(content)
        except ValidationError:
            came = self._clean(content.decode("utf-8", "replace"))
            raise _PassingError(f"expected a {reply.__name__} in JSON, got: {came}") from None


def read_address(url: str | None) -> str:
    """Returns a server's address as requests need it, without a slash at its end.

    Raises:
        UsageError: If it is missing, is no HTTP address, or holds a secret.
    """
    hint = "pass --server-url http://HOST:PORT/v1"
    if url is None:
        raise UsageError("runner openai needs the address of a server", hint=hint)
    try:
        read = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise UsageError(
            "expected the address of a server, got what is no URL", hint=hint
        ) from None
    if read.userinfo or read.query or read.fragment:
        # Not repeated here: what stands there is a secret more often than not.
        raise UsageError(
            "expected a server address without user, query and fragment",
            hint=f"put the server's key into the environment variable {KEY}",
        )
    if read.scheme not in ("http", "https") or not read.host:
        raise UsageError(f"expected an address that begins with http:// or https://, got {url!r}")
    address = str(read).rstrip("/")
    return address if read.path.rstrip("/") else f"{address}/v1"


def cleaner(key: str) -> Callable[[str], str]:
    """Returns what makes a server's text fit for a message: one short line without the key."""

    def clean(text: str) -> str:
        kept = text.replace(key, "[key]") if key else text
        line = " ".join("".join(c if c.isprintable() else " " for c in kept).split())
        return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]}..."

    return clean


def told(content: bytes) -> str:
    """The message in a server's error, or all of it where it has another form."""
    text = content.decode("utf-8", "replace")
    try:
        said = json.loads(text)
    except ValueError:
        return text
    inner = said.get("error", said) if isinstance(said, dict) else said
    if isinstance(inner, dict):
        inner = inner.get("message", inner.get("detail", text))
    return inner if isinstance(inner, str) else text


def retry_after_s(stated: str | None) -> float | None:
    """Seconds of a Retry-After header, which holds a number or a date; None where it does not."""
    if stated is None:
        return None
    if stated.strip().isdecimal():
        return min(float(stated), LONGEST_PAUSE_S)
    try:
        date = parsedate_to_datetime(stated)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max((date - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_PAUSE_S)


def pause_s(attempt: int, after_s: float | None) -> float:
    """Seconds before the next attempt: doubling, and jittered so that items do not come at once."""
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)
    return (after_s or 0.0) + random.uniform(longest / 2, longest)

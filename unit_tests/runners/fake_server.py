"""A small OpenAI-compatible server in a thread, which fails as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from unit_tests.tiny_models import ask
from vlmbench_plugin.core import Generation, Mode, Request
from vlmbench_plugin.errors import RunnerError
from vlmbench_plugin.runners._server_probe import PROBE, PROBE_SCHEMA, WORD
from vlmbench_plugin.runners.openai import OpenaiRunner

Reaction = Callable[["Handler"], None]
LABEL = '{"label": "red"}'


class Handler(BaseHTTPRequestHandler):
    """Answers as ``Fake`` says."""

    protocol_version = "HTTP/1.1"
    fake: Fake
    body: Any = None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its own name
        """Says nothing."""

    def do_GET(self) -> None:  # its own name
        self.fake.headers.append(dict(self.headers))
        self.fake.react("/models", self, self._models)

    def do_POST(self) -> None:  # its own name
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.body = json.loads(content)
        if self.path == "/tokenize":
            self._tokenize()
            return
        with self.fake.counting(self):
            self.fake.react(asked_in(self.body), self, self.answer)

    def send(self, content: bytes, status: int = 200, **headers: str) -> None:
        """Sends a whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def answer(self) -> None:
        """The answer of a server that has no fault."""
        self.send(json.dumps(self.fake.completion(self.body)).encode())

    def _models(self) -> None:
        listed = [{"id": name, "max_model_len": self.fake.context} for name in self.fake.served]
        self.send(json.dumps({"object": "list", "data": listed}).encode())

    def _tokenize(self) -> None:
        if self.fake.tokens is None:
            self.send(b'{"detail": "Not Found"}', 404)
            return
        if "messages" in self.body:
            end = "</think>" if self.body.get("continue_final_message") else "<think>\n"
            ids = [8, *self.fake.tokens[end]] if self.fake.goes_on else [8, 9]
        else:
            ids = self.fake.tokens.get(self.body["prompt"], [1, 2, 3])
        self.send(json.dumps({"count": len(ids), "tokens": ids}).encode())


def asked_in(body: Mapping[str, Any]) -> str:
    """The text of a chat request."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else str(content[-1]["text"])


@dataclass(slots=True)
class Fake:
    """What the server does and what it saw.

    Attributes:
        plan: Question, or ``/models`` -> reactions, one per attempt; then it answers.
        obeys: Whether it holds answers to a grammar, to a schema.
        chats: Bodies of the chat requests that came.
        most: The most chat requests that were open at once.
        goes_on: Whether it renders a thought's begin and end where it is told to.
        thought: Content, reasoning, finish reason and stop reason of an answer that ends where
            thinking does.
    """

    plan: dict[str, list[Reaction]] = field(default_factory=dict)
    served: tuple[str, ...] = ("tiny",)
    context: int | None = 4096
    obeys: tuple[str, ...] = ("grammar",)
    tokens: dict[str, list[int]] | None = None
    finish_reason: str | None = "stop"
    url: str = ""
    goes_on: bool = True
    thought: tuple[str | None, str | None, str, str | None] = (" Hm.\n", None, "stop", "</think>")
    chats: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most: int = 0
    _open: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self, text: str) -> int:
        """How often a question came."""
        return sum(asked_in(body) == text for body in self.chats)

    def react(self, name: str, handler: Handler, otherwise: Callable[[], None]) -> None:
        with self._lock:
            left = self.plan.get(name, [])
            reaction = left.pop(0) if left else None
        if reaction is None:
            otherwise()
        else:
            reaction(handler)

    @contextmanager
    def counting(self, handler: Handler) -> Iterator[None]:
        with self._lock:
            self.chats.append(handler.body)
            self.headers.append(dict(handler.headers))
            self._open += 1
            self.most = max(self.most, self._open)
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1

    def completion(self, body: Any) -> dict[str, Any]:
        asked = asked_in(body)
        if body.get("stop") == ["</think>"]:
            content, reasoning, finish_reason, stop_reason = self.thought
            message = {"content": content, "reasoning": reasoning}
            thought = {
                "message": message,
                "finish_reason": finish_reason,
                "stop_reason": stop_reason,
            }
            usage = {"prompt_tokens": 7, "completion_tokens": 3}
            return {"choices": [thought], "usage": usage}
        if "grammar" in body.get("structured_outputs", {}) and "grammar" in self.obeys:
            text = WORD if asked == PROBE else LABEL
        elif "response_format" in body and "json_schema" in self.obeys:
            schema = body["response_format"]["json_schema"]["schema"]
            text = f'{{ "word": "{WORD}"}}' if schema == PROBE_SCHEMA else LABEL
        else:
            text = f"free text to {asked}"
        choice = {"message": {"content": text}, "finish_reason": self.finish_reason}
        usage = {"prompt_tokens": 7, "completion_tokens": 5}
        return {"choices": [choice], "usage": usage, "system_fingerprint": "fake-1"}


def status(code: int, content: bytes = b"", **headers: str) -> Reaction:
    """Answers with an error."""
    return lambda handler: handler.send(content, code, **headers)


def body(content: bytes) -> Reaction:
    """Answers 200 with a body of its own."""
    return lambda handler: handler.send(content)


def slow(seconds: float) -> Reaction:
    """Answers rightly, but late."""

    def react(handler: Handler) -> None:
        time.sleep(seconds)
        handler.answer()

    return react


def hang(seconds: float) -> Reaction:
    """Says nothing for so long, and then hangs up."""

    def react(handler: Handler) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return react


def drip(handler: Handler) -> None:
    """Sends a byte every 20 ms, for two seconds: no single read of it ever times out."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(100):
        time.sleep(0.02)
        try:
            handler.wfile.write(b" ")
        except OSError:
            break
    handler.close_connection = True


def cut(handler: Handler) -> None:
    """Hangs up without a word."""
    handler.close_connection = True


def cut_within(handler: Handler) -> None:
    """Hangs up within the body that it announced."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


@contextmanager
def running(fake: Fake) -> Iterator[Fake]:
    """Runs it on a free port."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hung up is what some tests are about."""

    handler = type("Bound", (Handler,), {"fake": fake})
    with Quiet(("127.0.0.1", 0), handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()


def question(text: str, mode: Mode = "json_mode", **changes: Any) -> Request:
    """A request that the server knows by its text."""
    return replace(ask(mode, question=text), id=f"m-{text}", **changes)


def only(runner: OpenaiRunner, request: Request) -> Generation:
    """The one generation of a request that goes well."""
    (result,) = runner.generate([request])
    assert isinstance(result, Generation), result
    return result


def failure(runner: OpenaiRunner, request: Request) -> str:
    """What a request that goes wrong is told."""
    (result,) = runner.generate([request])
    assert isinstance(result, RunnerError), result
    return str(result)

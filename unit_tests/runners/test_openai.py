"""The openai runner against a small server that fails in every way that a network has."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
import time
from collections.abc import Iterable

import pytest
from PIL import Image

from unit_tests.runners import fake_server
from unit_tests.runners.conftest import Open
from unit_tests.runners.fake_server import LABEL, Fake, Reaction, failure, only, question
from unit_tests.tiny_models import GRAMMAR
from vlmbench_plugin.core import Generation, Request
from vlmbench_plugin.errors import RunnerError
from vlmbench_plugin.runners import openai
from vlmbench_plugin.runners._server_probe import PROBE


def test_a_free_request_says_all_that_decides_the_answer(fake: Fake, connect: Open) -> None:
    generation = only(connect(), question("q", budget=99))
    (body,) = fake.chats
    url = body["messages"][0]["content"][0]["image_url"]["url"]
    head, _, data = url.partition(",")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (head, image.format, image.size) == ("data:image/png;base64", "PNG", (96, 64))
    assert image.getpixel((0, 0)) == (255, 0, 0)
    assert body["messages"][0]["content"][1] == {"type": "text", "text": "q"}
    assert body["model"] == "tiny"
    assert body["max_tokens"] == 99
    assert body["temperature"] == 0
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert not {"structured_outputs", "response_format", "logit_bias"} & body.keys()
    assert generation.text == "free text to q"
    assert generation.constraint == "none"
    assert (generation.prompt_tokens, generation.output_tokens) == (7, 5)
    assert generation.finish_reason == "stop"


def test_the_grammar_goes_out_and_added_tokens_are_forbidden(fake: Fake, connect: Open) -> None:
    fake.tokens = {"<|image_pad|>": [445], "<think>": [447]}
    runner = connect()
    generation = only(runner, question("q", "constrained"))
    assert generation.text == LABEL
    assert generation.constraint == "grammar"
    sent = fake.chats[-1]
    assert sent["structured_outputs"] == {"grammar": GRAMMAR}
    assert sent["logit_bias"] == {"445": -100, "447": -100}
    assert runner.describe()["forbidden_tokens"] == 2


def test_a_server_that_knows_schemas_alone_is_sent_one(fake: Fake, connect: Open) -> None:
    fake.obeys = ("json_schema",)
    schema = {"type": "object"}
    generation = only(connect(), question("q", "constrained", json_schema=schema))
    assert generation.constraint == "json_schema"
    assert fake.chats[-1]["response_format"]["json_schema"]["schema"] == schema
    assert "structured_outputs" not in fake.chats[-1]


def test_a_server_that_ignores_every_constraint_is_found_out(fake: Fake, connect: Open) -> None:
    fake.obeys = ()
    runner = connect()
    items = [question(f"q{index}", "constrained") for index in range(3)]
    results = list(runner.generate([*items, question("free")]))
    for result in results[:3]:
        assert isinstance(result, RunnerError)
        assert re.search(r"grammar ignored.*'free text.*json_schema ignored", str(result))
    assert isinstance(results[3], Generation)
    assert fake.asked(PROBE) == 2
    assert fake.asked("q0") == 0


def test_a_server_that_refuses_the_field_is_sent_a_schema(fake: Fake, connect: Open) -> None:
    fake.obeys = ("json_schema",)
    fake.plan[PROBE] = [fake_server.status(422, b'{"detail": "Unexpected fields"}')]
    runner = connect()
    assert only(runner, question("q", "constrained")).constraint == "json_schema"
    assert "Unexpected fields" in str(runner.describe()["constraint_told"])


def test_a_probe_that_fails_is_asked_again_by_the_next_item(fake: Fake, connect: Open) -> None:
    fake.plan[PROBE] = [fake_server.status(500)]
    runner = connect(retries="0")
    assert "HTTP 500" in failure(runner, question("q1", "constrained"))
    assert only(runner, question("q2", "constrained")).text == LABEL


PASSING: dict[str, tuple[Reaction, str]] = {
    "500": (fake_server.status(500, b'{"error": {"message": "out of luck"}}'), "500: out of luck"),
    "503": (fake_server.status(503), "HTTP 503"),
    "429": (fake_server.status(429, b"busy", Retry_After="0"), "HTTP 429: busy"),
    "garbage": (fake_server.body(b"\xff\xfe<html>"), "expected a Completion in JSON"),
    "truncated JSON": (fake_server.body(b'{"choices": [{"mess'), "expected a Completion"),
    "no choice": (fake_server.body(b'{"choices": []}'), "expected a Completion"),
    "surrogate": (
        fake_server.body(b'{"choices": [{"message": {"content": "\\ud800"}}]}'),
        "expected a Completion",
    ),
    "cut": (fake_server.cut, "RemoteProtocolError"),
    "cut within": (fake_server.cut_within, "RemoteProtocolError"),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_is_tried_again(fake: Fake, connect: Open, name: str) -> None:
    reaction, _ = PASSING[name]
    fake.plan["q"] = [reaction, reaction]
    assert only(connect(), question("q")).text == "free text to q"
    assert fake.asked("q") == 3


@pytest.mark.parametrize("name", PASSING)
def test_what_does_not_pass_is_that_items_error(fake: Fake, connect: Open, name: str) -> None:
    reaction, message = PASSING[name]
    fake.plan["bad"] = [reaction] * 3
    results = list(connect().generate(map(question, ("before", "bad", "after"))))
    assert [isinstance(result, Generation) for result in results] == [True, False, True]
    assert "failed 3 times" in str(results[1])
    assert message in str(results[1])
    assert fake.asked("bad") == 3


@pytest.mark.parametrize(
    "reaction", [fake_server.hang(2.0), fake_server.drip], ids=["hang", "drip"]
)
def test_an_answer_that_does_not_come_is_not_waited_for(
    fake: Fake, connect: Open, reaction: Reaction
) -> None:
    fake.plan["q"] = [reaction] * 2
    runner = connect(timeout="0.2", retries="1")
    started = time.perf_counter()
    assert "no whole answer within 0.2 s" in failure(runner, question("q"))
    assert time.perf_counter() - started < 1.5
    assert fake.asked("q") == 2


def test_a_400_is_told_and_not_sent_again(fake: Fake, connect: Open) -> None:
    message = "maximum context length is\n 4096 \x1b[31mtokens" + "!" * 1000
    content = json.dumps({"error": {"message": message}}).encode()
    fake.plan["long"] = [fake_server.status(400, content)]
    told = failure(connect(), question("long"))
    assert "HTTP 400: maximum context length is 4096 [31mtokens!!" in told
    assert told.isprintable()
    assert len(told) < 400
    assert fake.asked("long") == 1


@pytest.mark.parametrize("reason", ["content_filter", "tool_calls", None])
def test_an_answer_that_ended_otherwise_is_an_error(
    fake: Fake, connect: Open, reason: str | None
) -> None:
    fake.finish_reason = reason
    assert f"ended by {reason!r}" in failure(connect(), question("q"))


def test_a_spent_budget_is_told(fake: Fake, connect: Open) -> None:
    fake.finish_reason = "length"
    assert only(connect(), question("q")).finish_reason == "length"


@pytest.mark.parametrize(("context", "sent"), [(50, 50), (5000, 99), (None, 99)])
def test_no_budget_exceeds_a_known_context(
    fake: Fake, connect: Open, context: int | None, sent: int
) -> None:
    fake.context = context
    only(connect(), question("q", budget=99))
    assert fake.chats[-1]["max_tokens"] == sent


def test_items_run_together_within_the_bound_and_keep_their_order(
    fake: Fake, connect: Open
) -> None:
    names = [f"q{index}" for index in range(12)]
    # The first of each four is the slowest: without reading ahead the others would wait for it.
    fake.plan = {
        name: [fake_server.slow(0.3 - index % 4 * 0.08)] for index, name in enumerate(names)
    }
    started = time.perf_counter()
    results = list(connect().generate(map(question, names)))
    wall = time.perf_counter() - started
    generations = [result for result in results if isinstance(result, Generation)]
    assert [generation.text for generation in generations] == [f"free text to {n}" for n in names]
    assert fake.most == 4
    busy = [generation.busy_s or 0 for generation in generations]
    assert sum(busy) <= wall
    assert sum(busy) > wall / 2
    assert all(g.latency_s and g.busy_s and g.latency_s > g.busy_s for g in generations)
    assert max(generation.batch_size or 0 for generation in generations) == 4


def test_one_at_a_time_is_one_at_a_time(fake: Fake, connect: Open) -> None:
    results = list(connect(concurrency="1").generate(map(question, "abc")))
    assert fake.most == 1
    assert [r.batch_size for r in results if isinstance(r, Generation)] == [1, 1, 1]


def test_reading_ahead_is_bounded_and_stops_with_its_reader(fake: Fake, connect: Open) -> None:
    read: list[str] = []

    def coming() -> Iterable[Request]:
        for index in range(1000):
            read.append(str(index))
            yield question(str(index))

    results = connect(concurrency="2").generate(coming())
    next(results)
    assert len(read) == 8
    results.close()  # type: ignore[attr-defined]  # in_order is a generator
    time.sleep(0.1)
    assert len(fake.chats) <= 8


def test_a_hanging_server_does_not_hold_up_the_end(fake: Fake, connect: Open) -> None:
    before = set(threading.enumerate())
    fake.plan["q"] = [fake_server.hang(2.0)]
    runner = connect(concurrency="2")
    results = runner.generate(map(question, ("fine", "q")))
    next(results)
    started = time.perf_counter()
    runner.close()
    runner.close()
    assert time.perf_counter() - started < 1
    left = set(threading.enumerate()) - before
    assert not [thread for thread in left if thread.name == "vlmbench-items"]


def test_an_image_that_cannot_be_read_is_that_items_error(connect: Open) -> None:
    def broken() -> Image.Image:
        raise SyntaxError("broken PNG file")

    results = list(connect().generate([question("bad", image=broken), question("good")]))
    assert "m-bad cannot be read: SyntaxError: broken PNG file" in str(results[0])
    assert isinstance(results[1], Generation)


def test_a_retry_after_is_kept(fake: Fake, connect: Open) -> None:
    fake.plan["q"] = [fake_server.status(429, Retry_After="1")]
    started = time.perf_counter()
    only(connect(), question("q"))
    assert time.perf_counter() - started >= 1


def test_a_photograph_is_sent_exactly() -> None:
    image = Image.effect_noise((40, 30), 64).convert("RGB")
    data = base64.b64decode(openai.data_url(image).partition(",")[2])
    assert Image.open(io.BytesIO(data)).tobytes() == image.tobytes()

"""What the openai runner says when it is opened: addresses, keys, names, arguments, pauses."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from unit_tests.runners import fake_server
from unit_tests.runners.conftest import SPEC, Open
from unit_tests.runners.fake_server import Fake, only, question
from vlmbench_plugin import runners
from vlmbench_plugin.errors import ModelLoadError, RunnerError, UnknownNameError, UsageError
from vlmbench_plugin.runners import _server_http
from vlmbench_plugin.settings import Settings

SECRET = "sk-not-to-be-seen"


def test_a_model_that_is_not_served_is_told_with_those_that_are(fake: Fake, connect: Open) -> None:
    fake.served = ("prod-vlm", "other")
    with pytest.raises(ModelLoadError, match=r"serve 'tiny'; it serves: 'other', 'prod-vlm'"):
        connect()
    assert connect(replace(SPEC, served_name="prod-vlm"))
    with pytest.raises(ModelLoadError, match="'org/m'"):
        connect(replace(SPEC, served_name=None))


def test_a_server_that_is_not_there_is_told(connect: Open) -> None:
    with pytest.raises(ModelLoadError, match=r"does not list its models: .* failed 2 times"):
        connect(url="http://127.0.0.1:9/v1", retries="1")


def test_a_server_that_starts_late_is_waited_for(fake: Fake, connect: Open) -> None:
    fake.plan["/models"] = [fake_server.status(503), fake_server.cut]
    assert connect().describe()["server_url"] == f"{fake.url}/v1"


@pytest.mark.parametrize("reaction", [401, 400, 500])
def test_the_key_is_sent_and_never_told(
    fake: Fake,
    connect: Open,
    reaction: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(_server_http.KEY, f" {SECRET}\n")
    caplog.set_level(logging.DEBUG)
    echo = json.dumps({"error": {"message": f"Incorrect API key provided: {SECRET}"}}).encode()
    fake.plan["q"] = [fake_server.status(reaction, echo)] * 3
    runner = connect()
    (error,) = runner.generate([question("q")])
    assert isinstance(error, RunnerError)
    assert "Incorrect API key provided: [key]" in str(error)
    assert {headers["Authorization"] for headers in fake.headers} == {f"Bearer {SECRET}"}
    shown = [repr(vars(part)) for part in (runner, runner._server)]
    shown += [str(runner.describe()), repr(error), repr(error.__cause__), caplog.text]
    assert SECRET not in "".join(shown)


def test_no_key_is_no_header(fake: Fake, connect: Open) -> None:
    only(connect(), question("q"))
    assert all("Authorization" not in headers for headers in fake.headers)


def test_a_key_that_no_header_can_hold_is_not_repeated(
    connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(_server_http.KEY, f"{SECRET}\nX")
    with pytest.raises(UsageError) as caught:
        connect()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [f"http://user:{SECRET}@host/v1", f"http://host/v1?key={SECRET}", "ftp://host", "host:80"],
)
def test_an_address_that_cannot_be_used_is_refused(connect: Open, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        connect(url=url)
    assert SECRET not in str(caught.value)


def test_an_address_is_needed() -> None:
    with pytest.raises(UsageError, match="--server-url http://HOST:PORT/v1"):
        runners.open_runner("openai", SPEC, Settings())


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("http://h:1", "http://h:1/v1"),
        ("http://h:1/", "http://h:1/v1"),
        ("https://h/api/v1/", "https://h/api/v1"),
    ],
)
def test_an_address_is_completed(given: str, read: str) -> None:
    assert _server_http.read_address(given) == read


@pytest.mark.parametrize(
    "arguments",
    [{"concurrency": "0"}, {"concurrency": "many"}, {"timeout": "nan"}, {"timeout": "0"},
     {"retries": "-1"}],
)  # fmt: skip
def test_an_argument_out_of_bounds_is_refused(connect: Open, arguments: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=f"--runner-arg {next(iter(arguments))}="):
        connect(**arguments)


def test_an_unknown_argument_is_told_with_the_valid_ones(connect: Open) -> None:
    with pytest.raises(UnknownNameError, match="valid: concurrency, retries, timeout"):
        connect(speed="fast")


def test_a_retry_after_is_a_number_or_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert _server_http.retry_after_s("7") == 7
    assert _server_http.retry_after_s("86400") == _server_http.LONGEST_PAUSE_S
    assert 25 < (_server_http.retry_after_s(soon) or 0) <= 30
    assert _server_http.retry_after_s("soon") is None
    assert _server_http.retry_after_s(None) is None


def test_pauses_double_with_jitter_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server_http, "FIRST_PAUSE_S", 1.0)
    for attempt, longest in ((0, 1), (3, 8), (20, _server_http.LONGEST_PAUSE_S)):
        drawn = {_server_http.pause_s(attempt, None) for _ in range(50)}
        assert len(drawn) > 1
        assert longest / 2 <= min(drawn) <= max(drawn) <= longest

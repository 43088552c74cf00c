"""A client of the small server of ``fake_server``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from unit_tests.runners.fake_server import Fake, running
from vlmbench_plugin.core import ModelSpec
from vlmbench_plugin.runners import _server_http
from vlmbench_plugin.runners.openai import OpenaiRunner
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.thinking import Reasoning

SPEC = ModelSpec(name="m", hub_id="org/m", frame="norm_0_1000", served_name="tiny")
Open = Callable[..., OpenaiRunner]
"""(spec, url, arguments of the runner) -> the runner, closed when the test ends."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses, no key, no proxy."""
    monkeypatch.setattr(_server_http, "FIRST_PAUSE_S", 0.001)
    monkeypatch.delenv(_server_http.KEY, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fake() -> Iterator[Fake]:
    with running(Fake()) as server:
        yield server


@pytest.fixture
def connect(fake: Fake, quick: None) -> Iterator[Open]:
    opened: list[OpenaiRunner] = []

    def connect(
        spec: ModelSpec = SPEC,
        url: str | None = None,
        reasoning: Reasoning = "off",
        **arguments: str,
    ) -> OpenaiRunner:
        given = {"concurrency": "4", "timeout": "5", "retries": "2"} | arguments
        settings = Settings(
            runner="openai", server_url=url or fake.url, runner_args=given, reasoning=reasoning
        )
        opened.append(OpenaiRunner(spec, settings))
        return opened[-1]

    yield connect
    for runner in opened:
        runner.close()

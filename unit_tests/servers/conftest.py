"""A real vLLM on CPU with the random checkpoint of the fixtures: as a server, and in this process.

It is a copy that can be told to think. Prompts without thinking are those of the original.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from unit_tests.tiny_models import folder_spec, thinking_asset, thinking_spec
from vlmbench_plugin.asking import build_request
from vlmbench_plugin.core import MODES, ModelSpec, Request
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.runners.openai import OpenaiRunner
from vlmbench_plugin.runners.vllm import VllmRunner
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS
from vlmbench_plugin.thinking import Reasoning

SERVED = "prod-vlm"
START_S = 300.0
STOP_S = 60.0
STRUCTURED = {"backend": "xgrammar", "disable_any_whitespace": True}
"""Where a schema allows any white space, random weights write nothing else up to the budget."""
PER_TASK = 2
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}


@pytest.fixture(scope="session")
def environment() -> Iterator[None]:
    """vLLM reads its own settings once, when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint's."""
    return thinking_asset(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def cold(folder: Path) -> ModelSpec:
    """The model that thinks without chance: vLLM's random numbers are not the vlm runner's."""
    spec = thinking_spec(folder)
    return replace(spec, sampling={**spec.sampling, "top_k": 1})


@pytest.fixture(scope="session")
def thinking(cold: ModelSpec) -> Sequence[Request]:
    """One drawn case of every task in both modes, to be thought about."""
    return requests(Settings(n=1, reasoning="on", thinking_budget=48, max_new_tokens=256), cold)


@pytest.fixture(scope="session")
def asked(folder: Path) -> Sequence[Request]:
    """Two drawn cases of every task in both modes, those of one task apart from each other."""
    return requests(Settings(n=PER_TASK), folder_spec(folder))


def requests(settings: Settings, spec: ModelSpec) -> Sequence[Request]:
    return [
        build_request(task, load_cases(task, settings)[index], spec, mode, settings)
        for index in range(settings.n)
        for mode in MODES
        for task in TASKS.values()
    ]


@pytest.fixture(scope="session")
def url(environment: None, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server's address."""
    port = free_port()
    log = tmp_path_factory.mktemp("server") / "log.txt"
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)),
        *("--host", "127.0.0.1", "--port", str(port), "--served-model-name", SERVED),
        *("--dtype", "float32", "--max-num-seqs", "8", "--enforce-eager"),
        # On a CPU, vLLM 0.32 dies of a seeded request whose prompt it reads in parts.
        "--no-enable-chunked-prefill",
        *("--limit-mm-per-prompt", '{"image": 1, "video": 0}'),
        *("--structured-outputs-config", json.dumps(STRUCTURED)),
    ]
    with log.open("wb") as written:
        server = subprocess.Popen(command, stdout=written, stderr=written, env=os.environ | QUIET)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(STOP_S)


@pytest.fixture(scope="session")
def client(url: str, folder: Path) -> Iterator[OpenaiRunner]:
    """The openai runner on that server."""
    settings = Settings(server_url=url, runner_args={"concurrency": "8", "timeout": "120"})
    runner = OpenaiRunner(replace(folder_spec(folder), served_name=SERVED), settings)
    yield runner
    runner.close()


@pytest.fixture(scope="session")
def thinking_client(url: str, cold: ModelSpec) -> Iterator[OpenaiRunner]:
    """The same with thinking."""
    arguments = {"concurrency": "8", "timeout": "120"}
    settings = Settings(server_url=url, reasoning="on", runner_args=arguments)
    runner = OpenaiRunner(replace(cold, served_name=SERVED), settings)
    yield runner
    runner.close()


@pytest.fixture(scope="session")
def engine(environment: None, folder: Path) -> Iterator[VllmRunner]:
    """The vllm runner."""
    runner = VllmRunner(folder_spec(folder), in_process())
    yield runner
    runner.close()


@pytest.fixture(scope="session")
def thinking_engine(environment: None, cold: ModelSpec) -> Iterator[VllmRunner]:
    """The same with thinking."""
    runner = VllmRunner(cold, in_process(reasoning="on"))
    yield runner
    runner.close()


def in_process(reasoning: Reasoning = "off") -> Settings:
    arguments = {"concurrency": "8", "enforce_eager": "on"}
    return Settings(device="cpu", dtype="float32", reasoning=reasoning, runner_args=arguments)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until a server answers; what it wrote tells why it does not."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + START_S
    while time.monotonic() < until and server.poll() is None:
        try:
            direct.open(address, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    pytest.fail(f"the server did not start:\n{log.read_text(errors='replace')[-4000:]}")

"""The vllm runner's options, its loops and its shares of time; the engine is in servers/."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from unit_tests.tiny_models import ASSET, folder_spec
from vlmbench_plugin.errors import MissingExtraError, UnknownNameError, UsageError
from vlmbench_plugin.runners import loads_model, needs_pixels, open_runner
from vlmbench_plugin.runners._decoding import LOOP_CHECK_EVERY as EVERY
from vlmbench_plugin.runners._server_engine import EngineOptions, engine_options, show_device
from vlmbench_plugin.runners._server_items import Clock, Stopwatch
from vlmbench_plugin.runners.vllm import loop_end
from vlmbench_plugin.settings import Settings

SPEC = folder_spec(ASSET)
CARDS = "CUDA_VISIBLE_DEVICES"


def read(arguments: Mapping[str, str], **settings: Any) -> EngineOptions:
    return engine_options(SPEC, Settings(runner_args=arguments, **settings))


def test_it_loads_weights_and_looks_at_images() -> None:
    assert loads_model("vllm")
    assert needs_pixels("vllm")


def test_without_vllm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingExtraError, match=r"'qwen-vlmbench\[vllm\]'"):
        open_runner("vllm", SPEC, Settings(device="cpu"))


def test_the_engine_gets_what_was_asked_for() -> None:
    asked = read(
        {
            "concurrency": "8",
            "max_model_len": "4096",
            "gpu_memory_utilization": "0.5",
            "tensor_parallel_size": "2",
            "quantization": "fp8",
            "enforce_eager": "on",
            "stop_loops": "off",
        },
        seed=7,
        dtype="bfloat16",
    )
    assert (
        asked.engine.items()
        >= {
            "model": str(ASSET),
            "revision": None,
            "dtype": "bfloat16",
            "seed": 7,
            "max_num_seqs": 8,
            "max_model_len": 4096,
            "gpu_memory_utilization": 0.5,
            "tensor_parallel_size": 2,
            "quantization": "fp8",
            "enforce_eager": True,
            "trust_remote_code": False,
        }.items()
    )
    assert (asked.concurrency, asked.stop_loops) == (8, False)


def test_what_was_not_asked_for_is_left_to_vllm() -> None:
    asked = read({})
    assert "gpu_memory_utilization" not in asked.engine
    assert asked.engine["max_model_len"] == -1
    assert asked.engine["tensor_parallel_size"] == 1
    assert asked.stop_loops


@pytest.mark.parametrize(
    "arguments",
    [{"concurrency": "0"}, {"max_model_len": "long"}, {"gpu_memory_utilization": "1.5"},
     {"gpu_memory_utilization": "nan"}, {"enforce_eager": "yes"}, {"stop_loops": "1"}],
)  # fmt: skip
def test_an_argument_out_of_bounds_is_refused(arguments: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=f"--runner-arg {next(iter(arguments))}="):
        read(arguments)


def test_unknown_names_are_told_with_the_valid_ones() -> None:
    with pytest.raises(UnknownNameError, match="valid: concurrency, enforce_eager"):
        read({"speed": "fast"})
    with pytest.raises(UnknownNameError, match="valid: auto, float32"):
        read({}, dtype="float8")


@pytest.mark.parametrize(
    ("device", "seen", "shown"),
    [
        ("cuda:1", None, "1"),
        ("cuda:1", "4,6", "6"),
        ("cuda", "4,6", "4,6"),
        ("auto", "4,6", "4,6"),
        ("cpu", None, None),
    ],
)
def test_the_engine_sees_the_one_card_of_its_process(
    monkeypatch: pytest.MonkeyPatch, device: str, seen: str | None, shown: str | None
) -> None:
    monkeypatch.delenv(CARDS, raising=False)
    if seen is not None:
        monkeypatch.setenv(CARDS, seen)
    show_device(device)
    assert os.environ.get(CARDS) == shown


def test_a_card_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CARDS, "4,6")
    with pytest.raises(UsageError, match="cuda:2 is not there"):
        show_device("cuda:2")


@pytest.mark.parametrize("size", [1, 3, EVERY, 1000])
def test_a_loop_ends_where_looking_at_every_token_would_end_it(size: int) -> None:
    """However many tokens come at a time, and without looking twice."""
    looked: list[int] = []

    def loops(ids: Sequence[int]) -> bool:
        looked.append(len(ids))
        return len(ids) >= 2 * EVERY + 1

    ids: list[int] = []
    end = None
    while end is None:
        seen = len(ids)
        ids += [7] * size
        end = loop_end(ids, seen, loops)
    assert end == 3 * EVERY
    assert looked == [EVERY, 2 * EVERY, 3 * EVERY]


def test_an_answer_that_is_whole_does_not_loop() -> None:
    assert loop_end([7] * EVERY, 0, lambda _: True) is None
    assert loop_end([7] * (EVERY + 1), EVERY, lambda _: True) == EVERY


def test_shares_of_time_add_up_to_the_time_in_which_anything_ran() -> None:
    now = 0.0
    clock = Clock(lambda: now)
    first, second = Stopwatch(clock), Stopwatch(clock)
    now = 10.0
    with first:
        now = 14.0
        with second:
            now = 20.0
        now = 21.0
    now = 30.0
    with second:
        now = 32.0
    # first: 4 alone, 6 halved, 1 alone. second: 6 halved, and 2 alone in another attempt.
    assert (first.busy_s, second.busy_s) == (8.0, 5.0)
    assert first.busy_s + second.busy_s == (21 - 10) + (32 - 30)
    assert (first.latency_s, second.latency_s) == (11.0, 18.0)
    assert (first.together, second.together) == (1, 2)

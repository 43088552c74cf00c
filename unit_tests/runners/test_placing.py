"""How large a model is once loaded and where it goes, by made-up cards."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoConfig, BitsAndBytesConfig

from tools.make_tiny import Architecture, build
from unit_tests.tiny_models import ASSET, LEGAL, ask, folder_spec
from vlmbench_plugin.core import Generation
from vlmbench_plugin.errors import ModelLoadError, UnknownNameError
from vlmbench_plugin.runners import _loading
from vlmbench_plugin.runners._placing import (
    QUANTIZATIONS,
    check_no_offload,
    device_map,
    itemsize,
    parameters_of,
    quantization_config,
)
from vlmbench_plugin.runners._sizing import cards_of
from vlmbench_plugin.runners.vlm import VlmRunner
from vlmbench_plugin.settings import Settings

CUDA, CPU = torch.device("cuda"), torch.device("cpu")
GB = 10**9


@pytest.mark.parametrize(
    ("device", "needed", "free", "expected"),
    [
        (CPU, 66 * GB, [], None),
        (CUDA, 66 * GB, [80 * GB, 80 * GB], {"": CUDA}),
        (CUDA, 67 * GB, [80 * GB, 80 * GB], "auto"),  # 1.2 * 67 = 80.4
        (CUDA, 67 * GB, [80 * GB], {"": CUDA}),  # one card has no choice
        (CUDA, None, [80 * GB, 80 * GB], {"": CUDA}),
        (torch.device("cuda:1"), None, [], {"": torch.device("cuda:1")}),
    ],
)
def test_only_a_model_larger_than_one_card_takes_several(
    device: torch.device, needed: int | None, free: list[int], expected: object
) -> None:
    assert device_map(device, needed=needed, free=free) == expected


@pytest.mark.parametrize("architecture", ["qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe"])
def test_parameters_are_counted_without_loading_them(
    tmp_path: Path, architecture: Architecture
) -> None:
    build(tmp_path, architecture)
    expected = _loading.load_model(folder_spec(tmp_path), CPU, torch.float32).num_parameters()
    assert parameters_of(AutoConfig.from_pretrained(tmp_path)) == expected > 0


def test_bytes_of_a_parameter() -> None:
    assert [itemsize(name, None) for name in ("float32", "float16", "bfloat16")] == [4, 2, 2]
    assert itemsize("bfloat16", "bitsandbytes_4bit") == 0.5
    assert itemsize("float32", "fp8") == 1
    assert itemsize("float32", "vllms-own") == min(m.itemsize for m in QUANTIZATIONS.values())


def test_a_quantization_is_passed_on() -> None:
    assert quantization_config(None, torch.float32) == {}
    found = quantization_config("fp8", torch.bfloat16)["quantization_config"]
    assert found.quant_method == "fp8"
    with pytest.raises(UnknownNameError, match="'int3'; valid: bitsandbytes_4bit, "):
        quantization_config("int3", torch.float32)


def test_a_quantization_says_what_it_needs() -> None:
    given = quantization_config("bitsandbytes_4bit", torch.bfloat16, {"bitsandbytes"}.__contains__)
    config = given["quantization_config"]
    assert isinstance(config, BitsAndBytesConfig)
    assert config.load_in_4bit
    assert config.bnb_4bit_compute_dtype is torch.bfloat16
    with pytest.raises(ModelLoadError, match="needs the package optimum-quanto"):
        quantization_config("quanto", torch.float32, {"bitsandbytes"}.__contains__)


@pytest.mark.parametrize("outside", ["cpu", "disk"])
def test_a_model_that_runs_from_main_memory_is_refused(outside: str) -> None:
    placed = {"model.visual": 0, "lm_head": outside}
    with pytest.raises(ModelLoadError, match=f"does not fit on the cards.* on {outside}"):
        check_no_offload("big", placed, CUDA)
    check_no_offload("big", {"model.visual": 0, "lm_head": 1}, CUDA)
    check_no_offload("big", None, CUDA)
    check_no_offload("big", {"": "cpu"}, CPU)


def test_the_cards_of_a_model() -> None:
    spread = SimpleNamespace(hf_device_map={"a": 1, "b": 0, "c": 1})
    assert cards_of(spread, CUDA) == [0, 1]
    assert cards_of(SimpleNamespace(), CUDA) == [CUDA]
    assert cards_of(spread, CPU) == []


def test_a_model_in_parts_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What several cards do cannot be seen here; accelerate's hooks that move tensors can."""
    requests = [ask("json_mode", colour=colour) for colour in ("red", "blue", "green")]
    requests += [ask("constrained")]

    def texts() -> list[str]:
        runner = VlmRunner(folder_spec(ASSET), Settings(device="cpu"))
        found = list(runner.generate(requests))
        assert all(isinstance(outcome, Generation) for outcome in found), found
        runner.close()
        return [outcome.text for outcome in found if isinstance(outcome, Generation)]

    whole = texts()
    parts = {"model.visual": "cpu", "model.language_model": "disk", "lm_head": "cpu"}
    monkeypatch.setattr(_loading, "device_map", lambda *_, **__: parts)
    monkeypatch.chdir(tmp_path)
    assert texts() == whole
    assert re.fullmatch(LEGAL, whole[-1])

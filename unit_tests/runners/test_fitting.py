"""What is said before the first load, on made-up machines; sizes computed by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from unit_tests.tiny_models import folder_spec
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.runners._fitting import Card, Machine, fit, machine_of, need_of
from vlmbench_plugin.runners._preflight import own_device
from vlmbench_plugin.settings import Settings

GB = 10**9
CARD = Card(total=24 * GB, free=20 * GB)
BIG = Card(total=80 * GB, free=79 * GB)
FOUR, LARGE, FP8 = MODELS["qwen3vl-4b"], MODELS["qwen3vl-32b"], MODELS["qwen3vl-32b-fp8"]
TINY = MODELS["tiny-qwen3vl"]


@pytest.mark.parametrize(
    ("name", "changed", "cards", "loaded", "numbers"),
    [
        ("qwen3vl-4b", {}, 1, 8.8, "bfloat16"),  # 4.4 thousand million of 2 bytes
        ("qwen3vl-4b", {}, 0, 17.6, "float32"),
        ("qwen3vl-4b", {"device": "cpu"}, 1, 17.6, "float32"),
        ("qwen3vl-4b", {"dtype": "float16", "device": "cpu"}, 1, 8.8, "float16"),
        ("qwen3vl-4b-fp8", {}, 1, 4.4, "fp8"),
        ("qwen3vl-4b", {"runner_args": {"quantization": "bitsandbytes_4bit"}}, 1, 2.2, None),
        ("qwen3vl-4b", {"runner_args": {"quantization": "vllms-own"}}, 1, 2.2, None),
        ("qwen3vl-30b-a3b", {}, 1, 62.0, "bfloat16"),  # all experts, not the active ones
    ],
)
def test_what_a_model_takes(
    name: str, changed: dict[str, object], cards: int, loaded: float, numbers: str | None
) -> None:
    settings = replace(Settings(), **changed)  # type: ignore[arg-type]
    need = need_of(MODELS[name], settings, Machine(cards=(CARD,) * cards))
    assert need.loaded == pytest.approx(loaded * GB)
    assert need.format == (numbers or settings.runner_args["quantization"])


@pytest.mark.parametrize(("stored", "loaded"), [("float32", 500), ("bfloat16", 1000), (None, 1000)])
def test_what_a_folder_takes(tmp_path: Path, stored: str | None, loaded: int) -> None:
    text = {"text_config": {"dtype": stored}} if stored else {}
    (tmp_path / "config.json").write_text(json.dumps(text))
    spec = replace(folder_spec(tmp_path), weight_bytes=1000)
    need = need_of(spec, Settings(), Machine(cards=(CARD,)))
    assert (need.loaded, need.missing) == (loaded, 0)


def test_a_hub_id_of_unknown_size_is_let_through() -> None:
    spec = folder_spec("org/own", "own")
    found = fit([spec], Settings(), Machine(cards=(CARD,), disk=GB, cached={"own": 0}))
    assert found.refusals == ()
    assert found.lines == (
        "own: the size of its weights is not known",
        "to download: at least 0.0 GB (own); the disk has 1.0 GB free",
    )


@pytest.mark.parametrize(
    ("changed", "cards", "workers", "refused"),
    [
        ({}, [CARD], 1, True),  # 66 GB
        ({}, [BIG], 1, False),
        ({}, [CARD, CARD, CARD], 1, False),  # 72 GB together
        ({}, [CARD, CARD, CARD], 3, True),  # a card each
        ({}, [BIG, BIG], 2, False),
        ({}, [BIG, CARD], 2, True),  # the smaller one counts
        ({"device": "cuda:1"}, [BIG, CARD], 1, True),
        ({"device": "cuda:0"}, [BIG, CARD], 1, False),
        ({"device": "cuda:0,cuda:1"}, [BIG, CARD], 2, True),
        ({"device": "cuda"}, [BIG, CARD], 1, False),
        ({"runner": "vllm"}, [CARD, CARD, CARD], 1, True),  # one card unless told
        ({"runner": "vllm", "runner_args": {"tensor_parallel_size": "3"}}, [CARD] * 3, 1, False),
        ({"runner_args": {"quantization": "bitsandbytes_4bit"}}, [CARD], 1, False),
    ],
)
def test_what_surely_does_not_fit_on_the_cards(
    changed: dict[str, object], cards: list[Card], workers: int, refused: bool
) -> None:
    settings = replace(Settings(), **changed)  # type: ignore[arg-type]
    found = fit([FOUR, LARGE], settings, Machine(cards=tuple(cards)), workers)
    assert [line.partition(":")[0] for line in found.refusals] == ["qwen3vl-32b"] * refused
    assert [line.partition(":")[0] for line in found.lines] == ["qwen3vl-4b", "qwen3vl-32b"]


def test_the_words() -> None:
    machine = Machine(cards=(CARD,), disk=50 * GB, cached={FOUR.name: 0, FP8.name: FP8_BYTES})
    found = fit([FOUR, FP8, TINY], Settings(), machine)
    assert found.lines == (
        "qwen3vl-4b: 8.8 GB of weights as bfloat16; the card has 20.0 GB free",
        "qwen3vl-32b-fp8: 33.0 GB of weights as fp8, more than the card can hold: 24.0 GB",
        "to download: 8.9 GB (qwen3vl-4b); the disk has 50.0 GB free",
    )
    assert found.refusals == found.lines[1:2]
    tight = fit([FOUR], Settings(), Machine(cards=(Card(total=24 * GB, free=9 * GB),)))
    assert tight.refusals == ()
    assert tight.lines[0].endswith("the card has 9.0 GB free: it may run out of memory")


FP8_BYTES = 33 * GB


@pytest.mark.parametrize(("workers", "refused"), [(1, False), (2, True)])
def test_main_memory_is_shared_by_workers(workers: int, refused: bool) -> None:
    found = fit([FOUR], Settings(device="cpu,cpu"), Machine(memory=32 * GB), workers)
    assert bool(found.refusals) is refused  # 17.6 GB each


@pytest.mark.parametrize(
    ("clear", "disk", "refused"),
    [
        (False, 76 * GB, False),
        (False, 75 * GB, True),
        (True, 67 * GB, False),
        (True, 66 * GB, True),
    ],
)
def test_downloads_must_fit_on_the_disk(clear: bool, disk: int, refused: bool) -> None:
    """8.9 and 67 GB: both at the end, or the larger one at a time."""
    machine = Machine(cards=(BIG,), disk=disk, cached={FOUR.name: 0, LARGE.name: 0})
    found = fit([FOUR, LARGE], Settings(clear_cache_after_model=clear), machine)
    assert bool(found.refusals) is refused
    assert "to download: 75.9 GB (qwen3vl-4b, qwen3vl-32b)" in found.lines[-1]


def test_what_is_cached_is_not_downloaded() -> None:
    half = Machine(cards=(BIG,), disk=GB, cached={FOUR.name: 8 * GB})
    assert fit([FOUR], Settings(), half).lines[1] == (
        "to download: 0.9 GB (qwen3vl-4b); the disk has 1.0 GB free"
    )
    whole = Machine(cards=(BIG,), disk=0, offline=True, cached={FOUR.name: 9 * GB})
    assert len(fit([FOUR], Settings(), whole).lines) == 1
    none = Machine(cards=(BIG,), disk=99 * GB, offline=True, cached={FOUR.name: 0})
    (refusal,) = fit([FOUR], Settings(), none).refusals
    assert refusal.endswith("but HF_HUB_OFFLINE is set")


def test_toys_are_never_in_the_way() -> None:
    nothing = Machine(memory=0, disk=0, offline=True)
    assert fit([TINY], Settings(), nothing) == fit([], Settings(), nothing)


def test_this_machine_tells_what_it_has() -> None:
    machine = machine_of([TINY, FOUR], Settings(device="cpu"))
    assert machine.cards == ()
    assert machine.memory is not None
    assert machine.memory > GB // 4
    assert machine.disk is not None
    assert machine.cached.keys() == {FOUR.name}


def test_one_worker_alone_may_take_every_card() -> None:
    assert own_device("auto", 0, 1) == "auto"
    assert own_device("cuda:1,cuda:2", 0, 1) == "cuda:1"
    assert [own_device("cuda:1,cuda:2", slot, 2) for slot in range(3)] == [
        "cuda:1",
        "cuda:2",
        "cuda:1",
    ]

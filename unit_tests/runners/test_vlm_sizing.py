"""How large a batch is, by made-up models and memories."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from unit_tests.tiny_models import ask, think
from vlmbench_plugin.runners import _sizing
from vlmbench_plugin.runners._sizing import LARGEST, ON_CPU, WITHOUT_FIGURES, BatchSize, row_bytes

GB = 1 << 30


def config(**changed: Any) -> Any:
    """The 8B model's: 147,456 bytes of keys and values per token in bfloat16."""
    shape = {
        "num_hidden_layers": 36,
        "num_key_value_heads": 8,
        "num_attention_heads": 32,
        "hidden_size": 4096,
        "head_dim": 128,
    }
    return SimpleNamespace(**shape | changed)


def chosen(
    monkeypatch: pytest.MonkeyPatch, device: str, free: int | None, asked: int | None = None
) -> BatchSize:
    model = SimpleNamespace(config=SimpleNamespace(get_text_config=config), dtype=torch.bfloat16)
    monkeypatch.setattr(_sizing, "free_bytes", lambda _: free)
    return BatchSize(asked, model, SimpleNamespace(type=device))


@pytest.mark.parametrize(
    ("device", "free", "budget", "size"),
    [
        ("cpu", None, 256, ON_CPU),
        ("mps", None, 256, WITHOUT_FIGURES),
        # A row of 2,560 + 256 tokens takes 415 MB: 0.7 * 8 GiB hold 14 of them.
        ("cuda", 8 * GB, 256, 8),
        # Of 2,560 + 2,048 tokens, which is planned at most: 679 MB, 8 of them.
        ("cuda", 8 * GB, 8192, 8),
        ("cuda", 7 * GB, 8192, 4),
        ("cuda", GB // 4, 256, 1),
        ("cuda", 64 * GB, 256, LARGEST),
    ],
)
def test_the_size_follows_from_memory(
    monkeypatch: pytest.MonkeyPatch, device: str, free: int | None, budget: int, size: int
) -> None:
    assert chosen(monkeypatch, device, free).of(ask("json_mode", budget=budget)) == size


def test_a_thoughts_whole_budget_is_planned_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # 2,560 + 4,096 + 256 tokens take 1,019 MB: 0.7 * 8 GiB hold 5 of them.
    request = think(ask("json_mode", budget=256), budget=4096)
    assert chosen(monkeypatch, "cuda", 8 * GB).of(request) == 4


def test_the_size_is_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch, "cuda", GB // 4, asked=24).of(ask("json_mode")) == 24


def test_what_ran_out_of_memory_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    size = chosen(monkeypatch, "cpu", None, asked=24)
    size.ran_out_of_memory(24)
    assert size.of(ask("json_mode")) == 12
    size.ran_out_of_memory(1)
    assert size.of(ask("json_mode")) == 1


def test_a_chosen_size_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    size = chosen(monkeypatch, "cpu", None)
    size.of(ask("json_mode", budget=40))
    size.of(ask("json_mode", budget=40))
    assert [record.getMessage() for record in caplog.records] == [
        f"batch size {ON_CPU} for answers of up to 40 tokens"
    ]


def test_the_bytes_of_a_row() -> None:
    assert row_bytes(config(), 2, 1) == 2 * 36 * 8 * 128 * 2
    assert row_bytes(config(head_dim=None), 4, 10) == 2 * 36 * 8 * 128 * 4 * 10
    hybrid = ["linear_attention"] * 27 + ["full_attention"] * 9
    assert row_bytes(config(layer_types=hybrid), 2, 1) == 2 * 9 * 8 * 128 * 2

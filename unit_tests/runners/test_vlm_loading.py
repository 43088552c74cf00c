"""What loading tells the user, what it leaves in the hub cache, and the random checkpoint."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import huggingface_hub.utils._cache_manager as cache_manager
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from tools.make_tiny import ASSET_SHAPE, build
from unit_tests.tiny_models import ASSET, folder_spec
from vlmbench_plugin.errors import ModelLoadError, UnknownNameError, UsageError
from vlmbench_plugin.runners import loads_model, needs_pixels
from vlmbench_plugin.runners._loading import (
    load_front,
    pick_device,
    pick_dtype,
    slow_kernels,
    stop_ids,
)
from vlmbench_plugin.runners.vlm import VlmRunner
from vlmbench_plugin.settings import Settings

CPU = Settings(device="cpu")
OURS, THEIRS = "a" * 40, "b" * 40


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ASSET, tmp_path / "copy"))


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(cache_manager, "HF_HUB_CACHE", str(cache))
    return cache


def add_revision(cache: Path, hub_id: str, commit: str) -> Path:
    repository = cache / f"models--{hub_id.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    shutil.copytree(ASSET, snapshot)
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(commit)
    return snapshot


def test_importing_the_runner_imports_nothing_heavy() -> None:
    script = (
        "import sys, vlmbench_plugin.runners.vlm\n"
        "print({'torch', 'transformers', 'xgrammar', 'huggingface_hub'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_the_registry_knows_what_it_costs() -> None:
    assert loads_model("vlm")
    assert needs_pixels("vlm")


def test_an_empty_folder_is_told_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError) as caught:
        VlmRunner(folder_spec(tmp_path), CPU)
    message = str(caught.value)
    for part in (str(tmp_path), "config.json", "*.safetensors", "tokenizer.json", "processor"):
        assert part in message
    assert "hint: point --model at" in message


def test_a_folder_without_weights_is_told_only_that(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelLoadError, match=r"it lacks weights \(\*\.safetensors or") as caught:
        VlmRunner(folder_spec(copy), CPU)
    assert "config.json" not in str(caught.value)


def test_weights_that_lack_a_tensor_are_refused(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"lack 1 tensors, such as lm_head\.weight"):
        VlmRunner(folder_spec(copy), CPU)


def test_a_model_that_sees_nothing_is_refused(copy: Path) -> None:
    (copy / "config.json").write_text('{"model_type": "qwen3", "vocab_size": 449}')
    with pytest.raises(ModelLoadError, match=f"from the folder {copy}"):
        VlmRunner(folder_spec(copy), CPU)


def test_a_hub_id_out_of_reach_is_told_why(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelLoadError, match="from the hub id nobody/nothing") as caught:
        VlmRunner(folder_spec("nobody/nothing"), CPU)
    assert "hub must be reachable" in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(runner_args={"batch": "4"}), "unknown --runner-arg.*'batch'; valid: quanti"),
        (Settings(runner_args={"stop_loops": "no"}), "stop_loops=on or stop_loops=off, got 'no'"),
        (
            Settings(device="cpu", runner_args={"quantization": "int3"}),
            "unknown quantization.*'int3'; valid: bitsandbytes_4bit",
        ),
        (Settings(device="gpu"), "such as auto, cpu or cuda:0, got 'gpu'"),
        (Settings(device="cuda:7"), "cuda:7 is not there"),
        (Settings(device="cpu", dtype="int8"), "unknown dtype 'int8'; valid: auto, float32"),
    ],
)
def test_wrong_settings_are_named(settings: Settings, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        VlmRunner(folder_spec(ASSET), settings)


@pytest.mark.parametrize(
    ("declared", "own", "ids"),
    [(7, 9, (7, 9)), ([9, 3], 9, (3, 9)), (None, 9, (9,)), (4, None, (4,))],
)
def test_an_answer_may_end_by_every_declared_token(
    declared: int | list[int] | None, own: int | None, ids: tuple[int, ...]
) -> None:
    assert stop_ids(declared, own) == ids


def test_without_a_generation_configuration_the_models_own_counts(copy: Path) -> None:
    expected = load_front(folder_spec(copy)).stop_ids
    (copy / "generation_config.json").unlink()
    assert load_front(folder_spec(copy)).stop_ids == expected[1:]


def test_slow_linear_attention_is_told_where_there_is_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hybrid = SimpleNamespace(layer_types=["linear_attention", "full_attention"])
    found = {"causal_conv1d": object()}
    monkeypatch.setattr("vlmbench_plugin.runners._loading.find_spec", found.get)
    assert slow_kernels(hybrid) == ["flash-linear-attention"]
    assert slow_kernels(SimpleNamespace(layer_types=["full_attention"])) == []
    assert slow_kernels(SimpleNamespace()) == []


def test_a_hybrid_model_says_what_it_misses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path, "qwen3_5")
    monkeypatch.setattr("vlmbench_plugin.runners._loading.find_spec", lambda _: None)
    for folder, told in ((tmp_path, True), (ASSET, False)):
        runner = VlmRunner(folder_spec(folder), CPU)
        note = runner.describe()["note"]
        runner.close()
        assert ("flash-linear-attention, causal-conv1d" in (note or "")) is told


def test_device_and_dtype() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert pick_dtype("auto", torch.device("cpu")) == torch.float32
    assert pick_dtype("auto", torch.device("cuda")) == torch.bfloat16
    assert pick_dtype("float16", torch.device("cpu")) == torch.float16
    with pytest.raises(UnknownNameError):
        pick_dtype("half", torch.device("cpu"))


def test_a_cached_model_loads_offline_and_names_its_revision(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    add_revision(hub_cache, "org/tiny", THEIRS)
    add_revision(hub_cache, "org/tiny", OURS)
    runner = VlmRunner(folder_spec("org/tiny"), CPU)
    assert runner.describe()["revision"] == OURS
    runner.close()


def test_the_packaged_checkpoint_is_rebuilt_byte_for_byte(tmp_path: Path) -> None:
    build(tmp_path, shape=ASSET_SHAPE)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {path.name for path in ASSET.iterdir()} - {"README.md"}
    different = [n for n in names if (tmp_path / n).read_bytes() != (ASSET / n).read_bytes()]
    assert different == []
    assert sum(path.stat().st_size for path in ASSET.iterdir()) < 5_000_000


def test_its_tokenizer_writes_json_briefly_and_digits_singly() -> None:
    tokenizer = AutoTokenizer.from_pretrained(ASSET)
    text = '{"detections": [{"label": "red circle", "box": [120, 340, 560, 780]}], "count": 1}'
    tokens = tokenizer.tokenize(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert not [token for token in tokens if any(map(str.isdigit, token)) and len(token) > 1]
    assert len(tokens) <= len(text) / 2.5
    strange = "naïve 漢字 🙂 \x00"
    assert tokenizer.decode(tokenizer.encode(strange)) == strange

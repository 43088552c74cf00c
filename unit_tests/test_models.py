from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import pytest
from safetensors import safe_open

from vlmbench_plugin.core import FRAMES, Frame
from vlmbench_plugin.errors import ModelLoadError, UnknownNameError, UsageError
from vlmbench_plugin.models import MODELS, resolve_models

PUBLISHED = (
    *(f"qwen3vl-{size}" for size in ("2b", "4b", "8b", "32b", "30b-a3b")),
    *(f"qwen3.5-{size}" for size in ("0.8b", "2b", "4b", "9b", "27b", "35b-a3b")),
    "qwen3.5-0.8b-captioner",
)
THINKING = tuple(f"{name}-thinking" for name in PUBLISHED[:5])
NEWER = ("qwen3.6-27b", "qwen3.6-35b-a3b", "qwen3.8-27b", "qwen2.5vl-3b", "qwen2.5vl-7b")
TOYS = ("tiny-qwen3vl", "tiny-qwen3.5")
SIZE = re.compile(r"(?<![a-z0-9.])(a?\d+(?:\.\d+)?)b(?![a-z0-9])")
REAL = sorted(name for name in MODELS if not MODELS[name].toy)


def make_folder(path: Path, model_type: str = "qwen3_vl", weights: str = "a.safetensors") -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"model_type": model_type}), encoding="utf-8")
    (path / weights).write_bytes(b"12345")
    return path


def generation_of(text: str) -> str:
    found = re.search(r"qwen(\d(?:\.\d)?)-?(vl)?", text.lower())
    assert found is not None, text
    return f"{found[1]}{found[2] or ''}"


@pytest.mark.parametrize("name", [*PUBLISHED, *THINKING, *NEWER, "qwen3vl-32b-fp8", *TOYS])
def test_registry_has(name: str) -> None:
    assert MODELS[name].name == name


def test_eight_bit_models_are_the_fifteen_official_ones() -> None:
    assert sum(name.endswith("-fp8") for name in MODELS) == 15
    assert all(
        MODELS[name].hub_id == f"{MODELS[name[:-4]].hub_id}-FP8"
        for name in MODELS
        if name.endswith("-fp8")
    )


@pytest.mark.parametrize("name", REAL)
def test_name_and_hub_id_agree_on_generation_sizes_and_precision(name: str) -> None:
    hub_id = MODELS[name].hub_id
    assert generation_of(name) == generation_of(hub_id)
    assert SIZE.findall(name) == SIZE.findall(hub_id.rpartition("/")[2].lower()) != []
    assert name.endswith("-fp8") == hub_id.endswith("-FP8")
    assert ("-thinking" in name) == ("-Thinking" in hub_id)
    assert ("qwen3vl" in name) == ("-Instruct" in hub_id or "-Thinking" in hub_id) or "2.5" in name


@pytest.mark.parametrize("name", REAL)
def test_parameters_agree_with_the_sizes_in_the_name(name: str) -> None:
    spec = MODELS[name]
    total, *active = (float(size.lstrip("a")) for size in SIZE.findall(name))
    assert spec.total_params == pytest.approx(total, rel=0.26)
    assert spec.active_params == (active[0] if active else spec.total_params)
    if spec.weight_bytes is not None:
        bytes_each = 1 if name.endswith("-fp8") else 2
        assert spec.weight_bytes == pytest.approx(bytes_each * total * 1e9, rel=0.2)


def test_frames_and_thinking_follow_the_generation() -> None:
    for name in REAL:
        spec = MODELS[name]
        is_older = name.startswith("qwen2.5")
        assert spec.frame == ("pixel_resized" if is_older else "norm_0_1000")
        assert spec.thinking == bool(re.match(r"qwen3\.[568]-|.*-thinking", name))
        assert bool(spec.sampling) == spec.thinking
        assert spec.always_thinks == ("-thinking" in name)


@pytest.mark.parametrize(
    ("name", "temperature", "presence"),
    [
        ("qwen3.5-0.8b", 0.6, 0.0),
        ("qwen3.5-4b", 1.0, 1.5),
        ("qwen3.6-27b", 1.0, 0.0),
        ("qwen3.8-27b-fp8", 1.0, 0.0),
        ("qwen3vl-4b-thinking", 0.6, 0.0),
        ("qwen3vl-30b-a3b-thinking-fp8", 0.6, 0.0),
    ],
)
def test_thinking_samples_as_the_model_card_says(
    name: str, temperature: float, presence: float
) -> None:
    assert MODELS[name].sampling == {
        "temperature": temperature,
        "top_p": 0.95,
        "top_k": 20,
        "presence_penalty": presence,
        "repetition_penalty": 1.0,
    }


@pytest.mark.parametrize("name", TOYS)
def test_tiny_models_are_toys_in_the_package(name: str) -> None:
    spec = MODELS[name]
    assert spec.toy
    assert Path(spec.hub_id).parts[-3:] == ("vlmbench_plugin", "assets", name)
    with safe_open(Path(spec.hub_id) / "model.safetensors", framework="pt") as file:
        sizes = [math.prod(file.get_slice(one).get_shape()) for one in file.keys()]  # noqa: SIM118
    assert spec.total_params == pytest.approx(sum(sizes) / 1e9, rel=0.01)
    assert sum(one.stat().st_size for one in Path(spec.hub_id).iterdir()) < 6_000_000
    assert spec.weight_bytes == (Path(spec.hub_id) / "model.safetensors").stat().st_size


def test_registry_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        MODELS["x"] = MODELS["qwen3vl-2b"]  # type: ignore[index]


@pytest.mark.parametrize("name", MODELS)
def test_entries_go_into_a_manifest(name: str) -> None:
    values = dataclasses.asdict(MODELS[name])
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_names_resolve_in_the_order_given() -> None:
    specs = resolve_models(["qwen3.5-2b", "qwen3vl-4b"], None)
    assert specs == (MODELS["qwen3.5-2b"], MODELS["qwen3vl-4b"])


@pytest.mark.parametrize(
    ("model_type", "frame", "thinking"),
    [
        ("qwen3_vl", "norm_0_1000", False),
        ("qwen3_vl_moe", "norm_0_1000", False),
        ("qwen3_5", "norm_0_1000", True),
        ("qwen3_5_moe", "norm_0_1000", True),
        ("qwen2_5_vl", "pixel_resized", False),
    ],
)
def test_folder_tells_frame_and_thinking(
    tmp_path: Path, model_type: str, frame: Frame, thinking: bool
) -> None:
    folder = make_folder(tmp_path / "My Fine-Tune [v2]", model_type)
    (spec,) = resolve_models([str(folder)], None)
    assert (spec.name, spec.hub_id) == ("my-fine-tune-v2", str(folder))
    assert (spec.frame, spec.thinking, spec.weight_bytes) == (frame, thinking, 5)
    assert spec.total_params is None


def test_relative_folder_gets_an_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path / "runs" / "final", weights="pytorch_model.bin")
    monkeypatch.chdir(tmp_path)
    specs = resolve_models(["runs/final", "again=./runs/final"], None)
    assert [spec.name for spec in specs] == ["final", "again"]
    assert {spec.hub_id for spec in specs} == {str((tmp_path / "runs" / "final").resolve())}


def test_bare_word_is_a_folder_only_if_it_holds_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path / "final")
    (tmp_path / "prod-vlm").mkdir()
    monkeypatch.chdir(tmp_path)
    mine, served = resolve_models(["final", "qwen3vl-4b=prod-vlm"], None)
    assert mine.hub_id == str((tmp_path / "final").resolve())
    assert served.served_name == "prod-vlm"


def test_weights_in_two_formats_count_once(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model")
    (folder / "pytorch_model.bin").write_bytes(b"1234567")
    assert resolve_models([str(folder)], None)[0].weight_bytes == 5


def test_folder_of_another_family_needs_a_frame(tmp_path: Path) -> None:
    folder = str(make_folder(tmp_path / "llava", "llava"))
    with pytest.raises(UsageError, match=r"model_type is 'llava'(?s:.*)--frame"):
        resolve_models([folder], None)
    assert resolve_models([folder], "norm_0_1")[0].frame == "norm_0_1"


@pytest.mark.parametrize(
    ("kept", "missing"),
    [("config.json", "weights"), ("a.safetensors", r"config\.json"), ("", r"config\.json and wei")],
)
def test_incomplete_folder_says_what_is_missing(tmp_path: Path, kept: str, missing: str) -> None:
    folder = make_folder(tmp_path / "model")
    for path in folder.iterdir():
        if path.name != kept:
            path.unlink()
    with pytest.raises(ModelLoadError, match=f"without {missing}"):
        resolve_models([str(folder)], None)


@pytest.mark.parametrize("text", ["{", "[1]", ""])
def test_broken_config_is_named(tmp_path: Path, text: str) -> None:
    folder = make_folder(tmp_path / "model")
    (folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelLoadError, match=r"expected a JSON object in .*config\.json"):
        resolve_models([str(folder)], None)


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="no such folder"):
        resolve_models([str(tmp_path / "nowhere")], None)


@pytest.mark.parametrize(
    ("hub_id", "frame", "thinking"),
    [
        ("me/Qwen3-VL-4B-invoices", "norm_0_1000", False),
        ("me/qwen3.5-2b-json", "norm_0_1000", True),
        ("me/Qwen3.8-27B-AWQ", "norm_0_1000", True),
        ("me/Qwen2.5-VL-7B-lora", "pixel_resized", False),
        ("me/Qwen3-VL-8B-Thinking-AWQ", "norm_0_1000", True),
    ],
)
def test_hub_id_tells_its_family(hub_id: str, frame: Frame, thinking: bool) -> None:
    (spec,) = resolve_models([hub_id], None)
    assert (spec.name, spec.hub_id) == (hub_id.rpartition("/")[2].lower(), hub_id)
    assert (spec.frame, spec.thinking, spec.revision) == (frame, thinking, None)
    assert bool(spec.sampling) == thinking


def test_hub_id_with_name_and_revision() -> None:
    (spec,) = resolve_models(["mine=me/Qwen3-VL-4B-x@refs/pr/3"], None)
    assert (spec.name, spec.hub_id, spec.revision) == ("mine", "me/Qwen3-VL-4B-x", "refs/pr/3")


def test_known_hub_id_brings_the_facts_of_the_registry() -> None:
    (spec,) = resolve_models(["Qwen/Qwen3.5-35B-A3B@abc"], None)
    assert (spec.name, spec.revision, spec.active_params) == ("qwen3.5-35b-a3b", "abc", 3.0)
    assert spec.sampling == MODELS["qwen3.5-35b-a3b"].sampling


@pytest.mark.parametrize("hub_id", ["org/some-vlm", "org/qwen3-8b", "org/Qwen3-5B", "org/qwen35b"])
def test_hub_id_of_another_family_needs_a_frame(hub_id: str) -> None:
    with pytest.raises(UsageError, match="--frame"):
        resolve_models([hub_id], None)
    assert resolve_models([hub_id], "pixel")[0].frame == "pixel"


def test_known_name_tells_the_family_of_another_checkpoint() -> None:
    (spec,) = resolve_models(["qwen3.5-4b=me/invoices"], None)
    assert (spec.frame, spec.thinking) == ("norm_0_1000", True)
    assert spec.weight_bytes is None


def test_server_alias_keeps_the_model() -> None:
    (spec,) = resolve_models(["qwen3vl-4b=prod-vlm"], None)
    assert (spec.name, spec.served_name) == ("qwen3vl-4b", "prod-vlm")
    assert spec.hub_id == MODELS["qwen3vl-4b"].hub_id


@pytest.mark.parametrize("frame", FRAMES)
def test_frame_overrides_that_of_every_model(frame: Frame) -> None:
    asked = ["qwen3vl-4b", "qwen2.5vl-3b=served", "me/Qwen3-VL-x", "Qwen/Qwen3-VL-2B-Instruct"]
    assert {spec.frame for spec in resolve_models(asked, frame)} == {frame}


@pytest.mark.parametrize("asked", ["qwen3vl-5b", "mine=prod-vlm", "", "a b", "qwen3vl-4b/x/y"])
def test_unknown_name_lists_all(asked: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        resolve_models([asked], None)
    assert all(name in str(caught.value) for name in MODELS)


@pytest.mark.parametrize("asked", ["my model=me/Qwen3-VL-x", "=me/x", "qwen3vl-4b=", "a[1]=me/x"])
def test_malformed_name_is_refused(asked: str) -> None:
    with pytest.raises(UsageError, match="expected NAME="):
        resolve_models([asked], None)


@pytest.mark.parametrize(
    "asked",
    [("qwen3vl-4b", "qwen3vl-4b=prod"), ("a/Qwen3-VL-x", "b/qwen3-vl-X"), ("qwen3vl-2b",) * 2],
)
def test_names_are_unique(asked: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="more than once"):
        resolve_models(asked, None)

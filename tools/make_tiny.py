"""Builds tiny random-weight checkpoints of the Qwen architectures.

Run as a script it rebuilds the checkpoint that tests and benchmarks ask, byte for byte::

    python tools/make_tiny.py fixtures/tiny-random-qwen3vl

The tests import :func:`build` for the other architectures. Every file is laid out as on the hub, so
that the code that loads a real checkpoint loads these. Configurations are written here and not by
``save_pretrained``, which puts its version into them.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

Architecture = Literal["qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)

CLASSES: Mapping[Architecture, str] = {
    "qwen3_vl": "Qwen3VLForConditionalGeneration",
    "qwen3_vl_moe": "Qwen3VLMoeForConditionalGeneration",
    "qwen3_5": "Qwen3_5ForConditionalGeneration",
    "qwen3_5_moe": "Qwen3_5MoeForConditionalGeneration",
}
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
THINK = ("<think>", "</think>")  # not special: decoding never hides them, as in the real ones

TEXT_TOKENS = 440
MAX_POSITIONS = 16_384
PIXELS = {"shortest_edge": 32 * 32, "longest_edge": 256 * 256}

TEMPLATE = Path(__file__).with_name("tiny_chat_template.jinja")
"""ChatML; ``thinks`` says whether it knows ``enable_thinking``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of a tiny model.

    Attributes:
        hidden: Width of the text model and of the vision model.
        layers: Text layers, and vision layers; Qwen3.5 alternates linear and full attention.
        padding: Rows of the output layer beyond the tokenizer, as the real models have them.
    """

    hidden: int = 64
    layers: int = 2
    padding: int = 31


ASSET_SHAPE = Shape(padding=0)
"""Of the packaged model: no padding, so that whatever it writes is text."""


def corpus(lines: int = 1500) -> Iterator[str]:
    """JSON in the manner of the benchmark's answers, and of the prompts that ask for them."""
    rng = random.Random(0)
    labels = [
        f"{colour} {shape}"
        for colour in ("red", "green", "blue", "yellow", "orange", "purple", "black", "white")
        for shape in ("circle", "square", "triangle", "star", "hexagon", "cube", "cylinder")
    ]

    def numbers(count: int) -> list[int]:
        return [rng.randint(0, 1000) for _ in range(count)]

    for _ in range(lines):
        one, two, three = rng.sample(labels, 3)
        found = [{"label": one, "box": numbers(4), "score": 0.9}, {"label": two, "box": numbers(4)}]
        outline = [numbers(2) for _ in range(4)]
        solid = {"label": one, "center": [0.1, -0.5, 2.25], "size": [1, 0.5, 1.5], "yaw": -30}
        answers: tuple[Any, ...] = (
            {"detections": found, "count": 2},
            {"instances": [{"label": one, "polygon": outline}, {"label": two, "polygon": outline}]},
            {"relations": [{"subject": one, "relation": "left_of", "object": two}]},
            {"relations": [{"subject": one, "predicate": "above", "object": two}]},
            {"order": [one, two, three], "objects": [solid]},
            {"lines": [one, two], "format": "json", "entries": [{"key": "a.0", "value": two}]},
            {"yaw": 12.5, "pitch": -3, "roll": 0, "style": "line", "structure": "grid"},
            {"answer": "yes", "confidence": 0.75},
        )
        yield json.dumps(rng.choice(answers))
    schema = {"type": "object", "properties": {"label": {"type": "string", "maxLength": 64}}}
    bounded = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}
    for part in (schema, bounded, {"required": ["label"], "additionalProperties": False}):
        yield from [json.dumps(part)] * (lines // 20)
    prompt = "Look at the image and answer with one JSON object of this form, and with nothing else"
    yield from [prompt] * (lines // 20)


def tokenizer_json() -> str:
    """The tokenizer of a random model; digits stand alone, as in Qwen's."""
    return byte_pairs(corpus(), r"\p{N}", (), vocab_size=TEXT_TOKENS, max_token_length=16)


def byte_pairs(lines: Iterable[str], pieces: str, constant: Sequence[str], **trainer: Any) -> str:
    """Learns a byte-level BPE tokenizer with the special tokens of the Qwen models.

    Args:
        lines: What it is learnt from.
        pieces: Regular expression; no token crosses the ends of its matches.
        constant: Texts that are one token each.
        trainer: Options of ``BpeTrainer``.

    Returns:
        The text of ``tokenizer.json``, without a newline at its end.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pieces), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learning = trainers.BpeTrainer(initial_alphabet=alphabet, show_progress=False, **trainer)
    tokenizer.train_from_iterator(lines, learning)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in (*THINK, *constant)])
    return str(tokenizer.to_str(pretty=True))


def token_ids(tokenizer: str) -> dict[str, int]:
    """Added token -> id."""
    return {token["content"]: token["id"] for token in json.loads(tokenizer)["added_tokens"]}


def vision_config(architecture: Architecture, shape: Shape) -> dict[str, Any]:
    """The vision half of a configuration."""
    config = {
        "depth": shape.layers,
        "hidden_size": shape.hidden,
        "intermediate_size": 2 * shape.hidden,
        "num_heads": 2,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": shape.hidden,
        "num_position_embeddings": 256,
        "model_type": f"{architecture}_vision" if "3_5" in architecture else architecture,
    }
    if architecture.startswith("qwen3_vl"):
        config["deepstack_visual_indexes"] = [0]
    return config


def text_config(architecture: Architecture, shape: Shape, ids: dict[str, int]) -> dict[str, Any]:
    """The language half of a configuration."""
    config: dict[str, Any] = {
        "model_type": f"{architecture}_text",
        "vocab_size": 1 + max(ids.values()) + shape.padding,
        "hidden_size": shape.hidden,
        "intermediate_size": 2 * shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "max_position_embeddings": MAX_POSITIONS,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10_000.0,
            "mrope_section": [8, 4, 4],
            "mrope_interleaved": True,
        },
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
    }
    if "3_5" in architecture:
        config["layer_types"] = ["linear_attention", "full_attention"] * (shape.layers // 2)
        # The head size of the real models: CPU kernels of other engines refuse smaller ones.
        config |= {"linear_key_head_dim": 128, "linear_value_head_dim": 128}
        config |= {"linear_num_key_heads": 1, "linear_num_value_heads": 2}
        # A quarter of the head rotates: 8 of 32, hence 4 frequencies.
        config["rope_parameters"] |= {"mrope_section": [2, 1, 1], "partial_rotary_factor": 0.25}
    if architecture.endswith("moe"):
        config |= {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
        if "3_5" in architecture:
            config["shared_expert_intermediate_size"] = 32
    return config


def model_config(architecture: Architecture, shape: Shape, ids: dict[str, int]) -> dict[str, Any]:
    """The whole ``config.json``, as the hub has it."""
    return {
        "architectures": [CLASSES[architecture]],
        "model_type": architecture,
        "dtype": "bfloat16",
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "tie_word_embeddings": False,
        "text_config": text_config(architecture, shape, ids),
        "vision_config": vision_config(architecture, shape),
    }


def processor_files() -> dict[str, Any]:
    """The image and video processor configurations."""
    shared = {
        "processor_class": "Qwen3VLProcessor",
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "size": PIXELS,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    return {
        "preprocessor_config.json": shared | {"image_processor_type": "Qwen2VLImageProcessorFast"},
        "video_preprocessor_config.json": shared
        | {"video_processor_type": "Qwen3VLVideoProcessor"},
    }


def text_files(architecture: Architecture, shape: Shape, tokenizer: str) -> dict[str, str]:
    """Every file but the weights: name -> content; ``tokenizer`` is that of ``tokenizer.json``."""
    ids = token_ids(tokenizer)
    generation = {
        "do_sample": True,
        "temperature": 0.7,
        "top_k": 20,
        "top_p": 0.8,
        "eos_token_id": [ids["<|im_end|>"], ids["<|endoftext|>"]],
        "pad_token_id": ids["<|endoftext|>"],
    }
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "processor_class": "Qwen3VLProcessor",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": MAX_POSITIONS,
    }
    objects = {
        "config.json": model_config(architecture, shape, ids),
        "generation_config.json": generation,
        "tokenizer_config.json": tokenizer_config,
    }
    written = {
        name: json.dumps(value, indent=2) + "\n"
        for name, value in (objects | processor_files()).items()
    }
    thinks = "{%- set thinks = " + ("true" if "3_5" in architecture else "false") + " -%}\n"
    template = thinks + TEMPLATE.read_text(encoding="utf-8")
    return written | {"tokenizer.json": tokenizer + "\n", "chat_template.jinja": template}


def new_model(config_folder: Path, seed: int) -> Any:
    """A model of the folder's configuration in float32, with weights as the class starts them."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModelForImageTextToText.from_config(
            AutoConfig.from_pretrained(config_folder), dtype=torch.float32
        )


def random_model(config_folder: Path, seed: int) -> Any:
    """A model of the folder's configuration; matrices are drawn in the order of their names."""
    import torch

    model = new_model(config_folder, seed)
    for name, weight in sorted(model.named_parameters()):
        if weight.dim() < 2:
            continue  # norms and biases keep what the architecture starts with
        generator = torch.Generator().manual_seed(seed + sum(map(ord, name)))
        # Outputs of unit variance, so that image and position reach the logits.
        scale = 1.0 if "embed" in name else 1 / math.sqrt(weight[0].numel())
        weight.data.copy_(torch.randn(weight.shape, generator=generator) * scale)
    return model.to(torch.bfloat16)


def build(
    folder: Path, architecture: Architecture = "qwen3_vl", *, shape: Shape = Shape(), seed: int = 0
) -> None:
    """Writes a checkpoint of a tiny model into a folder; the same bytes on every call.

    Args:
        folder: Made where it is missing.
        architecture: The ``model_type`` to build.
        shape: Its sizes.
        seed: Of the random weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = text_files(architecture, shape, tokenizer_json())
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    random_model(folder, seed).save_pretrained(folder)
    for name in ("config.json", "generation_config.json"):
        (folder / name).write_text(files[name], encoding="utf-8")
    (folder / "model.safetensors").chmod(0o644)  # safetensors leaves it to its owner alone


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    build(arguments.parse_args().folder, shape=ASSET_SHAPE)

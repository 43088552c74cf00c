"""The folder of a trained model: configuration, tokenizer, processor, weights, model card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.make_tiny import Architecture, Shape, text_files
from tools.training.recipe import LARGEST_INPUT, Recipe, Sizes
from tools.training.tokens import tokenizer_json

HEAD = 32
"""Width of an attention head: vLLM on a CPU takes it, as it takes 64 and 128."""
MERGE = 2
SMALL_SIDE = 128
WEIGHTS = "model.safetensors"


def write_front(folder: Path, recipe: Recipe) -> None:
    """Writes every file but the weights and the card.

    Args:
        folder: Made where it is missing.
        recipe: Whose architecture and sizes it has.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = Shape(layers=recipe.sizes.layers, padding=0)
    for name, text in text_files(recipe.architecture, shape, tokenizer_json()).items():
        if name == "config.json":
            text = _json(_config(json.loads(text), recipe.architecture, recipe.sizes))
        elif name.endswith("preprocessor_config.json"):
            least = (recipe.sizes.patch * MERGE) ** 2
            size = {"shortest_edge": least, "longest_edge": LARGEST_INPUT}
            text = _json(json.loads(text) | {"patch_size": recipe.sizes.patch, "size": size})
        (folder / name).write_text(text, encoding="utf-8")


def write_weights(folder: Path, weights: Mapping[str, Any]) -> None:
    """Writes weights in bfloat16, all at once or not at all.

    Args:
        folder: Of the model.
        weights: Parameter name -> tensor; a tied one has one name.
    """
    import torch
    from safetensors.torch import save_file

    half = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in weights.items()}
    part = folder / f"{WEIGHTS}.part"
    save_file(half, part, metadata={"format": "pt"})
    part.chmod(0o644)  # safetensors leaves it to its owner alone
    part.replace(folder / WEIGHTS)


def _config(config: dict[str, Any], architecture: Architecture, sizes: Sizes) -> dict[str, Any]:
    """The configuration of :mod:`tools.make_tiny` with a trained model's sizes."""
    config["tie_word_embeddings"] = True
    config["text_config"] |= {
        "hidden_size": sizes.hidden,
        "intermediate_size": sizes.intermediate,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.heads // 2,
        "head_dim": HEAD,
        "tie_word_embeddings": True,
    }
    config["vision_config"] |= {
        "depth": sizes.vision_layers,
        "hidden_size": sizes.vision_hidden,
        "intermediate_size": 2 * sizes.vision_hidden,
        "num_heads": sizes.vision_hidden // HEAD,
        "patch_size": sizes.patch,
        "out_hidden_size": sizes.hidden,
        "num_position_embeddings": (SMALL_SIDE // sizes.patch) ** 2,
    }
    if architecture.startswith("qwen3_vl"):
        config["vision_config"]["deepstack_visual_indexes"] = [sizes.vision_layers // 2]
    return config


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"

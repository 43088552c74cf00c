"""What masks and log probabilities cost: their share of a decode step.

    python benchmarks/masks.py [--rounds N]

Measured on the real vocabulary of 151,936 entries, on a CPU in float32 with one thread, with two
layers of the width of the smallest real model: a step of all of its layers is longer, and the share
smaller. The answers are random walks through the grammar.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from figures import Figure, Sheet
from transformers import AutoConfig, AutoModelForImageTextToText

from tools.make_tiny import Shape, model_config
from unit_tests.artifacts.cases import built
from unit_tests.artifacts.walks import RealVocabulary, real_vocabulary
from vlmbench_plugin.runners._decoding import Decoding, Limits, Row
from vlmbench_plugin.runners._grammar import RowMasks

MASKED_ROWS, MASKED_TOKENS, WIDTH = 16, 40, 1024
TARGET = "<= 15"
TASKS = ("bbox_grounding", "ocr_text")


@contextmanager
def timed(owner: Any, name: str, spent: list[float]) -> Iterator[None]:
    """Adds up the seconds of every call of a method while it lasts."""
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            spent[0] += time.perf_counter() - begun

    setattr(owner, name, wrapped)
    try:
        yield
    finally:
        setattr(owner, name, original)


def wide_model(real: RealVocabulary) -> Any:
    """A random model of two layers over the real vocabulary."""
    ids = {token.content: number for number, token in real.tokenizer.added_tokens_decoder.items()}
    config = model_config("qwen3_vl", Shape(hidden=WIDTH), ids)
    config["text_config"]["vocab_size"] = real.width
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(AutoConfig.for_model(**config))
    return model.float().eval()


def prompt_of(real: RealVocabulary, rows: int) -> dict[str, torch.Tensor]:
    """A prompt of 400 tokens with an image of four."""
    start, image, end = real.tokenizer.convert_tokens_to_ids(
        ["<|vision_start|>", "<|image_pad|>", "<|vision_end|>"]
    )
    ids = torch.tensor([[start, *[image] * 4, end, *range(394)]] * rows)
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": (ids == image).int(),
        "pixel_values": torch.randn(rows * 16, 3 * 2 * 16 * 16),
        "image_grid_thw": torch.tensor([[1, 4, 4]] * rows),
    }


def mask_share(real: RealVocabulary, model: Any, compiled: Any) -> float:
    """Returns the share of masks and log probabilities in the seconds of the decode steps."""
    limits = Limits(budget=MASKED_TOKENS, stop_ids=real.stops)
    rows = [Row(prompt_tokens=400, limits=limits, grammar=compiled) for _ in range(MASKED_ROWS)]
    decoding = Decoding(model, rows, real.masks)
    masks, steps = [0.0], [0.0]
    with (
        timed(RowMasks, "fill", masks),
        timed(RowMasks, "apply", masks),
        timed(RowMasks, "accept", masks),
        timed(torch.Tensor, "log_softmax", masks),
        timed(Decoding, "_next", steps),
        timed(Decoding, "_extend", steps),
    ):
        for _ in decoding.run([prompt_of(real, MASKED_ROWS)]):
            pass
    return masks[0] / steps[0]


def main() -> None:
    """Shows the share for two tasks."""
    sheet = Sheet(__doc__ or "")
    rounds = sheet.parse().rounds
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        real = real_vocabulary("qwen3", Path(folder))
    model = wide_model(real)
    for task in TASKS:
        compiled = real.masks.compile(built(task, "closed").gbnf)
        mask_share(real, model, compiled)  # the first one also warms torch up
        sheet.show(
            Figure.of(
                f"masks and log probabilities of {MASKED_ROWS} rows of {real.width:,} logits, "
                f"{task}: share of a decode step",
                [mask_share(real, model, compiled) * 100 for _ in range(rounds)],
                "%",
                TARGET,
            )
        )
    real.masks.close()


if __name__ == "__main__":
    main()

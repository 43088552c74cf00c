"""What the user asked for: options and ini values, read once and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vlmbench_plugin.core import DIFFICULTIES, MODES, Difficulty, Frame, Mode, VocabularyRule
from vlmbench_plugin.thinking import Reasoning

BLIND_SUFFIX = "-blind"
OWN = "own"
"""The data set that ``data_dir`` alone means: one's own images and labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the user asked for, read once from options and ini."""

    models: tuple[str, ...] = ("tiny-qwen3vl",)
    modes: tuple[Mode, ...] = MODES
    categories: tuple[str, ...] = ()
    runner: str = "vlm"
    dataset: str = "synthetic"
    data_dir: str | None = None
    n: int = 50
    seed: int = 0
    vocabulary: VocabularyRule = "closed"
    blind: bool = False
    difficulty: tuple[Difficulty, ...] = DIFFICULTIES
    reasoning: Reasoning = "off"
    thinking_budget: int | None = None
    max_new_tokens: int | None = None
    max_pixels: int = 1_310_720
    batch_size: int | None = None
    server_url: str | None = None
    right_at: float | None = None
    frame: Frame | None = None
    report_dir: str | None = None
    fresh: bool = False
    retry_errors: bool = False
    rescore: bool = False
    replay: str | None = None
    on_miss: Literal["miss", "fail"] = "miss"
    min_yield: tuple[tuple[str | None, float], ...] = ()
    min_valid: tuple[tuple[str | None, float], ...] = ()
    max_regression: tuple[tuple[str | None, float], ...] = ()
    min_speed_ratio: float | None = None
    baseline: str | None = None
    strict_gates: bool = False
    margin: float | None = None
    price_per_hour: float | None = None
    thumbnails: bool | None = None
    clear_cache_after_model: bool = False
    device: str = "auto"
    dtype: str = "auto"
    runner_args: Mapping[str, str] = field(default_factory=dict)

    @property
    def dataset_name(self) -> str:
        """The data set as records, headings and the default folder name it."""
        name = self.dataset
        if name == OWN and self.data_dir is not None:
            name = Path(self.data_dir).name or OWN
        return f"{name}{BLIND_SUFFIX}" if self.blind else name

"""What the user asked for: options and ini values, read once and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vlmbench_plugin.core import DIFFICULTIES, MODES, Difficulty, Frame, Mode, VocabularyRule

BLIND_SUFFIX = "-blind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the user asked for, read once from options and ini."""

    models: tuple[str, ...] = ("tiny-qwen3vl",)
    modes: tuple[Mode, ...] = MODES
    categories: tuple[str, ...] = ()
    runner: str = "vlm"
    dataset: str = "synthetic"
    n: int = 50
    seed: int = 0
    vocabulary: VocabularyRule = "closed"
    blind: bool = False
    difficulty: tuple[Difficulty, ...] = DIFFICULTIES
    max_new_tokens: int | None = None
    max_pixels: int = 1_310_720
    right_at: float | None = None
    frame: Frame | None = None
    report_dir: str | None = None
    fresh: bool = False
    rescore: bool = False
    replay: str | None = None
    on_miss: Literal["miss", "fail"] = "miss"
    min_yield: float | None = None
    thumbnails: bool | None = None
    clear_cache_after_model: bool = False
    device: str = "auto"
    dtype: str = "auto"
    runner_args: Mapping[str, str] = field(default_factory=dict)

    @property
    def dataset_name(self) -> str:
        """The data set as records, headings and the default folder name it."""
        return f"{self.dataset}{BLIND_SUFFIX}" if self.blind else self.dataset

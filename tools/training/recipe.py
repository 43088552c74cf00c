"""What is trained, on what, and how long: every number of a training run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tools.make_tiny import Architecture
from vlmbench_plugin.core import Difficulty, ModelSpec
from vlmbench_plugin.settings import Settings

TRAINING_SEEDS = 1_000_000_000
"""Step k draws its scenes from the benchmark seed ``TRAINING_SEEDS + k``."""
POOL_SEED = 1_500_000_000
"""Of the scenes that are shown several times, as they take 0.1 s to draw."""
VALIDATION_SEED = 2_000_000_000
"""Of the scenes on which a run is watched."""

SMALL_PIXELS = 128 * 128
"""No image is larger for these models: their processor shrinks it, as ``--max-pixels`` may."""

LARGEST_INPUT = 120 * 144
"""Pixels of the largest image that the model sees, a little more, so that 109 x 150 is one."""

SHARES: Mapping[str, float] = MappingProxyType(
    {
        "bbox_grounding": 4.0,
        "subject_fixation": 1.5,
        "structural_spatial_awareness": 18.0,
        "camera_rotational_offset": 2.0,
        "image_classification": 1.0,
        "depth_analysis": 1.0,
        "vit_accuracy_to_prompt": 2.0,
        "semantic_association": 2.0,
        "style_structural_awareness": 1.0,
        "data_type_differentiation": 1.0,
        "outline_association": 0.5,
        "segmentation": 0.3,
        "ocr_text": 0.2,
        "data_type_utilization": 0.2,
        "geometric_3d_object_id": 0.2,
    }
)
"""How often a task is drawn. The last ones learn the form of their answers, and little more."""

POOLS: Mapping[str, int] = MappingProxyType(
    {"camera_rotational_offset": 12_000, "geometric_3d_object_id": 1_000}
)
"""How many scenes of a task there are, where they are shown several times."""

DIFFICULTIES: Mapping[Difficulty, float] = MappingProxyType(
    {"easy": 0.75, "medium": 0.2, "hard": 0.05}
)
CAPPED_SHARE = 0.7
"""Of scenes that ``--max-pixels`` shrinks before the processor does: another filter is used."""

FENCED: Mapping[str, float] = MappingProxyType(
    {"vit_accuracy_to_prompt": 0.5, "data_type_utilization": 0.5}
)
"""Share of right answers within a code fence. A tie, so that greedy decoding fences some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Of a model; heads are 32 wide, the patches of an image are merged two by two.

    Attributes:
        hidden: Width of the text model.
        layers: Of the text model.
        intermediate: Width of its feed-forward layers.
        heads: Query heads of its attention.
        vision_hidden: Width of the vision model.
        vision_layers: Its depth.
        patch: Side of a patch in pixels: of 128 pixels, 12 cost as much as 16 and 8 twice as much.
    """

    hidden: int = 192
    layers: int = 4
    intermediate: int = 384
    heads: int = 6
    vision_hidden: int = 128
    vision_layers: int = 4
    patch: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training run.

    Attributes:
        start: Folder of a model whose weights it begins with; empty for random ones.
        architecture: ``model_type`` of the model.
        sizes: Of the model.
        seed: Of its first weights, and of the choice of tasks.
        steps: In all.
        batch: Scenes of one step.
        parts: Into how many passes of about equal length a step is cut, which saves padding.
        rate: Peak learning rate, of AdamW and, scaled to its updates, of Muon.
        warmup: Steps to reach it.
        decay: Share of the steps, at the end, in which it falls to nothing.
        weight_decay: Of matrices.
        average: Decay of the running average of the weights, which is what ships.
        focus_from: Step from which tokens weigh the more the less likely the model finds them.
        pointing: Weight of the mean squared distance between where the objects that a question
            names are and where a linear map of a middle layer points, in squared image sides.
        threads: CPU threads of the model; sums, and so weights, depend on them.
    """

    start: str = ""
    architecture: Architecture = "qwen3_vl"
    sizes: Sizes = field(default_factory=Sizes)
    seed: int = 0
    steps: int = 3000
    batch: int = 48
    parts: int = 4
    rate: float = 2e-3
    warmup: int = 150
    decay: float = 0.25
    weight_decay: float = 0.05
    average: float = 0.997
    focus_from: int = 2200
    pointing: float = 10.0
    threads: int = 1

    def rate_at(self, step: int) -> float:
        """Learning rate of a step: up in a line, level, and down in a line to nothing."""
        falling = max(1.0, self.decay * self.steps)
        return self.rate * min(1.0, (step + 1) / self.warmup, (self.steps - step) / falling)

    def averaging_at(self, step: int) -> float:
        """Decay of the running average at a step; early weights are forgotten sooner."""
        return min(self.average, (1 + step) / (10 + step))

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read_recipe(path: Path) -> Recipe:
    """Reads what :meth:`Recipe.write` wrote."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Recipe(**(values | {"sizes": Sizes(**values["sizes"])}))


def spec_of(folder: Path) -> ModelSpec:
    """The model in a folder, as the benchmark sees it."""
    return ModelSpec(name="tiny", hub_id=str(folder), frame="norm_0_1000", toy=True)


def scene_settings(seed: int, difficulty: Difficulty, n: int, max_pixels: int) -> Settings:
    """What a benchmark run with these drawn scenes would be asked for."""
    return Settings(
        seed=seed, difficulty=(difficulty,), n=n, max_pixels=max_pixels, modes=("json_mode",)
    )

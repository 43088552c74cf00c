"""How good a run is so far: the benchmark's own decoding and scoring on held-out scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tools.training.recipe import SMALL_PIXELS, VALIDATION_SEED, scene_settings, spec_of
from vlmbench_plugin.asking import build_request
from vlmbench_plugin.core import Mode, ModelSpec, VisionTask
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.errors import RunnerError
from vlmbench_plugin.evaluate import evaluate
from vlmbench_plugin.fingerprints import UNSTORED
from vlmbench_plugin.runners import Runner, open_runner
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS


def scores(
    folder: Path,
    categories: Sequence[str],
    n: int,
    *,
    seed: int = VALIDATION_SEED,
    mode: Mode = "json_mode",
) -> dict[str, dict[str, float]]:
    """Scores of a model on easy scenes of 128 x 128 pixels.

    Args:
        folder: Of the model.
        categories: Tasks.
        n: Scenes of each.
        seed: Of the scenes, as ``--seed``.
        mode: As ``--modes``.

    Returns:
        Task -> ``yield`` (share right), ``valid`` (share schema-valid) and ``score`` (mean of
        primary scores, 0 where invalid); ``iou`` where the task has it (mean, 0 where invalid).
    """
    spec, settings = spec_of(folder), scene_settings(seed, "easy", n, SMALL_PIXELS)
    runner = open_runner("vlm", spec, settings)
    try:
        return {
            category: _score(runner, spec, TASKS[category], n, settings, mode)
            for category in categories
        }
    finally:
        runner.close()


def _score(
    runner: Runner, spec: ModelSpec, task: VisionTask, n: int, settings: Settings, mode: Mode
) -> dict[str, float]:
    cases = load_cases(task, settings)
    requests = [build_request(task, cases[i], spec, mode, settings) for i in range(n)]
    records = []
    for i, generation in enumerate(runner.generate(requests)):
        if isinstance(generation, RunnerError):
            raise generation
        records.append(evaluate(task, cases[i], spec, requests[i], generation, settings, UNSTORED))
    figures = {
        "yield": [float(bool(one.passed)) for one in records],
        "valid": [float(bool(one.schema_valid)) for one in records],
        "score": [one.primary_score or 0.0 for one in records],
    }
    if any("iou" in (one.secondary or {}) for one in records):
        figures["iou"] = [(one.secondary or {}).get("iou") or 0.0 for one in records]
    return {name: round(sum(values) / n, 3) for name, values in figures.items()}

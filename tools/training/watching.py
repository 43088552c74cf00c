"""How good a run is so far: the benchmark's own decoding and scoring on held-out scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tools.training.recipe import SMALL_PIXELS, VALIDATION_SEED, scene_settings, spec_of
from vlmbench_plugin.asking import build_request
from vlmbench_plugin.cells import MetricsRow, metrics_row
from vlmbench_plugin.core import Mode, ModelSpec, VisionTask
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.errors import RunnerError
from vlmbench_plugin.evaluate import evaluate
from vlmbench_plugin.fingerprints import UNSTORED
from vlmbench_plugin.floors import floor
from vlmbench_plugin.record import Record
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
    blind: bool = False,
) -> dict[str, MetricsRow]:
    """Figures of a model on easy scenes of 128 x 128 pixels.

    Args:
        folder: Of the model.
        categories: Tasks.
        n: Scenes of each.
        seed: Of the scenes, as ``--seed``.
        mode: As ``--modes``.
        blind: As ``--blind``.

    Returns:
        Task -> its row of the benchmark's own table.

    Raises:
        RunnerError: If an item fails.
    """
    spec = spec_of(folder)
    settings = replace(scene_settings(seed, "easy", n, SMALL_PIXELS), blind=blind)
    runner = open_runner("vlm", spec, settings)
    try:
        rows = {}
        for category in categories:
            task = TASKS[category]
            found = _records(runner, spec, task, n, settings, mode)
            lowest = floor(found, task.score, task.pixel_answer, task.blind)
            rows[category] = metrics_row(found, floor=lowest)
        return rows
    finally:
        runner.close()


def _records(
    runner: Runner, spec: ModelSpec, task: VisionTask, n: int, settings: Settings, mode: Mode
) -> list[Record]:
    cases = load_cases(task, settings)
    requests = [build_request(task, cases[i], spec, mode, settings) for i in range(n)]
    records = []
    for i, generation in enumerate(runner.generate(requests)):
        if isinstance(generation, RunnerError):
            raise generation
        records.append(evaluate(task, cases[i], spec, requests[i], generation, settings, UNSTORED))
    return records

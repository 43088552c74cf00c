"""At medium difficulty no blind answer to a hundred cases is worth much."""

from __future__ import annotations

import pytest

from vlmbench_plugin.asking import build_request
from vlmbench_plugin.core import Generation, ModelSpec, VisionTask
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.evaluate import evaluate
from vlmbench_plugin.fingerprints import UNSTORED
from vlmbench_plugin.floors import CHOOSING, floor
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

N = 100
MOST = 0.6
SPEC = ModelSpec(name="m", hub_id="org/m", frame="norm_0_1000")
RUN = Settings(n=N, difficulty=("medium",))


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_the_floor_of_a_hundred_medium_cases_is_low(task: VisionTask) -> None:
    source = load_cases(task, RUN)
    assert len(source) == N == CHOOSING
    records = []
    for index in range(N):
        case = source[index]
        assert case.difficulty == "medium"
        request = build_request(task, case, SPEC, "json_mode", RUN)
        empty = Generation(text="", finish_reason="stop", constraint="none")
        records.append(evaluate(task, case, SPEC, request, empty, RUN, UNSTORED))
    found = floor(records, task.score, task.pixel_answer, task.blind)
    assert found is not None
    assert len(found.scores) >= N - 1
    assert found.value < MOST

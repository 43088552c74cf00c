from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from vlmbench_plugin.asking import build_request, request_id, right_answer
from vlmbench_plugin.core import Case, Mode, ModelSpec, VisionTask
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.fingerprints import Fingerprints
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

SPEC = ModelSpec(name="m", hub_id="org/m", frame="norm_0_1000")
TASK = TASKS["bbox_grounding"]
CASE = load_cases(TASK, Settings(n=1))[0]


def key(
    task: VisionTask = TASK,
    case: Case = CASE,
    spec: ModelSpec = SPEC,
    mode: Mode = "json_mode",
    settings: Settings | None = None,
) -> str:
    settings = settings or Settings()
    return Fingerprints(spec, settings).of(task, case.identity, mode).key


def test_the_id_reads_as_in_pytest() -> None:
    assert request_id("qwen3vl-4b", "segmentation", "constrained", 7) == (
        "qwen3vl-4b-segmentation-constrained-0007"
    )


@pytest.mark.parametrize(
    ("tokens", "budget"), [(1, 256), (128, 256), (129, 512), (1024, 2048), (9000, 8192)]
)
def test_the_free_budget_is_twice_the_longest_truth_as_a_power_of_two(
    tokens: int, budget: int
) -> None:
    task = replace(TASK, answer_tokens=tokens)
    assert build_request(task, CASE, SPEC, "json_mode", Settings()).budget == budget


def test_the_constrained_budget_never_binds_and_is_not_the_users() -> None:
    few = Settings(max_new_tokens=5)
    free = build_request(TASK, CASE, SPEC, "json_mode", few)
    bound = build_request(TASK, CASE, SPEC, "constrained", few)
    assert free.budget == 5
    # Forty detections with the longest label, box and score, the count, and a stop token.
    item = len('{"label": "orange triangle", "box": [1000, 1000, 1000, 1000], "score": 0.1234}')
    assert bound.budget == len('{"detections": []') + 40 * item + 39 * 2 + len(', "count": 99}') + 1


def test_open_vocabulary_asks_for_a_free_name() -> None:
    closed, open_ = (
        build_request(TASK, CASE, SPEC, "constrained", Settings(vocabulary=rule))
        for rule in ("closed", "open")
    )
    name = CASE.vocabulary["label"][0]
    assert name in str(closed.messages)
    assert name not in str(open_.messages)
    assert name in closed.grammar
    assert name not in open_.grammar
    assert closed.json_schema == open_.json_schema


def test_the_image_is_capped_once_and_drawn_only_when_asked_for() -> None:
    drawn = []

    def image() -> Image.Image:
        drawn.append(1)
        return Image.new("RGB", CASE.size)

    case = replace(CASE, image=image)
    request = build_request(TASK, case, SPEC, "json_mode", Settings(max_pixels=10_000))
    assert not drawn
    sent = request.image()
    assert sent.width * sent.height <= 10_000
    assert abs(sent.width / sent.height - CASE.size[0] / CASE.size[1]) < 0.05
    whole = build_request(TASK, case, SPEC, "json_mode", Settings())
    assert whole.image().size == CASE.size


@pytest.mark.parametrize(
    "change",
    [
        lambda: key(task=replace(TASK, version=99)),
        lambda: key(task=replace(TASK, prompt=TASK.prompt + " Hurry.")),
        lambda: key(task=replace(TASK, answer_tokens=2000)),
        lambda: key(case=replace(CASE, image_id="other")),
        lambda: key(case=replace(CASE, source="other")),
        lambda: key(spec=replace(SPEC, frame="pixel")),
        lambda: key(spec=replace(SPEC, hub_id="org/n")),
        lambda: key(spec=replace(SPEC, revision="abc")),
        lambda: key(mode="constrained"),
        lambda: key(settings=Settings(vocabulary="open")),
        lambda: key(settings=Settings(max_pixels=999)),
        lambda: key(settings=Settings(seed=1)),
        lambda: key(settings=Settings(runner="stub")),
        lambda: key(settings=Settings(runner_args={"faults": "none"})),
        lambda: key(settings=Settings(dtype="float16")),
        lambda: key(settings=Settings(replay="earlier")),
        lambda: key(settings=Settings(blind=True)),
    ],
)
def test_the_fingerprint_changes_with_what_decides_the_text(change: Callable[[], str]) -> None:
    assert change() != key()


@pytest.mark.parametrize(
    "same",
    [
        {"n": 7},
        {"right_at": 0.9},
        {"on_miss": "fail"},
        {"report_dir": "elsewhere"},
        {"device": "cuda:1"},
    ],
)
def test_the_fingerprint_does_not_change_with_what_does_not(same: dict[str, Any]) -> None:
    assert key(settings=Settings(**same)) == key()
    assert key(task=replace(TASK, scorer_version=9)) == key()


def test_the_right_answer_is_in_the_models_frame() -> None:
    width, height = CASE.size
    x1, y1, _, _ = CASE.truth["detections"][0]["box"]
    by_frame = {
        frame: right_answer(TASK, CASE, replace(SPEC, frame=frame), Settings())["detections"][0][
            "box"
        ]
        for frame in ("norm_0_1000", "norm_0_1", "pixel")
    }
    assert by_frame["norm_0_1000"][:2] == [round(x1 / width * 1000), round(y1 / height * 1000)]
    assert by_frame["norm_0_1"][0] == pytest.approx(x1 / width, abs=1e-4)
    assert by_frame["pixel"][:2] == [round(x1), round(y1)]


def test_a_blind_model_gets_grey_of_the_same_size_and_the_same_question() -> None:
    seen, blind = (
        build_request(TASK, CASE, SPEC, "json_mode", Settings(blind=blind))
        for blind in (False, True)
    )
    assert seen.messages == blind.messages
    assert blind.image().size == seen.image().size
    assert len(blind.image().getcolors() or ()) == 1
    assert len(seen.image().getcolors(1 << 20) or ()) > 1

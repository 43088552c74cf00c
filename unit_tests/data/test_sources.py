from __future__ import annotations

import json
import subprocess
import sys

import pytest

from vlmbench_plugin.core import DIFFICULTIES
from vlmbench_plugin.data import DATASETS, load_cases
from vlmbench_plugin.data.smoke import DRAWN_CASES
from vlmbench_plugin.errors import UnknownNameError
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

PHOTO_TASKS = ("image_classification", "bbox_grounding", "vit_accuracy_to_prompt")


def test_every_task_has_every_data_set() -> None:
    assert {name for task in TASKS.values() for name in task.ground_truth} == set(DATASETS)


def test_difficulties_are_balanced_for_every_n() -> None:
    cases = load_cases(TASKS["ocr_text"], Settings(n=7))
    assert [cases[k].difficulty for k in range(7)] == [DIFFICULTIES[k % 3] for k in range(7)]
    hard = load_cases(TASKS["ocr_text"], Settings(n=3, difficulty=("hard",)))
    assert {hard[k].difficulty for k in range(3)} == {"hard"}


def test_an_index_outside_is_an_index_error() -> None:
    for dataset in DATASETS:
        cases = load_cases(TASKS["ocr_text"], Settings(n=2, dataset=dataset))
        for index in (2, -1):
            with pytest.raises(IndexError):
                cases[index]


def test_an_unknown_data_set_names_the_valid_ones() -> None:
    with pytest.raises(UnknownNameError, match="smoke, synthetic"):
        load_cases(TASKS["ocr_text"], Settings(dataset="cocoa"))


@pytest.mark.parametrize("category", TASKS)
def test_the_smoke_set_is_photographs_then_one_scene_per_difficulty(category: str) -> None:
    cases = load_cases(TASKS[category], Settings(dataset="smoke", n=1000))
    loaded = [cases[k] for k in range(len(cases))]
    photos = [case for case in loaded if case.source == "photo"]
    assert (len(photos) >= 3) == (category in PHOTO_TASKS)
    assert loaded[: len(photos)] == photos
    assert len(loaded) == len(photos) + DRAWN_CASES
    assert [case.index for case in loaded] == list(range(len(loaded)))
    assert len({json.dumps(dict(case.vocabulary)) for case in loaded}) == 1
    for case in photos:
        assert case.image().size == case.size


def test_photograph_labels_are_in_the_vocabulary() -> None:
    for category in ("image_classification", "bbox_grounding"):
        cases = load_cases(TASKS[category], Settings(dataset="smoke"))
        for k in range(len(cases)):
            case = cases[k]
            entries = case.truth.get("detections", [case.truth])
            assert {entry["label"] for entry in entries} <= set(case.vocabulary["label"])


def test_another_process_builds_the_same_cases() -> None:
    program = (
        "import hashlib\n"
        "from vlmbench_plugin.tasks import TASKS\n"
        "from vlmbench_plugin.data import load_cases\n"
        "from vlmbench_plugin.settings import Settings\n"
        "h = hashlib.sha256()\n"
        "for task in TASKS.values():\n"
        "    case = load_cases(task, Settings(n=3))[2]\n"
        "    h.update(repr(case.truth).encode() + case.image().tobytes())\n"
        "print(h.hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1

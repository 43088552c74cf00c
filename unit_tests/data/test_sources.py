from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vlmbench_plugin.core import DIFFICULTIES
from vlmbench_plugin.data import DATASETS, lacking, load_cases
from vlmbench_plugin.data.smoke import DRAWN_CASES
from vlmbench_plugin.errors import DataError, UnknownNameError
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.sources import Public
from vlmbench_plugin.tasks import TASKS

WITHOUT_PHOTOS = {
    "data_type_differentiation",
    "data_type_utilization",
    "geometric_3d_object_id",
    "camera_rotational_offset",
    "style_structural_awareness",
}


def test_every_task_has_every_data_set_but_documents_are_never_photographs() -> None:
    for task in TASKS.values():
        drawn_only = task.category.startswith("data_type_")
        assert tuple(task.ground_truth) == (
            ("synthetic", "smoke", "full") if drawn_only else ("synthetic", "smoke", "full", "real")
        )
    assert {name for task in TASKS.values() for name in task.ground_truth} == set(DATASETS)


def test_full_is_public_for_four_tasks_and_drawn_for_the_rest() -> None:
    public = {name for name, task in TASKS.items() if isinstance(task.ground_truth["full"], Public)}
    assert public == {
        "image_classification",
        "bbox_grounding",
        "ocr_text",
        "vit_accuracy_to_prompt",
    }


def test_a_public_table_names_its_licence_and_a_commit_or_none() -> None:
    for task in TASKS.values():
        source = task.ground_truth.get("real")
        if isinstance(source, Public):
            assert source.table.licence
            for table in (source.table, source.table.joined):
                assert table is None or table.revision is None or len(table.revision) == 40


@pytest.mark.parametrize(
    ("category", "settings", "expected"),
    [
        ("ocr_text", Settings(dataset="real"), None),
        ("data_type_utilization", Settings(dataset="real"), "no real images"),
        ("geometric_3d_object_id", Settings(dataset="real"), "intrinsics"),
        ("geometric_3d_object_id", Settings(dataset="real", data_dir="mirror"), None),
        ("geometric_3d_object_id", Settings(dataset="full"), None),
    ],
)
def test_what_a_task_lacks_is_told(category: str, settings: Settings, expected: str | None) -> None:
    reason = lacking(TASKS[category], settings)
    assert reason is None if expected is None else expected in str(reason)


def test_own_data_are_for_the_folders_that_have_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "ocr_text").mkdir()
    (tmp_path / "ocr_text" / "manifest.jsonl").touch()
    settings = Settings(dataset="own", data_dir=str(tmp_path))
    assert lacking(TASKS["ocr_text"], settings) is None
    assert "manifest.jsonl" in str(lacking(TASKS["segmentation"], settings))
    with pytest.raises(DataError, match="your own data need a folder"):
        load_cases(TASKS["ocr_text"], Settings(dataset="own"))


def test_difficulties_are_balanced_for_every_n() -> None:
    cases = load_cases(TASKS["ocr_text"], Settings(n=7))
    assert [cases[k].difficulty for k in range(7)] == [DIFFICULTIES[k % 3] for k in range(7)]
    hard = load_cases(TASKS["ocr_text"], Settings(n=3, difficulty=("hard",)))
    assert {hard[k].difficulty for k in range(3)} == {"hard"}


def test_an_index_outside_is_an_index_error() -> None:
    for dataset in ("smoke", "synthetic"):
        cases = load_cases(TASKS["ocr_text"], Settings(n=2, dataset=dataset))
        for index in (2, -1):
            with pytest.raises(IndexError):
                cases[index]


def test_an_unknown_data_set_names_the_valid_ones() -> None:
    with pytest.raises(UnknownNameError, match="full, real, smoke, synthetic"):
        load_cases(TASKS["ocr_text"], Settings(dataset="cocoa"))


@pytest.mark.parametrize("category", TASKS)
def test_the_smoke_set_is_photographs_then_one_scene_per_difficulty(category: str) -> None:
    cases = load_cases(TASKS[category], Settings(dataset="smoke", n=1000))
    loaded = [cases[k] for k in range(len(cases))]
    photos = [case for case in loaded if case.source == "photo"]
    assert bool(photos) == (category not in WITHOUT_PHOTOS)
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

"""A drawn scene is fingerprinted by its seed and its task's version, so the version must follow."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from vlmbench_plugin.data import load_cases
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

SCENES = {
    "image_classification": (2, "953ceed2ff2b"),
    "bbox_grounding": (2, "948e70b501e6"),
    "ocr_text": (1, "03b35371fe0f"),
    "data_type_differentiation": (2, "35a397ca1d55"),
    "data_type_utilization": (2, "b0fbe90de952"),
    "structural_spatial_awareness": (2, "ac6041b4a205"),
    "depth_analysis": (3, "baebda912fb2"),
    "subject_fixation": (2, "f38a7b350be9"),
    "segmentation": (2, "c54c2cf47097"),
    "outline_association": (2, "cc5182c20b97"),
    "geometric_3d_object_id": (2, "53d687c62cda"),
    "camera_rotational_offset": (1, "298cc56eeefa"),
    "semantic_association": (1, "07b6afbaafe3"),
    "vit_accuracy_to_prompt": (2, "b2aa32662cd3"),
    "style_structural_awareness": (2, "64b5ccc157df"),
}  # fmt: skip
"""Category -> its version, and the hash of what its first scenes hold."""


def rounded(value: Any) -> Any:
    """Rounds every number: the last digits of a sine differ between machines."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return round(value, 2) + 0.0 if isinstance(value, float) else value


def digest(category: str) -> str:
    cases = load_cases(TASKS[category], Settings(n=12))
    held = [
        [case.size, case.question, rounded(case.truth)] for case in (cases[i] for i in range(12))
    ]
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()[:12]


@pytest.mark.parametrize("category", TASKS)
def test_other_scenes_need_another_version_of_the_task(category: str) -> None:
    assert (TASKS[category].version, digest(category)) == SCENES[category], (
        "the scenes changed: raise the task's version and set the new hash here, so that stored "
        "answers to the earlier scenes become stale"
    )


@pytest.mark.parametrize("dataset", ["synthetic", "smoke"])
@pytest.mark.parametrize("category", TASKS)
def test_a_source_tells_what_decides_a_case_without_building_it(
    category: str, dataset: str
) -> None:
    cases = load_cases(TASKS[category], Settings(n=9, dataset=dataset))
    for index in range(len(cases)):
        assert cases.identity(index) == cases[index].identity

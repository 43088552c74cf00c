"""The artifacts of every task, and one full answer to each, for all tests of this folder."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from typing import Any

from vlmbench_plugin.asking import right_answer, task_artifacts
from vlmbench_plugin.core import Frame, ModelSpec, VocabularyRule
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.fields import Artifacts, ListOf, Object
from vlmbench_plugin.nodes import Boolean, Choice, Label, Node, Text
from vlmbench_plugin.numeric import Number, Points
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

SPEC = ModelSpec(name="m", hub_id="none", frame="norm_0_1000")


@functools.lru_cache(maxsize=128)
def built(category: str, rule: VocabularyRule, frame: Frame = "norm_0_1000") -> Artifacts:
    """A task's artifacts for the vocabulary of its drawn scenes."""
    task = TASKS[category]
    run = Settings(n=1, vocabulary=rule)
    return task_artifacts(task, load_cases(task, run)[0], replace(SPEC, frame=frame), run)


def truths(category: str, n: int) -> list[str]:
    """The right answers of drawn cases, as a careful model would write them."""
    task = TASKS[category]
    run = Settings(n=n)
    cases = load_cases(task, run)
    return [dump(right_answer(task, cases[index], SPEC, run)) for index in range(n)]


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def example(node: Node) -> Any:
    """A legal value with every optional key and, where there is room, two items in every list."""
    if isinstance(node, Object):
        return {key: example(member) for key, member in node.members}
    if isinstance(node, ListOf):
        return [example(node.item) for _ in range(max(node.at_least, min(2, node.at_most)))]
    if isinstance(node, Label) and node.names:
        return node.names[0]
    if isinstance(node, Text):
        return "abc"[: node.at_most]
    if isinstance(node, Choice):
        return node.values[0]
    if isinstance(node, Boolean):
        return True
    if isinstance(node, Number):
        return node.low
    assert isinstance(node, Points)
    return {"box": [1, 0, 1, 0], "point": [1, 0], "polygon": [[0, 0], [1, 0], [1, 1]]}[node.kind]

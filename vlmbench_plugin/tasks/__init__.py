"""The fifteen tasks, one module each, found by walking this folder and frozen into one mapping."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from vlmbench_plugin.categories import CATEGORIES
from vlmbench_plugin.core import VisionTask
from vlmbench_plugin.errors import UnknownNameError, VlmBenchError


def _discover() -> Mapping[str, VisionTask]:
    found: dict[str, VisionTask] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        task: VisionTask = importlib.import_module(f"{__name__}.{module.name}").TASK
        if task.category != module.name:
            raise VlmBenchError(
                f"expected the task {module.name!r} in its module, got {task.category!r}"
            )
        found[task.category] = task
    if found.keys() != set(CATEGORIES):
        odd = sorted(found.keys() ^ set(CATEGORIES))
        raise VlmBenchError(f"tasks/ and categories.py disagree about {odd}")
    return MappingProxyType({name: found[name] for name in CATEGORIES})


TASKS: Mapping[str, VisionTask] = _discover()


def get_task(name: str) -> VisionTask:
    """Returns the task of a category.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in TASKS:
        raise UnknownNameError("category", name, tuple(TASKS))
    return TASKS[name]

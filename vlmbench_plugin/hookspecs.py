"""The hooks that a project may implement in its own ``conftest.py``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from vlmbench_plugin.core import VisionTask


@pytest.hookspec()
def pytest_vlmbench_tasks() -> Iterable[VisionTask]:
    """Returns tasks of one's own; they join the fifteen, and their categories are markers.

    Called once in each process, and only in the conftest.py files that pytest loads before it
    collects (that of the current folder, and those of the folders named on the command line).

    Example::

        from vlmbench_plugin.core import Score, VisionTask
        from vlmbench_plugin.sources import Drawn, Scene
        from vlmbench_plugin.fields import integer

        def count_scene(rng, difficulty):
            wanted = rng.randint(1, 9)
            return Scene(size=(64, 64), truth={"dots": wanted}, draw=lambda: draw_dots(wanted))

        def same_count(answer, truth, vocabulary):
            return Score(primary=float(answer["dots"] == truth["dots"]))

        def pytest_vlmbench_tasks():
            return [
                VisionTask(
                    category="dot_counting",
                    title="count the dots",
                    fields={"dots": integer(0, 99)},
                    prompt="How many dots are there? {schema}",
                    score=same_count,
                    ground_truth={"synthetic": Drawn(scene=count_scene)},
                    answer_tokens=16,
                )
            ]
    """
    raise NotImplementedError

"""The one benchmark test, and what it needs in the process that runs it.

The console script runs this module; ``bench_tests/test_bench.py`` imports the test from it.
Collecting it loads no model, opens no image and builds no scene.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

from vlmbench_plugin.chunks import CHUNK
from vlmbench_plugin.core import VisionTask
from vlmbench_plugin.data import CaseSource, lacking, load_cases
from vlmbench_plugin.errors import DataError, VlmBenchError
from vlmbench_plugin.items import CaseRef, Outcome
from vlmbench_plugin.models import resolve_models
from vlmbench_plugin.options import own_tasks, selection, settings_of
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

if TYPE_CHECKING:
    from vlmbench_plugin.labeler import Labeler

done_key = pytest.StashKey[Mapping[str, Outcome]]()
"""On the controller's config: what need not run again."""
_bench_key = pytest.StashKey["Bench"]()


class Bench:
    """What all items of one process share: tasks, cases, models.

    Args:
        settings: Of the run.
        own: Tasks of the hook ``pytest_vlmbench_tasks``.
        selected: Whether a category's items can run at all; no data are read for the others.

    Raises:
        VlmBenchError: If models or data cannot be had as asked.
    """

    def __init__(
        self,
        settings: Settings,
        own: tuple[VisionTask, ...] = (),
        selected: Callable[[str], bool] = lambda _: True,
    ) -> None:
        every = {**TASKS, **{task.category: task for task in own}}
        self.settings = settings
        self.specs = {spec.name: spec for spec in resolve_models(settings.models, settings.frame)}
        asked = [task for name, task in every.items() if selected(name)]
        reasons = {task.category: lacking(task, settings) for task in asked}
        self.left_out = {name: reason for name, reason in reasons.items() if reason is not None}
        named = sorted(self.left_out.keys() & set(settings.categories))
        if named or (asked and len(self.left_out) == len(asked)):
            given = named or list(self.left_out)
            reasons_given = ", ".join(dict.fromkeys(self.left_out[name] for name in given))
            raise DataError(f"{', '.join(given)}: {reasons_given}")
        self.tasks = {task.category: task for task in asked if task.category not in self.left_out}
        self.sources: Mapping[str, CaseSource] = {
            name: load_cases(task, settings) for name, task in self.tasks.items()
        }

    def notes(self) -> list[str]:
        """Returns what a reader must know of the data: categories and rows that were left out."""
        found = [
            f"Left out, {reason}: {', '.join(n for n, r in self.left_out.items() if r == reason)}."
            for reason in dict.fromkeys(self.left_out.values())
        ]
        for category, source in self.sources.items():
            rows = source.describe().get("left_out")
            if rows:
                counts = ", ".join(f"{count} {reason}" for reason, count in rows.items())
                found.append(
                    f"{category}: rows left out for {len(source)} cases: {sum(rows.values())} "
                    f"({counts})."
                )
        return found

    def refs(self) -> Iterator[CaseRef]:
        """Yields every case in every mode: task by task, a chunk in one mode and then the next."""
        for category, source in self.sources.items():
            for start in range(0, len(source), CHUNK):
                for mode in self.settings.modes:
                    for index in range(start, min(start + CHUNK, len(source))):
                        yield CaseRef(category=category, mode=mode, index=index)


def bench_of(config: pytest.Config) -> Bench:
    """Returns this process's bench, built on first use.

    Raises:
        pytest.UsageError: If the options do not fit together.
    """
    if _bench_key not in config.stash:
        settings = settings_of(config)
        try:
            config.stash[_bench_key] = Bench(settings, own_tasks(config), selection(config))
        except VlmBenchError as error:
            raise pytest.UsageError(str(error)) from error
    return config.stash[_bench_key]


def done_of(config: pytest.Config) -> Mapping[str, Outcome]:
    """Returns fingerprint -> outcome of the items that need not run again."""
    sent = getattr(config, "workerinput", {}).get("vlmbench_done")
    if sent is None:
        return config.stash.get(done_key, {})
    outcomes = [Outcome(**values) for values in json.loads(sent)]
    return {outcome.key: outcome for outcome in outcomes}


@pytest.mark.vlmbench
def test_label(vlm: Labeler, case: CaseRef) -> None:
    """One model labels one image once; ``pytest_runtest_makereport`` tells how it ended."""
    vlm.label(case)

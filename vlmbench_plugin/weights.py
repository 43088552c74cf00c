"""The weights of a run's models, on the controller: whether they fit, and when they may go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import pytest

from vlmbench_plugin.asking import request_id
from vlmbench_plugin.bench import bench_of
from vlmbench_plugin.chunks import chunk_of
from vlmbench_plugin.core import ModelSpec
from vlmbench_plugin.errors import UsageError
from vlmbench_plugin.options import report_folder, settings_of
from vlmbench_plugin.runners import loads_model
from vlmbench_plugin.runners._fitting import fit, machine_of
from vlmbench_plugin.runners._weights import Downloads
from vlmbench_plugin.store import Store

HINT = (
    "leave that model out, take its -fp8 checkpoint or --runner-arg quantization=..., ask a "
    "server with --runner openai, or delete weights as models end with --clear-cache-after-model"
)


class Clearing:
    """Deletes what a run downloaded of a model when nobody can need it any more.

    That is when every item of every model of that hub id has ended: a worker opens a model for an
    item alone. One that still holds it in memory needs no file.

    Args:
        specs: Of the models of this run.
        ids: Node ids of its items.
        downloads: Made before anything was loaded.
    """

    def __init__(
        self, specs: Iterable[ModelSpec], ids: Iterable[str], downloads: Downloads
    ) -> None:
        self._hub_id = {spec.name: spec.hub_id for spec in specs}
        self._downloads = downloads
        self._left = Counter(hub_id for i in ids if (hub_id := self._hub_id_of(i)) is not None)

    def ended(self, nodeid: str) -> list[str]:
        """Takes note of an item that will not run again; returns what was deleted then."""
        hub_id = self._hub_id_of(nodeid)
        if hub_id is None or hub_id not in self._left:
            return []
        self._left[hub_id] -= 1
        if self._left[hub_id]:
            return []
        del self._left[hub_id]
        return self._downloads.clear(hub_id)

    def close(self) -> list[str]:
        """Deletes the rest: the run is over, and its workers are gone."""
        left, self._left = list(self._left), Counter()
        return [line for hub_id in left for line in self._downloads.clear(hub_id)]

    def _hub_id_of(self, nodeid: str) -> str | None:
        chunk = chunk_of(nodeid)
        return None if chunk is None else self._hub_id.get(chunk.model)


def clearing(config: pytest.Config, ids: Sequence[str]) -> Clearing | None:
    """Returns what clears the cache, None where the run was not asked to or loads no model."""
    settings = settings_of(config)
    if not settings.clear_cache_after_model or not loads_model(settings.runner):
        return None
    specs = bench_of(config).specs.values()
    return Clearing(specs, ids, Downloads(specs))


def preflight(config: pytest.Config, ids: Sequence[str], workers: int) -> tuple[str, ...]:
    """Tells what the models need and what is there, before the first is loaded.

    Args:
        config: Of the controller.
        ids: Node ids of the items of this run.
        workers: Processes that each load the models.

    Returns:
        A line per model, and one about downloads; none for toys and for what is not loaded.

    Raises:
        UsageError: If a model surely does not fit.
        StoreError: If the results folder cannot be read.
    """
    settings = settings_of(config)
    if not loads_model(settings.runner):
        return ()
    specs = [spec for spec in bench_of(config).specs.values() if not spec.toy]
    pending = _pending(config, ids) if specs else set()
    specs = [spec for spec in specs if spec.name in pending]
    if not specs:
        return ()
    try:
        machine = machine_of(specs, settings)
    except ImportError:  # a clone on sys.path: opening the runner will tell what is missing
        return ()
    found = fit(specs, settings, machine, workers)
    if found.refusals:
        raise UsageError("\n".join(found.refusals), hint=HINT)
    return found.lines


def _pending(config: pytest.Config, ids: Iterable[str]) -> set[str]:
    """Names of the models with an item that has no record; a stale one counts as one."""
    stored: set[str] = set()
    if not settings_of(config).fresh:
        stored = {
            request_id(r.model, r.category, r.mode, r.case_index)
            for r in Store.read(report_folder(config))
            if r.status != "error"
        }
    chunks = {i: chunk for i in ids if (chunk := chunk_of(i)) is not None}
    return {c.model for i, c in chunks.items() if i[i.rindex("[") + 1 : -1] not in stored}

"""``--retry-errors``: of all items, those alone that ended in an error."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TypeAlias

import pytest

from vlmbench_plugin.bench import Bench, bench_of
from vlmbench_plugin.errors import DataError, VlmBenchError
from vlmbench_plugin.items import CaseRef
from vlmbench_plugin.options import report_folder
from vlmbench_plugin.record import Record
from vlmbench_plugin.store import Store

Errored: TypeAlias = frozenset[tuple[str, str, str, str]]
"""Model, category, mode and image id of every item whose record is an error."""


def keep_errors(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects every benchmark item but those that ended in an error.

    Raises:
        pytest.UsageError: If the records cannot be read.
    """
    errored, bench = _errored(config), bench_of(config)
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        ref = params.get("case")
        if not isinstance(ref, CaseRef):
            kept.append(item)
            continue
        (kept if _ended_badly(params["vlm"], ref, bench, errored) else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def errors_of(records: Iterable[Record]) -> list[tuple[str, str, str, str]]:
    """Returns which items ended in an error, as workers are sent them."""
    return [(r.model, r.category, r.mode, r.image_id) for r in records if r.status == "error"]


def _errored(config: pytest.Config) -> Errored:
    if hasattr(config, "workerinput"):
        sent = json.loads(config.workerinput["vlmbench_errors"])
        return frozenset((model, category, mode, image) for model, category, mode, image in sent)
    try:
        return frozenset(errors_of(Store.read(report_folder(config))))
    except VlmBenchError as error:
        raise pytest.UsageError(str(error)) from error


def _ended_badly(model: str, ref: CaseRef, bench: Bench, errored: Errored) -> bool:
    source = bench.sources[ref.category]
    try:
        identity = source.identity(ref.index) or source[ref.index].identity
    except DataError:  # an image that cannot be read ended in an error that has no record
        return True
    return (model, ref.category, ref.mode, identity.image_id) in errored

"""Batching behind the items: what a runner is handed, and what becomes of what it gives back."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from vlmbench_plugin import labeler as module
from vlmbench_plugin.bench import Bench
from vlmbench_plugin.chunks import CHUNK
from vlmbench_plugin.core import Case, Generation, Identity, Json, Mode, Request
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.errors import RunnerError
from vlmbench_plugin.items import CaseRef, Outcome, outcome_key
from vlmbench_plugin.labeler import Labeler
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

CATEGORY = "data_type_differentiation"
GOOD = Generation(text='{"format": "json"}', finish_reason="stop", constraint="none")


class Batching:
    """Generates in batches; notes what it was handed together.

    Args:
        size: Of a batch.
        failing: Ids that fail alone.
        breaking: An id at which the whole iterator raises.
    """

    def __init__(self, size: int, failing: Iterable[str] = (), breaking: str | None = None) -> None:
        self.size = size
        self.failing = set(failing)
        self.breaking = breaking
        self.batches: list[list[str]] = []
        self.closed = False

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation | RunnerError]:
        coming = iter(requests)
        while batch := [request.id for request in itertools.islice(coming, self.size)]:
            self.batches.append(batch)
            for name in batch:
                if name == self.breaking:
                    self.breaking = None
                    raise RunnerError("the device is gone")
                yield RunnerError(f"{name} is too long") if name in self.failing else GOOD

    def describe(self) -> Mapping[str, Json]:
        return {}

    def close(self) -> None:
        self.closed = True


def refs(n: int, mode: Mode = "json_mode") -> list[CaseRef]:
    return [CaseRef(category=CATEGORY, mode=mode, index=index) for index in range(n)]


def made(
    monkeypatch: pytest.MonkeyPatch,
    runner: Batching,
    own: list[CaseRef],
    done: Mapping[str, Outcome] | None = None,
) -> Labeler:
    monkeypatch.setattr(module, "open_runner", lambda *_: runner)
    settings = Settings(runner="stub", categories=(CATEGORY,), n=200)
    bench = Bench(settings, selected=lambda name: name == CATEGORY)
    (spec,) = bench.specs.values()
    return Labeler(bench, spec, done or {}, own, lambda: False)


def asked(labeler: Labeler, ref: CaseRef) -> Outcome:
    stash = labeler.stash = pytest.Stash()
    try:
        labeler.label(ref)
    except pytest.fail.Exception:
        assert stash[outcome_key].status == "error"
    return stash[outcome_key]


def ids(*indices: int, mode: str = "json_mode") -> list[str]:
    return [f"tiny-qwen3vl-{CATEGORY}-{mode}-{index:04d}" for index in indices]


def test_items_that_follow_are_generated_together(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Batching(4)
    labeler = made(monkeypatch, runner, refs(10))
    outcomes = [asked(labeler, ref) for ref in refs(10)]
    assert runner.batches == [ids(0, 1, 2, 3), ids(4, 5, 6, 7), ids(8, 9)]
    assert all(outcome.status in ("passed", "missed") for outcome in outcomes)
    assert len({outcome.key for outcome in outcomes}) == 10
    labeler.close()
    assert runner.closed


def test_a_batch_never_leaves_its_chunk_or_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Batching(50)
    every = [*refs(CHUNK + 3), *refs(2, "constrained")]
    labeler = made(monkeypatch, runner, every)
    for ref in every:
        asked(labeler, ref)
    assert runner.batches == [
        ids(*range(50)),
        ids(*range(50, CHUNK)),
        ids(*range(CHUNK, CHUNK + 3)),
        ids(0, 1, mode="constrained"),
    ]


def test_one_item_that_fails_alone_is_its_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Batching(4, failing=ids(1))
    labeler = made(monkeypatch, runner, refs(4))
    assert [asked(labeler, ref).status == "error" for ref in refs(4)] == [False, True, False, False]
    assert runner.batches == [ids(0, 1, 2, 3)]


def test_after_a_failure_of_all_the_next_item_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Batching(4, breaking=ids(1)[0])
    labeler = made(monkeypatch, runner, refs(4))
    assert [asked(labeler, ref).status == "error" for ref in refs(4)] == [False, True, False, False]
    assert runner.batches == [ids(0, 1, 2, 3), ids(2, 3)]


def test_done_items_are_not_generated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = made(monkeypatch, Batching(4), refs(4))
    outcomes = [asked(first, ref) for ref in refs(4)]
    runner = Batching(4)
    again = made(monkeypatch, runner, refs(4), {outcomes[1].key: outcomes[1]})
    assert [asked(again, ref).key for ref in refs(4)] == [outcome.key for outcome in outcomes]
    assert runner.batches == [ids(0, 2, 3)]


def test_an_item_asked_twice_is_generated_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """As --reruns does."""
    runner = Batching(2)
    labeler = made(monkeypatch, runner, refs(4))
    for index in (0, 0, 1, 2, 3):
        asked(labeler, refs(4)[index])
    assert runner.batches == [ids(0, 1), ids(0, 1), ids(2, 3)]


def test_an_item_that_cannot_be_prepared_fails_when_its_turn_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from vlmbench_plugin.asking import build_request as build

    def broken(task: Any, case: Any, *rest: Any) -> Request:
        if case.index == 2:
            raise RunnerError("no such image")
        return build(task, case, *rest)

    monkeypatch.setattr(module, "build_request", broken)
    runner = Batching(4)
    labeler = made(monkeypatch, runner, refs(4))
    assert asked(labeler, refs(4)[0]).status != "error"
    assert asked(labeler, refs(4)[1]).status != "error"
    with pytest.raises(RunnerError, match="no such image"):
        labeler.label(refs(4)[2])
    assert asked(labeler, refs(4)[3]).status != "error"
    assert runner.batches == [ids(0, 1, 3)]


def test_a_runner_that_gives_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Batching):
        def generate(self, requests: Iterable[Request]) -> Iterator[Generation | RunnerError]:
            next(iter(requests))
            return iter(())

    labeler = made(monkeypatch, Silent(1), refs(1))
    assert asked(labeler, refs(1)[0]).status == "error"


@pytest.mark.parametrize("told", [True, False], ids=["drawn", "own"])
def test_a_chunk_builds_each_case_once_for_both_modes(
    monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    built: list[int] = []
    cases = load_cases(TASKS[CATEGORY], Settings(n=CHUNK))

    class Counted:
        """Its cases are told without building them, or not, as those of one's own data."""

        def __getitem__(self, index: int) -> Case:
            built.append(index)
            return cases[index]

        def identity(self, index: int) -> Identity | None:
            return cases.identity(index) if told else None

    own = [*refs(CHUNK), *refs(CHUNK, "constrained")]
    labeler = made(monkeypatch, Batching(8), own)
    monkeypatch.setattr(labeler._bench, "sources", {CATEGORY: Counted()})
    outcomes = [asked(labeler, ref) for ref in own]
    assert built == list(range(CHUNK))
    assert len({outcome.key for outcome in outcomes}) == 2 * CHUNK

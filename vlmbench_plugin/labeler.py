"""One model under test: asks it about one item after the other, and about those to come."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import pytest

from vlmbench_plugin.asking import build_request, right_answer
from vlmbench_plugin.bench import Bench
from vlmbench_plugin.chunks import CHUNK
from vlmbench_plugin.core import (
    Answer,
    Case,
    Generation,
    Json,
    Mode,
    ModelSpec,
    Request,
    VisionTask,
)
from vlmbench_plugin.errors import RunnerError, VlmBenchError
from vlmbench_plugin.evaluate import error_record, evaluate
from vlmbench_plugin.fingerprints import Fingerprint, Fingerprints
from vlmbench_plugin.items import CaseRef, Outcome, facts_key, outcome_key
from vlmbench_plugin.runners import Runner, loads_model, open_runner
from vlmbench_plugin.runners._preflight import own_device


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One item, ready to be asked.

    Attributes:
        task: Its task.
        case: Its case.
        request: What the runner sees.
        fingerprint: What decides its answer.
    """

    task: VisionTask
    case: Case
    request: Request
    fingerprint: Fingerprint


class Labeler:
    """One model under test: the value of the fixture ``vlm``.

    The runner is opened by the first item that needs it, so that a run that replays everything
    loads no model. If it cannot be opened, that is tried once and every item is told the same.

    A runner is handed the item that pytest runs and then, as far as it asks for more, those that
    follow in the same chunk; what it has generated ahead waits here until pytest comes to it.

    Args:
        bench: Of this process.
        spec: The model.
        done: Fingerprint -> outcome of the items that need not run again.
        refs: The items of this model that this process may run, in order.
        stopping: Whether nothing more shall be generated ahead.
        slot: Which of the devices is this process's own.
        workers: How many processes there are.

    Attributes:
        stash: Of the item that pytest runs, where its outcome is left.
    """

    def __init__(
        self,
        bench: Bench,
        spec: ModelSpec,
        done: Mapping[str, Outcome],
        refs: Iterable[CaseRef],
        stopping: Callable[[], bool],
        slot: int = 0,
        workers: int = 1,
    ) -> None:
        self.stash = pytest.Stash()
        self._bench = bench
        self._spec = spec
        self._done = done
        self._stopping = stopping
        self._slot = slot
        self._workers = workers
        self._chunks: dict[tuple[str, Mode, int], list[CaseRef]] = {}
        for ref in refs:
            self._chunks.setdefault(ref.chunk, []).append(ref)
        self._fingerprints = Fingerprints(spec, bench.settings)
        # The items of one chunk in the next mode have the same cases, and telling a case of one's
        # own data takes reading its image. An item is told when it is foreseen, prepared and run.
        self._case = lru_cache(maxsize=CHUNK)(self._build)
        self._fingerprint = lru_cache(maxsize=CHUNK)(self._identify)
        self._prepared: dict[str, Prepared] = {}
        self._asked: deque[str] = deque()
        self._generations: Iterator[Generation | RunnerError] = iter(())
        self._runner: Runner | None = None
        self._failed: VlmBenchError | None = None
        self._told: dict[str, Json] = {}

    @property
    def waiting(self) -> bool:
        """Whether items were handed to the runner that pytest has not come to yet."""
        return bool(self._asked)

    def label(self, ref: CaseRef) -> None:
        """Asks the model about one case and leaves the outcome in the item's stash.

        Raises:
            Exception: Whatever the runner or the scorer raised; the outcome is then an error.
        """
        done = self._done.get(self._fingerprint(ref).key)
        if done is not None:
            self.stash[outcome_key] = done
            return
        item = self._prepare(ref)
        task, case, request, settings = item.task, item.case, item.request, self._bench.settings
        self._prepared[request.id] = item
        try:
            generation = self._generation(ref, request.id)
            self._describe()
            record = evaluate(
                task, case, self._spec, request, generation, settings, item.fingerprint
            )
            # Rendered here, so that a value that JSON cannot hold fails this item, and no worker.
            self.stash[outcome_key] = Outcome.of(record, line=record.to_json())
        except (Exception, pytest.fail.Exception) as error:
            said = f"{type(error).__name__}: {error}"
            record = error_record(task, case, self._spec, request, settings, item.fingerprint, said)
            self.stash[outcome_key] = Outcome.of(record, line=record.to_json())
            if isinstance(error, VlmBenchError):
                pytest.fail(str(error), pytrace=False)
            raise
        finally:
            del self._prepared[request.id]

    def close(self) -> None:
        """Frees the model's memory."""
        self._generations = iter(())
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def _identify(self, ref: CaseRef) -> Fingerprint:
        identity = self._bench.sources[ref.category].identity(ref.index)
        if identity is None:
            identity = self._case(ref.category, ref.index).identity
        return self._fingerprints.of(self._bench.tasks[ref.category], identity, ref.mode)

    def _build(self, category: str, index: int) -> Case:
        return self._bench.sources[category][index]

    def _prepare(self, ref: CaseRef) -> Prepared:
        ready = self._prepared.get(ref.request_id(self._spec.name))
        if ready is not None:
            return ready
        task, settings = self._bench.tasks[ref.category], self._bench.settings
        case = self._case(ref.category, ref.index)
        return Prepared(
            task=task,
            case=case,
            request=build_request(task, case, self._spec, ref.mode, settings),
            fingerprint=self._fingerprint(ref),
        )

    def _generation(self, ref: CaseRef, request_id: str) -> Generation:
        """Returns what the runner has generated for an item, ahead or now."""
        runner = self._open()
        if not self._asked or self._asked[0] != request_id:
            # The first of a chunk, or one that was not foreseen: another attempt, an earlier error.
            self._asked.clear()
            self._prepared = {request_id: self._prepared[request_id]}
            self._generations = iter(runner.generate(self._coming(ref)))
        try:
            generation = next(self._generations)
        except BaseException as error:  # nothing more comes from an iterator that raised
            self._asked.clear()
            if isinstance(error, StopIteration):
                message = f"expected one generation for {request_id}, got none"
                raise RunnerError(message) from None
            raise
        self._asked.popleft()
        if isinstance(generation, RunnerError):
            raise generation
        return generation

    def _coming(self, first: CaseRef) -> Iterator[Request]:
        """Yields the request of an item, then of those after it in its chunk that need one."""
        refs = self._chunks.get(first.chunk, [first])
        for ref in refs[refs.index(first) :]:
            if ref != first and self._stopping():
                return
            try:
                if self._fingerprint(ref).key in self._done:
                    continue
                item = self._prepare(ref)
            except Exception:  # noqa: S112 - it is raised, and told, when pytest comes to that item
                continue
            self._prepared[item.request.id] = item
            self._asked.append(item.request.id)
            yield item.request

    def _describe(self) -> None:
        facts = dict(self._runner.describe()) if self._runner is not None else self._told
        if facts != self._told:  # at first, and whenever the peak memory has risen
            self.stash[facts_key] = json.dumps(facts, default=str)
            self._told = facts

    def _open(self) -> Runner:
        if self._failed is not None:
            raise self._failed
        if self._runner is None:
            settings = self._bench.settings
            if loads_model(settings.runner):
                device = own_device(settings.device, self._slot, self._workers)
                settings = replace(settings, device=device)
            try:
                self._runner = open_runner(settings.runner, self._spec, settings, self._oracle)
            except VlmBenchError as error:
                self._failed = error
                raise
        return self._runner

    def _oracle(self, request_id: str) -> Answer:
        """Returns the right answer to a request; the stub alone asks."""
        item = self._prepared[request_id]
        return right_answer(item.task, item.case, self._spec, self._bench.settings)

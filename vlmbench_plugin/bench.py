"""The one benchmark test, and what it needs in the process that runs it.

The console script runs this module; ``bench_tests/test_bench.py`` imports the test from it.
Collecting it loads no model, opens no image and builds no scene.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pytest

from vlmbench_plugin.asking import build_request, fingerprint, request_id, right_answer
from vlmbench_plugin.core import (
    Answer,
    Case,
    Failure,
    Generation,
    Mode,
    ModelSpec,
    Request,
    Status,
    VisionTask,
)
from vlmbench_plugin.data import CaseSource, lacking, load_cases
from vlmbench_plugin.errors import DataError, RunnerError, VlmBenchError
from vlmbench_plugin.evaluate import error_record, evaluate
from vlmbench_plugin.models import resolve_models
from vlmbench_plugin.options import own_tasks, selection, settings_of
from vlmbench_plugin.record import Record
from vlmbench_plugin.runners import Runner, loads_model, open_runner
from vlmbench_plugin.runners._preflight import devices
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRef:
    """One case in one mode, by name: what an item is parametrised with."""

    category: str
    mode: Mode
    index: int

    def request_id(self, model: str) -> str:
        """Returns the item's id, unique within a run."""
        return request_id(model, self.category, self.mode, self.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one item ended: what pytest and its reports are told.

    Attributes:
        key: The item's fingerprint.
        status: As in the record.
        failure: Why it is a miss.
        score: The primary score; None where the answer is invalid or the item is an error.
        valid: Whether the answer is schema-valid.
        tokens: Tokens generated, where known.
        right_at: The least score that passes.
        record: The new record as one line of JSON; None where an earlier one is replayed.
    """

    key: str
    status: Status
    failure: Failure | None
    score: float | None
    valid: bool | None
    tokens: int | None
    right_at: float
    record: str | None = None

    @classmethod
    def of(cls, record: Record, *, line: str | None = None) -> Outcome:
        """Returns the outcome of a record; ``line`` is its JSON if it has yet to be stored."""
        return cls(
            key=record.key,
            status=record.status,
            failure=record.failure,
            score=record.primary_score,
            valid=record.schema_valid,
            tokens=record.output_tokens,
            right_at=record.right_at,
            record=line,
        )

    @property
    def reason(self) -> str:
        """The failure's name and figures; never text of the model."""
        if self.score is not None:
            return f"{self.failure}: score {self.score:.3f}, right at {self.right_at:.3f}"
        return f"{self.failure}" if self.tokens is None else f"{self.failure}: {self.tokens} tokens"

    def metadata(self) -> dict[str, Any]:
        """Returns what reports carry of each item, as plain JSON values."""
        return {
            "status": self.status,
            "score": self.score,
            "valid": self.valid,
            "failure": self.failure,
            "tokens": self.tokens,
        }

    def wire(self) -> dict[str, Any]:
        """Returns plain values from which ``Outcome(**values)`` restores it in a worker."""
        return asdict(self)


outcome_key = pytest.StashKey[Outcome]()
"""On an item: how it ended."""
facts_key = pytest.StashKey[str]()
"""On the first item that a runner answers: what the runner says of itself, as JSON."""
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
        """Yields every case in every mode, task by task, mode by mode."""
        for category, source in self.sources.items():
            for mode in self.settings.modes:
                for index in range(len(source)):
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


class Labeler:
    """One model under test: the value of the fixture ``vlm``.

    The runner is opened by the first item that needs it, so that a run that replays everything
    loads no model. If it cannot be opened, that is tried once and every item is told the same.

    Args:
        bench: Of this process.
        spec: The model.
        done: Fingerprint -> outcome of the items that need not run again.
        slot: Which of the devices is this process's own.
    """

    def __init__(
        self, bench: Bench, spec: ModelSpec, done: Mapping[str, Outcome], slot: int = 0
    ) -> None:
        self._bench = bench
        self._spec = spec
        self._done = done
        self._slot = slot
        self._asked: dict[str, tuple[VisionTask, Case]] = {}
        self._runner: Runner | None = None
        self._failed: VlmBenchError | None = None
        self._described = False

    def label(self, ref: CaseRef, stash: pytest.Stash) -> None:
        """Asks the model about one case and leaves the outcome in the item's stash.

        Raises:
            Exception: Whatever the runner or the scorer raised; the outcome is then an error.
        """
        task = self._bench.tasks[ref.category]
        case = self._bench.sources[ref.category][ref.index]
        settings = self._bench.settings
        request = build_request(task, case, self._spec, ref.mode, settings)
        key = fingerprint(task, case, self._spec, request, settings)
        if key in self._done:
            stash[outcome_key] = self._done[key]
            return
        self._asked[request.id] = task, case
        try:
            generation = self._generate(request, stash)
            record = evaluate(task, case, self._spec, request, generation, settings, key)
            # Rendered here, so that a value that JSON cannot hold fails this item, and no worker.
            stash[outcome_key] = Outcome.of(record, line=record.to_json())
        except (Exception, pytest.fail.Exception) as error:
            record = error_record(
                task, case, self._spec, request, settings, key, f"{type(error).__name__}: {error}"
            )
            stash[outcome_key] = Outcome.of(record, line=record.to_json())
            if isinstance(error, VlmBenchError):
                pytest.fail(str(error), pytrace=False)
            raise
        finally:
            del self._asked[request.id]

    def close(self) -> None:
        """Frees the model's memory."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def _generate(self, request: Request, stash: pytest.Stash) -> Generation:
        runner = self._open()
        generation = next(iter(runner.generate([request])), None)
        if generation is None:
            raise RunnerError(f"expected one generation for {request.id}, got none")
        if not self._described:
            stash[facts_key] = json.dumps(dict(runner.describe()), default=str)
            self._described = True
        return generation

    def _open(self) -> Runner:
        if self._failed is not None:
            raise self._failed
        if self._runner is None:
            settings = self._bench.settings
            if loads_model(settings.runner):
                found = devices(settings.device)
                settings = replace(settings, device=found[self._slot % len(found)])
            try:
                self._runner = open_runner(settings.runner, self._spec, settings, self._oracle)
            except VlmBenchError as error:
                self._failed = error
                raise
        return self._runner

    def _oracle(self, request_id: str) -> Answer:
        """Returns the right answer to a request; the stub alone asks."""
        task, case = self._asked[request_id]
        return right_answer(task, case, self._spec, self._bench.settings)


@pytest.mark.vlmbench
def test_label(vlm: Labeler, case: CaseRef, request: pytest.FixtureRequest) -> None:
    """One model labels one image once; ``pytest_runtest_makereport`` tells how it ended."""
    vlm.label(case, request.node.stash)

"""Runner ``replay``: raw text, timing and token counts from an earlier ``results.jsonl``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from vlmbench_plugin.core import Answer, Generation, Json, ModelSpec, Request
from vlmbench_plugin.errors import RunnerError, StoreError, UnknownNameError, UsageError
from vlmbench_plugin.record import Record
from vlmbench_plugin.settings import Settings

LOADS_MODEL = False
NEEDS_PIXELS = False


class ReplayRunner:
    """Answers each request with what the earlier run recorded under the same id.

    Args:
        spec: The model whose answers are replayed, matched by name.
        settings: ``settings.replay`` names a ``results.jsonl`` or a folder that holds one.
        oracle: Not used.

    Raises:
        UsageError: If ``settings.replay`` is missing or names no such file.
        StoreError: If a line is no record.
    """

    def __init__(
        self, spec: ModelSpec, settings: Settings, oracle: Callable[[str], Answer] | None = None
    ) -> None:
        for argument in settings.runner_args:
            raise UnknownNameError("argument of runner replay", argument, ())
        self._path = _results(settings.replay)
        content = self._path.read_bytes()
        self._digest = hashlib.sha256(content).hexdigest()
        asked = spec.name, settings.reasoning
        records = [r for r in _records(content.decode()) if (r.model, r.reasoning) == asked]
        self._sources = sorted({record.runner for record in records})
        self._records = {_request_id(record): record for record in records}

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation]:
        """Yields the recorded generations.

        Raises:
            RunnerError: If the earlier run lacks the item; the iterator goes on after it.
        """
        return map(self._replay, requests)

    def describe(self) -> Mapping[str, Json]:
        """Names the runners that wrote the texts, and the file by its digest."""
        return {"runner": "replay", "replayed": self._sources, "results_sha256": self._digest}

    def close(self) -> None:
        """Forgets the records."""
        self._records = {}

    def _replay(self, request: Request) -> Generation:
        record = self._records.get(request.id)
        if record is None:
            raise RunnerError(
                f"expected a record of {request.id} in {self._path}, found none",
                hint="replay with the models, categories, modes, --n and --reasoning of that run",
            )
        if record.raw_text is None or record.finish_reason is None or record.constraint is None:
            raise RunnerError(
                f"expected a generated text for {request.id} in {self._path}, "
                f"found an error: {record.error}",
                hint="run the same command again without --replay to generate it",
            )
        return Generation(
            text=record.raw_text,
            finish_reason=record.finish_reason,
            constraint=record.constraint,
            prompt_tokens=record.prompt_tokens,
            output_tokens=record.output_tokens,
            thinking_tokens=record.thinking_tokens,
            thinking_forced=record.thinking_forced,
            busy_s=record.busy_s,
            latency_s=record.latency_s,
            batch_size=record.batch_size,
            value_logprob=record.value_logprob,
        )


def _results(replay: str | None) -> Path:
    if replay is None:
        raise UsageError(
            "runner replay needs an earlier run, got none",
            hint="--replay FOLDER, where FOLDER holds its results.jsonl",
        )
    path = Path(replay)
    path = path / "results.jsonl" if path.is_dir() else path
    if not path.is_file():
        raise UsageError(
            f"expected a results.jsonl to replay, found no file {path}",
            hint="--replay takes the file, or the report folder of an earlier run",
        )
    return path


def _records(content: str) -> Iterator[Record]:
    *lines, last = content.split("\n")
    for line in lines:
        if line:
            yield Record.from_json(line)
    if last:
        try:
            yield Record.from_json(last)
        except StoreError:
            return  # a line without a newline is what a killed run leaves


def _request_id(record: Record) -> str:
    return f"{record.model}-{record.category}-{record.mode}-{record.case_index:04d}"


RUNNER = ReplayRunner

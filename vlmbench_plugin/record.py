"""One scored item: one line of ``results.jsonl``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

from vlmbench_plugin.core import (
    Answer,
    Constraint,
    Difficulty,
    Failure,
    FinishReason,
    Frame,
    Json,
    Mode,
    ParseStatus,
    Status,
    Truth,
)
from vlmbench_plugin.errors import StoreError
from vlmbench_plugin.untrusted import check_record

FORMAT_VERSION = 2
OLDER: Mapping[int, Mapping[str, Json]] = {1: {"key_parts": {}, "thinking_forced": None}}
"""Older versions that are still read -> the fields that they may lack, and what stands for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of ``results.jsonl``; ``docs/results-format.md`` defines each field.

    In an error record every measured field is None.
    """

    model: str
    reasoning: str
    category: str
    mode: Mode
    image_id: str
    primary_score: float | None
    schema_valid: bool | None
    json_robust: bool | None
    raw_text: str | None
    tokens_per_sec: float | None
    format_version: int
    status: Status
    error: str | None
    key: str
    key_parts: Mapping[str, str]
    runner: str
    constraint: Constraint | None
    dataset: str
    source: str
    case_index: int
    difficulty: Difficulty | None
    question: str | None
    vocabulary: Mapping[str, Json]
    frame: Frame
    image_size: Sequence[int]
    sent_size: Sequence[int]
    truth: Truth
    right_at: float
    passed: bool | None
    failure: Failure | None
    parse_status: ParseStatus | None
    repairable: bool | None
    secondary: Mapping[str, float | None] | None
    label_rule: str | None
    prediction: Answer | None
    finish_reason: FinishReason | None
    prompt_tokens: int | None
    output_tokens: int | None
    thinking_tokens: int | None
    thinking_forced: bool | None
    value_logprob: Mapping[str, float] | None
    looped: bool | None
    at_bound: bool | None
    clamped: int | None
    busy_s: float | None
    latency_s: float | None
    batch_size: int | None
    scorer_version: int

    def to_json(self) -> str:
        """Returns one line without a newline; raises ValueError for NaN or Infinity."""
        return _ENCODER.encode(dict(zip(_FIELDS, _VALUES(self), strict=True)))

    @classmethod
    def from_json(cls, line: str) -> Record:
        """Reads one line of ``results.jsonl``.

        Raises:
            StoreError: If the line is not a record of this format version or an older one.
        """
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise StoreError(f"expected one JSON record, got {line[:80]!r}: {error}") from error
        version = values.get("format_version") if isinstance(values, dict) else None
        if version != FORMAT_VERSION and (not isinstance(version, int) or version not in OLDER):
            raise StoreError(
                f"expected records of format_version {FORMAT_VERSION} or older, "
                f"got {version!r:.40}",
                hint="a newer release of qwen-vlmbench wrote this folder: use that one, or --fresh",
            )
        values = {**OLDER.get(version, {}), **values, "format_version": FORMAT_VERSION}
        if values.keys() != _NAMES:
            odd = sorted(values.keys() ^ _NAMES)
            raise StoreError(
                f"expected the fields of format_version {version}; differing: {odd!r:.200}"
            )
        try:
            check_record(values)
        except ValueError as error:
            raise StoreError(f"expected one record, got one with {error}") from error
        values["key_parts"] = _shared(tuple(values["key_parts"].items()))
        values["vocabulary"] = _vocabulary(json.dumps(values["vocabulary"]))
        return cls(**values)


_FIELDS = tuple(f.name for f in dataclasses.fields(Record))
_NAMES = frozenset(_FIELDS)
_VALUES = attrgetter(*_FIELDS)
_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))


@lru_cache(maxsize=1024)
def _shared(parts: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """Returns one mapping for all records of a cell: 30,000 of their own took 70 MB."""
    return dict(parts)


@lru_cache(maxsize=64)
def _vocabulary(text: str) -> Mapping[str, Json]:
    """Returns one mapping for all records of a source: 30,000 of their own took 70 MB."""
    return dict(json.loads(text))

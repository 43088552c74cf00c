"""One benchmark item: what it is parametrised with, and how it ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pytest

from vlmbench_plugin.asking import request_id
from vlmbench_plugin.chunks import CHUNK
from vlmbench_plugin.core import Failure, Mode, Status
from vlmbench_plugin.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRef:
    """One case in one mode, by name: what an item is parametrised with."""

    category: str
    mode: Mode
    index: int

    @property
    def chunk(self) -> tuple[str, Mode, int]:
        """What the items that are generated together have in common, beside the model."""
        return self.category, self.mode, self.index // CHUNK

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
"""On an item with which that is new: what the runner says of itself, as JSON."""

"""One of two runs that are set side by side: a results folder, or one model of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from vlmbench_plugin.errors import StoreError, UnknownNameError
from vlmbench_plugin.record import Record
from vlmbench_plugin.store import Store
from vlmbench_plugin.store_files import RESULTS

PUBLISHED = "published"
"""Stands for the write-up's figures where a folder is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two runs.

    Attributes:
        name: As the user named it.
        model: The one that was asked for; None for all.
        records: All of the folder, or those of that model.
        notes: What could not be read, one line each.
    """

    name: str
    model: str | None
    records: tuple[Record, ...]
    notes: tuple[str, ...]

    @classmethod
    def read(cls, name: str) -> Side:
        """Reads ``FOLDER`` or ``FOLDER:MODEL``.

        Raises:
            StoreError: If there is no such results folder, or it cannot be read.
            UnknownNameError: If it has no such model.
        """
        folder, model = _split(name)
        records, notes = Store.look(folder)
        found = cls(name=name, model=None, records=records, notes=tuple(notes))
        return found if model is None else found.only(model)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of its models."""
        return tuple(sorted({record.model for record in self.records}))

    def only(self, model: str) -> Side:
        """Returns the same run with one model alone.

        Raises:
            UnknownNameError: If it has no such model.
        """
        if model not in self.models:
            raise UnknownNameError(f"model of {self.name}", model, self.models)
        kept = tuple(record for record in self.records if record.model == model)
        return dataclasses.replace(self, model=model, records=kept)

    def sentence(self, letter: str) -> str:
        """Says what it is."""
        datasets, runners = (
            ", ".join(sorted({getattr(record, name) for record in self.records}))
            for name in ("dataset", "runner")
        )
        model = f", {self.model}" if self.model else ""
        return f"{letter}: {self.name}{model} (data set {datasets}; runner {runners})."


def _split(name: str) -> tuple[Path, str | None]:
    """Returns folder and model; a colon may be part of either."""
    places = [len(name), *(at for at in range(len(name) - 1, 0, -1) if name[at] == ":")]
    for at in places:
        if (Path(name[:at]) / RESULTS).is_file():
            return Path(name[:at]), name[at + 1 :] or None
    raise StoreError(
        f"expected a results folder, got {name}: it has no {RESULTS}",
        hint=f"name a folder that a run wrote to, FOLDER:MODEL, or {PUBLISHED} for the write-up's "
        "figures",
    )

"""How a measurement is shown and kept: a line of a Markdown table, a line of JSON."""

from __future__ import annotations

import argparse
import json
import operator
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

HEADER = (
    "| what | median | spread | rounds | target | held | note |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)
ROUNDS = 5
_SIGNS = {"<=": ("at most", operator.le), ">=": ("at least", operator.ge)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured quantity.

    Attributes:
        name: What was measured.
        median: Of the rounds.
        min: Their smallest.
        max: Their largest.
        rounds: How many there were.
        unit: Of all of them.
        target: Such as "<= 2"; None where none was set.
        held: Whether the target is met by the median; None without one.
        note: What helps to read it.
    """

    name: str
    median: float
    min: float
    max: float
    rounds: int
    unit: str
    target: str | None
    held: bool | None
    note: str = ""

    @classmethod
    def of(
        cls,
        name: str,
        values: Sequence[float],
        unit: str,
        target: str | None = None,
        *,
        note: str = "",
        worst: bool = False,
    ) -> Figure:
        """Sums rounds up.

        Args:
            name: What was measured.
            values: One of each round.
            unit: Of the values.
            target: "<= number" or ">= number".
            note: What helps to read it.
            worst: Whether every value must meet the target, not their median.
        """
        median = statistics.median(values)
        held = None
        if target is not None:
            sign, bound = target.split()
            holds = _SIGNS[sign][1]
            held = all(holds(v, float(bound)) for v in (values if worst else [median]))
        return cls(
            name=name,
            median=median,
            min=min(values),
            max=max(values),
            rounds=len(values),
            unit=unit,
            target=target,
            held=held,
            note=note,
        )

    def line(self) -> str:
        """Returns the line of the table under ``HEADER``."""
        target, held = "-", "-"
        if self.target is not None:
            sign, bound = self.target.split()
            target = f"{_SIGNS[sign][0]} {float(bound):,g}"
            held = "yes" if self.held else "NO"
        median, low, high = (_shown(v) for v in (self.median, self.min, self.max))
        spread = f"{low} - {high}"
        cells = (self.name, f"{median} {self.unit}", spread, self.rounds, target, held, self.note)
        return f"| {' | '.join(map(str, cells))} |"


class Sheet:
    """The command line of a script, and the figures that it measures.

    Args:
        description: Of the script.
        rounds: How often each thing is measured unless told otherwise.
        items: How many items are measured; None where there is nothing to choose.
        quick: Whether there is a shorter form.
    """

    def __init__(
        self,
        description: str,
        *,
        rounds: int = ROUNDS,
        items: int | None = None,
        quick: bool = False,
    ) -> None:
        parser = argparse.ArgumentParser(description=description.splitlines()[0])
        parser.add_argument("--rounds", type=int, default=rounds)
        parser.add_argument("--json", type=Path, help="append each figure to this file")
        if items is not None:
            parser.add_argument("--items", type=int, default=items)
        if quick:
            parser.add_argument("--quick", action="store_true", help="what has a target, no more")
        self._parser = parser
        self.arguments = argparse.Namespace()

    def parse(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """Reads the command line."""
        self.arguments = self._parser.parse_args(arguments)
        return self.arguments

    def show(self, figure: Figure) -> None:
        """Prints a figure, and keeps it where the command line says so."""
        print(figure.line(), flush=True)
        if self.arguments.json is not None:
            with self.arguments.json.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(figure)) + "\n")


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

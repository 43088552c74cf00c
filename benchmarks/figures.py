"""How a measurement is shown: one line of a Markdown table, the target beside it."""

from __future__ import annotations

HEADER = "| what | measured | target | held |\n| --- | --- | --- | --- |"


def line(what: str, measured: str, target: str, *, held: bool) -> str:
    """Returns one line of the table under ``HEADER``."""
    return f"| {what} | {measured} | {target} | {'yes' if held else 'NO'} |"

"""The corpus of answer forms: reads ``fixtures/failure_forms.jsonl`` and shows it as a table.

A line of the corpus holds ``name``, ``finished``, the expected ``parse_status`` and ``failure``
(null where the answer is valid), and ``text``: a string, or a list of [piece, times] for what is
too long to store. Where ``cut`` is true the line stands for every proper prefix of the text in
UTF-8 bytes. Failures are those of an answer with the fields of ``FIELDS``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench_plugin.core import Failure, ParseStatus
from vlmbench_plugin.fields import Fields, box, label

CORPUS = Path(__file__).parent.parent / "fixtures" / "failure_forms.jsonl"
FIELDS: Fields = {"subject": label("object"), "box": box()}
SHOWN = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One line of the corpus.

    Attributes:
        name: What is special about the answer.
        pieces: Texts and how often each is repeated, in order.
        finished: Whether the model ended by itself.
        parse_status: The status that is expected.
        failure: The failure that is expected; None for a valid answer.
        cut: Whether every proper prefix is meant instead of the whole.
    """

    name: str
    pieces: tuple[tuple[str, int], ...]
    finished: bool
    parse_status: ParseStatus
    failure: Failure | None
    cut: bool = False

    def texts(self) -> tuple[str, ...]:
        """Returns the raw texts; a cut character reads as U+FFFD, as a tokenizer decodes it."""
        whole = "".join(piece * times for piece, times in self.pieces)
        if not self.cut:
            return (whole,)
        data = whole.encode()
        return tuple(data[:end].decode(errors="replace") for end in range(1, len(data)))


def forms() -> tuple[Form, ...]:
    """Returns the corpus in the order of its file."""
    return tuple(_form(line) for line in CORPUS.read_text(encoding="utf-8").splitlines())


def failure_table() -> str:
    """Returns the corpus as a Markdown table."""
    lines = [
        "| form | answer | finished | `parse_status` | `failure` |",
        "|---|---|---|---|---|",
    ]
    for form in forms():
        shown = " ".join(_piece(text, times) for text, times in form.pieces if text)
        failure = f"`{form.failure}`" if form.failure else "valid"
        cells = (
            form.name,
            shown or "-",
            "yes" if form.finished else "no",
            f"`{form.parse_status}`",
            failure,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _form(line: str) -> Form:
    members = json.loads(line)
    text = members.pop("text")
    pieces: list[list[Any]] = [[text, 1]] if isinstance(text, str) else text
    return Form(pieces=tuple((piece, times) for piece, times in pieces), **members)


def _piece(text: str, times: int) -> str:
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    if len(shown) > SHOWN:
        shown = shown[:SHOWN] + "…"
    ticks = "`"
    while ticks in shown:
        ticks += "`"
    # The spaces keep backticks at either end, and are no part of what a code span shows.
    span = f"{ticks} {shown} {ticks}".replace("|", "\\|")
    return f"{span} x {times:,}" if times > 1 else span

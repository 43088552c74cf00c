"""The cases that a page shows, as plain JSON: pictures, overlays, answers, and why they missed.

Everything in it may be hostile: it is data for a script that sets text and numbers alone.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from PIL import Image

from vlmbench_plugin import parsing
from vlmbench_plugin.core import Json, VisionTask
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.overlays import Mark, View, answer_marks, declared, truth_marks
from vlmbench_plugin.pictures import Picture
from vlmbench_plugin.record import Record
from vlmbench_plugin.report.differences import differences
from vlmbench_plugin.report.reasons import reason
from vlmbench_plugin.report.sampling import sample
from vlmbench_plugin.report.tables import title
from vlmbench_plugin.thumbnails import file_name

Pictures: TypeAlias = Callable[[str], "bytes | None"]
"""The name of a small copy (``thumbnails.file_name``) -> its file's bytes; None where none is."""

SIDE = 480
"""Pixels of the longer side: what a card shows on a screen of ordinary density."""

PICTURE_BYTES = 15_000_000
"""Of all pictures as base64 text; what comes after is left out, and the page says so."""

CASE_BYTES = 10_000_000
"""Of all cases as JSON; ordinary ones take 4 MB, answers of characters that JSON escapes more."""

RAW_CHARACTERS = 3000
"""Of a raw answer; a looping one has 30,000."""

_ROWS = 40
_QUALITY = 72
_FAR = 10.0
"""Lines end so many sizes of the image away: a horizon's ends may lie at infinity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """What the page's script shows.

    Attributes:
        cases: One object per case; ``picture`` is a key of ``pictures``.
        pictures: Name -> data URI, each once however many cases show it.
        total: Records of which ``cases`` is a sample.
        notes: What the reader must know of it.
    """

    cases: tuple[Mapping[str, Json], ...]
    pictures: Mapping[str, str]
    total: int
    notes: tuple[str, ...]


def gallery(
    records: Iterable[Record], tasks: Mapping[str, VisionTask], pictures: Pictures
) -> Gallery:
    """Chooses the cases and prepares what is shown of them.

    Args:
        records: All records of the folder.
        tasks: Category -> task; a case of an unknown one has neither overlays nor differences.
        pictures: Gives the small copies; asked only for those that are shown.
    """
    records = tuple(records)
    shown = sample(records, tuple(tasks))
    cases = _within([_case(record, tasks.get(record.category)) for record in shown])
    encoded, notes = _encoded([case["picture"] for case in cases], pictures)
    left_out = len(shown) - len(cases)
    return Gallery(
        cases=tuple(case | {"picture": _if_in(case["picture"], encoded)} for case in cases),
        pictures=encoded,
        total=len(records),
        notes=(f"{left_out} more cases are left out to keep this page small.", *notes)
        if left_out
        else notes,
    )


def _within(cases: Sequence[dict[str, Json]]) -> list[dict[str, Json]]:
    """The first cases, as many as a page may hold."""
    ends = accumulate(len(json.dumps(case)) for case in cases)
    return [case for case, end in zip(cases, ends, strict=True) if end <= CASE_BYTES]


def _if_in(name: str, pictures: Mapping[str, str]) -> str | None:
    return name if name in pictures else None


def _encoded(names: Iterable[str], pictures: Pictures) -> tuple[dict[str, str], tuple[str, ...]]:
    found: dict[str, str] = {}
    none, spent, over, damaged = 0, 0, 0, 0
    for name in dict.fromkeys(names):
        content = pictures(name) if spent < PICTURE_BYTES else b""
        if content is None:
            none += 1
        elif not content:
            over += 1
        else:
            try:
                found[name] = _data_uri(content, name)
                spent += len(found[name])
            except DataError:
                damaged += 1
    notes = []
    if none:
        notes.append(
            f"{none} of the images shown have no small copy in this folder (--thumbnails on makes "
            "them): their overlays stand on an empty frame."
        )
    if over:
        notes.append(f"{over} more pictures are left out to keep this page small.")
    if damaged:
        notes.append(f"{damaged} small copies could not be read: their files are damaged.")
    return found, tuple(notes)


def _data_uri(content: bytes, name: str) -> str:
    image = Picture(content, name).rgb()
    image.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=_QUALITY, method=2)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _case(record: Record, task: VisionTask | None) -> dict[str, Json]:
    return {
        "model": title(record.model, record.reasoning),
        "task": record.category,
        "mode": record.mode,
        "image": record.image_id,
        "status": record.status,
        "failure": record.failure or ("error" if record.status == "error" else ""),
        "score": record.primary_score,
        "bar": record.right_at,
        "about": [record.source, *filter(None, [record.difficulty]), _size(record.image_size)],
        "size": list(record.image_size),
        "picture": file_name(record.category, record.image_id),
        "question": _cut(record.question or ""),
        "reason": _cut(reason(record)),
        "secondary": {k: v for k, v in (record.secondary or {}).items() if v is not None},
        **_answers(record),
        **(_compared(record, task) if task is not None else {}),
    }


def _answers(record: Record) -> dict[str, Json]:
    """The raw answer, and what reading it found, valid or not."""
    raw = record.raw_text
    if raw is None:
        return {"raw": None, "cut": 0, "parsed": None}
    read = parsing.read(raw, finished=record.finish_reason == "stop")
    parsed = (
        None
        if read.status == "none"
        else _cut(json.dumps(read.value, ensure_ascii=False, indent=1))
    )
    return {"raw": _cut(raw), "cut": max(0, len(raw) - RAW_CHARACTERS), "parsed": parsed}


def _cut(text: str) -> str:
    return text[:RAW_CHARACTERS]


def _size(size: Iterable[int]) -> str:
    return " x ".join(map(str, size))


def _compared(record: Record, task: VisionTask) -> dict[str, Json]:
    """The overlays, and the differences by field."""
    width, height = record.image_size
    view = View(size=(width, height), question=record.question)
    truth, answer = record.truth, record.prediction
    rows = list(
        differences(task, declared(task.pixel_answer(truth), truth), declared(answer or {}, truth))
    )
    return {
        "truth_marks": [_mark(mark, view.size) for mark in truth_marks(task, truth, view)],
        "answer_marks": []
        if answer is None
        else [_mark(mark, view.size) for mark in answer_marks(task, answer, truth, view)],
        "rows": [[d.path, d.truth, d.answer, d.same, d.note] for d in rows[:_ROWS]],
        "rows_left": max(0, len(rows) - _ROWS),
        "valid": answer is not None,
    }


def _mark(mark: Mark, size: tuple[int, int]) -> dict[str, Json]:
    """A mark as an SVG path; numbers alone, so that no text can become markup."""
    reach = _FAR * max(size)

    def at(value: float) -> str:
        return f"{min(max(value, -reach), reach):.1f}".removesuffix(".0")

    path = "".join(
        "M" + "L".join(f"{at(x)},{at(y)}" for x, y in line) for line in mark.lines if len(line) > 1
    )
    spots = [(x, y) for line in mark.lines for x, y in line]
    inside = [(x, y) for x, y in spots if 0 <= x <= size[0] and 0 <= y <= size[1]]
    across, down = [x for x, _ in inside], [y for _, y in inside]
    return {
        "path": path,
        "dots": [[float(at(x)), float(at(y))] for x, y in spots] if mark.dots else [],
        "name": mark.name,
        # Left, top and bottom of what can be seen of it: where its name can stand.
        "at": [round(one, 1) for one in (min(across), min(down), max(down))] if inside else None,
    }

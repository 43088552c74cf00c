"""Sheets of cases with their truth drawn on them: what a benchmark asks, at one glance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from vlmbench_plugin.core import Case, VisionTask
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.overlays import overlay, words
from vlmbench_plugin.scenes.canvas import RGB
from vlmbench_plugin.scenes.fonts import load_font
from vlmbench_plugin.settings import Settings

CASES = 16
"""Cases on one sheet."""

EXAMPLE_SIDE = 320
"""The most pixels of an example's longer side."""

_COLUMNS = 4
_PICTURE = (400, 340)
_GAP = 10
_FONT_SIZE = 12
_LEADING = 15
_EXAMPLE_LINES = 4
_EXAMPLE = 10
"""The case shown for each task: of medium difficulty, on the sheet that was looked at."""
_PAPER: RGB = (248, 248, 246)
_INK: RGB = (20, 20, 24)
_FAINT: RGB = (104, 108, 120)


def contact_sheets(tasks: Iterable[VisionTask], settings: Settings, folder: Path) -> list[Path]:
    """Writes one PNG per task: its first sixteen cases, each with its truth.

    Args:
        tasks: The tasks; each must have the data set.
        settings: What decides the cases, such as ``dataset`` and ``seed``; ``n`` is not read.
        folder: Made where it is missing; a sheet there is written anew.

    Returns:
        The files, named by category, in the order of the tasks.

    Raises:
        UnknownNameError: If a task has no such data set.
        DataError: If a data set's files are missing or malformed.
        OSError: If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for task in tasks:
        source = load_cases(task, replace(settings, n=CASES))
        path = folder / f"{task.category}.png"
        contact_sheet(task, [source[i] for i in range(len(source))]).save(path)
        written.append(path)
    return written


def contact_sheet(task: VisionTask, cases: Sequence[Case]) -> Image.Image:
    """Returns the cases in rows of four, each with its truth drawn and told below."""
    width = _PICTURE[0]
    cells = [_cell(task, case) for case in cases]
    rows = [cells[i : i + _COLUMNS] for i in range(0, len(cells), _COLUMNS)]
    heights = [max(cell.height for cell in row) for row in rows]
    heading = 2 * _LEADING
    sheet = Image.new(
        "RGB",
        (
            _COLUMNS * (width + _GAP) + _GAP,
            heading + sum(heights) + (len(rows) + 1) * _GAP,
        ),
        _PAPER,
    )
    top = heading + _GAP
    title = f"{task.category} (version {task.version}): {task.title}"
    ImageDraw.Draw(sheet).text((_GAP, _GAP), title, font=load_font("sans_bold", 16), fill=_INK)
    for row, height in zip(rows, heights, strict=True):
        for column, cell in enumerate(row):
            sheet.paste(cell, (_GAP + column * (width + _GAP), top))
        top += height + _GAP
    return sheet


def example_image(task: VisionTask) -> Image.Image:
    """Returns one drawn case of a task with its truth, at most ``EXAMPLE_SIDE`` pixels a side.

    Raises:
        UnknownNameError: If the task has no drawn scenes.
    """
    case = load_cases(task, Settings(dataset="synthetic", n=_EXAMPLE + 1))[_EXAMPLE]
    font = load_font("sans_bold", _FONT_SIZE)
    asked = _wrapped(case.question or "", font, EXAMPLE_SIDE)
    # A question of many lines stands in the prompt anyway.
    lines = asked if len(asked) == 1 else []
    lines += [part for line in words(task, case) for part in _wrapped(line, font, EXAMPLE_SIDE)]
    shown = lines if len(lines) <= _EXAMPLE_LINES else [*lines[: _EXAMPLE_LINES - 1], "..."]
    below = len(shown) * _LEADING + 6
    picture = overlay(task, case, within=(EXAMPLE_SIDE, EXAMPLE_SIDE - below))
    image = Image.new("RGB", (EXAMPLE_SIDE, picture.height + below), _PAPER)
    image.paste(picture, ((EXAMPLE_SIDE - picture.width) // 2, 0))
    _write(image, picture.height + 3, shown, font, _INK)
    return image


def _cell(task: VisionTask, case: Case) -> Image.Image:
    """One case: its picture, its id and difficulty, its truth in words, its question."""
    plain, bold = load_font("mono", 11), load_font("sans_bold", _FONT_SIZE)
    width = _PICTURE[0]
    picture = overlay(task, case, within=_PICTURE)
    size = f"{case.size[0]} x {case.size[1]}"
    about = f"{case.image_id}  {case.difficulty or case.source}  {size}"
    truth = [part for line in words(task, case) for part in _wrapped(line, plain, width)]
    asked = _wrapped(case.question or "", plain, width)
    height = picture.height + (1 + len(truth) + len(asked)) * _LEADING + 8
    cell = Image.new("RGB", (width, height), _PAPER)
    cell.paste(picture, ((width - picture.width) // 2, 0))
    top = _write(cell, picture.height + 2, [about], bold, _INK)
    top = _write(cell, top, truth, plain, _INK)
    _write(cell, top, asked, plain, _FAINT)
    return cell


def _write(
    image: Image.Image,
    top: int,
    lines: Sequence[str],
    font: ImageFont.FreeTypeFont,
    ink: RGB,
) -> int:
    """Writes lines below each other and returns where the next one would stand."""
    pen = ImageDraw.Draw(image)
    for line in lines:
        pen.text((4, top), line, font=font, fill=ink)
        top += _LEADING
    return top


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Breaks a text into lines of at most ``width`` pixels, at spaces where there are any."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if font.getlength(longer) <= width - 8:
                line = longer
                continue
            lines += [line] if line else []
            line = word
            while font.getlength(line) > width - 8:
                cut = next(
                    i for i in range(len(line), 0, -1) if font.getlength(line[:i]) <= width - 8
                )
                lines.append(line[:cut])
                line = line[cut:]
        lines.append(line)
    return lines

"""Plain lines for a terminal, at most 120 columns wide unless told otherwise."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from vlmbench_plugin.aggregate import LeaderboardRow, MetricsRow
from vlmbench_plugin.report import tables
from vlmbench_plugin.report.heading import Heading, legend

WIDTH = 120
_GAP = "  "
_VALUE = 6
_MODEL_COLUMN = 1
_LEFT_ALIGNED = (1, 9)
"""The model and the bucket; figures are aligned to the right."""


def live_line(row: MetricsRow, items_left: int, seconds: float | None) -> str:
    """Returns one line for a finished (model, category, mode).

    Args:
        row: Its metrics.
        items_left: Items of the run that are still to come.
        seconds: Estimated seconds until the run ends; None where unknown.
    """
    name = f"{tables.title(row.model, row.reasoning)} {row.category} {row.mode}"
    errors = f", {row.n_errors} errors" if row.n_errors else ""
    if not row.n:
        return f"{name}: no item scored{errors}, {_left(items_left, seconds)}"
    parts = [
        f"n {row.n}{errors}",
        f"yield {tables.yield_cell(row)} {tables.between(row.effective_yield_interval)}",
        f"valid {tables.percent(row.schema_valid_rate)}",
        f"robust {tables.percent(row.json_robustness)}",
        f"{tables.speed(row.tokens_per_sec)} tok/s",
        _left(items_left, seconds),
    ]
    return f"{name}: {', '.join(parts)}"


def leaderboard_lines(
    board: Sequence[LeaderboardRow],
    rows: Sequence[MetricsRow],
    heading: Heading,
    *,
    width: int = WIDTH,
) -> list[str]:
    """Returns heading, leaderboard, per-category grids and legend, no line wider than ``width``."""
    lines = _wrapped(heading.sentences(), width)
    if not board:
        return lines
    lines += ["", *_table([tables.BOARD_HEADER, *map(tables.board_cells, board)], width)]
    lines += ["", "Effective yield by category"]
    lines += _grids(tables.grid(board, rows), width)
    return [*lines, *_wrapped(legend(board), width)]


def decision_lines(sentences: Sequence[str], *, width: int = WIDTH) -> list[str]:
    """Returns what to do, in sentences, under a line of its own."""
    return ["", "Decision", *_wrapped(sentences, width)]


def _wrapped(sentences: Sequence[str], width: int) -> list[str]:
    return [
        line
        for sentence in sentences
        for line in textwrap.wrap(sentence, width, subsequent_indent=_GAP)
    ]


def _table(cells: Sequence[Sequence[str]], width: int) -> list[str]:
    """Lays out a table; if too wide, columns move closer, then names are cut in the middle."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    gap = _GAP if sum(widths) + len(_GAP) * (len(widths) - 1) <= width else " "
    over = sum(widths) + len(gap) * (len(widths) - 1) - width
    if over > 0:
        widths[_MODEL_COLUMN] = max(widths[_MODEL_COLUMN] - over, 8)
    return [
        gap.join(
            _cut(text, size).ljust(size) if at in _LEFT_ALIGNED else text.rjust(size)
            for at, (text, size) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]


def _cut(text: str, size: int) -> str:
    if len(text) <= size:
        return text
    head = (size - 2) // 2
    return f"{text[:head]}..{text[len(text) - (size - 2 - head) :]}"


def _grids(grid: tables.Grid, width: int) -> list[str]:
    """Returns as many grids below each other as the models need, of about equal width."""
    group = len(grid.modes) * _VALUE + (len(grid.modes) - 1) * len(_GAP)
    # One mode alone leaves six columns, in which no model's name can be read.
    group = max(group, 2 * _VALUE)
    left = max(len("category"), *(len(category) for category, _, _ in grid.lines))
    room = width - left - len(_GAP) - _VALUE
    fitting = max(1, room // (group + len(_GAP)))
    count = math.ceil(len(grid.names) / fitting)
    size = math.ceil(len(grid.names) / count)
    lines: list[str] = []
    for start in range(0, len(grid.names), size):
        lines += [*_grid_lines(grid.part(start, start + size), left, group), ""]
    return lines


def _grid_lines(grid: tables.Grid, left: int, group: int) -> list[str]:
    blank = " " * (left + len(_GAP) + _VALUE)
    names = [textwrap.wrap(name, group) for name in grid.names]
    height = max(map(len, names))
    levels = zip(*([""] * (height - len(name)) + name for name in names), strict=True)
    lines = [
        (blank + "".join(_GAP + part.rjust(group) for part in level)).rstrip() for level in levels
    ]
    modes = [tables.SHORT_MODE[mode] for mode in grid.modes] * len(grid.names)
    table = [("category", "floor", modes), *grid.lines, ("mean", "", grid.means)]
    for category, floor, texts in table:
        line = category.ljust(left) + _GAP + floor.rjust(_VALUE)
        for start in range(0, len(texts), len(grid.modes)):
            values = texts[start : start + len(grid.modes)]
            line += _GAP + _GAP.join(value.rjust(_VALUE) for value in values).rjust(group)
        lines.append(line.rstrip())
    return lines


def _left(items_left: int, seconds: float | None) -> str:
    if not items_left:
        return "done"
    if seconds is None:
        return f"{items_left} items left"
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    spans = [(hours, "h"), (minutes, "min"), (rest, "s")]
    shown = next((at for at, (count, _) in enumerate(spans) if count), 2)
    said = " ".join(f"{count} {unit}" for count, unit in spans[shown : shown + 2])
    return f"{said} left ({items_left} items)"

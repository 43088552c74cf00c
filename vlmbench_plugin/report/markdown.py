"""``leaderboard.md``: the terminal's figures, and one line per (model, category, mode)."""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench_plugin.aggregate import LeaderboardRow, MetricsRow
from vlmbench_plugin.escapes import markdown
from vlmbench_plugin.report import tables
from vlmbench_plugin.report.heading import Heading, legend


def leaderboard(
    board: Sequence[LeaderboardRow], rows: Sequence[MetricsRow], heading: Heading
) -> str:
    """Returns the page, ending in a newline."""
    blocks = ["# Leaderboard", _list(heading.sentences())]
    if board:
        blocks += [
            _table([tables.BOARD_HEADER, *map(tables.board_cells, board)]),
            _list(legend(board)),
            "## Effective yield by category",
            _grid(tables.grid(board, rows)),
            "## Every cell",
            (
                "`right/silent/caught`: shares of all scored items: valid and passed; valid and "
                "missed, so that nobody notices; invalid, so that it can be asked again."
            ),
            _table([tables.CELL_HEADER, *tables.cell_lines(rows)]),
        ]
    return "\n\n".join(blocks) + "\n"


def _grid(grid: tables.Grid) -> str:
    modes = [tables.SHORT_MODE[mode] for mode in grid.modes]
    header = ["category", "floor", *(f"{name} {mode}" for name in grid.names for mode in modes)]
    lines = [[category, floor, *texts] for category, floor, texts in grid.lines]
    return _table([header, *lines, ["mean", "", *grid.means]])


def _list(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {markdown(sentence)}" for sentence in sentences)


def _table(cells: Sequence[Sequence[str]]) -> str:
    header, *lines = ["| " + " | ".join(map(markdown, line)) + " |" for line in cells]
    return "\n".join([header, "|" + " --- |" * len(cells[0]), *lines])

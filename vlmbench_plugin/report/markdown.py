"""``leaderboard.md``: the terminal's figures, and one line per (model, category, mode)."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

from vlmbench_plugin.aggregate import LeaderboardRow, MetricsRow
from vlmbench_plugin.escapes import markdown
from vlmbench_plugin.findings import Findings
from vlmbench_plugin.report import failures, figures, tables
from vlmbench_plugin.report.heading import Heading, legend


def leaderboard(
    board: Sequence[LeaderboardRow],
    rows: Sequence[MetricsRow],
    heading: Heading,
    findings: Findings,
    decision: Sequence[str],
) -> str:
    """Returns the page, ending in a newline.

    Args:
        board: The leaderboard.
        rows: What it rests on.
        heading: What must be read first.
        findings: What was concluded.
        decision: The same in sentences.
    """
    blocks = ["# Leaderboard", _list(heading.sentences())]
    if board:
        blocks += [
            "## Decision",
            _list(decision),
            "## Ranking",
            _table([tables.BOARD_HEADER, *map(tables.board_cells, board)]),
            _list(legend(board)),
            "## Effective yield by category",
            "The best of each line is bold.",
            _grid(tables.grid(board, rows), tables.best_columns(board, rows)),
            *_concluded(findings, failures.failure_table(rows)),
            "## Every cell",
            (
                "`right/silent/caught`: shares of all scored items: valid and passed; valid and "
                "missed, so that nobody notices; invalid, so that it can be asked again."
            ),
            _table([tables.CELL_HEADER, *tables.cell_lines(rows)]),
        ]
    return "\n\n".join(blocks) + "\n"


def _concluded(findings: Findings, failed: figures.Table) -> list[str]:
    """Returns a section for each kind of conclusion that there is."""
    sections = (
        ("Who labels what: best single model and best pair", figures.router_table(findings)),
        ("What labels cost", figures.cost_table(findings.costs)),
        ("What a grammar changes", figures.tax_table(findings)),
        ("What can be accepted without a look", figures.acceptance_table(findings)),
        ("Misses by kind", failed),
    )
    blocks = []
    for name, table in sections:
        if table.lines:
            blocks += [f"## {name}", _table([table.header, *table.lines])]
    return blocks


def _grid(grid: tables.Grid, best: Mapping[str, frozenset[int]]) -> str:
    modes = [tables.SHORT_MODE[mode] for mode in grid.modes]
    header = ["category", "floor", *(f"{name} {mode}" for name in grid.names for mode in modes)]
    lines = [[category, floor, *texts] for category, floor, texts in grid.lines]
    bold = [
        {2 + at for at in best[category]} if category in best else set()
        for category, _, _ in grid.lines
    ]
    return _table([header, *lines, ["mean", "", *grid.means]], [set(), *bold, set()])


def _list(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {markdown(sentence)}" for sentence in sentences)


def _table(cells: Sequence[Sequence[str]], bold: Sequence[Collection[int]] = ()) -> str:
    """Lays out a table; of each line the cells at some positions are bold."""
    marked = [
        [
            f"**{markdown(text)}**" if at in stressed else markdown(text)
            for at, text in enumerate(line)
        ]
        for line, stressed in itertools.zip_longest(cells, bold, fillvalue=())
    ]
    header, *lines = ["| " + " | ".join(line) + " |" for line in marked]
    return "\n".join([header, "|" + " --- |" * len(cells[0]), *lines])

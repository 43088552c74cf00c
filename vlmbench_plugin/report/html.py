"""``report.html``: the whole run as one page, which needs no network and no server.

Charts are drawn in the browser by Observable Plot on D3 (both ISC), which stand in ``templates``
unchanged: SVG whose text is text, coloured by CSS variables and so dark where the page is, drawn
anew for the width of a phone. They cost 0.5 MB a page and no dependency; matplotlib would draw one
fixed width, with 40 MB to install and a second a run. Each chart's figures are a table as well.

Model output reaches the page as JSON alone, which the page's script shows as text. The policy in
its head lets only these very scripts run, and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from vlmbench_plugin.aggregate import LeaderboardRow, MetricsRow
from vlmbench_plugin.core import MODES, Json
from vlmbench_plugin.findings import Findings
from vlmbench_plugin.report import failures, figures, tables
from vlmbench_plugin.report.gallery import Gallery
from vlmbench_plugin.report.heading import Heading, legend

_TEMPLATES = Path(__file__).parent / "templates"
_SCRIPTS = (
    "d3.min.js",
    "plot.umd.min.js",
    "page.js",
    "charts_shared.js",
    "charts_models.js",
    "charts_tasks.js",
    "gallery.js",
)
_SHADES = 10
"""Steps of the heat map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCell:
    """One yield of the heat map.

    Attributes:
        text: As in every other table.
        value: Unrounded, to sort by; None where there is none.
        shade: 0 to 9; None where there is no valid answer.
    """

    text: str
    value: float | None
    shade: int | None


def page(
    board: Sequence[LeaderboardRow],
    rows: Sequence[MetricsRow],
    heading: Heading,
    findings: Findings,
    decision: Sequence[str],
    gallery: Gallery,
) -> str:
    """Returns the page.

    Args:
        board: The leaderboard.
        rows: What it rests on.
        heading: What must be read first.
        findings: What was concluded.
        decision: The same in sentences, the headline first.
        gallery: The cases to show.
    """
    scripts = [_code(name) for name in _SCRIPTS]
    rows = _in_order(rows, board)
    headline, *sentences = decision
    return _template().render(
        title=f"qwen-vlmbench: {', '.join(heading.datasets) or 'no data'}",
        policy=_policy(scripts),
        style=_code("page.css"),
        scripts=scripts,
        headline=headline,
        sentences=sentences,
        warnings=heading.sentences(),
        legend=legend(board),
        board=_board(board),
        grid=tables.grid(board, rows),
        heat=_heat(board, rows),
        short_modes=tables.SHORT_MODE,
        cells=figures.Table(header=tables.CELL_HEADER, lines=tuple(tables.cell_lines(rows))),
        failed=failures.failure_table(rows),
        figures=figures,
        findings=findings,
        gallery=gallery,
        choices=_choices(gallery),
        chart_data=_data(_chart_data(board, rows, findings)),
        case_data=_data(gallery.cases),
        picture_data=_data(gallery.pictures),
    )


def _in_order(rows: Sequence[MetricsRow], board: Sequence[LeaderboardRow]) -> list[MetricsRow]:
    """The rows, models in the board's order."""
    place = {(row.model, row.reasoning): at for at, row in enumerate(board)}
    return sorted(rows, key=lambda row: place[row.model, row.reasoning])


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")


def _code(name: str) -> Markup:
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - packaged files


def _policy(scripts: Sequence[str]) -> str:
    """Returns the content security policy: pictures within the page, and these scripts."""
    digests = (hashlib.sha256(code.encode("utf-8")).digest() for code in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(one).decode('ascii')}'" for one in digests)
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )


def _data(value: Json) -> Markup:
    """Returns JSON for a script element, which no text in it can end."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return Markup(text)  # noqa: S704 - no character of markup is left


def _board(board: Sequence[LeaderboardRow]) -> figures.Table:
    """The leaderboard, names first."""
    lines = [tables.BOARD_HEADER, *map(tables.board_cells, board)]
    header, *swapped = [(line[1], line[0], *line[2:]) for line in lines]
    return figures.Table(header=header, lines=tuple(swapped))


def _heat(board: Sequence[LeaderboardRow], rows: Sequence[MetricsRow]) -> dict[str, list[HeatCell]]:
    """Returns category -> its cells, in the columns of the grid."""
    found = {(row.model, row.reasoning, row.category, row.mode): row for row in rows}
    modes = [mode for mode in MODES if any(row.mode == mode for row in rows)]
    return {
        category: [
            _heat_cell(found.get((row.model, row.reasoning, category, mode)))
            for row in board
            for mode in modes
        ]
        for category in dict.fromkeys(row.category for row in rows)
    }


def _heat_cell(row: MetricsRow | None) -> HeatCell:
    value = row.effective_yield if row is not None else None
    known = row is not None and value is not None and row.primary_score_mean is not None
    return HeatCell(
        text=tables.yield_cell(row),
        value=value,
        shade=min(_SHADES - 1, int(_SHADES * value)) if known and value is not None else None,
    )


def _choices(gallery: Gallery) -> dict[str, list[str]]:
    """Returns what the gallery's filters offer."""
    return {
        name: list(dict.fromkeys(case[name] for case in gallery.cases if case[name]))
        for name in ("task", "model", "mode", "status", "failure")
    }


def _chart_data(
    board: Sequence[LeaderboardRow], rows: Sequence[MetricsRow], findings: Findings
) -> dict[str, Json]:
    return {
        "ranking": figures.ranking_points(board, rows, findings),
        "costs": figures.cost_points(findings.costs) if findings else [],
        "taxes": figures.tax_points(findings) if findings else [],
        "curves": figures.curve_points(findings) if findings else [],
        "failures": failures.failure_points(rows),
        "families": failures.families(),
        "all": figures.ALL,
    }

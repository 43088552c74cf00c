"""The figures for programs: ``metrics.jsonl``, ``summary.json`` and ``summary.csv``."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence

from vlmbench_plugin.aggregate import LeaderboardRow, MetricsRow
from vlmbench_plugin.core import Json
from vlmbench_plugin.escapes import printable
from vlmbench_plugin.findings import Findings
from vlmbench_plugin.gates import Verdict
from vlmbench_plugin.report.heading import Heading, legend

FORMAT_VERSION = 1


def metrics_lines(rows: Sequence[MetricsRow]) -> str:
    """Returns ``metrics.jsonl``: one JSON object per row, each line ending in a newline."""
    return "".join(
        json.dumps(dataclasses.asdict(row), allow_nan=False, separators=(",", ":")) + "\n"
        for row in rows
    )


def as_json(
    board: Sequence[LeaderboardRow],
    rows: Sequence[MetricsRow],
    heading: Heading,
    findings: Findings,
    decision: Sequence[str],
    gates: Sequence[Verdict] = (),
) -> str:
    """Returns ``summary.json``: what the leaderboard shows, unrounded, and what became of gates."""
    content = {
        "decision": list(decision),
        "findings": dataclasses.asdict(findings),
        "format_version": FORMAT_VERSION,
        "gates": [dataclasses.asdict(verdict) for verdict in gates],
        "heading": heading.sentences(),
        "leaderboard": [dataclasses.asdict(row) for row in board],
        "legend": legend(board),
        "metrics": [dataclasses.asdict(row) for row in rows],
    }
    return json.dumps(content, allow_nan=False, indent=2, sort_keys=True) + "\n"


def as_csv(rows: Sequence[MetricsRow]) -> str:
    """Returns ``summary.csv``: one line per row.

    An interval becomes two columns, ``<name>.low`` and ``<name>.high``, a mapping one column per
    key, ``failures.truncated``. No data is an empty cell.
    """
    lines = [_flat(row) for row in rows]
    columns: dict[str, list[str]] = {}
    for field in dataclasses.fields(MetricsRow):
        names = {name for line in lines for name in line if name.split(".")[0] == field.name}
        columns[field.name] = sorted(names, key=lambda name: (name.endswith(".high"), name))
    text = io.StringIO(newline="")
    header = [name for names in columns.values() for name in names]
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _flat(row: MetricsRow) -> dict[str, Json]:
    flat: dict[str, Json] = {}
    for name, value in dataclasses.asdict(row).items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        elif name.endswith("_interval"):
            low, high = value if value is not None else (None, None)
            flat |= {f"{name}.low": low, f"{name}.high": high}
        else:
            flat[name] = _as_text(value) if isinstance(value, str) else value
    return flat


def _as_text(name: str) -> str:
    """Returns a name that no spreadsheet takes for a formula, and no terminal for a command."""
    return f"'{printable(name)}" if name.startswith(("=", "+", "-", "@")) else printable(name)

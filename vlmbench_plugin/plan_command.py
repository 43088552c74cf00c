"""``qwen-vlmbench plan``: items, tokens, hours and disk of a labeling job, as a table or JSON."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench_plugin.core import MODES
from vlmbench_plugin.errors import UsageError, VlmBenchError
from vlmbench_plugin.escapes import printable, printable_lines
from vlmbench_plugin.planning import Asked, Figure, Plan, Row
from vlmbench_plugin.run_plan import max_pixels_of, plan_from_run
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.spec_plan import plan_from_spec
from vlmbench_plugin.visual_tokens import look_at

_WRONG = 4
_WIDTH = 120
MOST_ROWS = 60
"""Longer tables are left to ``--json``: their sums are shown."""

HEADERS: Mapping[str, str] = {
    "items": "items",
    "errors": "errors",
    "batch": "batch",
    "output_tokens_per_item": "tokens/item",
    "output_tokens_per_item_5_95": "spread",
    "tokens_per_second": "tokens/s",
    "tokens_per_second_5_95": "spread",
    "items_per_second": "items/s",
    "image_tokens": "image tokens",
    "prompt_tokens": "prompt tokens",
    "output_tokens_right": "output if right",
    "output_tokens": "output tokens",
    "hours_right": "hours if right",
    "hours": "hours",
}


def plan_command(argv: Sequence[str]) -> int:
    """Runs ``qwen-vlmbench plan``.

    Args:
        argv: The arguments after ``plan``.

    Returns:
        0, or 4 for what cannot be planned.
    """
    try:
        asked = _parser().parse_args(argv)
    except SystemExit as error:
        return _WRONG if error.code else 0
    try:
        plan = _plan(asked)
    except (VlmBenchError, OSError) as error:
        sys.stderr.write(printable_lines(f"qwen-vlmbench plan: {error}") + "\n")
        return _WRONG
    if asked.json:
        sys.stdout.write(json.dumps(plan.to_json(), indent=2, allow_nan=False) + "\n")
    else:
        sys.stdout.write("\n".join(map(printable, text_lines(plan))) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qwen-vlmbench plan",
        description="Compute what labeling images would take: tokens, hours and disk. From the "
        "folder of a finished run, by its measured throughput; or, without a folder, from models "
        "and a stated throughput.",
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="DIR", help="Folder of a run (default: none)"
    )
    parser.add_argument(
        "--images",
        "--n",
        type=int,
        required=True,
        metavar="N",
        help="Images to be labeled, by each model, category and mode",
    )
    _add_selection(parser)
    parser.add_argument(
        "--sizes",
        type=Path,
        metavar="FOLDER",
        help="Your images: their headers tell the tokens of an image (default: sizes of the run's "
        "images, or of drawn scenes)",
    )
    parser.add_argument(
        "--tokens-per-second",
        type=float,
        metavar="N",
        help="Assumed output tokens a second, all answers together (default: the run's own)",
    )
    parser.add_argument(
        "--max-pixels",
        type=int,
        metavar="N",
        help="As in a run (default: the run's own, else 1310720)",
    )
    parser.add_argument("--json", action="store_true", help="Print all figures, unrounded")
    return parser


def _add_selection(parser: argparse.ArgumentParser) -> None:
    for name, help_text in (
        ("model", "Model, as in a run (default: all of the run)"),
        ("category", "Category (default: all)"),
        ("mode", f"{' or '.join(MODES)} (default: all)"),
    ):
        plural = "categories" if name == "category" else f"{name}s"
        parser.add_argument(
            f"--{name}",
            f"--{plural}",
            dest=plural,
            action="extend",
            nargs="+",
            default=[],
            metavar="NAME",
            help=f"{help_text}; several are separated by spaces or commas",
        )


def _plan(asked: argparse.Namespace) -> Plan:
    models, categories, modes = (
        tuple(name for part in parts for name in part.split(",") if name)
        for parts in (asked.models, asked.categories, asked.modes)
    )
    if odd := [mode for mode in modes if mode not in MODES]:
        raise UsageError(f"expected --mode {' or '.join(MODES)}, got {', '.join(odd)}")
    if asked.folder is None and not models:
        raise UsageError(
            "expected the folder of a run or --models, got neither",
            hint="qwen-vlmbench plan reports/synthetic --images 1000000, or "
            "qwen-vlmbench plan --models qwen3vl-4b --n 100 --tokens-per-second 1500",
        )
    max_pixels = asked.max_pixels
    if max_pixels is None:
        max_pixels = max_pixels_of(asked.folder) if asked.folder else Settings().max_pixels
    if max_pixels < 1:
        raise UsageError(f"expected at least one pixel, got --max-pixels {max_pixels}")
    wanted = Asked(
        images=asked.images,
        models=models,
        categories=categories,
        modes=modes,
        tokens_per_second=asked.tokens_per_second,
        sizes=None if asked.sizes is None else look_at(asked.sizes, max_pixels),
    )
    if asked.folder is None:
        return plan_from_spec(wanted, max_pixels)
    return plan_from_run(asked.folder, wanted)


def text_lines(plan: Plan) -> list[str]:
    """Returns a plan as tables and sentences."""
    lines = [f"Plan from {plan.basis}"]
    if plan.visual:
        lines += ["", "Tokens of one of your images"]
        header = ("model", "mean", "95th percentile")
        cells = [(name, number(f["mean"]), number(f["p95"])) for name, f in plan.visual.items()]
        lines += aligned([header, *cells], names=1)
    for title, rows in (("Measured", plan.measured), ("Planned", plan.rows)):
        if len(rows) > MOST_ROWS:
            lines += ["", f"{title}: {len(rows)} lines, which --json prints"]
        elif rows:
            lines += ["", title, *_table(rows)]
    if len(plan.rows) > 1:
        lines += ["", "In all", *_table(plan.totals)]
    lines += ["", "Disk"]
    lines += aligned([(name, size(figure)) for name, figure in plan.disk.items()], names=1)
    lines += ["", "Where the figures are from"]
    for text in (*_sources(plan), *plan.notes):
        lines += textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return lines


def _table(rows: Sequence[Row]) -> list[str]:
    """Returns one line a row; sums over categories have no column for them."""
    wide = any(row.category for row in rows)
    names = [[_model(row), *([row.category or ""] if wide else []), row.mode or ""] for row in rows]
    columns = tuple(rows[0].figures)
    header = ["model", "category", "mode"] if wide else ["model", "mode"]
    cells = [
        [*name, *(number(row.figures[column]) for column in columns)]
        for name, row in zip(names, rows, strict=True)
    ]
    head = [*header, *(HEADERS[column] for column in columns)]
    return aligned([head, *cells], names=len(header))


def _model(row: Row) -> str:
    if row.model is None:
        return "all"
    return f"{row.model} (reasoning)" if row.reasoning == "on" else row.model


def aligned(lines: Sequence[Sequence[str]], *, names: int) -> list[str]:
    """Returns lines of equal columns, the first ``names`` to the left and figures to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if place < names else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def number(figure: Figure) -> str:
    """Returns a figure as the tables show it, such as ``1,200``, ``<= 3.4 M`` or ``unknown``."""
    return _shown(figure, _rounded)


def size(figure: Figure) -> str:
    """Returns bytes as the tables show them, such as ``<= 3.4 GB``."""
    return _shown(figure, _bytes)


def _shown(figure: Figure, say: Callable[[float], str]) -> str:
    if figure.low is None:
        return "unknown"
    if figure.high is None:
        return f">= {say(figure.low)}"
    if figure.low == figure.high:
        return say(figure.low)
    if figure.low == 0:
        return f"<= {say(figure.high)}"
    return f"{say(figure.low)} - {say(figure.high)}"


def _rounded(value: float) -> str:
    for unit, least in (("B", 1e9), ("M", 1e6)):
        if value >= least:
            return f"{value / least:.4g} {unit}"
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.3g}"


def _bytes(value: float) -> str:
    for unit, least in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= least:
            return f"{value / least:.3g} {unit}"
    return f"{value:.0f} bytes"


def _sources(plan: Plan) -> Iterator[str]:
    """Yields a sentence per source, with what it is the source of."""
    found: dict[str, list[str]] = {}
    tables = [
        *(
            (HEADERS[name], figure)
            for row in plan.totals[:-1]
            for name, figure in row.figures.items()
        ),
        *plan.disk.items(),
    ]
    for name, figure in tables:
        names = found.setdefault(figure.source, [])
        if name not in names:
            names.append(name)
    for source, names in found.items():
        yield f"{', '.join(names)}: {source}."

"""``qwen-vlmbench compare A B``: two runs side by side, as text, Markdown or JSON."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from vlmbench_plugin.comparing import Page, compare
from vlmbench_plugin.comparing_published import compare_published
from vlmbench_plugin.errors import UsageError, VlmBenchError
from vlmbench_plugin.escapes import markdown, printable, printable_lines
from vlmbench_plugin.plan_command import aligned
from vlmbench_plugin.sides import PUBLISHED, Side

_WRONG = 4
_WIDTH = 120
FORMATS = ("text", "markdown", "json")


def compare_command(argv: Sequence[str]) -> int:
    """Runs ``qwen-vlmbench compare``.

    Args:
        argv: The arguments after ``compare``.

    Returns:
        0, or 4 for what cannot be compared.
    """
    try:
        asked = _parser().parse_args(argv)
    except SystemExit as error:
        return _WRONG if error.code else 0
    try:
        shown = render(page(asked.a, asked.b), asked.format)
        if asked.output is not None:
            asked.output.write_text(shown, encoding="utf-8")
    except (VlmBenchError, OSError) as error:
        sys.stderr.write(printable_lines(f"qwen-vlmbench compare: {error}") + "\n")
        return _WRONG
    sys.stdout.write(shown if asked.output is None else f"Written to {asked.output}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qwen-vlmbench compare",
        description="Set two runs side by side, paired by image: yields, their difference with a "
        "95 % interval, and what only one of them has. FOLDER:MODEL chooses a model, which may "
        f"have another name on the other side. '{PUBLISHED}' in place of a folder stands for the "
        f"write-up's figures, '{PUBLISHED}:MODEL' for those of one model (./{PUBLISHED} is a "
        "folder).",
    )
    for name in "ab":
        parser.add_argument(
            name, metavar=name.upper(), help=f"A results folder, FOLDER:MODEL or {PUBLISHED}"
        )
    parser.add_argument(
        "--format", choices=FORMATS, default="text", help="What to write (default: text)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="Write it to a file (default: print it)"
    )
    return parser


def page(a: str, b: str) -> Page:
    """Reads both sides and sets them side by side.

    Raises:
        StoreError: If a folder cannot be read.
        UsageError: If the two have nothing in common.
    """
    published = [name for name in (a, b) if name.partition(":")[0] == PUBLISHED]
    runs = [name for name in (a, b) if name not in published]
    if not published:
        return compare(Side.read(a), Side.read(b))
    if not runs:
        raise UsageError(
            f"expected a run to set beside the published figures, got {a} and {b}",
            hint=f"qwen-vlmbench compare reports/synthetic {PUBLISHED}",
        )
    return compare_published(Side.read(runs[0]), published[0].partition(":")[2] or None)


def render(found: Page, form: str) -> str:
    """Returns a page in one of ``FORMATS``, ending in a newline."""
    if form == "json":
        return json.dumps(found.content, allow_nan=False, indent=2) + "\n"
    return _markdown(found) if form == "markdown" else _text(found)


def _text(found: Page) -> str:
    lines = _wrapped(found.above)
    for table in found.tables:
        shown = [[printable(cell) for cell in line] for line in (table.header, *table.lines)]
        lines += ["", table.title, *aligned(shown, names=table.names)]
    return "\n".join([*lines, "", *_wrapped(found.below)]) + "\n"


def _wrapped(sentences: Sequence[str]) -> list[str]:
    return [
        line
        for sentence in sentences
        for line in textwrap.wrap(printable(sentence), _WIDTH, subsequent_indent="  ")
    ]


def _markdown(found: Page) -> str:
    blocks = ["# Comparison", _list(found.above)]
    for table in found.tables:
        header, *lines = [
            f"| {' | '.join(map(markdown, line))} |" for line in (table.header, *table.lines)
        ]
        blocks += [f"## {table.title}", "\n".join([header, _rule(len(table.header)), *lines])]
    return "\n\n".join([*blocks, _list(found.below)]) + "\n"


def _rule(columns: int) -> str:
    return "|" + " --- |" * columns


def _list(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {markdown(sentence)}" for sentence in sentences)

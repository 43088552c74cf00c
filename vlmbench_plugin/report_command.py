"""``qwen-vlmbench report DIR``: the tables of a results folder, built again."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from vlmbench_plugin.errors import UsageError, VlmBenchError
from vlmbench_plugin.escapes import printable, printable_lines
from vlmbench_plugin.rebuilding import rebuild

_WRONG = 4


def report_command(argv: Sequence[str]) -> int:
    """Runs ``qwen-vlmbench report``.

    Args:
        argv: The arguments after ``report``.

    Returns:
        0, or 4 for what cannot be reported on.
    """
    try:
        asked = _parser().parse_args(argv)
    except SystemExit as error:
        return _WRONG if error.code else 0
    try:
        _check("--margin", asked.margin, 1.0)
        _check("--price-per-hour", asked.price_per_hour, math.inf)
        lines = rebuild(
            asked.folder,
            rescore=asked.rescore,
            margin=asked.margin,
            price_per_hour=asked.price_per_hour,
        )
    except VlmBenchError as error:
        sys.stderr.write(printable_lines(f"qwen-vlmbench report: {error}") + "\n")
        return _WRONG
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qwen-vlmbench report",
        description="Build the tables of a results folder again, from its results.jsonl alone.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="The results folder")
    parser.add_argument(
        "--rescore",
        action="store_true",
        help="Score every stored answer again from its raw text first, and say what changed "
        "(default: keep the stored scores)",
    )
    parser.add_argument(
        "--margin",
        type=float,
        metavar="YIELD",
        help="The largest loss of yield that the recommended model may have against the best "
        "(default: that of the run)",
    )
    parser.add_argument(
        "--price-per-hour",
        type=float,
        metavar="PRICE",
        help="Of the machine, in any currency: what a million right labels cost (default: that of "
        "the run)",
    )
    return parser


def _check(option: str, value: float | None, most: float) -> None:
    if value is not None and not (0 <= value <= most and value < math.inf):
        wanted = "at least 0" if most == math.inf else f"a number from 0 to {most:g}"
        raise UsageError(f"expected {option} to be {wanted}, got {value}")

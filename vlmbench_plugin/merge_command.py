"""``qwen-vlmbench merge OUT A B ...``: results of several machines or runs as one folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vlmbench_plugin.errors import VlmBenchError
from vlmbench_plugin.escapes import printable, printable_lines
from vlmbench_plugin.merged_folder import merge_folders

_WRONG = 4


def merge_command(argv: Sequence[str]) -> int:
    """Runs ``qwen-vlmbench merge``.

    Args:
        argv: The arguments after ``merge``.

    Returns:
        0; 1 where folders contradict each other; 4 for what cannot be merged.
    """
    parser = argparse.ArgumentParser(
        prog="qwen-vlmbench merge",
        description="Join results folders into one and write its tables. Every item is taken once: "
        "an answer wins over an error; where folders contradict each other, the one that is named "
        "first is kept, and the other answers go to conflicts.jsonl. A, B, ... stay as they are.",
    )
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="A new folder, or a results folder to add to"
    )
    parser.add_argument(
        "folders", type=Path, nargs="+", metavar="A", help="Results folders, the one to keep first"
    )
    try:
        asked = parser.parse_args(argv)
    except SystemExit as error:
        return _WRONG if error.code else 0
    try:
        lines, conflicts = merge_folders(asked.out, asked.folders)
    except (VlmBenchError, OSError) as error:
        sys.stderr.write(printable_lines(f"qwen-vlmbench merge: {error}") + "\n")
        return _WRONG
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
    return 1 if conflicts else 0

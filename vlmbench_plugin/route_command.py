"""``qwen-vlmbench route``: which models to label with, from the folder of a run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from vlmbench_plugin.errors import StoreError, UsageError, VlmBenchError
from vlmbench_plugin.folder_manifest import known_settings
from vlmbench_plugin.folder_tables import known_specs
from vlmbench_plugin.route_file import (
    ROUTE,
    Wanted,
    as_json,
    route_document,
    route_lines,
)
from vlmbench_plugin.store import Store
from vlmbench_plugin.store_files import RESULTS
from vlmbench_plugin.tasks import TASKS

_WRONG = 4


def route_command(argv: Sequence[str]) -> int:
    """Runs ``qwen-vlmbench route``.

    Args:
        argv: The arguments after ``route``.

    Returns:
        0, or 4 for what cannot be routed.
    """
    try:
        asked = _parser().parse_args(argv)
    except SystemExit as error:
        return _WRONG if error.code else 0
    try:
        lines = _route(asked)
    except (VlmBenchError, OSError) as error:
        sys.stderr.write(f"qwen-vlmbench route: {error}\n")
        return _WRONG
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qwen-vlmbench route",
        description="Choose which models label the tasks of a finished run: the best one for each "
        "task, and the best few for all of them, with all that one needs to ask them.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="The results folder")
    parser.add_argument(
        "--max-models",
        type=int,
        default=2,
        metavar="N",
        help="The most models to label with (default: 2)",
    )
    parser.add_argument(
        "--max-vram",
        type=float,
        metavar="GB",
        help="Leave out models whose weights alone take more than that (default: any)",
    )
    parser.add_argument(
        "--price-per-hour",
        type=float,
        metavar="PRICE",
        help="Of the machine, in any currency: what a million right labels cost (default: none)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help=f"Where to write (default: DIR/{ROUTE})"
    )
    return parser


def _route(asked: argparse.Namespace) -> list[str]:
    for option, value, least in (
        ("--max-models", asked.max_models, 1),
        ("--max-vram", asked.max_vram, 0),
        ("--price-per-hour", asked.price_per_hour, 0),
    ):
        if value is not None and not least <= value < float("inf"):
            raise UsageError(f"expected {option} to be at least {least}, got {value}")
    folder: Path = asked.folder
    records = Store.read(folder) if (folder / RESULTS).is_file() else ()
    if not records:
        raise StoreError(
            f"expected a results folder, got {folder}: it has no {RESULTS} with a record",
            hint="name the folder that a run wrote to, such as reports/synthetic",
        )
    wanted = Wanted(
        max_models=asked.max_models,
        max_vram=asked.max_vram,
        price_per_hour=asked.price_per_hour,
    )
    document = route_document(records, TASKS, known_specs(folder), known_settings(folder), wanted)
    if not document["routers"] and not document["tasks"]:
        why = "; ".join(f"{name}: {reason}" for name, reason in document["left_out"].items())
        raise UsageError(
            f"expected a model that can label, got none: {why or 'nothing but errors'}",
            hint="raise --max-vram, or run more models into this folder",
        )
    if asked.output is None:
        with closing(Store.open(folder)) as store:
            store.write(ROUTE, as_json(document))
    else:
        asked.output.write_text(as_json(document), encoding="utf-8")
    return [*route_lines(document), f"Written to {asked.output or folder / ROUTE}"]

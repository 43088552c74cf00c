"""The options as one table, for both spellings in pytest and for the console script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vlmbench_plugin.asking_options import ASKING
from vlmbench_plugin.option_kinds import (
    Option,
    amount,
    bar,
    on_off,
    one_of,
    positive,
    share,
)

RESULTS: tuple[Option, ...] = (
    Option(
        field="report_dir",
        names=("report-dir",),
        metavar="DIR",
        ini="vlm_report_dir",
        help="Folder of the results; the same folder resumes (default: reports/<dataset>[-blind])",
    ),
    Option(
        field="fresh",
        names=("fresh",),
        help="Start in a new folder (-2, -3, ...) instead of resuming (default: resume)",
    ),
    Option(
        field="retry_errors",
        names=("retry-errors",),
        help="Run the items alone that ended in an error in the report folder (default: all items, "
        "of which those without an error are replayed)",
    ),
    Option(
        field="rescore",
        names=("rescore",),
        help="Score every stored answer again from its raw text, and say which scores changed "
        "(default: only where the task's scorer has changed)",
    ),
    Option(
        field="on_miss",
        names=("on-miss",),
        metavar="HOW",
        read=one_of("miss", "fail"),
        help="What a wrong or invalid answer is for pytest: miss or fail (default: miss)",
    ),
    Option(
        field="min_yield",
        names=("min-yield",),
        metavar="[CATEGORY=]YIELD",
        listed=True,
        read=bar,
        help="Gate: the least effective yield of every (model, category, mode), of one category, "
        "or with all=YIELD of the mean over them; repeatable, or a comma list (default: no gate)",
    ),
    Option(
        field="min_valid",
        names=("min-valid",),
        metavar="[CATEGORY=]SHARE",
        listed=True,
        read=bar,
        help="Gate: the least share of schema-valid answers, as --min-yield (default: no gate)",
    ),
    Option(
        field="max_regression",
        names=("max-regression",),
        metavar="[CATEGORY=]LOSS",
        listed=True,
        read=bar,
        help="Gate: the largest loss of effective yield against --baseline, image by image "
        "(default: no gate)",
    ),
    Option(
        field="min_speed_ratio",
        names=("min-speed-ratio",),
        metavar="RATIO",
        read=positive,
        help="Gate: the least ratio of tokens per second to those of --baseline, which has to come "
        "from the same machine (default: no gate)",
    ),
    Option(
        field="baseline",
        names=("baseline",),
        metavar="PATH",
        help="Results folder of the earlier run that --max-regression and --min-speed-ratio "
        "compare with, or its results.jsonl or metrics.jsonl",
    ),
    Option(
        field="strict_gates",
        names=("strict-gates",),
        help="Exit with 1 for an undecided gate too: one whose bar lies inside the interval "
        "(default: for failed gates alone)",
    ),
    Option(
        field="margin",
        names=("margin",),
        metavar="YIELD",
        read=share,
        help="The largest loss of yield that the recommended model may have against the best "
        "(default: 0.03 over all tasks, 0.05 in one)",
    ),
    Option(
        field="price_per_hour",
        names=("price-per-hour",),
        metavar="PRICE",
        read=amount,
        help="Price of an hour of the machine, in any currency, to tell what right labels cost "
        "(default: no price)",
    ),
    Option(
        field="thumbnails",
        names=("thumbnails",),
        metavar="on|off",
        read=on_off,
        help="Whether to keep small copies of the images (default: on where a model sees them)",
    ),
)
"""Where results go, what is made of them, and what they are held against."""

OPTIONS: tuple[Option, ...] = (*ASKING, *RESULTS)


def add_options(add: Callable[..., Any], prefix: str) -> None:
    """Registers the table through ``add``, an ``add_argument`` or ``addoption``."""
    for option in OPTIONS:
        add(*option.flags(prefix), **option.arguments())

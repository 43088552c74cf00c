"""The console script ``qwen-vlmbench``: the benchmark without a clone.

It runs ``pytest --pyargs vlmbench_plugin.bench`` in the current folder. That folder's
``conftest.py`` is loaded, so that one's own tasks are seen; its ini file is not: an ``addopts`` or
a ``python_functions`` made for other tests must not change the benchmark.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import get_args

from vlmbench_plugin import __version__
from vlmbench_plugin.categories import CATEGORIES
from vlmbench_plugin.core import FRAMES, VocabularyRule
from vlmbench_plugin.escapes import printable
from vlmbench_plugin.option_table import OPTIONS

_WRONG = 4
"""The exit status of what cannot be done as asked: pytest's for a usage error."""

_EPILOG = """\
commands:
  models               list the models that have a name
  tasks                list the tasks; --contact-sheet DIR draws sixteen cases of each
  data check DIR       say what is wrong with your own images and labels, line by line
  schema CATEGORY      print what a legal answer is (--format gbnf|json-schema|pydantic|tool)
  plan [DIR] --images N  what labeling N images would take: tokens, hours, disk
  route DIR            which one or two models to label with, and how (--max-vram GB)
  report DIR           build the tables of a results folder again (--rescore, --margin)
  merge OUT A B ...    join the results of several machines or runs in one folder
  compare A B          set two runs side by side, image by image (B: also "published")

Anything else (-q, -x, -n 2, --junitxml FILE, ...) goes to pytest, whose exit status is ours:
0 when every item is accounted for and no gate fails, 1 for errors, missing items or a failed
gate, 2 where the images or labels cannot be had, 4 for a wrong option. The conftest.py of the
current folder is loaded, its ini file is not.

examples:
  qwen-vlmbench --runner stub --dataset smoke
  qwen-vlmbench --models qwen3vl-4b qwen3.5-27b --modes json_mode constrained --n 12
  qwen-vlmbench --models qwen3vl-4b --categories segmentation bbox_grounding
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the console script.

    Args:
        argv: The arguments; those of the process if None.

    Returns:
        The exit status.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = _COMMANDS.get(arguments[0]) if arguments else None
    if command is not None:
        # `qwen-vlmbench models | head` closes the pipe early, which is no error.
        before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        try:
            status = command(arguments[1:])
            sys.stdout.flush()
        finally:  # a process that calls this and later writes to a closed socket must not die of it
            signal.signal(signal.SIGPIPE, before)
        return status
    import pytest

    return int(pytest.main(pytest_arguments(arguments, Path.cwd())))


def pytest_arguments(arguments: Sequence[str], folder: Path) -> list[str]:
    """Returns the arguments of pytest for those of the console script.

    Lists may be separated by spaces, as in ``--models a b``; what is not ours is passed on.
    """
    parser = argparse.ArgumentParser(
        prog="qwen-vlmbench",
        usage="%(prog)s [options] [pytest options] | models | tasks | data check DIR | "
        "schema CATEGORY | plan [DIR] --images N | route DIR | report DIR | merge OUT A B | "
        "compare A B",
        description="Which Qwen VLM is the best zero-shot image-to-JSON labeler?",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    for option in OPTIONS:
        keywords = option.arguments()
        if option.listed:
            keywords |= {"action": "extend", "nargs": "+"}
        parser.add_argument(*option.flags("--"), *option.flags("--vlm-"), **keywords)
    ours, others = parser.parse_known_args(arguments)
    found = [
        "--pyargs",
        "vlmbench_plugin.bench",
        "-p",
        "vlmbench_plugin.short_options",
        # pytest-randomly, where it is installed, scatters what is to be generated together: 180
        # items of the toy took 32 s and in order 16 s.
        "-p",
        "no:randomly",
        f"--rootdir={folder}",
        f"--confcutdir={folder}",
        "-c",
        os.devnull,
        # This script has imported the package before pytest could; it holds no plain asserts.
        "-W",
        "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning",
    ]
    for option in OPTIONS:
        found += _spelled(option.flags("--vlm-")[0], getattr(ours, option.dest))
    return found + others


def _spelled(flag: str, value: str | bool | Sequence[str] | None) -> list[str]:
    """Returns one option as pytest takes it; ``=`` keeps a value that begins with a dash whole."""
    if value is None:
        return []
    if isinstance(value, bool):
        return [flag]
    return [f"{flag}={one}" for one in ([value] if isinstance(value, str) else value)]


def _print(line: str = "") -> None:
    sys.stdout.write(f"{printable(line)}\n")


def _print_table(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        _print(
            "  ".join(text.ljust(size) for text, size in zip(line, widths, strict=True)).rstrip()
        )


def _models(argv: Sequence[str]) -> int:
    argparse.ArgumentParser(
        prog="qwen-vlmbench models", description="List the models that have a name."
    ).parse_args(argv)
    from vlmbench_plugin.models import MODELS
    from vlmbench_plugin.report.tables import parameters

    rows = [
        (spec.name, spec.hub_id, parameters(spec.total_params, spec.active_params), spec.frame)
        for spec in MODELS.values()
    ]
    _print_table([("name", "id", "params (active)", "frame"), *rows])
    return 0


def _tasks(argv: Sequence[str]) -> int:
    from vlmbench_plugin.data import DATASETS
    from vlmbench_plugin.tasks import TASKS

    parser = argparse.ArgumentParser(
        prog="qwen-vlmbench tasks", description="List the tasks, or draw what they ask."
    )
    parser.add_argument(
        "--contact-sheet",
        type=Path,
        metavar="DIR",
        help="Write one PNG per task there: sixteen cases, their truth drawn on them",
    )
    parser.add_argument(
        "--dataset",
        choices=DATASETS,
        help="Where the cases come from (default: synthetic; with --data-dir: your own data)",
    )
    parser.add_argument("--data-dir", metavar="DIR", help="As in a run")
    parser.add_argument("--seed", type=int, default=0, help="As in a run (default: 0)")
    asked = parser.parse_args(argv)
    if asked.contact_sheet is not None:
        return _contact_sheets(asked)
    _print_table(
        [
            ("category", "right at", "asks"),
            *((task.category, f"{task.right_at:g}", task.title) for task in TASKS.values()),
        ]
    )
    return 0


def _contact_sheets(asked: argparse.Namespace) -> int:
    from vlmbench_plugin.contact_sheets import contact_sheets
    from vlmbench_plugin.data import lacking
    from vlmbench_plugin.errors import VlmBenchError
    from vlmbench_plugin.settings import OWN, Settings
    from vlmbench_plugin.tasks import TASKS

    dataset = asked.dataset or ("synthetic" if asked.data_dir is None else OWN)
    settings = Settings(dataset=dataset, data_dir=asked.data_dir, seed=asked.seed)
    try:
        reasons = {name: lacking(task, settings) for name, task in TASKS.items()}
        tasks = [task for name, task in TASKS.items() if reasons[name] is None]
        for path in contact_sheets(tasks, settings, asked.contact_sheet):
            _print(str(path))
    except (VlmBenchError, OSError) as error:
        sys.stderr.write(f"qwen-vlmbench tasks: {error}\n")
        return _WRONG
    for name, reason in reasons.items():
        if reason is not None:
            _print(f"left out: {name}: {reason}")
    return 0


def _schema(argv: Sequence[str]) -> int:
    from vlmbench_plugin.artifact_forms import FORMS, render
    from vlmbench_plugin.data import load_cases
    from vlmbench_plugin.settings import Settings
    from vlmbench_plugin.tasks import get_task

    parser = argparse.ArgumentParser(
        prog="qwen-vlmbench schema",
        description="Print what a legal answer of a task is, for the names of the drawn scenes.",
    )
    parser.add_argument("category", choices=CATEGORIES, metavar="CATEGORY")
    parser.add_argument(
        "--format",
        choices=FORMS,
        default="json-schema",
        help="gbnf (the grammar), json-schema (default), pydantic (source text of a model) or tool "
        "(a function tool as OpenAI-compatible servers take it)",
    )
    parser.add_argument(
        "--frame",
        choices=FRAMES,
        default="norm_0_1000",
        help="Coordinate frame of the grammar (default: norm_0_1000)",
    )
    parser.add_argument(
        "--vocabulary",
        choices=get_args(VocabularyRule),
        default="closed",
        help="Whether the grammar admits only the source's names (default: closed)",
    )
    asked = parser.parse_args(argv)
    task = get_task(asked.category)
    vocabulary = load_cases(task, Settings(n=1))[0].vocabulary
    shown = render(task.fields, vocabulary, asked.frame, asked.vocabulary, asked.format)
    sys.stdout.write(shown.rstrip("\n") + "\n")
    return 0


def _module(name: str) -> Callable[[Sequence[str]], int]:
    """Returns a command that has a module of its own, imported when it is run."""

    def run(argv: Sequence[str]) -> int:
        module = importlib.import_module(f"vlmbench_plugin.{name}_command")
        return int(getattr(module, f"{name}_command")(argv))

    return run


_COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "models": _models,
    "tasks": _tasks,
    "data": _module("data"),
    "schema": _schema,
    "plan": _module("plan"),
    "route": _module("route"),
    "report": _module("report"),
    "merge": _module("merge"),
    "compare": _module("compare"),
}

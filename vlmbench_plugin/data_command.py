"""``qwen-vlmbench data check DIR``: what is wrong with one's own data, line by line.

Tasks of the current folder's ``conftest.py`` are known: pytest is started as for a run, and instead
of collecting it checks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

_WRONG = int(pytest.ExitCode.USAGE_ERROR)


def data_command(argv: Sequence[str]) -> int:
    """Runs ``qwen-vlmbench data``.

    Args:
        argv: The arguments after ``data``.

    Returns:
        0 where nothing is wrong, 1 where something is, 4 for a usage error.
    """
    parser = argparse.ArgumentParser(
        prog="qwen-vlmbench data", description="Look after images and labels of your own."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="check")
    checking = commands.add_parser(
        "check", help="tell what is wrong with the manifests of a folder, line by line"
    )
    checking.add_argument("folder", type=Path, metavar="DIR", help="what --data-dir would get")
    try:
        asked = parser.parse_args(argv)
    except SystemExit as error:
        return _WRONG if error.code else 0
    if not asked.folder.is_dir():
        sys.stderr.write(f"qwen-vlmbench data check: {asked.folder}: there is no such folder\n")
        return _WRONG
    from vlmbench_plugin.cli import pytest_arguments

    arguments = ["-p", "vlmbench_plugin.plugin", *pytest_arguments((), Path.cwd())]
    return int(pytest.main(arguments, plugins=[_Check(asked.folder)]))


class _Check:
    """A pytest plugin that checks a folder in place of running tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    # First, so that no other plugin runs anything; conftest.py files have been loaded by now.
    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        """Checks and tells; the result is the exit status."""
        from vlmbench_plugin.data_check import check
        from vlmbench_plugin.errors import VlmBenchError
        from vlmbench_plugin.options import own_tasks
        from vlmbench_plugin.tasks import TASKS

        every = {**TASKS, **{task.category: task for task in own_tasks(config)}}
        try:
            checked = check(self._folder, every)
        except VlmBenchError as error:
            sys.stderr.write(f"qwen-vlmbench data check: {error}\n")
            return _WRONG
        for problem in checked.problems:
            hint = f"\n  hint: {problem.hint}" if problem.hint else ""
            sys.stdout.write(f"{problem}{hint}\n")
        sys.stdout.write(f"{checked.summary()}\n")
        return int(pytest.ExitCode.TESTS_FAILED if checked.problems else pytest.ExitCode.OK)

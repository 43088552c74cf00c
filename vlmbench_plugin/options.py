"""From options and ini values to ``Settings``, once per process and only where needed.

Values stay text until ``read_settings``, so that they travel to xdist workers and so that a wrong
one is told in our own words.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from vlmbench_plugin.categories import CATEGORIES
from vlmbench_plugin.errors import UnknownNameError, UsageError, VlmBenchError
from vlmbench_plugin.option_kinds import Option
from vlmbench_plugin.option_table import OPTIONS

if TYPE_CHECKING:
    from vlmbench_plugin.core import VisionTask
    from vlmbench_plugin.settings import Settings

_settings_key = pytest.StashKey["Settings"]()
_tasks_key = pytest.StashKey["tuple[VisionTask, ...]"]()


def given_on_command_line(config: pytest.Config) -> bool:
    """Whether the user typed one of our options; what an ini file adds does not count."""
    if all(getattr(config.option, option.dest, None) is None for option in OPTIONS):
        return False
    ours = {flag for option in OPTIONS for p in ("--", "--vlm-") for flag in option.flags(p)}
    return any(str(arg).partition("=")[0] in ours for arg in config.invocation_params.args)


def own_tasks(config: pytest.Config) -> tuple[VisionTask, ...]:
    """Returns the tasks of the hook ``pytest_vlmbench_tasks``; the hook is called once a run.

    Raises:
        pytest.UsageError: If a category is defined twice.
    """
    if _tasks_key not in config.stash:
        found = tuple(task for tasks in config.hook.pytest_vlmbench_tasks() for task in tasks)
        names = [*CATEGORIES, *(task.category for task in found)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise pytest.UsageError(
                f"pytest_vlmbench_tasks: expected new category names, got {', '.join(twice)} again"
            )
        config.stash[_tasks_key] = found
    return config.stash[_tasks_key]


def settings_of(config: pytest.Config) -> Settings:
    """Returns the settings of this run, read and checked on first use.

    Raises:
        pytest.UsageError: If a value is wrong; the message lists the valid ones.
    """
    if _settings_key not in config.stash:
        own = [task.category for task in own_tasks(config)]
        config.stash[_settings_key] = read_settings(config, own)
    return config.stash[_settings_key]


def report_folder(config: pytest.Config) -> Path:
    """Returns the folder of the results, before ``--fresh`` numbers it; checks nothing.

    An option is relative to the current folder, as the shell completes it; an ini value and the
    default are relative to pytest's root.
    """
    from vlmbench_plugin.settings import Settings
    from vlmbench_plugin.store import default_folder

    if config.option.vlm_report_dir:
        typed: str = config.option.vlm_report_dir
        return config.invocation_params.dir / typed
    named = Settings(**_data(config), blind=bool(config.option.vlm_blind)).dataset_name
    return config.rootpath / (config.getini("vlm_report_dir") or default_folder(named))


def _data(config: pytest.Config) -> dict[str, Any]:
    """Returns what names the data: ``dataset`` and ``data_dir`` as far as they are given.

    A typed folder is relative to the current one, that of an ini file to pytest's root.
    """
    from vlmbench_plugin.settings import OWN

    given: dict[str, Any] = {}
    if config.option.vlm_data_dir:
        typed = config.invocation_params.dir / config.option.vlm_data_dir
        given["data_dir"] = str(typed.resolve())
    elif config.getini("vlm_data_dir"):
        given["data_dir"] = str((config.rootpath / config.getini("vlm_data_dir")).resolve())
    dataset = config.option.vlm_dataset or config.getini("vlm_dataset")
    if dataset or given:
        given["dataset"] = dataset or OWN
    return given


def selection(config: pytest.Config) -> Callable[[str], bool]:
    """Returns whether a category's items can be selected by ``--category`` and ``-m``.

    pytest deselects by ``-m`` after the items are made; public data must not be downloaded for
    items that it is about to drop.
    """
    named = settings_of(config).categories
    expression = config.option.markexpr or ""
    try:
        tree = ast.parse(expression.strip() or "True", mode="eval").body
    except SyntaxError:  # pytest tells the user
        tree = ast.Constant(value=True)
    return lambda category: (category in named or not named) and _holds(tree, category)


def _holds(tree: ast.expr, category: str) -> bool:
    """Whether a marker expression holds for an item that has its category as a marker.

    Of markers that we do not know either answer is possible; then the answer is yes.
    """
    return _possible(tree, category)[0]


def _possible(tree: ast.expr, category: str) -> tuple[bool, bool]:
    """Whether an expression can be true, and whether it can be false."""
    match tree:
        case ast.BoolOp(op=ast.And()):
            parts = [_possible(value, category) for value in tree.values]
            return all(true for true, _ in parts), any(false for _, false in parts)
        case ast.BoolOp():
            parts = [_possible(value, category) for value in tree.values]
            return any(true for true, _ in parts), all(false for _, false in parts)
        case ast.UnaryOp(op=ast.Not()):
            true, false = _possible(tree.operand, category)
            return false, true
        case ast.Name(id="vlmbench") | ast.Constant(value=True):
            return True, False
        case ast.Name(id=name) if name in CATEGORIES:
            return name == category, name != category
    return True, True


def read_settings(config: pytest.Config, own_categories: Iterable[str] = ()) -> Settings:
    """Reads and checks all options.

    Args:
        config: Of this pytest run.
        own_categories: Names of tasks that the hook ``pytest_vlmbench_tasks`` adds.

    Raises:
        pytest.UsageError: If a value is wrong; the message lists the valid ones.
    """
    from vlmbench_plugin.settings import Settings

    given: dict[str, Any] = {}
    for option in OPTIONS:
        text = getattr(config.option, option.dest, None)
        if not text and option.ini is not None:
            text = config.getini(option.ini) or None
        if text is not None:
            given[option.field] = _value(option, text)
    given |= _data(config)
    given["runner_args"] = dict(given.get("runner_args", ()))
    settings = Settings(**given)
    _check_names(settings, (*CATEGORIES, *own_categories))
    return settings


def _value(option: Option, text: Any) -> Any:
    if isinstance(text, bool):
        return text
    if not option.listed:
        return option.read(option.flag, text)
    texts = [text] if isinstance(text, str) else list(text)
    if option.commas:
        texts = [part.strip() for piece in texts for part in piece.split(",")]
    if not all(texts):
        raise pytest.UsageError(f"{option.flag} was given an empty name")
    # dict.fromkeys drops what was named twice: pytest refuses two items of one id.
    return tuple(dict.fromkeys(option.read(option.flag, piece) for piece in texts))


def _check_names(settings: Settings, categories: tuple[str, ...]) -> None:
    from vlmbench_plugin.data import DATASETS
    from vlmbench_plugin.models import resolve_models
    from vlmbench_plugin.runners import RUNNERS
    from vlmbench_plugin.settings import OWN
    from vlmbench_plugin.thinking import check_thinking

    try:
        for category in settings.categories:
            if category not in categories:
                raise UnknownNameError("category", category, categories)
        if settings.dataset not in (*DATASETS, OWN):
            raise UnknownNameError("dataset", settings.dataset, DATASETS)
        if settings.runner not in RUNNERS:
            raise UnknownNameError("runner", settings.runner, RUNNERS)
        check_thinking(resolve_models(settings.models, settings.frame), settings)
        _check_server(settings)
        _check_gates(settings, categories)
    except VlmBenchError as error:
        raise pytest.UsageError(str(error)) from error
    _check_data(settings)
    if settings.retry_errors and settings.fresh:
        raise pytest.UsageError("--retry-errors reads a folder that --fresh would leave alone")
    if settings.runner == "replay" and settings.replay is None:
        raise pytest.UsageError("--runner replay needs --replay FILE, an earlier results.jsonl")
    if settings.replay is not None and not Path(settings.replay).exists():
        raise pytest.UsageError(f"--replay {settings.replay}: there is no such file or folder")


def _check_server(settings: Settings) -> None:
    if settings.runner == "openai":
        from vlmbench_plugin.runners._preflight import check_extra

        check_extra("openai")
        from vlmbench_plugin.runners._server_http import read_address

        # Now, before the manifest could hold it: an address with a password in it is refused.
        read_address(settings.server_url)
    elif settings.server_url is not None:
        raise UsageError("--server-url is for --runner openai: no other runner asks a server")


def _check_gates(settings: Settings, categories: tuple[str, ...]) -> None:
    bars = (*settings.min_yield, *settings.min_valid, *settings.max_regression)
    if bars or settings.min_speed_ratio is not None or settings.baseline is not None:
        from vlmbench_plugin.run_gates import check_gates

        check_gates(settings, categories)


def _check_data(settings: Settings) -> None:
    from vlmbench_plugin.data import DATASETS, MIRRORED
    from vlmbench_plugin.settings import OWN

    folder = settings.data_dir
    if folder is None:
        if settings.dataset == OWN:
            raise pytest.UsageError("your own data need --data-dir DIR")
        return
    if not Path(folder).is_dir():
        raise pytest.UsageError(f"--data-dir {folder}: there is no such folder")
    if settings.dataset not in (*MIRRORED, OWN):
        raise pytest.UsageError(
            f"--data-dir is for your own data, without --dataset, or a mirror for --dataset "
            f"{' or '.join(MIRRORED)}; --dataset {settings.dataset} reads no folder"
        )
    if settings.dataset == OWN and Path(folder).name in ("", *DATASETS):
        raise pytest.UsageError(
            f"--data-dir {folder}: your data would be called {Path(folder).name!r} in tables, as "
            "one of our data sets is; rename the folder"
        )

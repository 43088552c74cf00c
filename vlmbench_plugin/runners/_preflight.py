"""What can be known before a model is loaded. Named with an underscore: it is no runner."""

from __future__ import annotations

import re
from importlib import metadata

from vlmbench_plugin.errors import MissingExtraError

AUTO = "auto"
_DISTRIBUTION = "qwen-vlmbench"


def devices(asked: str) -> tuple[str, ...]:
    """Returns one device per worker that may load a model.

    Args:
        asked: ``auto``, a device, or a comma list of devices.

    Returns:
        The list as given; for ``auto`` each CUDA device, or ``auto`` itself where there are fewer
        than two: the runner then chooses.
    """
    if asked != AUTO:
        return tuple(name.strip() for name in asked.split(",") if name.strip())
    try:
        import torch
    except ImportError:
        return (AUTO,)
    found = torch.cuda.device_count()
    return tuple(f"cuda:{index}" for index in range(found)) if found > 1 else (AUTO,)


def own_device(asked: str, slot: int, workers: int) -> str:
    """Returns the device of one worker.

    Args:
        asked: As for :func:`devices`.
        slot: Of the worker, from 0.
        workers: How many there are. One alone keeps ``auto``: a large model then takes all cards.
    """
    if asked == AUTO and workers < 2:
        return AUTO
    found = devices(asked)
    return found[slot % len(found)]


def check_extra(runner: str) -> None:
    """Checks that the packages of the extra that is named after a runner are installed.

    Without this, every item of a run would be told the same. Nothing is imported.

    Raises:
        MissingExtraError: If one is not.
    """
    try:
        required = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # a clone on sys.path: opening the runner will tell
        return
    for requirement in required:
        package = re.match(r"[\w.-]+", requirement)
        if package is None or not re.search(
            rf"extra == ['\"]{re.escape(runner)}['\"]", requirement
        ):
            continue
        try:
            metadata.version(package.group())
        except metadata.PackageNotFoundError as error:
            raise MissingExtraError(f"runner {runner}", runner, error) from error

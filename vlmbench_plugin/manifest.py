"""What a run was made with: the content of ``manifest.json``, without secrets."""

from __future__ import annotations

import dataclasses
import math
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib import metadata

from vlmbench_plugin import __version__
from vlmbench_plugin.core import Json, ModelSpec
from vlmbench_plugin.record import Record
from vlmbench_plugin.settings import Settings

MANIFEST = "manifest.json"
MASK = "***"
PACKAGES = (
    "accelerate", "datasets", "numpy", "pillow", "pydantic", "pytest", "pytest-xdist", "scipy",
    "shapely", "tokenizers", "torch", "transformers", "vllm", "xgrammar",
)  # fmt: skip

# Endings only, so that --max-new-tokens, --keyword and -k are shown.
_SENSITIVE = r"(?:key|token|secret|password|passwd|credentials?|authorization|auth)"
_SECRET_NAME = re.compile(rf"{_SENSITIVE}$", re.IGNORECASE)
_ASSIGNED = re.compile(rf"([\w.-]*{_SENSITIVE})=[^&\s]+", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_KNOWN_FORM = re.compile(r"\b(?:hf_|sk-|ghp_)[\w-]{16,}|(?<=\bBearer )\S+")
_SHORTEST_SECRET = 8
_GIT_TIMEOUT_S = 5
_OF_ONE_RUN = (
    "package", "started", "finished", "command", "commit", "dataset", "settings", "python",
    "packages", "machine",
)  # fmt: skip
_OF_THE_FOLDER = ("data", "models", "runner", "prompts")
_HASHED = ("prompt", "schema", "grammar", "revision")
_DISTINCT = 8
"""So many hashes of one part are named: with a vocabulary of its own, every image has another."""


def manifest(
    settings: Settings,
    specs: Iterable[ModelSpec],
    runner_facts: Mapping[str, Mapping[str, Json]],
    command: Sequence[str],
    *,
    data: Mapping[str, Mapping[str, Json]],
    prompts: Mapping[str, str],
    started: datetime,
    finished: datetime | None = None,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, Json]:
    """Returns the content of ``manifest.json``: plain values, no NaN, no secret.

    Args:
        settings: What the user asked for.
        specs: The models of the run.
        runner_facts: Model name -> what its runner says of itself.
        command: The command line.
        data: Category -> where its cases come from.
        prompts: Category -> hash of its prompt.
        started: When the run began.
        finished: When it ended, None while it lives.
        environment: Whose secrets must not be shown where they were pasted into an option.
    """
    pasted = sorted(
        (
            value
            for name, value in environment.items()
            if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET
        ),
        key=len,
        reverse=True,
    )
    content: dict[str, Json] = {
        "package": {"name": "qwen-vlmbench", "version": __version__},
        "started": started.isoformat(timespec="seconds"),
        "finished": None if finished is None else finished.isoformat(timespec="seconds"),
        "command": _mask_command(command),
        "commit": _commit(),
        "dataset": settings.dataset_name,
        "data": data,
        "settings": dataclasses.asdict(settings),
        "models": {spec.name: dataclasses.asdict(spec) for spec in specs},
        "runner": runner_facts,
        "prompts": prompts,
        "python": sys.version,
        "packages": {name: _version(name) for name in PACKAGES},
        "machine": machine(),
    }
    return {name: _plain(value, pasted) for name, value in content.items()}


def machine() -> dict[str, Json]:
    """Returns what tells the machine that this process runs on from others."""
    return {
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "host": platform.node(),
    }


def resumed(content: Mapping[str, Json], before: Mapping[str, Json]) -> dict[str, Json]:
    """Returns the manifest of a folder to which an earlier run wrote, too.

    Args:
        content: The manifest of this run.
        before: The one that the folder had, {} where it had none.

    Returns:
        This run's manifest. What describes the records (data, models, runners, prompts) is kept of
        the earlier ones where this run has no such entry, and ``earlier`` tells of each of them
        what only holds for one run: its command, settings, versions, times.
    """
    if not before:
        return {**content, "earlier": []}
    kept = {
        name: {**(before.get(name) or {}), **(content.get(name) or {})} for name in _OF_THE_FOLDER
    }
    last = {name: before[name] for name in _OF_ONE_RUN if name in before}
    return {**content, **kept, "earlier": [*before.get("earlier", ()), last]}


def hashes(records: Iterable[Record]) -> dict[str, Json]:
    """Returns the hashes of what the stored answers were asked with.

    Args:
        records: Of the folder.

    Returns:
        ``<model> <category> <mode>`` -> part of the fingerprint -> its first hashes as in
        ``key_parts``, at most eight; one unless images have vocabularies of their own.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for record in records:
        cell = found.setdefault(f"{record.model} {record.category} {record.mode}", {})
        for name in _HASHED:
            digest, seen = record.key_parts.get(name), cell.setdefault(name, [])
            if digest is not None and digest not in seen and len(seen) < _DISTINCT:
                seen.append(digest)
    return found


def _mask_command(command: Sequence[str]) -> list[str]:
    """Masks the value after an option such as ``--api-key``; ``_plain`` masks ``name=value``."""
    shown: list[str] = []
    follows = False
    for part in command:
        shown.append(MASK if follows and not part.startswith("-") else part)
        follows = part.startswith("-") and "=" not in part and bool(_SECRET_NAME.search(part))
    return shown


def _plain(value: Json, pasted: Sequence[str]) -> Json:
    """Returns what ``json.dumps`` takes, with secrets masked and numbers that are none as None."""
    if isinstance(value, str):
        return _mask_text(value, pasted)
    if isinstance(value, Mapping):
        return {
            str(name): MASK
            if isinstance(inner, str) and inner and _SECRET_NAME.search(str(name))
            else _plain(inner, pasted)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner, pasted) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    return _mask_text(str(value), pasted)


def _mask_text(text: str, pasted: Sequence[str]) -> str:
    for secret in pasted:
        text = text.replace(secret, MASK)
    text = _KNOWN_FORM.sub(MASK, _USER_INFO.sub(MASK, text))
    return _ASSIGNED.sub(rf"\1={MASK}", text)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Returns the git commit of the current folder, None outside of a repository."""
    git = shutil.which("git")
    if git is None:
        return None
    try:
        # The program's full path and constant arguments.
        done = subprocess.run(  # noqa: S603
            [git, "rev-parse", "--verify", "HEAD"],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

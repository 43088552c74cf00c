"""Runners by name: each module of this folder whose name has no leading underscore is one.

A runner module holds ``LOADS_MODEL`` (whether opening it costs weights), ``NEEDS_PIXELS`` (whether
it looks at images) and ``RUNNER``, and imports heavy packages only inside functions, so that
asking about a runner costs nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Protocol

from vlmbench_plugin.core import Answer, Generation, Json, ModelSpec, Request
from vlmbench_plugin.errors import MissingExtraError, RunnerError, UnknownNameError
from vlmbench_plugin.settings import Settings

RUNNERS: tuple[str, ...] = tuple(
    sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name[0] != "_")
)

Oracle = Callable[[str], Answer]
"""Request id -> the right answer in the model's frame."""


class Runner(Protocol):
    """Turns requests into raw text. One file per runner, found by its name.

    A runner module ends in ``RUNNER``, a callable ``(spec, settings, oracle) -> Runner``, where
    ``oracle`` maps a request id to the right answer and is None for every runner but the stub.
    """

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation | RunnerError]:
        """Yields one generation per request, in order; may read ahead.

        An item that fails alone is a ``RunnerError`` in its place, not raised: it becomes an error
        and the others go on.

        Raises:
            RunnerError: If the runner as a whole fails.
        """
        ...

    def describe(self) -> Mapping[str, Json]:
        """What a manifest and a fingerprint need: dtype, device, library versions, revision."""
        ...

    def close(self) -> None:
        """Frees the model's memory."""
        ...


def open_runner(
    name: str, spec: ModelSpec, settings: Settings, oracle: Oracle | None = None
) -> Runner:
    """Opens a runner for one model, which may load its weights.

    Args:
        name: One of ``RUNNERS``.
        spec: The model to run.
        settings: Of the run.
        oracle: Needed by the stub alone.

    Raises:
        UnknownNameError: If there is no such runner.
        MissingExtraError: If it needs a package that is not installed; the extra is named after
            the runner.
        ModelLoadError: If the model cannot be loaded.
    """
    try:
        runner: Runner = _module(name).RUNNER(spec, settings, oracle)
    except ImportError as error:
        # transformers names no module where torchvision is what its processors miss.
        if (error.name or "").partition(".")[0] == "vlmbench_plugin":
            raise
        raise MissingExtraError(f"runner {name}", name, error) from error
    return runner


def loads_model(name: str) -> bool:
    """Tells whether a runner loads the model's weights into this process."""
    answer: bool = _module(name).LOADS_MODEL
    return answer


def needs_pixels(name: str) -> bool:
    """Tells whether a runner looks at images; where not, none is drawn or decoded."""
    answer: bool = _module(name).NEEDS_PIXELS
    return answer


def _module(name: str) -> ModuleType:
    if name not in RUNNERS:
        raise UnknownNameError("runner", name, RUNNERS)
    return importlib.import_module(f"{__name__}.{name}")

"""Ctrl-C during a benchmark: the first lets the batch end and be written, the second stops at once.

A terminal sends the signal to xdist workers, too, but whoever stops a run by its process id reaches
the controller alone. It tells its workers by a file whose name they were given, and that is not
there otherwise.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

REASON = "the batch is finished and written; the same command goes on from here"
_SAID = b"\nvlmbench: finishing the items that are being generated; Ctrl-C again stops at once\n"


class Interrupts:
    """Whether this process was asked to stop.

    Args:
        file: Whose existence asks as well; None for a process that has no controller.
        on_first: Called in the signal's handler when the signal comes for the first time.

    Attributes:
        waiting: Whether items are being generated that pytest has not come to.
    """

    def __init__(
        self, file: str | None = None, on_first: Callable[[], None] = lambda: None
    ) -> None:
        self._file = file
        self._on_first = on_first
        self.waiting: Callable[[], bool] = lambda: False
        self._signalled = False
        self._watching = False

    @property
    def asked(self) -> bool:
        """Whether no further item shall be begun."""
        return self._signalled or (self._file is not None and os.path.exists(self._file))  # noqa: PTH110

    def watch(self) -> None:
        """Takes over the signal where Python's own handler has it, until ``release``."""
        if threading.current_thread() is not threading.main_thread() or self._watching:
            return
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handle)
            self._watching = True

    def release(self) -> None:
        """Gives the signal back."""
        if self._watching and signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._watching = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._signalled:
            signal.default_int_handler(number, frame)
        self._signalled = True
        self._on_first()


class Herald:
    """How a controller asks its workers to stop: by a file that they look for.

    Attributes:
        file: Its path; it is made when the workers shall stop.
    """

    def __init__(self) -> None:
        self.file = str(Path(tempfile.gettempdir()) / f"vlmbench-stop-{uuid.uuid4().hex}")

    def tell(self) -> None:
        """Asks the workers of this machine."""
        with contextlib.suppress(OSError):  # then the terminal's own signal has to do
            Path(self.file).touch()

    def close(self) -> None:
        """Removes the file."""
        with contextlib.suppress(OSError):
            Path(self.file).unlink(missing_ok=True)


def first_word(config: pytest.Config) -> Callable[[], None]:
    """Returns what tells the user what the first Ctrl-C does, for a signal's handler to call.

    To be made between tests, while pytest captures nothing. It writes past Python's buffers, which
    the signal may have come in the middle of filling.
    """
    terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
    try:
        screen = os.dup(terminal._tw._file.fileno())
    except (AttributeError, OSError, ValueError):  # no terminal, or one that is no file
        return lambda: None
    config.add_cleanup(lambda: os.close(screen))

    def say() -> None:
        with contextlib.suppress(OSError):
            os.write(screen, _SAID)

    return say


interrupts_key = pytest.StashKey[Interrupts]()
"""On the config of a process that runs benchmark items."""

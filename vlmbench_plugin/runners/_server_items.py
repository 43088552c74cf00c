"""Keeps several items under way at once, hands results out in order, and shares the time out.

Named with an underscore: it is no runner. The ``openai`` and ``vllm`` runners differ only in how
one request is answered.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from PIL import Image

from vlmbench_plugin.core import Generation, Request
from vlmbench_plugin.errors import RunnerError, UsageError

T = TypeVar("T")

READ_AHEAD = 4
"""Items read per item under way: while one long answer is waited for, the others go on."""


class ItemLoop:
    """An event loop in a thread of its own, so that items go on while results are consumed.

    Args:
        concurrency: The most items under way at once.
    """

    def __init__(self, concurrency: int) -> None:
        self._ahead = READ_AHEAD * concurrency
        self._gate = asyncio.Semaphore(concurrency)
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="vlmbench-items", daemon=True
        )
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether it was not closed yet."""
        return self._thread.is_alive()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Waits for one coroutine; an interrupt cancels it."""
        return _result(asyncio.run_coroutine_threadsafe(coroutine, self._loop))

    def in_order(
        self, requests: Iterable[Request], answer: Callable[[Request], Awaitable[Generation]]
    ) -> Iterator[Generation | RunnerError]:
        """Yields one result per request, in order, reading ahead.

        An item that fails with a RunnerError yields that error, and the others go on. Whoever stops
        consuming cancels what is under way.
        """
        coming = iter(requests)
        waiting: deque[Future[Generation | RunnerError]] = deque()
        try:
            while True:
                for request in itertools.islice(coming, self._ahead - len(waiting)):
                    task = self._guarded(request, answer)
                    waiting.append(asyncio.run_coroutine_threadsafe(task, self._loop))
                if not waiting:
                    return
                result = _result(waiting[0])
                waiting.popleft()
                yield result
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """Cancels what is under way and ends the thread; a second call does nothing."""
        if self.is_open:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._runner.close()

    async def _guarded(
        self, request: Request, answer: Callable[[Request], Awaitable[Generation]]
    ) -> Generation | RunnerError:
        async with self._gate:
            try:
                return await answer(request)
            except RunnerError as error:
                return error


def _result(future: Future[T]) -> T:
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


class Clock:
    """Divides the time in which anything is under way: at any moment each item gets an equal share.

    So the shares of all items add up to the wall time, in O(1) for each begin and end. Not to be
    used by two threads.

    Args:
        now: Seconds, monotonic.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.now = now
        self.active = 0
        self._at = 0.0
        self._share = 0.0

    def advance(self, step: int) -> float:
        """Adds ``step`` items to those under way; returns what one item's share adds up to."""
        at = self.now()
        if self.active:
            self._share += (at - self._at) / self.active
        self._at = at
        self.active += step
        return self._share


class Stopwatch:
    """One item's time: a context that may be entered again, as for a retry.

    Attributes:
        busy_s: Its share of the time in which it was under way.
        latency_s: Seconds from the first time that it was sent to the last time that it ended.
        together: The most items that were under way when it was sent or ended, itself included.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: float | None = None
        self._entered = 0.0
        self.busy_s = 0.0
        self.latency_s = 0.0
        self.together = 0

    def __enter__(self) -> Self:
        self._entered = self._clock.advance(1)
        self.together = max(self.together, self._clock.active)
        if self._sent is None:
            self._sent = self._clock.now()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._sent is not None  # set on entering
        self.together = max(self.together, self._clock.active)
        self.busy_s += self._clock.advance(-1) - self._entered
        self.latency_s = self._clock.now() - self._sent


async def drawn(request: Request, then: Callable[[Image.Image], T]) -> T:
    """Draws or decodes a request's image in a thread, and prepares it there.

    Raises:
        RunnerError: If that fails, however it does: decoders raise what they like.
    """
    try:
        return await asyncio.to_thread(lambda: then(request.image()))
    except Exception as error:
        raise RunnerError(
            f"the image of {request.id} cannot be read: {type(error).__name__}: {error}",
            hint="open the file in a viewer, or leave it out",
        ) from error


def whole_number(arguments: dict[str, str], name: str, default: int, least: int = 1) -> int:
    """Takes a whole number out of the runner's own arguments.

    Raises:
        UsageError: If it is none, or less than ``least``.
    """
    given = arguments.pop(name, None)
    if given is None:
        return default
    if not given.isdecimal() or int(given) < least:
        raise UsageError(
            f"expected --runner-arg {name}= a whole number of at least {least}, got {given!r}"
        )
    return int(given)

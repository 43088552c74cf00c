"""Which xdist worker runs what: whole chunks, model by model. Imported only where xdist runs."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import chain
from typing import TYPE_CHECKING

from xdist.scheduler import LoadScheduling

from vlmbench_plugin.chunks import Chunk, chunk_of

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

_LOW = 3
"""A worker with fewer items gets its next unit. It starts none before it knows the one after: with
two left it runs the last but one while the next unit is on its way."""


class ChunkScheduling(LoadScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out whole chunks in the order of collection; any other test is a unit of its own.

    As the order is model by model, no worker comes back to a model that it has left. Without
    benchmark items, which the controller knows only once the workers have collected, it is xdist's
    own ``LoadScheduling``.

    Not made from xdist's ``LoadScopeScheduling``: that one sorts by size (since 3.5; 3.8 can be
    told not to), puts a dead worker's items last, after all other models, and looks through every
    earlier item whenever one ends.

    Args:
        config: Of the controller.
        log: xdist's.
    """

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        self._chunks: list[Chunk | None] = []  # of every item; none at all: nothing to do here
        self._models: dict[WorkerController, str | None] = {}

    def schedule(self) -> None:
        """Starts the distribution; called again for a worker that replaces a dead one."""
        if self.collection is None and self._cut():
            for node in self.nodes:  # one unit each, before anyone gets a second
                self._send_unit(node)
        if not self._chunks:
            super().schedule()
            return
        for node in self.nodes:
            self.check_schedule(node)

    def check_schedule(self, node: WorkerController, duration: float = 0) -> None:
        """Gives a worker its next unit in time, or lets it end.

        Args:
            node: The worker.
            duration: Of its last test in seconds; a hint that only xdist's own scheduling takes.
        """
        if not self._chunks:
            super().check_schedule(node, duration)
            return
        if node.shutting_down:
            return
        mine = self.node2pending[node]
        while self.pending and len(mine) < _LOW:
            self._send_unit(node)
        # As late as can be: until then it can take over what a dead worker leaves.
        if not self.pending and len(mine) < 2:
            node.shutdown()

    def remove_node(self, node: WorkerController) -> str | None:
        """Takes a dead worker's items back, to be the next that are handed out.

        Returns:
            The item that it died in; None if it had nothing to do.
        """
        if not self._chunks:
            crashed: str | None = super().remove_node(node)
            return crashed
        self._models.pop(node, None)
        pending = self.node2pending.pop(node)
        if not pending:
            return None
        self.pending[:0] = pending[1:]
        for other in self.nodes:
            self.check_schedule(other)
        return str(self.collection[pending[0]])

    def _cut(self) -> bool:
        """Cuts the items into units; False if that is left to xdist."""
        first, *others = self.node2collection.values()
        chunks = [chunk_of(nodeid) for nodeid in first]
        if not any(chunks) or any(other != first for other in others):  # xdist reports the latter
            return False
        self._chunks = chunks
        self.collection = first
        # pytest-randomly scatters the items of a chunk over all those of their model.
        units: dict[Hashable, list[int]] = {}
        for place, chunk in enumerate(chunks):
            units.setdefault(chunk or place, []).append(place)
        self.pending[:] = chain.from_iterable(units.values())
        return True

    def _send_unit(self, node: WorkerController) -> None:
        """Sends the next unit of the worker's own model, else the very next."""
        if not self.pending:
            return
        start = self._next_of(self._models.get(node))
        chunk = self._chunks[self.pending[start]]
        end = start + 1
        while chunk and end < len(self.pending) and self._chunks[self.pending[end]] == chunk:
            end += 1
        unit = self.pending[start:end]
        del self.pending[start:end]
        self._models[node] = chunk and chunk.model
        self.node2pending[node].extend(unit)
        node.send_runtest_some(unit)

    def _next_of(self, model: str | None) -> int:
        """Returns where the next chunk of a model is; 0 if there is none.

        That is not 0 only where a dead worker's items of another model wait for its replacement.
        """
        if model is None:
            return 0
        named = (
            start
            for start, place in enumerate(self.pending)
            if (chunk := self._chunks[place]) and chunk.model == model
        )
        return next(named, 0)

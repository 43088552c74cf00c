"""What the controller of a run under xdist gives its workers: slots, what is done, when to stop.

The controller alone reads the results, and once: a replacement for a crashed worker would read a
longer file than the others did, and collect or skip other items.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from vlmbench_plugin.errors import VlmBenchError
from vlmbench_plugin.interrupts import Herald
from vlmbench_plugin.options import report_folder, settings_of


class Workers:
    """The workers of one run, as its controller sees them.

    Args:
        config: Of the controller.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._slots: dict[str, int] = {}
        self._sent: dict[str, str] | None = None
        self._herald = Herald()

    @property
    def count(self) -> int:
        """How many there are; 0 without xdist."""
        if getattr(self._config.option, "dist", "no") == "no":
            return 0
        return len(getattr(self._config.option, "tx", None) or ())

    def check(self) -> None:
        """Refuses more workers than devices where each of them would load a model.

        Raises:
            pytest.UsageError: Naming ``--n``, which is what ``-n 12`` was often meant to be.
        """
        if getattr(self._config.option, "dist", "no") == "each":
            raise pytest.UsageError("--dist each would ask every worker about every item: use -n N")
        workers = self.count
        if workers < 2:
            return
        from vlmbench_plugin.runners import _preflight, loads_model

        settings = settings_of(self._config)
        if not loads_model(settings.runner):
            return
        devices = _preflight.devices(settings.device)
        if workers > len(devices):
            raise pytest.UsageError(
                f"-n {workers} starts {workers} workers that would each load a model, but there "
                f"{'is 1 device' if len(devices) == 1 else f'are {len(devices)} devices'} "
                f"({', '.join(devices)}); did you mean --n {workers}?\n"
                "  hint: a list gives each worker its own: --device cuda:0,cuda:1 or cpu,cpu"
            )

    def start(self, node: Any) -> None:
        """Hands a worker its slot, and what need not run again."""
        taken = set(self._slots.values())
        slot = next(n for n in range(len(taken) + 1) if n not in taken)
        self._slots[node.gateway.id] = slot
        if self._sent is None:
            self._sent = self._to_send()
        node.workerinput.update(self._sent, vlmbench_slot=slot)

    def ended(self, node: Any) -> None:
        """Frees the slot of a worker for the one that takes its place."""
        self._slots.pop(node.gateway.id, None)

    def stop(self) -> None:
        """Asks the workers to finish what they generate, and no more."""
        self._herald.tell()

    def close(self) -> None:
        """Leaves no file behind."""
        self._herald.close()

    def _to_send(self) -> dict[str, str]:
        done = errors = "[]"
        if (report_folder(self._config) / "results.jsonl").is_file():
            from vlmbench_plugin.results import done_and_errors

            # What cannot be read is told when benchmark items are collected; there may be none.
            with contextlib.suppress(VlmBenchError):
                outcomes, items = done_and_errors(self._config)
                done = json.dumps([outcome.wire() for outcome in outcomes.values()])
                errors = json.dumps(items)
        return {
            "vlmbench_done": done,
            "vlmbench_errors": errors,
            "vlmbench_stop": self._herald.file,
        }

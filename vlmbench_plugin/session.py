"""The state of one run, on the controller alone: expects items, receives them, reconciles.

xdist workers never have this object. It is registered in every run of pytest and does nothing until
benchmark items are collected; then it opens ``results.py``, which imports all that is heavy.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from vlmbench_plugin import junit
from vlmbench_plugin.errors import VlmBenchError
from vlmbench_plugin.options import given_on_command_line, report_folder, settings_of

if TYPE_CHECKING:
    from vlmbench_plugin.gates import Outcome
    from vlmbench_plugin.results import Results
    from vlmbench_plugin.weights import Clearing

_ITEM = re.compile(r"\[(?P<group>.+-(?:json_mode|constrained))-\d{4,}\]$")
_TEST = "::test_label["
"""Under xdist the controller gets nothing but node ids, those of other tests among them."""
_SHOWN = 20
"""So many missing items are named on the terminal; more are counted."""


class Controller:
    """What the controller of a run knows.

    Args:
        config: Of this pytest run.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._groups: dict[str, str] = {}
        self._left: Counter[str] = Counter()
        self._ended: dict[str, str] = {}
        self._replayed = 0
        self._slots: dict[str, int] = {}
        self._done: str | None = None
        self._problems: list[str] = []
        self._open_gates: list[str] = []
        self._results: Results | None = None
        self._clearing: Clearing | None = None
        self._started = time.monotonic()

    # What is expected

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Without xdist: the items that will run are those of the session."""
        ids = [item.nodeid for item in session.items if item.get_closest_marker("vlmbench")]
        self._expect(ids)
        if self._results is not None:
            from vlmbench_plugin.bench import done_key

            self._config.stash[done_key] = self._results.done()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        """With xdist: every worker collects the same items; the first to tell is enough."""
        if not self._groups:
            self._expect(item for item in ids if _TEST in item)

    def _expect(self, ids: Iterable[str]) -> None:
        if self._config.option.collectonly:
            return
        self._groups = {i: found["group"] for i in ids if (found := _ITEM.search(i))}
        self._left = Counter(self._groups.values())
        if self._groups:
            self.check_workers()
            self._results = self._open()

    def _open(self) -> Results:
        from vlmbench_plugin.results import Results
        from vlmbench_plugin.runners import _preflight
        from vlmbench_plugin.weights import clearing, preflight

        ids = list(self._groups)
        try:
            _preflight.check_extra(settings_of(self._config).runner)
            told = preflight(self._config, ids, max(1, self._workers()))
            results = Results.open(self._config, set(self._groups.values()))
            self._clearing = clearing(self._config, ids)
            for line in told:
                results.log(line)
                self._write(f"vlmbench: {line}")
            return results
        except VlmBenchError as error:
            raise pytest.UsageError(str(error)) from error

    # Workers

    def check_workers(self) -> None:
        """Refuses more workers than devices where each of them would load a model.

        Raises:
            pytest.UsageError: Naming ``--n``, which is what ``-n 12`` was often meant to be.
        """
        if getattr(self._config.option, "dist", "no") == "each":
            raise pytest.UsageError("--dist each would ask every worker about every item: use -n N")
        workers = self._workers()
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

    def _workers(self) -> int:
        """How many xdist workers there are; 0 without."""
        if getattr(self._config.option, "dist", "no") == "no":
            return 0
        return len(getattr(self._config.option, "tx", None) or ())

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hands a worker its slot, and what need not run again.

        The controller alone reads the results, and once: a replacement for a crashed worker would
        read a longer file than the others did, and collect or skip other items.
        """
        taken = set(self._slots.values())
        slot = next(n for n in range(len(taken) + 1) if n not in taken)
        self._slots[node.gateway.id] = slot
        node.workerinput["vlmbench_slot"] = slot
        if self._done is None:
            self._done = self._read_done()
        node.workerinput["vlmbench_done"] = self._done

    def _read_done(self) -> str:
        if not (report_folder(self._config) / "results.jsonl").is_file():
            return "[]"
        from vlmbench_plugin.results import done_in_folder

        try:
            done = done_in_folder(self._config)
        except VlmBenchError:  # told when benchmark items are collected; there may be none
            return "[]"
        return json.dumps([outcome.wire() for outcome in done.values()])

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Frees the slot for the worker that takes its place."""
        self._slots.pop(node.gateway.id, None)

    # What arrives

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Stores a record the moment it arrives."""
        status = getattr(report, "vlmbench_status", None)
        # xdist reports the item in which a worker died under when "???".
        if str(report.when) == "???":
            status = "error"
        if status is None or str(report.outcome) == "rerun":
            return
        group = self._groups.get(report.nodeid)
        if group is None and str(report.when) == "???":  # another test's worker died
            return
        if self._results is None:
            self._results = self._open()
        record = getattr(report, "vlmbench_record", None)
        if record is not None:
            self._results.add(record, getattr(report, "vlmbench_facts", None))
            vars(report)["vlmbench_record"] = None  # the terminal keeps every report to the end
        elif status != "error":
            self._replayed += 1
        if group is not None and report.nodeid not in self._ended:
            self._left[group] -= 1
            self._clear(report.nodeid)
        self._ended[report.nodeid] = status
        if group is not None and self._left[group] == 0:
            self._show_line(self._results, group)

    def _clear(self, nodeid: str | None) -> None:
        """Deletes weights that nobody needs any more: after an item, or (None) after the run."""
        if self._clearing is None or self._results is None:
            return
        done = self._clearing.close() if nodeid is None else self._clearing.ended(nodeid)
        for line in done:
            self._results.log(line)

    def _show_line(self, results: Results, group: str) -> None:
        if self._config.option.verbose < 0:
            return
        left = len(self._groups) - len(self._ended)
        generated = len(self._ended) - self._replayed
        seconds = (time.monotonic() - self._started) / generated * left if generated else None
        line = results.live_line(group, left, seconds)
        if line is not None:
            self._write(line)

    def _write(self, line: str) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None and self._config.option.verbose >= 0:
            terminal.ensure_newline()
            terminal.write_line(line)

    # The end

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """Decides the exit status before any reporter writes it down."""
        if session.exitstatus == pytest.ExitCode.USAGE_ERROR and not self._ended:
            self.pytest_unconfigure()  # nothing ran: what was asked for was wrong
            self._results = None
        if self._results is not None:
            try:
                self._finish(self._results)
            except VlmBenchError as error:
                self._problems.append(str(error))
            if self._problems and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return (yield)

    def _finish(self, results: Results) -> None:
        """Writes the tables, and counts whatever is not as it should be."""
        missing = [item for item in self._groups if item not in self._ended]
        errors = [item for item, status in self._ended.items() if status == "error"]
        if missing:
            self._problems.append(f"{len(missing)} items missing: expected, and never reported")
            self._problems += [f"  {item}" for item in missing[:_SHOWN]]
            if len(missing) > _SHOWN:
                self._problems.append(f"  and {len(missing) - _SHOWN} more")
        if errors:
            self._problems.append(f"{len(errors)} errors: the harness failed, not the model")
        rows = results.finish(set(self._groups.values()))
        failing: tuple[Outcome, ...] = ("failed",)
        if settings_of(self._config).strict_gates:
            failing = ("failed", "undecided")
        self._problems += [v.sentence for v in results.verdicts if v.outcome in failing]
        self._open_gates = [
            v.sentence for v in results.verdicts if v.outcome not in (*failing, "held")
        ]
        junit.add_rows(self._config, rows)
        junit.add_gates(self._config, rows, results.verdicts, failing)

    def pytest_unconfigure(self) -> None:
        """Clears the hub cache, and releases the results folder, however the run ended."""
        if self._results is not None:
            self._clear(None)
            self._results.close()

    def pytest_report_header(self) -> str | None:
        """Says what will be asked, and where the results go, if the user typed an option."""
        if not given_on_command_line(self._config):
            return None
        settings = settings_of(self._config)
        dist = getattr(self._config.option, "dist", "no")
        torn = (
            ""
            if dist in ("no", "load")
            else (
                f"\nvlmbench: --dist {dist} does not hand out whole the chunks of items that are "
                "generated together; -n alone does"
            )
        )
        return (
            f"vlmbench: {', '.join(settings.models)}; {', '.join(settings.modes)}; runner "
            f"{settings.runner}; data set {settings.dataset}; {report_folder(self._config)}{torn}"
        )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Prints the leaderboard, what went wrong, and where the files are."""
        if self._results is None:
            return
        terminalreporter.section("vlmbench")
        for line in self._results.summary_lines():
            terminalreporter.write_line(line)
        if self._replayed:
            terminalreporter.write_line(
                f"Replayed {self._replayed} of {len(self._groups)} items from an earlier run; "
                "--fresh generates them again."
            )
        verdicts = self._results.verdicts
        if verdicts:
            held = sum(verdict.outcome == "held" for verdict in verdicts)
            terminalreporter.write_line(f"{held} of {len(verdicts)} gates held")
        for line in self._open_gates:
            terminalreporter.write_line(line, yellow=True)
        for line in self._problems:
            terminalreporter.write_line(line, red=True)
        terminalreporter.write_line(f"Written to {self._results.folder}")

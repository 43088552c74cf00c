"""The state of one run, on the controller alone: expects items, receives them, reconciles.

xdist workers never have this object. It is registered in every run of pytest and does nothing until
benchmark items are collected; then it opens ``results.py``, which imports all that is heavy.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from vlmbench_plugin import junit
from vlmbench_plugin.errors import StoreError, VlmBenchError
from vlmbench_plugin.options import given_on_command_line, report_folder, settings_of
from vlmbench_plugin.workers import Workers

if TYPE_CHECKING:
    from vlmbench_plugin.gates import Outcome
    from vlmbench_plugin.interrupts import Interrupts
    from vlmbench_plugin.results import Results
    from vlmbench_plugin.weights import Clearing

_ITEM = re.compile(r"\[(?P<group>.+-(?:json_mode|constrained))-(?P<index>\d{4,})\]$")
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
        self._nothing_to_retry = False
        self._workers = Workers(config)
        self._interrupts: Interrupts | None = None
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
            if self._results is not None:
                self._watch()

    def _watch(self) -> None:
        """Lets the first Ctrl-C end the workers' batches, as it does the batch of one process."""
        from vlmbench_plugin.interrupts import Interrupts, first_word

        say = first_word(self._config)

        def tell() -> None:
            say()
            self._workers.stop()

        self._interrupts = Interrupts(on_first=tell)
        self._interrupts.watch()

    def _expect(self, ids: Iterable[str]) -> None:
        if self._config.option.collectonly:
            return
        self._groups = {i: found["group"] for i in ids if (found := _ITEM.search(i))}
        self._left = Counter(self._groups.values())
        if self._groups:
            self._workers.check()
            self._results = self._open()

    def _open(self) -> Results:
        from vlmbench_plugin.results import Results
        from vlmbench_plugin.runners import _preflight
        from vlmbench_plugin.weights import clearing, preflight

        ids = list(self._groups)
        try:
            _preflight.check_extra(settings_of(self._config).runner)
            told = preflight(self._config, ids, max(1, self._workers.count))
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
        """Refuses more workers than devices, as ``Workers.check`` does."""
        self._workers.check()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Gives a worker what it needs to know."""
        self._workers.start(node)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Frees the slot for the worker that takes its place."""
        self._workers.ended(node)

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
        try:
            self._store(report, status, self._results)
            if group is not None and report.nodeid not in self._ended:
                self._left[group] -= 1
                self._clear(report.nodeid)
            self._ended[report.nodeid] = status
            if group is not None and self._left[group] == 0:
                self._show_line(self._results, group)
        except StoreError as error:  # the model's time is not spent on what cannot be kept
            pytest.exit(str(error), returncode=int(pytest.ExitCode.TESTS_FAILED))

    def _store(self, report: pytest.TestReport, status: str, results: Results) -> None:
        """Stores what one item ended with."""
        record = getattr(report, "vlmbench_record", None)
        said = getattr(report, "vlmbench_error", None) or str(report.longrepr)
        if record is not None:
            results.add(record, getattr(report, "vlmbench_facts", None))
            vars(report)["vlmbench_record"] = None  # the terminal keeps every report to the end
        elif status != "error":
            self._replayed += 1
        elif found := _ITEM.search(report.nodeid):
            results.add_error(found["group"], int(found["index"]), said)
        if status == "error":
            results.log_error(report.nodeid, getattr(report, "vlmbench_trace", None) or said)
            vars(report)["vlmbench_trace"] = None

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
            from vlmbench_plugin.results import Results

            self._clear(None)
            for step in (self._finish, Results.close):
                try:
                    step(self._results)
                except VlmBenchError as error:
                    self._problems.append(str(error))
            if self._problems and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self._config.option.vlm_retry_errors and not session.testscollected:
            self._nothing_to_retry = True
            session.exitstatus = pytest.ExitCode.OK
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
        """Releases the results folder and Ctrl-C, however the run ended."""
        if self._interrupts is not None:
            self._interrupts.release()
        self._workers.close()
        if self._results is not None:
            self._results.close()
            self._results = None  # its records are not to be searched for garbage as pytest ends

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
        if self._nothing_to_retry:
            folder = report_folder(self._config)
            terminalreporter.write_line(f"vlmbench: no errors to try again in {folder}")
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
        folder = self._results.folder
        terminalreporter.write_line(f"Written to {folder}; open {folder / 'report.html'}")

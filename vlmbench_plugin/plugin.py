"""The pytest hooks, thin. Options are in ``options.py``, run state in ``session.py``.

This module is imported by every pytest run of an environment that has the package installed, so it
imports nothing heavy; ``bench.py`` and what it needs are loaded with the first benchmark test.
"""

from __future__ import annotations

import contextlib
import gc
import traceback
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from vlmbench_plugin import hookspecs
from vlmbench_plugin.categories import CATEGORIES
from vlmbench_plugin.option_table import OPTIONS, add_options
from vlmbench_plugin.options import given_on_command_line, own_tasks, settings_of
from vlmbench_plugin.session import Controller

if TYPE_CHECKING:
    from vlmbench_plugin.labeler import Labeler

BENCH_MARK = "vlmbench"
SELDOM = 1000
"""Collections of younger objects before one of all: one in about seven million new objects."""
_PROPERTIES = ("score", "valid", "failure", "tokens")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Registers ``--vlm-<name>`` for every option, and the ini twins."""
    add_options(
        parser.getgroup("vlmbench", "Benchmark of VLMs as JSON labelers").addoption, "--vlm-"
    )
    for option in OPTIONS:
        if option.ini is not None:
            parser.addini(option.ini, f"Ini twin of --vlm-{option.names[0]}.", default=None)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Registers our own hooks."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Registers markers and, on the controller, the run's state; checks what the user typed."""
    own = own_tasks(config)
    config.addinivalue_line("markers", f"{BENCH_MARK}: one model labels one image once")
    for category in (*CATEGORIES, *(task.category for task in own)):
        config.addinivalue_line("markers", f"{category}: benchmark items of this category")
    if is_worker(config):
        return
    controller = Controller(config)
    if given_on_command_line(config):
        settings_of(config)
        controller.check_workers()
    config.pluginmanager.register(controller, "vlmbench_controller")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hands out whole chunks under ``-n``; another ``--dist`` is the user's own choice."""
    if config.option.dist != "load":
        return None
    from vlmbench_plugin.scheduling import ChunkScheduling

    return ChunkScheduling(config, log)


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is an xdist worker."""
    return hasattr(config, "workerinput")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps the items alone that ended in an error, if that is asked for."""
    if config.option.vlm_retry_errors:
        from vlmbench_plugin.retrying import keep_errors

        keep_errors(config, items)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> Generator[None, object, object]:
    """Takes care of Ctrl-C, and of Python's garbage, where benchmark items are about to run."""
    config = session.config
    if config.option.collectonly or not any(map(_is_ours, session.items)):
        return (yield)
    from vlmbench_plugin.interrupts import Interrupts, first_word, interrupts_key

    file = getattr(config, "workerinput", {}).get("vlmbench_stop")
    interrupts = Interrupts(file, first_word(config))
    config.stash[interrupts_key] = interrupts
    interrupts.watch()
    config.add_cleanup(interrupts.release)
    with _kept(config):
        return (yield)


@contextlib.contextmanager
def _kept(config: pytest.Config) -> Iterator[None]:
    """Lets Python search no more for garbage in what there is now, and what is made within.

    Items, and the records that the folder has, live to the end of the run, and so does what pytest
    keeps of each item: to go through them again and again took a tenth of the time of 6,000 stub
    items. What dies young is still found; a model is looked for when it is closed.
    """
    enabled, thresholds = gc.isenabled(), gc.get_threshold()
    config.add_cleanup(gc.unfreeze)
    config.add_cleanup(lambda: gc.set_threshold(*thresholds))
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*thresholds[:2], SELDOM)
        if enabled:
            gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Stops after an item if that is asked for and nothing generated ahead waits."""
    result = yield
    if _is_ours(item):
        from vlmbench_plugin.interrupts import REASON, interrupts_key

        interrupts = item.config.stash.get(interrupts_key, None)
        if interrupts is not None and interrupts.asked and not interrupts.waiting():
            item.session.shouldstop = REASON
    return result


def _is_ours(item: pytest.Item) -> bool:
    return item.get_closest_marker(BENCH_MARK) is not None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Makes one item of each model, category, mode and case; model-outer.

    Two calls: parametrising model and case together sets the session fixture up for every item.
    """
    if metafunc.definition.get_closest_marker(BENCH_MARK) is None:
        return
    from vlmbench_plugin.bench import bench_of

    try:
        bench = bench_of(metafunc.config)
    except pytest.UsageError as error:  # pytest shows this one without our call stack
        raise pytest.Collector.CollectError(str(error)) from None
    marks = {category: getattr(pytest.mark, category) for category in bench.tasks}
    metafunc.parametrize("vlm", list(bench.specs), indirect=True, scope="session")
    metafunc.parametrize(
        "case",
        [
            pytest.param(ref, id=ref.request_id("")[1:], marks=marks[ref.category])
            for ref in bench.refs()
        ],
    )


@pytest.fixture(scope="session")
def vlm(request: pytest.FixtureRequest) -> Generator[Labeler]:
    """One model; pytest closes it before it sets up the next."""
    from vlmbench_plugin.bench import bench_of, done_of
    from vlmbench_plugin.interrupts import interrupts_key
    from vlmbench_plugin.labeler import Labeler

    bench = bench_of(request.config)
    told = getattr(request.config, "workerinput", {})
    slot, workers = told.get("vlmbench_slot", 0), told.get("workercount", 1)
    params = (getattr(item, "callspec", None) for item in request.session.items)
    asked = [found.params for found in params if found is not None]
    refs = [own["case"] for own in asked if own.get("vlm") == request.param]
    done = done_of(request.config)
    interrupts = request.config.stash[interrupts_key]
    labeler = Labeler(
        bench, bench.specs[request.param], done, refs, lambda: interrupts.asked, slot, workers
    )
    interrupts.waiting = lambda: labeler.waiting
    yield labeler
    labeler.close()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Tells the model whose turn it is: the fixture ``request`` takes pytest 60 us an item."""
    labeler: Labeler | None = getattr(item, "funcargs", {}).get("vlm")
    if labeler is not None and _is_ours(item):
        labeler.stash = item.stash


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns an item's outcome into its report: a miss is set here, never raised."""
    if not _is_ours(item):
        return (yield)
    from vlmbench_plugin.items import facts_key, outcome_key

    if call.when == "setup" and outcome_key in item.stash:  # an earlier attempt, under --reruns
        del item.stash[outcome_key]
    report = yield
    outcome = item.stash.get(outcome_key, None)
    if call.excinfo is not None and (outcome is None or outcome.status == "error"):
        vars(report).update(_told(call.excinfo.value))
    if outcome is None:
        if report.failed:
            vars(report).update(vlmbench_status="error")
        return report
    if call.when != "call":
        return report
    vars(report).update(
        vlmbench_status=outcome.status,
        vlmbench_failure=outcome.failure,
        vlmbench_key=outcome.key,
        vlmbench_record=outcome.record,
        vlmbench_facts=item.stash.get(facts_key, None),
    )
    if outcome.record is not None:  # pytest keeps every item to the end: 3 kB for each of them
        item.stash[outcome_key] = replace(outcome, record=None)
    metadata = outcome.metadata()
    # Replaced, not appended: under --reruns the item keeps those of earlier attempts.
    kept = [pair for pair in item.user_properties if pair[0] not in metadata]
    item.user_properties[:] = kept + [(name, _text(metadata[name])) for name in _PROPERTIES]
    report.user_properties = list(item.user_properties)
    if outcome.status == "missed" and report.passed:
        _set_missed(report, outcome.reason, settings_of(item.config).on_miss)
    return report


def _told(error: BaseException) -> dict[str, str]:
    """Returns what the controller stores of an error: whatever ``--tb`` says, the traceback whole.

    Without halves of surrogate pairs, which cannot pass from a worker to the controller.
    """
    texts = {
        "vlmbench_error": f"{type(error).__name__}: {error}",
        "vlmbench_trace": "".join(traceback.format_exception(error)),
    }
    return {name: text.encode(errors="backslashreplace").decode() for name, text in texts.items()}


def _text(value: object) -> str:
    """Returns a property's value as JUnit shows it: empty for no data."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _set_missed(report: pytest.TestReport, reason: str, on_miss: str) -> None:
    report.longrepr = f"missed ({reason})"
    if on_miss == "fail":
        report.outcome = "failed"
    else:
        report.outcome = "skipped"
        report.wasxfail = reason


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Gives a miss a word of its own."""
    if getattr(report, "vlmbench_status", None) != "missed" or not report.skipped:
        return None
    return "missed", "m", f"MISSED ({getattr(report, 'vlmbench_failure', None)})"


@pytest.hookimpl(optionalhook=True)
def pytest_json_runtest_metadata(item: pytest.Item) -> dict[str, Any]:
    """Gives pytest-json-report what JUnit gets as properties."""
    if not _is_ours(item):
        return {}
    from vlmbench_plugin.items import outcome_key

    outcome = item.stash.get(outcome_key, None)
    return {} if outcome is None else outcome.metadata()

"""The plugin beside other plugins, and in projects that never asked for it."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from unit_tests.plugin.conftest import SMALL, Inside, run

NEIGHBOURS = (
    "pytest_base_url.plugin",
    "pytest_playwright.pytest_playwright",
    "pytest_rerunfailures",
    "pytest_randomly",
    "pytest_timeout",
    "pytest_metadata.plugin",
    "pytest_html.plugin",
    "pytest_jsonreport.plugin",
    "pytest_benchmark.plugin",
    "xdist",
)


def test_it_works_beside_all_of_them(tmp_path: Path) -> None:
    finished = run(
        tmp_path,
        *SMALL,
        *("--json-report", "--html", "report.html", "--self-contained-html", "--timeout", "60"),
        *("--reruns", "1", "--benchmark-disable", "-p", "no:cacheprovider"),
        plugins=NEIGHBOURS,
    )
    assert finished.exit == 0, finished.output
    assert len(finished.records()) == 24
    assert "--device belongs to another plugin here, write --vlm-device" in finished.output
    assert "missed (wrong_answer: score 0.000" in (tmp_path / "report.html").read_text()


def test_a_foreign_project_keeps_its_own_options(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every installed plugin loaded as pytest does it, but for those that own the names."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--model', default='mine')\n"
        "    parser.addoption('--device', default='abacus')\n"
        "    parser.addoption('--seed', type=int, default=7)\n"
    )
    pytester.makepyfile(
        "def test_options(pytestconfig):\n"
        "    option = pytestconfig.option\n"
        "    assert (option.model, option.device, option.seed) == ('ours', 'abacus', 7)\n"
    )
    plugins = ("-p", "vlmbench_plugin.plugin", "-p", "pytest_base_url.plugin")
    result = pytester.runpytest_subprocess(*plugins, "--model", "ours", "--strict-markers")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    assert "vlmbench" not in "".join(line for line in result.outlines if "plugins:" not in line)
    assert not (pytester.path / "reports").exists()


def test_a_timeout_is_an_error_of_the_item(inside: Inside, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "import time\n"
        "from vlmbench_plugin.runners import stub\n"
        "answer = stub.StubRunner.generate\n"
        "def slow(self, requests):\n"
        "    for request in requests:\n"
        "        if request.id.endswith('ocr_text-constrained-0001'):\n"
        "            time.sleep(30)\n"
        "        yield from answer(self, [request])\n"
        "def pytest_configure(config):\n"
        "    stub.StubRunner.generate = slow\n"
        "def pytest_unconfigure(config):\n"
        "    stub.StubRunner.generate = answer\n"
    )
    arguments = ("--runner", "stub", "--category", "ocr_text", "--n", "3", "--report-dir", "out")
    result = inside(*arguments, "--timeout", "0.5", plugins=["pytest_timeout"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    lines = (pytester.path / "out" / "results.jsonl").read_text().splitlines()
    assert len(lines) == 6
    assert sum('"status":"error"' in line and "Timeout" in line for line in lines) == 1


def test_the_search_for_garbage_is_afterwards_as_it_was(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(
        "import gc\n"
        "def pytest_runtest_call(item):\n"
        "    print('kept', gc.get_freeze_count() > 0, 'enabled', gc.isenabled())\n"
    )
    gc.unfreeze()
    for arguments in ((), ("--n", "7")):  # the second replays what the first has stored
        result = inside(*SMALL, *arguments, "-s")
        assert result.ret == 0
        assert "kept True enabled True" in result.stdout.str()
        assert "False" not in result.stdout.str()
        assert gc.isenabled()
        assert gc.get_freeze_count() == 0

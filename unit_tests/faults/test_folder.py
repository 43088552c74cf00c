"""Results folders that something else has touched, or is touching."""

from __future__ import annotations

import datetime
import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from unit_tests.plugin.conftest import SMALL, Inside, run
from unit_tests.plugin.test_outcomes import records
from vlmbench_plugin import manifest, results, store
from vlmbench_plugin.record import FORMAT_VERSION
from vlmbench_plugin.store import Store

SECOND_RUN = """
import pathlib, subprocess, sys

def pytest_runtest_call(item):
    if "image_classification-json_mode-0002" not in item.name or pathlib.Path("second").exists():
        return
    pathlib.Path("second").touch()
    command = [sys.executable, "-m", "pytest", *sys.argv[1:]]
    done = subprocess.run(command, capture_output=True, text=True)
    pathlib.Path("second").write_text(f"{done.returncode}\\n{done.stdout}{done.stderr}")
"""
APPENDING = """
def pytest_runtest_call(item):
    if "image_classification-json_mode-0002" in item.name:
        with open("out/results.jsonl", "a") as file:
            file.write("a line of another program, without an end")
"""


def test_two_runs_at_once(tmp_path: Path) -> None:
    """The second is refused while the first lives, which does not notice."""
    (tmp_path / "conftest.py").write_text(SECOND_RUN)
    first = run(tmp_path, *SMALL)
    assert first.exit == 0, first.output
    assert len(first.records()) == 24
    status, _, output = (tmp_path / "second").read_text().partition("\n")
    assert int(status) == pytest.ExitCode.USAGE_ERROR, output
    assert "out is in use by process" in output
    assert "wait for that run, or use --fresh" in output
    assert "INTERNALERROR" not in output


def test_a_corrupt_line_in_the_middle(inside: Inside, pytester: pytest.Pytester) -> None:
    assert inside(*SMALL).ret == pytest.ExitCode.OK
    path = pytester.path / "out" / "results.jsonl"
    before = path.read_bytes()
    lines = before.splitlines(keepends=True)
    torn = lines[7][:100] + b"\xff\x00\n"
    path.write_bytes(b"".join([*lines[:7], torn, *lines[8:]]))
    result = inside(*SMALL)
    assert result.ret == pytest.ExitCode.OK
    output = result.stdout.str()
    assert "results.jsonl: moved damaged lines to corrupt.jsonl: 8" in output
    assert "Replayed 23 of 24 items" in output
    assert (pytester.path / "out" / "corrupt.jsonl").read_bytes() == torn
    assert sorted(path.read_bytes().splitlines()) == sorted(before.splitlines())


def test_another_program_appended_between_runs(inside: Inside, pytester: pytest.Pytester) -> None:
    assert inside(*SMALL).ret == pytest.ExitCode.OK
    path = pytester.path / "out" / "results.jsonl"
    before = path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"note": "mine"}\nand a tail without an end')
    result = inside(*SMALL)
    assert result.ret == pytest.ExitCode.OK
    output = result.stdout.str()
    assert "results.jsonl: cut an unfinished last line of 25 bytes" in output
    assert "results.jsonl: moved damaged lines to corrupt.jsonl: 25" in output
    assert "Replayed 24 of 24 items" in output
    assert path.read_bytes() == before


def test_another_program_appends_during_a_run(inside: Inside, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(APPENDING)
    result = inside(*SMALL)
    assert result.ret == pytest.ExitCode.OK
    output = result.stdout.str()
    assert "results.jsonl: another program changed it during the run" in output
    assert len(records(pytester.path)) == 24
    kept = (pytester.path / "out" / "corrupt.jsonl").read_text()
    assert kept == "a line of another program, without an end\n"


def test_a_results_file_of_a_newer_release(inside: Inside, pytester: pytest.Pytester) -> None:
    assert inside(*SMALL).ret == pytest.ExitCode.OK
    path = pytester.path / "out" / "results.jsonl"
    now = f'"format_version":{FORMAT_VERSION}'
    newer = path.read_text().replace(now, '"format_version":99')
    path.write_text(newer)
    result = inside(*SMALL)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *format_version 2 or older, got 99", "*newer release*"])
    assert path.read_text() == newer
    assert inside(*SMALL, "--fresh").ret == pytest.ExitCode.OK
    assert len(records(pytester.path, "out-2")) == 24


def test_a_results_file_of_an_older_release(inside: Inside, pytester: pytest.Pytester) -> None:
    assert inside(*SMALL).ret == pytest.ExitCode.OK
    path = pytester.path / "out" / "results.jsonl"
    path.write_text(
        path.read_text().replace(f'"format_version":{FORMAT_VERSION}', '"format_version":1')
    )
    result = inside(*SMALL)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["Replayed 24 of 24 items*"])
    assert not (pytester.path / "out" / "corrupt.jsonl").exists()


def test_a_lock_that_a_killed_run_left(inside: Inside, pytester: pytest.Pytester) -> None:
    (pytester.path / "out").mkdir()
    (pytester.path / "out" / "run.lock").write_text("process 999999 on elsewhere\n")
    result = inside(*SMALL)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["run.lock: process 999999 on elsewhere ended without closing *"])
    assert (pytester.path / "out" / "run.lock").read_text() == ""


class Backwards(datetime.datetime):
    """A clock that is an hour earlier at every look."""

    looks = 0

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Backwards:
        cls.looks += 1
        return cls(2020, 1, 1, tzinfo=tz) - datetime.timedelta(hours=cls.looks)


def test_a_clock_that_is_set_back(
    inside: Inside, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is decided by a time: neither what is replayed, nor which record is the last."""
    assert inside(*SMALL).ret == pytest.ExitCode.OK
    folder = pytester.path / "out"
    before = (folder / "results.jsonl").read_bytes()
    future = time.time() + 10 * 365 * 86400
    for path in folder.iterdir():
        os.utime(path, (future, future))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 5 * 365 * 86400)
    for module in (store, results, manifest):
        monkeypatch.setattr(module, "datetime", Backwards)
    result = inside(*SMALL)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["Replayed 24 of 24 items*"])
    assert (folder / "results.jsonl").read_bytes() == before
    assert inside(*SMALL, "--max-pixels", "4096").ret == pytest.ExitCode.OK
    assert Backwards.looks > 0
    with closing(Store.open(folder)) as opened:
        parts: set[Any] = {record.key_parts["pixels"] for record in opened.records}
    assert len(parts) == 1
    assert len((folder / "stale.jsonl").read_text().splitlines()) == 24

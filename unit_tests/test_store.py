from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import pytest

from unit_tests.records import failed_record as failed
from unit_tests.records import make_record as make
from vlmbench_plugin.errors import StoreError
from vlmbench_plugin.record import Record
from vlmbench_plugin.store import Store, default_folder, fresh_folder

HOLDER = """
import sys, pathlib
from vlmbench_plugin.store import Store
store = Store.open(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()
"""


def fill(folder: Path, *records: Record) -> None:
    with closing(Store.open(folder)) as store:
        for record in records:
            store.append(record)


def load(folder: Path) -> tuple[Record, ...]:
    with closing(Store.open(folder)) as store:
        return store.records


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def full_disk(*_: object, **__: object) -> NoReturn:
    raise OSError(28, "No space left on device")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "reports" / "synthetic"


@pytest.fixture
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the folder open."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_what_is_appended_is_loaded(folder: Path) -> None:
    records = (make("a"), make("b", "k2"), failed("c", "k3"))
    fill(folder, *records)
    assert load(folder) == records
    assert Store.read(folder) == records


def test_every_record_is_in_the_file_before_the_next(folder: Path) -> None:
    with closing(Store.open(folder)) as store:
        for number in range(3):
            store.append(make(f"image-{number}"))
            assert len(lines_of(folder / "results.jsonl")) == number + 1


def test_a_folder_that_is_not_there_has_no_records(tmp_path: Path) -> None:
    assert Store.read(tmp_path / "none") == ()
    assert not (tmp_path / "none").exists()


def test_every_truncation_recovers_and_goes_on(tmp_path: Path) -> None:
    first, second, third = make("a"), make("b", "k2"), make("c", "k3")
    ends = [len(record.to_json()) + 1 for record in (first, second)]
    content = f"{first.to_json()}\n{second.to_json()}\n".encode()
    assert len(content) == sum(ends)
    folder, path = tmp_path, tmp_path / "results.jsonl"
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        whole = (first, second)[: (cut >= ends[0]) + (cut >= sum(ends))]
        assert Store.read(folder) == whole
        assert path.stat().st_size == cut
        with closing(Store.open(folder)) as store:
            assert store.records == whole
            assert bool(store.notes) == (cut not in (0, ends[0], sum(ends)))
            store.append(third)
        assert path.read_bytes().splitlines() == [r.to_json().encode() for r in (*whole, third)]


@pytest.mark.parametrize(
    "damaged",
    [b"\x00" * 40, b'{"model": "m"', b"[]", b"\xff\xfe", b'{"format_version": "2"}', b""],
)
def test_damaged_line_in_the_middle_is_moved_aside(folder: Path, damaged: bytes) -> None:
    fill(folder, make("a"))
    with (folder / "results.jsonl").open("ab") as file:
        file.write(damaged + b"\n" + make("b", "k2").to_json().encode() + b"\n")
    with closing(Store.open(folder)) as store:
        assert store.records == (make("a"), make("b", "k2"))
        assert store.notes == ["results.jsonl: moved damaged lines to corrupt.jsonl: 2"]
    assert (folder / "corrupt.jsonl").read_bytes() == damaged + b"\n"
    with closing(Store.open(folder)) as store:
        assert store.notes == []
        assert store.records == (make("a"), make("b", "k2"))


def test_record_that_lacks_a_field_is_damaged(folder: Path) -> None:
    values = json.loads(make("a").to_json())
    del values["truth"]
    folder.mkdir(parents=True)
    (folder / "results.jsonl").write_text(json.dumps(values) + "\n", encoding="utf-8")
    assert load(folder) == ()
    assert len(lines_of(folder / "corrupt.jsonl")) == 1


def test_another_format_version_is_refused_and_the_file_kept(folder: Path) -> None:
    fill(folder, make("a"))
    path = folder / "results.jsonl"
    newer = path.read_text().replace('"format_version":1', '"format_version":2')
    path.write_text(newer + "torn", encoding="utf-8")
    with pytest.raises(StoreError, match=r"format_version 1, got 2(?s:.*)--fresh"):
        Store.open(folder)
    assert path.read_text() == newer + "torn"
    path.write_text("", encoding="utf-8")
    assert load(folder) == ()


def test_new_fingerprint_makes_the_old_record_stale(folder: Path) -> None:
    fill(folder, make("a", "old"), make("b", "kept"))
    with closing(Store.open(folder)) as store:
        store.append(make("a", "new"))
        assert store.records == (make("a", "new"), make("b", "kept"))
    assert lines_of(folder / "stale.jsonl") == [make("a", "old").to_json()]
    kept = [make("a", "new").to_json(), make("b", "kept").to_json()]
    assert lines_of(folder / "results.jsonl") == kept


@pytest.mark.parametrize("field", ["model", "reasoning", "category", "mode", "source", "image_id"])
def test_records_of_different_items_live_together(folder: Path, field: str) -> None:
    changes: dict[str, Any] = {field: "constrained" if field == "mode" else "other"}
    other = dataclasses.replace(make("a", "k2"), **changes)
    fill(folder, make("a"), other)
    assert load(folder) == (make("a"), other)
    assert not (folder / "stale.jsonl").exists()


def test_error_that_was_tried_again_is_dropped(folder: Path) -> None:
    fill(folder, failed("a"))
    fill(folder, make("a"))
    assert load(folder) == (make("a"),)
    assert lines_of(folder / "results.jsonl") == [make("a").to_json()]
    assert not (folder / "stale.jsonl").exists()


def test_kill_before_closing_leaves_nothing_mixed_in(folder: Path) -> None:
    folder.mkdir(parents=True)
    log = [make("a", "old"), failed("b", "k2"), make("a", "new"), make("b", "k2")]
    text = "".join(f"{record.to_json()}\n" for record in log)
    (folder / "results.jsonl").write_text(text, encoding="utf-8")
    assert Store.read(folder) == (make("a", "new"), make("b", "k2"))
    assert load(folder) == (make("a", "new"), make("b", "k2"))
    assert lines_of(folder / "stale.jsonl") == [make("a", "old").to_json()]
    assert len(lines_of(folder / "results.jsonl")) == 2


def test_second_run_is_refused_while_the_first_lives(
    folder: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(StoreError) as caught:
        Store.open(folder)
    assert f"process {holder.pid} on {socket.gethostname()}" in str(caught.value)
    assert Store.read(folder) == ()


def test_lock_of_a_killed_run_is_taken_over(folder: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with closing(Store.open(folder)) as store:
        store.append(make("a"))
        assert f"process {os.getpid()} on" in (folder / "run.lock").read_text()


def test_lock_text_of_a_dead_process_does_not_lock(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "run.lock").write_text("process 1 on elsewhere\n", encoding="utf-8")
    assert load(folder) == ()


def test_one_process_cannot_open_a_folder_twice(folder: Path) -> None:
    with closing(Store.open(folder)), pytest.raises(StoreError, match="in use by process"):
        Store.open(folder)
    assert load(folder) == ()


def test_failed_opening_releases_the_folder(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "results.jsonl").mkdir()
    with pytest.raises(StoreError, match="IsADirectoryError"):
        Store.open(folder)
    (folder / "results.jsonl").rmdir()
    assert load(folder) == ()


def test_closing_twice_is_harmless(folder: Path) -> None:
    store = Store.open(folder)
    store.close()
    store.close()
    assert (folder / "run.lock").read_text() == ""


def test_write_replaces_a_file_and_leaves_nothing_else(folder: Path) -> None:
    with closing(Store.open(folder)) as store:
        store.write("leaderboard.md", "old\r\n")
        store.write("leaderboard.md", "Zürich\n")
        store.write("images/a.png", b"\x89PNG")
    assert (folder / "leaderboard.md").read_bytes() == "Zürich\n".encode()
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    assert names == ["images", "images/a.png", "leaderboard.md", "results.jsonl", "run.lock"]


@pytest.mark.parametrize("step", ["pathlib.Path.replace", "os.fsync"])
def test_failed_write_keeps_the_old_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with closing(Store.open(folder)) as store:
        store.write("summary.json", "old")
        monkeypatch.setattr(step, full_disk)
        with pytest.raises(StoreError, match=r"summary\.json(?s:.*)free disk space"):
            store.write("summary.json", "new")
    assert (folder / "summary.json").read_text() == "old"
    assert not list(folder.glob(".*.tmp"))


def test_full_disk_while_appending_keeps_whole_lines(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, make("a"))
    store = Store.open(folder)
    with closing(store):
        file = store._file

        class Full:
            """Takes ten bytes, as a disk that is about to be full does."""

            def write(self, line: bytes) -> int:
                return file.write(line[:10])

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

        monkeypatch.setattr(store, "_file", Full())
        with pytest.raises(StoreError, match="part of the line"):
            store.append(make("b"))
        monkeypatch.undo()
        assert lines_of(folder / "results.jsonl") == [make("a").to_json()]
        assert store.records == (make("a"),)
        store.append(make("c"))
    assert load(folder) == (make("a"), make("c"))


def test_failed_cleaning_at_the_end_is_made_up_for_at_the_next_opening(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(folder)
    store.append(failed("a"))
    store.append(make("a"))
    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    with pytest.raises(StoreError, match="No space left"):
        store.close()
    monkeypatch.undo()
    assert len(lines_of(folder / "results.jsonl")) == 2
    assert load(folder) == (make("a"),)
    assert len(lines_of(folder / "results.jsonl")) == 1


def test_folder_that_cannot_be_made_is_an_error_with_a_hint(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> NoReturn:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.mkdir", read_only)
    with pytest.raises(StoreError, match=r"Read-only file system(?s:.*)--report-dir"):
        Store.open(folder)


def test_log_gives_each_line_a_time(folder: Path) -> None:
    with closing(Store.open(folder)) as store:
        store.log("started")
        store.log("two\nlines")
    logged = [line.split(" ", 1) for line in lines_of(folder / "run.log")]
    assert [text for _, text in logged] == ["started", "two lines"]
    assert all(time.endswith("+00:00") for time, _ in logged)


def test_default_folder_is_named_after_the_data_set() -> None:
    assert default_folder("smoke") == Path("reports/smoke")


def test_fresh_folder_counts_on(tmp_path: Path) -> None:
    path = tmp_path / "smoke"
    assert fresh_folder(path) == path
    for expected in ("smoke", "smoke-2", "smoke-3"):
        with closing(Store.open(path, fresh=True)) as store:
            assert store.folder == tmp_path / expected
    with closing(Store.open(path)) as store:
        assert store.folder == path

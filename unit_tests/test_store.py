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
from vlmbench_plugin.record import FORMAT_VERSION, Record
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
        # A line that lacks its newline alone lacks nothing.
        whole = (first, second)[: (cut >= ends[0] - 1) + (cut >= sum(ends) - 1)]
        assert Store.read(folder) == whole
        assert path.stat().st_size == cut
        with closing(Store.open(folder)) as store:
            assert store.records == whole
            kept = {end - less for end in (ends[0], sum(ends)) for less in (0, 1)}
            assert bool(store.notes) == (cut not in {0, *kept})
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


def test_a_newer_format_version_is_refused_and_the_file_kept(folder: Path) -> None:
    fill(folder, make("a"))
    path = folder / "results.jsonl"
    now, then = f'"format_version":{FORMAT_VERSION}', f'"format_version":{FORMAT_VERSION + 1}'
    newer = path.read_text().replace(now, then)
    assert newer != path.read_text()
    path.write_text(newer + "torn", encoding="utf-8")
    with pytest.raises(StoreError, match=r"format_version 2 or older, got 3(?s:.*)newer release"):
        Store.open(folder)
    assert path.read_text() == newer + "torn"
    path.write_text("", encoding="utf-8")
    assert load(folder) == ()


def test_an_older_format_version_is_read_and_goes_on(folder: Path) -> None:
    """Version 1 was written with ``key_parts`` and, before, without; it knew no thinking."""
    folder.mkdir(parents=True)
    values = json.loads(make("a").to_json()) | {"format_version": 1}
    del values["thinking_forced"]
    without = {name: value for name, value in values.items() if name != "key_parts"}
    lines = [without, values | {"image_id": "b", "key_parts": {"prompt": "12345678"}}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "results.jsonl").write_text(text, encoding="utf-8")
    expected = (make("a", key_parts={}), make("b", key_parts={"prompt": "12345678"}))
    assert load(folder) == expected
    fill(folder, make("a", "new", key_parts={"prompt": "0"}))
    assert load(folder) == (make("a", "new", key_parts={"prompt": "0"}), expected[1])
    assert len(lines_of(folder / "stale.jsonl")) == 1


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


def test_what_is_set_aside_is_counted_with_the_reason(folder: Path) -> None:
    def parts(prompt: str = "0", revision: str = "0") -> dict[str, str]:
        return {"prompt": prompt, "revision": revision}

    fill(
        folder,
        *(make(name, "old", key_parts=parts()) for name in "abc"),
        make("d", "old", key_parts={}),
        make("e", "old", key_parts=parts()),
        failed("f", "same"),
    )
    with closing(Store.open(folder)) as store:
        assert store.stale_lines() == []
        for name in "ab":
            store.append(make(name, "new", key_parts=parts(prompt="1")))
        store.append(make("c", "new", key_parts=parts()))
        store.append(make("d", "new", key_parts=parts()))
        store.append(make("e", "new", key_parts=parts("1", "1")))
        store.append(make("f", "same"))
        assert store.stale_lines() == [
            "Set aside in stale.jsonl, 5 records of earlier runs:",
            "  2: another prompt",
            "  1: another image, or question about it",
            "  1: another prompt and model revision",
            "  1: another fingerprint (an older release did not store its parts)",
        ]
    assert len(lines_of(folder / "stale.jsonl")) == 5


@pytest.mark.parametrize("open_end", [False, True])
def test_what_another_program_appends_meanwhile_costs_no_record(
    folder: Path, open_end: bool
) -> None:
    foreign = make("z", "k9").to_json().encode() + b"\nnot ours" + b"\n" * (not open_end)
    with closing(Store.open(folder)) as store:
        store.append(make("a"))
        with (folder / "results.jsonl").open("ab") as file:
            file.write(foreign)
        store.append(make("b", "k2"))
    assert store.notes[0] == "results.jsonl: another program changed it during the run"
    assert store.records == (make("a"), make("z", "k9"), make("b", "k2"))
    assert load(folder) == store.records
    assert (folder / "corrupt.jsonl").read_bytes() == b"not ours\n"


@pytest.mark.parametrize("step", ["emptied", "deleted", "replaced"])
def test_a_file_that_is_taken_away_meanwhile_is_written_again(folder: Path, step: str) -> None:
    path = folder / "results.jsonl"
    fill(folder, make("a", "old"), make("b"))
    with closing(Store.open(folder)) as store:
        store.append(make("a", "new"))
        if step == "emptied":
            path.write_bytes(b"")
        else:
            path.unlink()
        if step == "replaced":
            path.write_bytes(make("z").to_json().encode() + b"\n")
        store.append(make("c"))
    expected = {"a", "b", "c"} | ({"z"} if step == "replaced" else set())
    found = {record.image_id: record for record in load(folder)}
    assert found.keys() == expected
    assert found["a"].key == "new"
    assert lines_of(folder / "stale.jsonl") == [make("a", "old").to_json()]


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


def test_a_run_that_ended_without_closing_is_told(
    folder: Path, holder: subprocess.Popen[str]
) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with closing(Store.open(folder)) as store:
        name = f"process {holder.pid} on {socket.gethostname()}"
        assert store.notes == [f"run.lock: {name} ended without closing this folder"]
    with closing(Store.open(folder)) as store:
        assert store.notes == []


def test_a_lock_that_a_dead_runs_child_still_holds_is_told_apart(folder: Path) -> None:
    """A process that was forked shares the lock: an engine that outlives the run that made it."""
    forking = (
        "import os, pathlib, sys, time\n"
        "from vlmbench_plugin.store import Store\n"
        "store = Store.open(pathlib.Path(sys.argv[1]))\n"
        "child = os.fork()\n"
        "if child:\n"
        "    print(os.getpid(), child, flush=True)\n"
        "    os._exit(0)\n"
        "os.close(1)\n"
        "time.sleep(60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", forking, str(folder)], stdout=subprocess.PIPE, text=True, check=True
    )
    parent, child = map(int, done.stdout.split())
    try:
        with pytest.raises(StoreError, match=rf"process {parent} on .* has ended(?s:.*)fuser"):
            Store.open(folder)
    finally:
        os.kill(child, signal.SIGKILL)


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
            """Takes ten bytes and no more, as a disk that is about to be full does."""

            left = 10

            def write(self, line: bytes) -> int:
                if not self.left:
                    full_disk()
                taken = file.write(line[: self.left])
                self.left -= taken
                return int(taken)

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

        monkeypatch.setattr(store, "_file", Full())
        with pytest.raises(StoreError, match="No space left"):
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
        store.log("two\nlines, and half a \ud83d pair")
    first, second, third = lines_of(folder / "run.log")
    logged = [line.split(" ", 1) for line in (first, second)]
    assert [text for _, text in logged] == ["started", "two"]
    assert all(time.endswith("+00:00") for time, _ in logged)
    assert third == "    lines, and half a \\ud83d pair"


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

"""Disks that are full, and folders that cannot be written to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from unit_tests.plugin.conftest import SMALL, Finished, run
from vlmbench_plugin.record import Record

LIMITED = """
import os, resource

def pytest_configure(config):
    if not os.path.exists("roomy"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
"""


def read(path: Path) -> list[Record]:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [Record.from_json(line) for line in text.splitlines()]


def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """Mounts a small file system of its own, or skips."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs the right to mount: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "tiny", "size=64k")


def told(finished: Finished) -> None:
    assert finished.exit == 1, finished.output
    assert "free disk space or make the folder writable" in finished.output
    assert "items missing: expected, and never reported" in finished.output
    assert "INTERNALERROR" not in finished.output
    assert "Traceback" not in finished.output


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "n2"])
def test_a_file_that_may_not_grow(tmp_path: Path, workers: tuple[str, ...]) -> None:
    (tmp_path / "conftest.py").write_text(LIMITED)
    plugins = ["xdist"] if workers else []
    finished = run(tmp_path, *SMALL, *workers, plugins=plugins)
    told(finished)
    assert "File too large" in finished.output
    kept = read(tmp_path / "out" / "results.jsonl")
    assert 0 < len(kept) < 24
    (tmp_path / "roomy").touch()
    again = run(tmp_path, *SMALL, *workers, plugins=plugins)
    assert again.exit == 0, again.output
    assert f"Replayed {len(kept)} of 24 items" in again.output
    assert len(again.records()) == 24


def test_a_full_disk(tmp_path: Path, tiny_disk: Path) -> None:
    (tmp_path / "out").symlink_to(tiny_disk)
    finished = run(tmp_path, *SMALL, "--n", "40")
    told(finished)
    assert "No space left on device" in finished.output
    assert read(tiny_disk / "results.jsonl")


def test_a_full_disk_at_the_end_costs_tables_alone(tmp_path: Path) -> None:
    """Every record is there, and the table that does not fit is not half there."""
    whole = run(tmp_path, *SMALL, "--n", "2")
    assert whole.exit == 0, whole.output
    size = max(file.stat().st_size for file in (tmp_path / "out").iterdir())
    limit = LIMITED.replace("20_000", str(size)).replace("RLIMIT_FSIZE, (", "RLIMIT_FSIZE, (1+")
    (tmp_path / "conftest.py").write_text(
        limit + "    import vlmbench_plugin.report.summary as summary\n"
        f"    summary.as_csv = lambda rows: 'x' * {2 * size}\n"
    )
    table = (tmp_path / "out" / "summary.csv").read_text()
    again = run(tmp_path, *SMALL, "--n", "2")
    assert again.exit == 1
    assert "summary.csv" in again.output
    assert "free disk space" in again.output
    assert (tmp_path / "out" / "summary.csv").read_text() == table
    assert not list((tmp_path / "out").glob(".*.tmp"))
    assert len(read(tmp_path / "out" / "results.jsonl")) == 8


def test_a_folder_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("no folder")
    finished = run(tmp_path, *SMALL)
    assert finished.exit == pytest.ExitCode.USAGE_ERROR, finished.output
    assert "expected to read and write" in finished.output
    assert "another --report-dir" in finished.output
    assert "INTERNALERROR" not in finished.output
    assert (tmp_path / "out").read_text() == "no folder"


def test_a_read_only_folder(tmp_path: Path) -> None:
    """Permissions do not bind root, a read-only file system does."""
    folder = tmp_path / "out"
    first = run(tmp_path, *SMALL)
    assert first.exit == 0, first.output
    before = (folder / "results.jsonl").read_bytes()
    if os.geteuid() == 0:
        bind = ["mount", "--bind", str(folder), str(folder)]
        done = subprocess.run(bind, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"root, without the right to mount: {done.stderr.strip()}")
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
    else:
        folder.chmod(0o500)
        (folder / "run.lock").chmod(0o400)
    try:
        finished = run(tmp_path, *SMALL, "--n", "7")
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", str(folder)], check=True)
        else:
            folder.chmod(0o700)
    assert finished.exit == pytest.ExitCode.USAGE_ERROR, finished.output
    assert "make the folder writable" in finished.output
    assert (folder / "results.jsonl").read_bytes() == before

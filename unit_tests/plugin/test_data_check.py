"""``qwen-vlmbench data check DIR`` as it is typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from vlmbench_plugin.data_command import data_command

CONFTEST = """
from vlmbench_plugin.core import Score, VisionTask
from vlmbench_plugin.fields import integer

def pytest_vlmbench_tasks():
    return [
        VisionTask(
            category="dots", title="dots", fields={"dots": integer(0, 99)}, prompt="{schema}",
            score=lambda a, t, v: Score(primary=float(a["dots"] == t["dots"])), answer_tokens=16,
        )
    ]

def pytest_collection():
    raise AssertionError("nothing is collected")
"""


def typed(folder: Path, *given: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; from vlmbench_plugin.data_command import data_command; "
    return subprocess.run(
        [sys.executable, "-c", program + "sys.exit(data_command(sys.argv[1:]))", *given],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a task of its own and a line about an image."""
    (tmp_path / "my" / "dots").mkdir(parents=True)
    Image.new("RGB", (100, 80)).save(tmp_path / "my" / "dots" / "1.png")
    write(tmp_path, '{"image": "1.png", "truth": {"dots": 3}}\n')
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "--nonsense"\n')
    return tmp_path


def write(folder: Path, text: str) -> None:
    (folder / "my" / "dots" / "manifest.jsonl").write_text(text)


def test_good_data_of_a_task_of_ones_own(folder: Path) -> None:
    done = typed(folder, "check", "my")
    assert (done.returncode, done.stdout) == (0, "1 line in 1 category, 0 problems\n"), done.stderr
    assert done.stderr == ""
    assert not (folder / "reports").exists()


def test_problems_are_told_line_by_line(folder: Path) -> None:
    write(folder, '{"image": "1.png", "truth": {"dots": 3}}\n{"image": "2.png", "id": "x"}\n')
    done = typed(folder, "check", "my/")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "my/dots/manifest.jsonl:2: expected a file, got nothing at my/dots/2.png",
        "  hint: paths are relative to my/dots, with / between folders",
        "my/dots/manifest.jsonl:2: truth: expected an object with fields of dots, got null",
        "  hint: fields: dots",
        "2 lines in 1 category, 2 problems",
    ]


def test_a_conftest_that_fails_is_told(folder: Path) -> None:
    (folder / "conftest.py").write_text("raise ValueError('no tasks today')\n")
    done = typed(folder, "check", "my")
    assert done.returncode == 4
    assert "no tasks today" in done.stderr


@pytest.mark.parametrize("given", [(), ("chekc", "my"), ("check",), ("check", "my", "--fast")])
def test_a_usage_error(given: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert data_command(given) == 4
    assert "usage: qwen-vlmbench data" in capsys.readouterr().err


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data_command(["check", str(tmp_path / "my")]) == 4
    assert "there is no such folder" in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert data_command(["--help"]) == 0
    assert "check" in capsys.readouterr().out

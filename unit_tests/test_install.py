"""The built wheel in fresh environments: what a stranger gets. Slow: CI runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "transformers", "xgrammar", "datasets")
STUB = ("--runner", "stub", "--dataset", "smoke")

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own, and an empty folder to work in."""

    bin: Path
    work: Path

    def run(self, *command: str, check: bool = True) -> str:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "PYTHON", "COV"))}
        done = subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.work,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def rows(self, folder: str) -> list[str]:
        return sorted((self.work / folder / "metrics.jsonl").read_text().splitlines())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("qwen_vlmbench-*.whl")
    return built


def make(folder: Path, *requirements: str) -> Environment:
    venv.create(folder / "venv", with_pip=True)
    (folder / "work").mkdir()
    made = Environment(folder / "venv" / "bin", folder / "work")
    made.run("python", "-m", "pip", "install", "-q", *requirements)
    return made


@pytest.fixture(scope="module")
def newest(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return make(tmp_path_factory.mktemp("newest"), str(wheel), "pytest-xdist")


@pytest.fixture(scope="module")
def oldest(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    pins = ("pytest==8.3.0", "pytest-xdist==3.6.1")
    return make(tmp_path_factory.mktemp("oldest"), str(wheel), *pins)


def test_the_stub_runs_from_the_wheel_without_torch(newest: Environment) -> None:
    for package in HEAVY:
        assert "ModuleNotFoundError" in newest.run("python", "-c", f"import {package}", check=False)
    output = newest.run("qwen-vlmbench", *STUB)
    assert "no model ran" in output.lower()
    assert " missed" in output
    folder = newest.work / "reports" / "smoke"
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 15 * 2
    names = {"results.jsonl", "leaderboard.md", "summary.json", "summary.csv", "manifest.json"}
    assert names <= {path.name for path in folder.iterdir()}


def test_a_model_without_the_extra_is_told_how_to_get_it(newest: Environment) -> None:
    output = newest.run("qwen-vlmbench", "--n", "1", "--categories", "ocr_text", check=False)
    assert "pip install 'qwen-vlmbench[vlm]'" in output


def test_oldest_and_newest_pytest_agree_with_and_without_workers(
    newest: Environment, oldest: Environment
) -> None:
    metrics, ids = [], []
    for environment in (newest, oldest):
        for workers in ((), ("-n", "2")):
            folder = f"run{len(workers)}"
            options = ("--runner", "stub", "--n", "3", "--report-dir", folder, *workers)
            environment.run("qwen-vlmbench", *options)
            metrics.append(environment.rows(folder))
        listed = environment.run(
            "qwen-vlmbench", "--runner", "stub", "--n", "3", "--collect-only", "-q"
        )
        ids.append([line for line in listed.splitlines() if "::test_label[" in line])
    assert len(ids[0]) == 15 * 2 * 3
    assert ids[0] == ids[1]
    assert all(rows == metrics[0] for rows in metrics)

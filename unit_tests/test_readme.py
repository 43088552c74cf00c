"""Every command of README.md is run, or is known to be run elsewhere.

Models of the hub cannot be had here: their commands run as they stand, with the stub in their place
and two images a task.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ELSEWHERE = {
    "make bench": "makes its own environment; test_what_make_bench_asks runs the rest, at --n 1",
    "make test": "runs this test",
    "pip install -e .": "unit_tests/test_install.py installs the wheel",
    "pip install -e '.[vlmbench]'": "unit_tests/test_install.py installs the wheel",
}
OF_A_FOLDER = ("report", "route", "compare", "merge", "plan")
STUB = ("--runner", "stub", "--n", "2", "--thumbnails", "off")


def blocks() -> list[list[str]]:
    """The lines of every fenced block that is not a sample of output."""
    found = re.findall(r"^```\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [block.splitlines() for block in found if not block.startswith(("Data set", "No model"))]


def commands() -> list[str]:
    lines = [line for block in blocks() for line in block if line and not line.startswith("#")]
    return [re.sub(r"\s{2,}#.*$", "", line).strip() for line in lines]


def arguments(command: str, folder: Path) -> tuple[list[str], Path]:
    """What is run for a command, and where."""
    name, *rest = shlex.split(command)
    rest = [part.replace("./my-checkpoint", "tiny-qwen3vl") for part in rest]
    if name == "pytest":
        kept = [part for part in rest if not part.startswith("--junitxml")]
        return [sys.executable, "-m", "pytest", *kept, *STUB, "--report-dir", str(folder)], ROOT
    plain = bool(rest) and (not rest[0].startswith("-"))
    return [
        str(BIN / "qwen-vlmbench"),
        *rest,
        *(() if plain or "--runner" in rest else STUB),
    ], folder


def run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_commands_are_found() -> None:
    found = commands()
    assert ELSEWHERE.keys() <= set(found)
    assert sum(command.startswith(("pytest ", "qwen-vlmbench ")) for command in found) >= 15
    known = ("make ", "pip ", "mkdir ", "pytest ", "qwen-vlmbench ")
    assert not [command for command in found if not command.startswith(known)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        command
        for command in commands()
        if command.startswith(("pytest ", "qwen-vlmbench "))
        and "my/" not in command
        and command.split()[1] not in OF_A_FOLDER
    ],
)
def test_a_run_of_the_readme(command: str, tmp_path: Path) -> None:
    run(*arguments(command, tmp_path))


@pytest.mark.slow
def test_what_make_bench_asks(tmp_path: Path) -> None:
    (asked,) = re.findall(
        r"^BENCH \?= (.*) --n \d+$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    folder = tmp_path / "out"
    few = ("--n", "1", "--report-dir", str(folder))
    run([sys.executable, "-m", "pytest", "bench_tests", *asked.split(), *few], ROOT)
    records = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert {record["model"] for record in records} == {"tiny-qwen3vl", "tiny-qwen3.5"}
    assert len(records) == 2 * 2 * 15
    held = [record for record in records if record["mode"] == "constrained"]
    assert all(record["schema_valid"] for record in held)
    assert (folder / "report.html").is_file()


@pytest.mark.slow
def test_what_the_readme_does_after_a_run(tmp_path: Path) -> None:
    asked = ("--categories", "image_classification", "depth_analysis")
    run([str(BIN / "qwen-vlmbench"), *STUB, "--runner", "vlm", *asked], tmp_path)
    for model in ("one", "two"):
        where = ("--report-dir", f"reports/{model}", "--frame", "norm_0_1000")
        run([str(BIN / "qwen-vlmbench"), "--models", f"{model}=a/b", *where, *STUB], tmp_path)
    after = [one for one in commands() if one.split()[1] in OF_A_FOLDER]
    assert {one.split()[1] for one in after} == set(OF_A_FOLDER)
    for command in after:
        run(*arguments(command, tmp_path))


@pytest.mark.slow
def test_ones_own_images_in_five_lines(tmp_path: Path) -> None:
    (block,) = [block for block in blocks() if any("data check" in line for line in block)]
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (320, 240)).save(tmp_path / "photos" / "cat.jpg")
    make, _, line, check, label = block
    run(["bash", "-c", make], tmp_path)
    manifest = tmp_path / "my" / "bbox_grounding" / "manifest.jsonl"
    manifest.write_text(json.dumps(json.loads(line.removeprefix("# "))) + "\n", encoding="utf-8")
    run(*arguments(re.sub(r"\s{2,}#.*$", "", check), tmp_path))
    run(*arguments(label, tmp_path))

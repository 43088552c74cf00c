from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vlmbench_plugin.cli import main, pytest_arguments


def arguments(*given: str) -> list[str]:
    """Returns what is passed on, without what is the same for every call."""
    found = pytest_arguments(given, Path("/here"))
    fixed = pytest_arguments((), Path("/here"))
    assert found[: len(fixed)] == fixed
    return found[len(fixed) :]


def test_lists_may_be_separated_by_spaces() -> None:
    assert arguments("--models", "a", "b", "--modes", "json_mode", "constrained", "--n", "12") == [
        "--vlm-model=a",
        "--vlm-model=b",
        "--vlm-mode=json_mode",
        "--vlm-mode=constrained",
        "--vlm-n=12",
    ]


def test_what_is_not_ours_goes_to_pytest() -> None:
    assert arguments("-x", "--model", "a", "-q", "-n", "2", "--junitxml", "out.xml", "--fresh") == [
        "--vlm-model=a",
        "--vlm-fresh",
        "-x",
        "-q",
        "-n",
        "2",
        "--junitxml",
        "out.xml",
    ]


def test_a_list_given_twice_is_one_list() -> None:
    assert arguments("--model", "a", "--vlm-model", "b,c") == ["--vlm-model=a", "--vlm-model=b,c"]


def test_the_folder_is_the_root_and_its_ini_file_is_not_read() -> None:
    found = pytest_arguments((), Path("/here"))
    assert found[:2] == ["--pyargs", "vlmbench_plugin.bench"]
    assert "--rootdir=/here" in found
    assert found[found.index("-c") + 1] == os.devnull


def test_items_run_in_order_beside_pytest_randomly(tmp_path: Path) -> None:
    script = Path(sys.executable).parent / "qwen-vlmbench"
    command = [str(script), "--runner", "stub", "--n", "12", "--categories", "ocr_text", "-v"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    ran = [
        line.split("[")[1].split("]")[0]
        for line in done.stdout.splitlines()
        if "test_label[" in line
    ]
    assert len(ran) == 24
    assert ran == sorted(ran, key=lambda name: "constrained" in name)
    assert ran[:12] == sorted(ran[:12])


def test_help_shows_options_commands_and_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    for expected in ("--models", "--runner-arg", "schema CATEGORY", "exit status", "json_mode"):
        assert expected in text


def test_models_and_tasks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    assert "qwen3vl-30b-a3b" in capsys.readouterr().out
    assert main(["tasks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 16
    assert lines[3].startswith("ocr_text ")


def test_schema_prints_artifacts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "bbox_grounding"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert set(schema["properties"]) == {"detections", "count"}
    assert main(["schema", "bbox_grounding", "--format", "gbnf"]) == 0
    whole = capsys.readouterr().out
    assert whole.startswith("root ::=")
    assert main(["schema", "bbox_grounding", "--format", "gbnf", "--frame", "norm_0_1"]) == 0
    assert capsys.readouterr().out != whole


def test_schema_names_the_valid_categories(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["schema", "cats"])
    assert "depth_analysis" in capsys.readouterr().err


def console(folder: Path, *given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from vlmbench_plugin.cli import main; raise SystemExit(main())",
            *given,
        ],
        cwd=folder,
        env={
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_PLUGINS": "vlmbench_plugin.plugin",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


FOREIGN = """
[tool.pytest.ini_options]
addopts = "--no-such-option --strict-markers"
python_functions = ["check_*"]
filterwarnings = ["error"]
required_plugins = ["pytest-nowhere"]
"""


def test_it_runs_in_a_foreign_folder_with_its_conftest(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(FOREIGN)
    (tmp_path / "conftest.py").write_text(
        "def pytest_report_header():\n    return 'conftest of the folder'\n"
    )
    done = console(
        tmp_path,
        *("--runner", "stub", "--dataset", "smoke", "--n", "1"),
        *("--categories", "image_classification", "bbox_grounding", "ocr_text"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "conftest of the folder" in done.stdout
    lines = (tmp_path / "reports" / "smoke" / "results.jsonl").read_text().splitlines()
    assert len(lines) == 6


def test_the_exit_status_is_that_of_pytest(tmp_path: Path) -> None:
    done = console(tmp_path, "--runner", "stub", "--n", "0")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--n takes a whole number of at least 1, got '0'" in done.stderr


def test_a_command_leaves_the_signals_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGPIPE)
    assert main(["models"]) == 0
    assert signal.getsignal(signal.SIGPIPE) == before

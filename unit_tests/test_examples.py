"""The examples, run as their users would."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from vlmbench_plugin.core import MODES, VisionTask
from vlmbench_plugin.fields import artifacts
from vlmbench_plugin.pictures import Picture

INVOICES = Path(__file__).parents[1] / "examples" / "invoices"
DATA = INVOICES / "data" / "invoices"
LINES = [json.loads(line) for line in (DATA / "manifest.jsonl").read_text("utf-8").splitlines()]


def loaded(name: str) -> ModuleType:
    """Imports a file of the example under a name that nothing else has."""
    spec = importlib.util.spec_from_file_location(f"invoices_{name}", INVOICES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def task() -> VisionTask:
    (found,) = loaded("conftest").pytest_vlmbench_tasks()
    assert isinstance(found, VisionTask)
    return found


def picture(folder: Path, name: str) -> Picture:
    return Picture((folder / name).read_bytes(), name)


def test_it_is_as_small_as_it_says() -> None:
    assert len((INVOICES / "conftest.py").read_text().splitlines()) < 40
    images = [path for path in DATA.iterdir() if path.suffix != ".jsonl"]
    assert {path.name for path in images} == {line["image"] for line in LINES}
    assert len(LINES) == 8
    assert sum(path.stat().st_size for path in images) < 400_000


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["image"])
def test_a_label_is_a_legal_answer_that_scores_1(line: dict[str, Any], task: VisionTask) -> None:
    truth = line["truth"]
    artifacts(task.fields, {}, "pixel", "closed").model.model_validate_json(json.dumps(truth))
    score = task.score(truth, truth, {})
    assert score.primary == 1
    assert dict(score.secondary) == dict.fromkeys(task.fields, 1)
    # A token is at least one byte; json_mode gets twice the bound.
    assert len(json.dumps(truth, ensure_ascii=False).encode()) <= 2 * task.answer_tokens


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"vendor": "QUILL & MARGIN STATIONERS."}, 1),
        ({"number": "QM 2041"}, 1),
        ({"number": "QM-2014"}, 6 / 7),
        ({"total": 215.47}, 6 / 7),
        ({"due": None}, 6 / 7),
        ({"items": LINES[0]["truth"]["items"][::-1]}, 1),
        ({"items": LINES[0]["truth"]["items"][:2]}, (6 + 2 * 2 / 5) / 7),
    ],
)
def test_what_counts(changed: dict[str, Any], expected: float, task: VisionTask) -> None:
    truth = LINES[0]["truth"]
    answer = {key: value for key, value in (truth | changed).items() if value is not None}
    assert task.score(answer, truth, {}).primary == pytest.approx(expected)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["image"])
def test_the_amounts_add_up(line: dict[str, Any]) -> None:
    truth, look = line["truth"], loaded("make_images").LOOKS[line["image"]]
    coin = Decimal(1).scaleb(-look.digits)
    net = sum(
        (item["quantity"] * Decimal(str(item["price"]))).quantize(coin) for item in truth["items"]
    )
    assert (net * (100 + look.tax) / 100).quantize(coin) == Decimal(str(truth["total"]))


def test_the_images_are_drawn_from_the_labels(tmp_path: Path) -> None:
    """Of another FreeType or zlib neither pixels nor bytes are the same, but nearly so."""
    shutil.copy(DATA / "manifest.jsonl", tmp_path)
    loaded("make_images").main(tmp_path)
    for line in LINES:
        ours, again = (picture(folder, line["image"]).rgb() for folder in (DATA, tmp_path))
        assert ours.size == again.size
        apart = np.abs(np.asarray(ours, np.int16) - np.asarray(again, np.int16))
        assert apart.mean() < 2, line["image"]


def test_one_image_is_stored_sideways() -> None:
    turned = [
        line["image"]
        for line in LINES
        if picture(DATA, line["image"]).size() != picture(DATA, line["image"]).raw().size
    ]
    assert turned == ["5-studio.jpg"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example, as someone has it who took the folder alone."""
    copy = tmp_path / "invoices"
    shutil.copytree(INVOICES, copy, ignore=shutil.ignore_patterns("__pycache__", "reports"))
    return copy


def command(folder: Path, *given: str) -> subprocess.CompletedProcess[str]:
    script = "import sys; from vlmbench_plugin.cli import main; raise SystemExit(main())"
    return subprocess.run(
        [sys.executable, "-c", script, *given],
        cwd=folder,
        env={
            **os.environ,
            "PYTEST_ADDOPTS": "",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_PLUGINS": "vlmbench_plugin.plugin",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_every_item_is_accounted_for(folder: Path) -> None:
    done = command(folder, "--runner", "stub", "--data-dir", "data")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (folder / "reports" / "data" / "results.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert Counter(record["mode"] for record in records) == dict.fromkeys(MODES, 8)
    assert {record["category"] for record in records} == {"invoices"}
    assert {record["status"] for record in records} <= {"passed", "missed"}
    held = [record for record in records if record["mode"] == "constrained"]
    # The stub's answer is the truth, or a truth that it spoilt so that it is a miss.
    assert {record["primary_score"] for record in held if record["passed"]} == {1}
    assert sorted(record["truth"]["number"] for record in held) == sorted(
        line["truth"]["number"] for line in LINES
    )
    rows = (folder / "reports" / "data" / "metrics.jsonl").read_text("utf-8").splitlines()
    for row in map(json.loads, rows):
        assert row["n"] == 8
        assert row["floor"] < 0.6


def test_the_labels_are_clean(folder: Path) -> None:
    done = command(folder, "data", "check", "data")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_label_is_not(folder: Path) -> None:
    manifest = folder / "data" / "invoices" / "manifest.jsonl"
    manifest.write_text(manifest.read_text("utf-8").replace('"GBP"', '"GPB"', 1), encoding="utf-8")
    done = command(folder, "data", "check", "data")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "manifest.jsonl:1: " in done.stdout
    assert "currency" in done.stdout

"""Earlier runs: which file is read, and what is told of one that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unit_tests.test_aggregate import error, item
from vlmbench_plugin.aggregate import aggregate
from vlmbench_plugin.baselines import (
    Baseline,
    baseline_file,
    check_cells,
    check_speeds,
    machine_of,
    read_baseline,
)
from vlmbench_plugin.errors import StoreError, UsageError
from vlmbench_plugin.report.summary import metrics_lines

MACHINE = {"host": "here", "processor": "x86_64", "cores": 8, "platform": "Linux-6"}
SETTINGS = {"device": "auto", "server_url": None, "n": 50}


def test_records_come_before_metrics(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").touch()
    assert baseline_file(tmp_path).name == "metrics.jsonl"
    (tmp_path / "results.jsonl").touch()
    assert baseline_file(tmp_path).name == "results.jsonl"
    assert baseline_file(tmp_path / "metrics.jsonl").name == "metrics.jsonl"
    (tmp_path / "summary.json").touch()
    for wrong in (tmp_path / "summary.json", tmp_path / "nowhere"):
        with pytest.raises(UsageError, match=r"there is no results\.jsonl and no metrics\.jsonl"):
            baseline_file(wrong)


def test_metrics_are_read_as_they_were_written(tmp_path: Path) -> None:
    records = [
        item(0, 1.0),
        item(1, None),
        item(2, 0.5, category="empty"),
        error(3, category="bad"),
    ]
    rows = aggregate(records, categories=("ocr_text",))
    (tmp_path / "metrics.jsonl").write_text(metrics_lines(rows))
    found = read_baseline(tmp_path)
    assert found.cells == {("m", "ocr_text", "json_mode"), ("m", "empty", "json_mode")}
    of_first = found.row_of(records[0])
    assert of_first is not None
    assert (of_first.effective_yield, of_first.n) == (0.5, 2)
    assert of_first.effective_yield_interval == rows[0].effective_yield_interval
    assert found.row_of(item(0, 1.0, reasoning="on")) is None
    assert found.manifest is None


@pytest.mark.parametrize("line", ["{", "[]", "3", '{"model": "m"}', "null"])
def test_lines_that_are_no_metrics_are_told(tmp_path: Path, line: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(f"{line}\n")
    with pytest.raises(
        StoreError, match=r"(?s)expected lines of a metrics\.jsonl in .*hint: write"
    ):
        read_baseline(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "null"])
def test_a_damaged_manifest_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics.jsonl").touch()
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(StoreError, match=r"in .*manifest\.json, got"):
        read_baseline(tmp_path)


def test_what_a_baseline_lacks_is_named() -> None:
    found = Baseline.of(Path("old"), [item(0, 1.0), error(1, category="segmentation")])
    check_cells(found, [("m", "ocr_text", "json_mode")])
    lacking: list[Any] = [("m", name, "json_mode") for name in ("a", "b", "c", "segmentation")]
    with pytest.raises(UsageError, match=r"no scored item of m-a-json_mode, .* and 1 more; its m"):
        check_cells(found, [*lacking, ("m", "ocr_text", "json_mode")])
    with pytest.raises(UsageError, match="its models: none"):
        check_cells(Baseline.of(Path("old"), []), lacking)


def test_the_kernel_and_the_number_of_images_make_no_machine() -> None:
    own = machine_of({"machine": MACHINE, "settings": SETTINGS})
    assert own == {
        "host": "here",
        "processor": "x86_64",
        "cores": 8,
        "device": "auto",
        "server_url": None,
    }
    for unknown in (None, {}, {"machine": "here"}, {"machine": None}):
        assert machine_of(unknown) == {}


@pytest.mark.parametrize(
    ("machine", "settings", "told"),
    [
        ({"cores": 4}, {}, "cores 4 there, 8 here"),
        (
            {"host": "h"},
            {"device": "cuda"},
            "host h there, here here; device cuda there, ",
        ),
        ({}, {"server_url": "http://a/v1"}, "server_url http://a/v1 there, None here"),
    ],
)
def test_another_machine_is_refused(
    machine: dict[str, Any], settings: dict[str, Any], told: str
) -> None:
    own = machine_of({"machine": MACHINE, "settings": SETTINGS})
    timed = item(0, 1.0, output_tokens=5, busy_s=0.5)
    same = {"machine": MACHINE, "settings": SETTINGS}
    other = {"machine": MACHINE | machine, "settings": SETTINGS | settings}
    cells: list[Any] = [("m", "ocr_text", "json_mode")]
    check_speeds(Baseline.of(Path("old"), [timed], same), cells, own)
    with pytest.raises(UsageError) as raised:
        check_speeds(Baseline.of(Path("old"), [timed], json.loads(json.dumps(other))), cells, own)
    assert told in str(raised.value)
    with pytest.raises(UsageError, match="has no times of m-ocr_text-json_mode"):
        check_speeds(Baseline.of(Path("old"), [item(0, 1.0)], same), cells, own)

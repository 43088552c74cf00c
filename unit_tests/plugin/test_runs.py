"""The same run without xdist, with -n 0 and with -n 2: one result."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from unit_tests.plugin.conftest import CATEGORIES, SMALL, Finished, run
from vlmbench_plugin.record import Record

VARIANTS: Mapping[str, tuple[str, ...]] = {"plain": (), "-n 0": ("-n", "0"), "-n 2": ("-n", "2")}
REPORTS = ("--junitxml", "junit.xml", "--json-report", "--json-report-file", "report.json")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Finished]:
    """Every variant once; without -n even xdist itself is not there."""
    found = {}
    for name, arguments in VARIANTS.items():
        plugins = ["pytest_jsonreport.plugin", "pytest_metadata.plugin"]
        plugins += ["xdist"] if arguments else []
        folder = tmp_path_factory.mktemp("run")
        found[name] = run(folder, *SMALL, *REPORTS, "-v", *arguments, plugins=plugins)
    return found


@pytest.fixture(params=VARIANTS)
def finished(request: pytest.FixtureRequest, runs: Mapping[str, Finished]) -> Finished:
    return runs[request.param]


EXPECTED_IDS = {
    f"tiny-qwen3vl-{category}-{mode}-{index:04d}"
    for category in CATEGORIES.split(",")
    for mode in ("json_mode", "constrained")
    for index in range(6)
}


def test_it_ends_with_the_decision_and_the_path_of_the_page(finished: Finished) -> None:
    said = json.loads(finished.text("summary.json"))["decision"]
    assert said[0].startswith("Take tiny-qwen3vl (")
    assert len(said) > 2
    lines = finished.output.splitlines()
    assert lines.count("Decision") == 1
    page = finished.folder / "out" / "report.html"
    last = lines.index(f"Written to {page.parent}; open {page}")
    shown = " ".join(lines[lines.index("Decision") + 1 : last]).split()
    assert shown == " ".join(said).split()
    assert page.is_file()
    assert not any("vlmbench" in line for line in lines[last + 1 :])
    for sentence in said:
        assert sentence in finished.text("report.html")


def test_misses_are_no_failures(finished: Finished) -> None:
    assert finished.exit == 0, finished.output
    counts = Counter(record["status"] for record in finished.records())
    assert counts.keys() == {"passed", "missed"}
    assert f" {counts['passed']} passed, {counts['missed']} missed in " in finished.output
    failure = next(r["failure"] for r in finished.records() if r["status"] == "missed")
    assert f"MISSED ({failure})" in finished.output


def test_every_item_is_one_line(finished: Finished) -> None:
    lines = (finished.folder / "out" / "results.jsonl").read_text().splitlines()
    records = [Record.from_json(line) for line in lines]
    ids = {f"{r.model}-{r.category}-{r.mode}-{r.case_index:04d}" for r in records}
    assert ids == EXPECTED_IDS
    assert len(lines) == len(EXPECTED_IDS)
    assert all(f"::test_label[{name}]" in finished.output for name in EXPECTED_IDS)


@pytest.mark.parametrize("name", ["metrics.jsonl", "leaderboard.md", "summary.json", "summary.csv"])
def test_all_variants_write_the_same(runs: Mapping[str, Finished], name: str) -> None:
    texts = {finished.text(name) for finished in runs.values()}
    assert len(texts) == 1
    assert texts != {""}


def test_all_variants_store_the_same_records(runs: Mapping[str, Finished]) -> None:
    plain = runs["plain"].records()
    assert plain == runs["-n 0"].records() == runs["-n 2"].records()


def test_junit_has_score_validity_and_failure_of_every_item(finished: Finished) -> None:
    cases = {
        case.attrib["name"]: {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
        for case in ET.parse(finished.folder / "junit.xml").iter("testcase")
        if case.attrib["classname"] == "bench_tests.test_bench"
    }
    assert cases.keys() == {f"test_label[{name}]" for name in EXPECTED_IDS}
    for record in finished.records():
        found = cases[
            f"test_label[{record['model']}-{record['category']}-{record['mode']}"
            f"-{record['case_index']:04d}]"
        ]
        score = record["primary_score"]
        assert found["score"] == ("" if score is None else str(score))
        assert found["valid"] == str(record["schema_valid"]).lower()
        assert found["failure"] == (record["failure"] or "")


def test_junit_never_holds_what_a_model_said(finished: Finished) -> None:
    text = (finished.folder / "junit.xml").read_text()
    assert "raw_text" not in text
    assert not any(record["raw_text"][:30] in text for record in finished.records())


def test_junit_has_a_case_per_cell(finished: Finished) -> None:
    cells = {
        case.attrib["name"]: {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
        for case in ET.parse(finished.folder / "junit.xml").iter("testcase")
        if case.attrib["classname"] == "vlmbench"
    }
    rows = [json.loads(line) for line in finished.text("metrics.jsonl").splitlines()]
    assert len(rows) == 4
    assert cells.keys() == {f"{r['model']}-{r['category']}-{r['mode']}" for r in rows}
    for row in rows:
        found = cells[f"{row['model']}-{row['category']}-{row['mode']}"]
        assert (found["n"], found["yield"]) == ("6", str(row["effective_yield"]))
        assert found["validity"] == str(row["schema_valid_rate"])
        assert float(found["yield_low"]) < float(found["yield_high"])
        assert found["floor"] == ""  # fewer than eight cases


def test_json_report_has_the_same_as_metadata(finished: Finished) -> None:
    report = json.loads((finished.folder / "report.json").read_text())
    found = {test["nodeid"].partition("[")[2][:-1]: test["metadata"] for test in report["tests"]}
    assert found.keys() == EXPECTED_IDS
    for record in finished.records():
        metadata = found[
            f"{record['model']}-{record['category']}-{record['mode']}-{record['case_index']:04d}"
        ]
        assert metadata["score"] == record["primary_score"]
        assert metadata["valid"] == record["schema_valid"]
        assert metadata["failure"] == record["failure"]
        assert metadata["status"] == record["status"]


def test_the_summary_says_what_ran_and_where_it_is(finished: Finished) -> None:
    assert "No model ran: stub answers." in finished.output
    assert f"Written to {finished.folder / 'out'}" in finished.output
    rows = list(csv.DictReader(finished.text("summary.csv").splitlines()))
    assert [row["n"] for row in rows] == ["6"] * 4


def test_a_line_is_printed_for_every_finished_cell(finished: Finished) -> None:
    for category in CATEGORIES.split(","):
        for mode in ("json_mode", "constrained"):
            assert finished.output.count(f"tiny-qwen3vl {category} {mode}: n 6") == 1


def test_the_manifest_names_versions_and_settings(finished: Finished) -> None:
    manifest = json.loads(finished.text("manifest.json"))
    assert manifest["packages"]["pytest"] == pytest.__version__
    assert manifest["settings"]["runner"] == "stub"
    assert manifest["models"]["tiny-qwen3vl"]["frame"] == "norm_0_1000"
    assert set(manifest["prompts"]) == set(CATEGORIES.split(","))
    assert "bench_tests" in manifest["command"]


@pytest.mark.parametrize("name", ["plain", "-n 2"])
def test_a_second_run_replays(runs: Mapping[str, Finished], name: str) -> None:
    finished = runs[name]
    plugins = ["xdist"] if VARIANTS[name] else []
    before = {
        path: finished.text(path) for path in ("results.jsonl", "metrics.jsonl", "summary.json")
    }
    again = run(
        finished.folder, *SMALL, "--junitxml", "again.xml", *VARIANTS[name], plugins=plugins
    )
    assert again.exit == 0, again.output
    assert before == {path: finished.text(path) for path in before}
    assert "Replayed 24 of 24 items" in again.output
    count = Counter(record["status"] for record in again.records())
    assert f" {count['passed']} passed, {count['missed']} missed in " in again.output
    properties = [
        {(p.attrib["name"], p.attrib["value"]) for p in case.iter("property")}
        for path in ("junit.xml", "again.xml")
        for case in sorted(
            ET.parse(finished.folder / path).iter("testcase"), key=lambda case: case.attrib["name"]
        )
    ]
    assert properties[: len(properties) // 2] == properties[len(properties) // 2 :]


def test_what_pytest_refuses_after_collection_misses_nothing(tmp_path: Path) -> None:
    """pytest 9.1 and newer end with a usage error here, older ones deselect every item."""
    done = run(tmp_path, *SMALL, "-m", "nosuch", "--strict-markers")
    assert done.exit in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert "missing" not in done.output
    assert not (tmp_path / "out" / "metrics.jsonl").exists()

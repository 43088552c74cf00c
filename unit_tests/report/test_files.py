from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from unit_tests.report.conftest import NOTHING, json_of, markdown_of
from vlmbench_plugin.aggregate import LeaderboardRow, MetricsRow
from vlmbench_plugin.conclusions import rank_intervals
from vlmbench_plugin.findings import (
    Acceptance,
    Choice,
    ConstraintTax,
    Cost,
    CurvePoint,
    Findings,
    Ranking,
    Recommendation,
    Router,
    Standing,
)
from vlmbench_plugin.gates import Verdict
from vlmbench_plugin.record import Record
from vlmbench_plugin.report import summary, terminal
from vlmbench_plugin.report.decision import decision
from vlmbench_plugin.report.heading import Heading

PAGE = Path(__file__).parents[2] / "docs" / "results-format.md"


def table_after(text: str, first: str) -> list[dict[str, str]]:
    """Reads the Markdown table whose first column is ``first``."""
    lines = text[text.index(f"\n| {first} |") + 1 :].split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [dict(zip(cells[0], line, strict=True)) for line in cells[2:]]


def plain(text: str) -> str:
    """Takes the escapes out of a line of Markdown."""
    return re.sub(r"\\(.)", r"\1", text)


def test_all_outputs_show_the_same_numbers(make_run: Any, findings: Findings) -> None:
    run = board, rows, heading = make_run(ranks=rank_intervals(findings))
    lines = terminal.leaderboard_lines(board, rows, heading)
    page = markdown_of(run, findings)
    content = json.loads(json_of(run, findings))
    table = list(csv.DictReader(io.StringIO(summary.as_csv(rows))))
    stream = [json.loads(line) for line in summary.metrics_lines(rows).splitlines()]
    assert len(table) == len(stream) == len(rows) == len(content["metrics"])
    assert stream == content["metrics"]
    grid = {line["category"]: line for line in table_after(page, "category")}
    for row, values in zip(rows, table, strict=True):
        assert float(values["effective_yield"]) == row.effective_yield
        shown = f"{float(values['effective_yield']):.2f}" if values["primary_score_mean"] else "n/a"
        if values["primary_score_mean"] and float(values["lift_interval.low"]) <= 0:
            shown += "~"
        short = {"json_mode": "json", "constrained": "constr"}[row.mode]
        best = max(r.effective_yield for r in rows if r.category == row.category)
        stress = "**" if row.effective_yield == best else ""
        assert grid[row.category][f"{row.model} {short}"] == f"{stress}{shown}{stress}"
        at = [entry.model for entry in board].index(row.model)
        (line,) = [line for line in lines if line.startswith(f"{row.category} ")]
        assert line.split()[2 + 2 * at + (row.mode == "constrained")] == shown
    for entry, text in zip(content["leaderboard"], table_after(page, "rank"), strict=True):
        of_model = [row for row in stream if row["model"] == entry["model"]]
        native = [row["labeler_score"] for row in of_model if row["mode"] == "json_mode"]
        assert entry["labeler_score"] == pytest.approx(sum(native) / len(native))
        low, high = entry["labeler_score_interval"]
        assert text["labeler"] == f"{entry['labeler_score']:.3f} [{low:.2f}, {high:.2f}]"
        assert low < entry["labeler_score"] < high
        first, last = entry["rank_interval"]
        assert text["rank"] == f"{entry['rank']} ({first}-{last})"
        shares = [entry[name] for name in ("right", "silent", "caught")]
        assert sum(shares) == pytest.approx(1)
        of_csv = [line for line in table if line["model"] == entry["model"]]
        for name, share in zip(("right", "silent", "caught"), shares, strict=True):
            native = [float(line[name]) for line in of_csv if line["mode"] == "json_mode"]
            assert share == pytest.approx(sum(native) / len(native))
        assert text["r/s/c"] == "/".join(f"{100 * share:.0f}" for share in shares)
        (line,) = [line for line in lines if f"  {entry['model']} " in line]
        for name in ("rank", "labeler", "yield", "r/s/c", "native -> constr", "tok/s", "bucket"):
            assert text[name] in line


def test_all_outputs_say_the_same_decision(make_run: Any, findings: Findings) -> None:
    run = board, rows, _ = make_run()
    said = decision(board, rows, findings)
    assert len(said) >= 5
    assert json.loads(json_of(run, findings))["decision"] == said
    section = markdown_of(run, findings).split("## Decision\n\n")[1].split("\n\n")[0]
    assert [plain(line) for line in section.splitlines()] == [f"- {line}" for line in said]
    head, *lines = terminal.decision_lines(said)[1:]
    assert head == "Decision"
    assert re.sub(r"\s+", " ", " ".join(lines)) == " ".join(said)
    assert max(map(len, lines)) <= terminal.WIDTH


def test_a_line_of_metrics_is_the_row(make_run: Any) -> None:
    _, rows, _ = make_run()
    first = summary.metrics_lines(rows).splitlines()[0]
    values = json.loads(first)
    assert list(values) == [field.name for field in dataclasses.fields(MetricsRow)]
    for name in ("effective_yield_interval", "lift_interval"):
        values[name] = tuple(values[name])
    assert MetricsRow(**values) == rows[0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_is_refused(make_run: Any, bad: float) -> None:
    board, rows, heading = make_run()
    broken = [dataclasses.replace(rows[0], busy_s=bad)]
    with pytest.raises(ValueError, match="Out of range"):
        summary.metrics_lines(broken)
    with pytest.raises(ValueError, match="Out of range"):
        summary.as_json(board, broken, heading, NOTHING, [])


def test_csv_leaves_no_data_empty_and_flattens(make_run: Any) -> None:
    _, rows, _ = make_run()
    silent = dataclasses.replace(
        rows[0], effective_yield=None, effective_yield_interval=None, failures={}, model='a "b", c'
    )
    text = summary.as_csv([silent, rows[1]])
    first, second = csv.DictReader(io.StringIO(text))
    assert first["model"] == 'a "b", c'
    assert first["effective_yield"] == first["effective_yield_interval.low"] == ""
    assert first["failures.wrong_answer"] == ""
    assert int(second["failures.wrong_answer"]) == rows[1].failures["wrong_answer"]
    assert float(second["effective_yield_interval.high"]) < 1
    header = text.splitlines()[0].split(",")
    low = header.index("effective_yield_interval.low")
    assert header[low + 1] == "effective_yield_interval.high"


def test_markdown_shows_each_cell(make_run: Any) -> None:
    first, *_, last = table_after(markdown_of(make_run(models=("m",))), "model")
    assert (first["yield"][:4], first["floor"], first["lift"]) == (
        "0.41",
        "0.12",
        "+0.28 [-0.01, 0.49]",
    )
    assert first["right/silent/caught"] == "50.0%/40.0%/10.0%"
    assert first["misses"] == "wrong_answer 4, truncated 1"
    assert (last["category"], last["mode"], last["n"]) == ("segmentation", "constrained", "10")


def test_an_incomplete_model_has_no_mean_in_the_grid(make_run: Any) -> None:
    board, rows, heading = make_run(models=("m",))
    incomplete = (dataclasses.replace(board[0], incomplete=("lacks ocr_text",), rank=None),)
    (line,) = [
        line
        for line in table_after(markdown_of((incomplete, rows, heading)), "category")
        if line["category"] == "mean"
    ]
    assert line["m json"] == "-"
    assert line["m constr"] == "0.397"


def test_markdown_escapes_names(make_run: Any) -> None:
    page = markdown_of(make_run(models=("a|b<c>", "plain")))
    assert "a\\|b\\<c>" in page
    assert "a|b" not in page.replace("\\|", "")


def test_markdown_without_a_score() -> None:
    page = markdown_of(((), (), Heading.of((), ())))
    assert page == "# Leaderboard\n\n- No item has been scored.\n"


def test_the_same_run_gives_the_same_bytes(make_run: Any) -> None:
    one, two = make_run(), make_run()
    assert json_of(one) == json_of(two)
    assert markdown_of(one) == markdown_of(two)


@pytest.mark.parametrize(
    ("kind", "section"),
    [
        (Record, "## `results.jsonl`"),
        (MetricsRow, "## `metrics.jsonl`"),
        (LeaderboardRow, "## `summary.json`"),
        (Verdict, "## Gates in `summary.json`"),
        (Findings, "## Findings in `summary.json`"),
        (Ranking, "### `rankings`"),
        (Standing, "### `standings`"),
        (Recommendation, "### `recommendations`"),
        (ConstraintTax, "### `taxes`"),
        (Cost, "### `costs`"),
        (Acceptance, "### `acceptances`"),
        (Router, "### `routers`"),
    ],
)
def test_the_page_defines_every_field_and_no_other(kind: type, section: str) -> None:
    body = re.split(r"\n##+ ", PAGE.read_text().split(f"\n{section}\n")[1])[0]
    named = re.findall(r"^\| `(\w+)` \|", body, flags=re.MULTILINE)
    assert sorted(named) == sorted(field.name for field in dataclasses.fields(kind))


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [(Choice, "A *choice* is who labels"), (CurvePoint, "| `curve` |")],
)
def test_the_page_names_the_parts_of_small_values(kind: type, sentence: str) -> None:
    text = PAGE.read_text()
    line = text[text.index(sentence) + len(sentence) :].split("records" if kind is Choice else "\n")
    assert set(re.findall(r"`(\w+)`", line[0])) == {f.name for f in dataclasses.fields(kind)}


def test_summary_json_holds_all_findings_as_they_are(make_run: Any, findings: Findings) -> None:
    found = json.loads(json_of(make_run(), findings))["findings"]
    assert found == json.loads(json.dumps(dataclasses.asdict(findings)))
    (of_one,) = found["recommendations"]
    assert of_one["choice"] == {
        "model": "qwen3vl-4b",
        "reasoning": "off",
        "mode": "constrained",
    }
    assert found["rankings"][0]["images_needed"] == {"0.05": 58, "0.03": 161}

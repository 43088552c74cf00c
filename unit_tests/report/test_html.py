"""The page's source: the same figures as everywhere, and nothing that hostile text could become."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import io
import itertools
import json
import re
from typing import Any

import pytest

from unit_tests.report.conftest import NOTHING, item, json_of, markdown_of
from unit_tests.report.page_reader import Page
from unit_tests.report.test_files import table_after
from vlmbench_plugin.conclusions import rank_intervals
from vlmbench_plugin.findings import Findings
from vlmbench_plugin.report import figures, html, summary, tables, terminal
from vlmbench_plugin.report.decision import decision
from vlmbench_plugin.report.gallery import Gallery, gallery
from vlmbench_plugin.report.heading import Heading, legend

NO_CASES = Gallery(cases=(), pictures={}, total=0, notes=())
HOSTILE = "</script><script>alert(1)</script></textarea><img src=x onerror=alert(2)>&lt;<!--"


def page_text(run: Any, findings: Findings, cases: Gallery) -> str:
    board, rows, heading = run
    said = decision(board, rows, findings)
    return html.page(board, rows, heading, findings, said, cases)


def page_of(run: Any, findings: Findings = NOTHING, cases: Gallery = NO_CASES) -> Page:
    return Page(page_text(run, findings, cases))


def test_all_outputs_show_the_same_numbers(make_run: Any, findings: Findings) -> None:
    run = board, rows, heading = make_run(ranks=rank_intervals(findings))
    page = page_of(run, findings)
    lines = terminal.leaderboard_lines(board, rows, heading)
    report = markdown_of(run, findings)
    content = json.loads(json_of(run, findings))
    flat = list(csv.DictReader(io.StringIO(summary.as_csv(rows))))

    _, heads, *grid = page.tables["Effective yield by task, model and mode"]
    written = {line["category"]: line for line in table_after(report, "category")}
    columns = [f"{row.model} {mode}" for row in board for mode in ("json", "constr")]
    assert heads == ["task", "floor", *("json", "constr") * 2]
    assert len(grid) == len({row.category for row in rows}) + 1
    for category, floor, *texts in grid:
        assert floor == written[category]["floor"]
        assert texts == [written[category][column].strip("*") for column in columns]
        assert " ".join([category, floor, *texts]).split() in [line.split() for line in lines]
    values = {(line["category"], line["model"], line["mode"]): line for line in flat}
    for category, _, *texts in grid[:-1]:
        keys = [
            (category, row.model, mode) for row in board for mode in ("json_mode", "constrained")
        ]
        for key, text in zip(keys, texts, strict=True):
            assert text.rstrip("~") in ("n/a", f"{float(values[key]['effective_yield']):.2f}")

    header, *shown = page.tables["Leaderboard"]
    for cells, of_file, entry in zip(
        shown, table_after(report, "rank"), content["leaderboard"], strict=True
    ):
        found = dict(zip(header, cells, strict=True))
        assert {name: found[name] for name in tables.BOARD_HEADER} == of_file
        low, high = entry["labeler_score_interval"]
        assert found["labeler"] == f"{entry['labeler_score']:.3f} [{low:.2f}, {high:.2f}]"
        assert found["rank"] == f"{entry['rank']} (1-2)"
        shares = [entry[name] for name in ("right", "silent", "caught")]
        assert found["r/s/c"] == "/".join(f"{100 * share:.0f}" for share in shares)

    header, *shown = page.tables["Every cell"]
    every_cell = [
        list(line.values()) for line in table_after(report.split("## Every cell")[1], "model")
    ]
    assert sorted(shown) == sorted(every_cell)
    drawn = {d["name"]: d for d in page.data["chart-data"]["ranking"] if d["task"] == "All tasks"}
    for entry in content["leaderboard"]:
        assert drawn[entry["model"]]["value"] == entry["mean_yield"]
        assert [drawn[entry["model"]][end] for end in ("low", "high")] == entry[
            "mean_yield_interval"
        ]
    said = content["decision"]
    in_terminal = " ".join(" ".join(terminal.decision_lines(said)).split())
    for sentence in (*heading.sentences(), *legend(board), *said):
        assert sentence in page.text
    for sentence in said:
        assert sentence in in_terminal
        assert f"\n- {sentence}\n" in re.sub(r"\\(.)", r"\1", report)


def test_the_figures_drawn_are_those_of_their_tables(make_run: Any, findings: Findings) -> None:
    run = _, rows, _ = make_run()
    page = page_of(run, findings)
    data = page.data["chart-data"]
    assert [(d["name"], d["seconds"], d["value"]) for d in data["costs"]] == [
        ("qwen3vl-4b constr", 0.5, 0.61),
        ("qwen3.5-35b-a3b constr", 2.0, 0.64),
    ]
    assert page.tables["Costs"][1] == [
        "qwen3vl-4b constr", "All tasks", "0.610", "15 of 30", "7,200", "1.00", "88", "1,234",
        "411.50", "yes",
    ]  # fmt: skip
    spent = dataclasses.replace(findings.costs[0], n_right=0, seconds_per_right=None)
    assert figures.cost_table([spent]).lines[0][5:7] == ("none right", "none right")
    assert page.tables["Constraint tax"][1] == [
        "qwen3vl-4b", "image_classification", "10", "+0.060 [-0.02, 0.13]", "-4.5",
        "-0.010 (n 8)", "5", "3", "0",
    ]  # fmt: skip
    (curve,) = data["curves"]
    assert curve["points"][0] == [5 / 12, 0.0]
    assert curve["points"][-1] == [1.0, 2 / 12]
    assert page.tables["Acceptance"][1] == [
        "qwen3vl-4b constr", "image_classification", "value_logprob", "12", "95%", "40.0%",
        "-0.020", "59",
    ]  # fmt: skip
    assert page.tables["Routers"][1] == [
        "2", "qwen3vl-4b, qwen3.5-35b-a3b", "0.660", "0.650 [0.60, 0.70]", "+0.021 [0.00, 0.04]",
        "yes",
    ]  # fmt: skip
    header, *lines = page.tables["Failures"]
    for line in lines:
        found = dict(zip(header, line, strict=True))
        own = [d for d in data["failures"] if d["name"] == found["choice"]]
        assert int(found["n"]) == sum(d["n"] for d in own)
        for kind in header[3:]:
            assert int(found[kind]) == sum(d["counts"].get(kind, 0) for d in own)
    misses = sum(sum(row.failures.values()) for row in rows)
    assert misses == sum(sum(map(int, line[3:])) for line in lines)


def test_sections_without_data_say_why(make_run: Any) -> None:
    text = page_of(make_run()).text
    for said in (
        "No time is known",
        "was asked in both modes",
        "no log probabilities",
        "There is no case to show.",
    ):
        assert said in text


def test_a_folder_without_a_score_still_has_a_page() -> None:
    page = page_of(((), (), Heading.of((), ())))
    assert "No item has been scored, so there is nothing to decide." in page.text
    assert page.open == ["html"] or not page.open


@pytest.mark.parametrize("where", ["model", "category"])
def test_hostile_names_stay_text(make_run: Any, findings: Findings, where: str) -> None:
    board, rows, heading = make_run(models=("m",))
    rows = [dataclasses.replace(row, **{where: HOSTILE}) for row in rows]
    if where == "model":
        board = [dataclasses.replace(row, model=HOSTILE) for row in board]
    page = page_of((board, rows, heading), findings)
    assert HOSTILE in page.text
    assert len(page.scripts) == 7
    assert not [tag for tag, _ in page.tags if tag in ("img", "textarea")]


def test_hostile_answers_stay_data(make_run: Any) -> None:
    record = item(
        0, 0.2, model="m", category="own", mode="json_mode", raw_text=HOSTILE, right_at=0.5,
        question=HOSTILE, image_size=[4, 4], truth={}, finish_reason="stop",
    )  # fmt: skip
    page = page_of(make_run(), NOTHING, gallery([record], {}, lambda _: None))
    (case,) = page.data["case-data"]
    assert case["raw"] == case["question"] == HOSTILE
    assert len(page.scripts) == 7
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


def test_the_policy_allows_these_scripts_and_no_network(make_run: Any) -> None:
    page = page_of(make_run())
    (policy,) = [
        str(attrs["content"])
        for tag, attrs in page.tags
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    digests = [
        base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in page.scripts
    ]
    assert rules.pop("script-src").split() == [f"'sha256-{digest}'" for digest in digests]
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    links = [attrs.get(name) for _, attrs in page.tags for name in ("src", "href")]
    assert all(link is None or link.startswith(("#", "data:")) for link in links)


def test_headings_labels_and_names(make_run: Any, findings: Findings) -> None:
    """What a screen reader needs, as far as the source alone tells."""
    record = item(
        0, 0.2, model="m", category="own", mode="json_mode", raw_text="{}", right_at=0.5,
        image_size=[4, 4], truth={}, finish_reason="stop",
    )  # fmt: skip
    page = page_of(make_run(), findings, gallery([record], {}, lambda _: None))
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    ids = [str(attrs["id"]) for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = {attrs["for"] for tag, attrs in page.tags if tag == "label" and "for" in attrs}
    selects = {attrs["id"] for tag, attrs in page.tags if tag == "select"}
    assert selects == named
    referred = [a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a]
    assert set(referred) <= set(ids)
    assert ("html", {"lang": "en"}) in page.tags
    first = next(attrs for tag, attrs in page.tags if tag == "a")
    assert first == {"class": "skip", "href": "#main"}


def test_a_page_stays_small_whatever_models_answer(make_run: Any) -> None:
    records = [
        item(
            i, 0.2, model=f"m{i % 40}", category=f"c{i % 30}", mode="json_mode",
            raw_text="\x00" * 5000, question="\u4e2d" * 5000, right_at=0.5, image_size=[4, 4],
            truth={}, finish_reason="stop",
        )
        for i in range(6000)
    ]  # fmt: skip
    found = gallery(records, {}, lambda _: None)
    assert 0 < len(found.cases) < 1200
    assert "are left out to keep this page small" in found.notes[0]
    assert len(page_text(make_run(), NOTHING, found)) < 15_000_000


def test_the_same_run_gives_the_same_bytes(make_run: Any, findings: Findings) -> None:
    assert page_text(make_run(), findings, NO_CASES) == page_text(make_run(), findings, NO_CASES)

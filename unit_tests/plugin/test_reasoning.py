"""``--reasoning`` through real pytest: what is refused, what is stored, and both in one folder."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.make_tiny import build
from unit_tests.plugin.conftest import Finished, Inside, run

CATEGORY = "data_type_differentiation"
STUB = ("--runner", "stub", "--category", CATEGORY, "--n", "4", "--report-dir", "out")
THINKER = ("--model", "qwen3.5-4b")
ON = ("--reasoning", "on")
VARIANTS: Mapping[str, tuple[str, ...]] = {"plain": (), "-n 0": ("-n", "0"), "-n 2": ("-n", "2")}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (ON, "*expected models that can think, got tiny-qwen3vl*"),
        ((*ON, "--model", "qwen3.5-4b,qwen3vl-4b"), "*that can think, got qwen3vl-4b*"),
        (("--model", "qwen3vl-4b-thinking"), "*at once, got qwen3vl-4b-thinking*"),
        (("--thinking-budget", "9", *THINKER), "*--thinking-budget bounds thinking, which is off*"),
        ((*ON, *THINKER, "--thinking-budget", "0"), "*a whole number of at least 1, got '0'*"),
        (("--reasoning", "maybe", *THINKER), "*--reasoning: unknown 'maybe'; valid: on, off*"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_runs(
    inside: Inside, arguments: tuple[str, ...], said: str
) -> None:
    result = inside(*STUB, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (result.stderr if "vlmbench:" not in str(result.stdout) else result.stdout).fnmatch_lines(said)
    assert not Path("out").exists()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Finished]:
    """Every variant once, in a folder that holds a run without thinking."""
    found = {}
    for name, arguments in VARIANTS.items():
        folder = tmp_path_factory.mktemp("run")
        plugins = ["xdist"] if arguments else []
        first = run(folder, *STUB, *THINKER, *arguments, plugins=plugins)
        assert first.exit == 0, first.output
        found[name] = run(
            folder,
            *(*STUB, *THINKER, *ON, "--thinking-budget", "99"),
            *("--junitxml", "junit.xml", *arguments),
            plugins=plugins,
        )
    return found


@pytest.fixture(params=VARIANTS)
def finished(request: pytest.FixtureRequest, runs: Mapping[str, Finished]) -> Finished:
    return runs[request.param]


def by_reasoning(finished: Finished) -> dict[str, list[dict[str, Any]]]:
    records = finished.records()
    return {which: [r for r in records if r["reasoning"] == which] for which in ("off", "on")}


def test_a_folder_holds_both_and_mixes_neither(finished: Finished) -> None:
    assert finished.exit == 0, finished.output
    found = by_reasoning(finished)
    assert {which: len(records) for which, records in found.items()} == {"off": 8, "on": 8}
    assert not (finished.folder / "out" / "stale.jsonl").exists()
    for off, on in zip(*(sorted(found[w], key=item) for w in ("off", "on")), strict=True):
        assert item(off) == item(on)
        assert off["key"] != on["key"]
        differing = {p for p in off["key_parts"] if off["key_parts"][p] != on["key_parts"][p]}
        assert differing == {"reasoning"}
        assert (off["thinking_tokens"], off["thinking_forced"]) == (None, None)
        assert on["thinking_tokens"] > 0
        assert on["thinking_forced"] is False
        assert on["output_tokens"] - on["thinking_tokens"] > 0
        # The stub's faults are drawn by the item, with thinking and without it.
        assert on["raw_text"].partition("</think>\n\n")[2] == off["raw_text"]
        assert (on["status"], on["parse_status"]) == (off["status"], off["parse_status"])


def item(record: Mapping[str, Any]) -> tuple[str, str]:
    return record["mode"], record["image_id"]


def test_live_lines_gates_and_junit_are_those_of_this_run(finished: Finished) -> None:
    rows = [json.loads(line) for line in finished.text("metrics.jsonl").splitlines()]
    assert Counter(row["reasoning"] for row in rows) == {"off": 2, "on": 2}
    live = re.findall(rf"qwen3\.5-4b( thinking)? {CATEGORY} \w+: n 4", finished.output)
    assert live == [" thinking"] * 2
    junit = (finished.folder / "junit.xml").read_text()
    assert junit.count('classname="vlmbench"') == 2
    assert "| qwen3.5-4b thinking |" in finished.text("leaderboard.md")
    assert "| qwen3.5-4b |" in finished.text("leaderboard.md")


def test_all_variants_store_the_same_records(runs: Mapping[str, Finished]) -> None:
    plain = runs["plain"].records()
    assert plain == runs["-n 0"].records() == runs["-n 2"].records()


def test_the_manifest_says_what_was_asked(finished: Finished) -> None:
    manifest = json.loads(finished.text("manifest.json"))
    assert manifest["settings"]["reasoning"] == "on"
    assert manifest["settings"]["thinking_budget"] == 99
    assert manifest["models"]["qwen3.5-4b"]["sampling"]["presence_penalty"] == 1.5


def test_each_is_resumed_by_its_own_command(runs: Mapping[str, Finished]) -> None:
    folder = runs["plain"].folder
    for arguments in ((), (*ON, "--thinking-budget", "99")):
        again = run(folder, *STUB, *THINKER, *arguments)
        assert "Replayed 8 of 8 items" in again.output
    other = run(folder, *STUB, *THINKER, *ON)
    assert "Replayed" not in other.output
    assert {which: len(found) for which, found in by_reasoning(other).items()} == {
        "off": 8,
        "on": 8,
    }
    stale = (folder / "out" / "stale.jsonl").read_text().splitlines()
    assert {json.loads(line)["reasoning"] for line in stale} == {"on"}


def test_a_model_thinks_and_its_answers_are_held(tmp_path: Path) -> None:
    build(tmp_path / "model", "qwen3_5")
    done = run(
        tmp_path,
        *("--runner", "vlm", "--model", f"thinker={tmp_path / 'model'}", "--category", CATEGORY),
        *("--n", "3", "--device", "cpu", "--report-dir", "out", "--mode", "constrained"),
        *(*ON, "--thinking-budget", "12", "-W", "ignore::FutureWarning"),
    )
    assert done.exit == 0, done.output
    records = done.records()
    assert len(records) == 3
    for record in records:
        assert (record["schema_valid"], record["constraint"]) == (True, "grammar")
        assert record["finish_reason"] == "stop"
        assert 1 <= record["thinking_tokens"] <= 12 < record["output_tokens"]
        assert record["thinking_forced"] or record["thinking_tokens"] < 12
        assert "</think>\n\n{" in record["raw_text"]
    facts = json.loads(done.text("manifest.json"))["runner"]["thinker"]
    assert (facts["enable_thinking"], facts["thinking_budget"]) == (True, 12)

"""The hand-written pages: what they show runs, and they leave nothing out."""

from __future__ import annotations

import doctest
import io
import json
import re
from pathlib import Path
from typing import get_args

import pytest

from vlmbench_plugin.cells import Bucket
from vlmbench_plugin.core import FAILURES, FRAMES, ParseStatus
from vlmbench_plugin.tasks import TASKS

DOCS = Path(__file__).parents[1] / "docs"
SCORING = (DOCS / "scoring.md").read_text(encoding="utf-8")
DIFFERENCES = (DOCS / "differences.md").read_text(encoding="utf-8")
GRID = DOCS.parent / "vlmbench_plugin/assets/published/grid.json"
LABEL_RULES = ("exact", "normalised", "singular", "alias", "contained")
RATES = (
    "primary_score_mean",
    "schema_valid_rate",
    "json_robustness",
    "effective_yield",
    "labeler_score",
    "clean_yield",
    "right",
    "silent",
    "caught",
    "n_errors",
    "lift_interval",
    "wrong_labels",
    "tokens_per_sec",
)


def sections() -> dict[str, str]:
    """Heading -> the Python examples below it, for each part that has some."""
    parts = re.split(r"^## ", SCORING, flags=re.MULTILINE)[1:]
    found = {}
    for part in parts:
        title, _, body = part.partition("\n")
        blocks = re.findall(r"^```python\n(.*?)^```$", body, flags=re.MULTILINE | re.DOTALL)
        # A block without a last blank line would take the next one as its expected output.
        found[title] = "\n".join(blocks)
    return found


@pytest.mark.parametrize(("title", "examples"), sections().items(), ids=list(sections()))
def test_the_examples_of_a_section_run_on_their_own(title: str, examples: str) -> None:
    test = doctest.DocTestParser().get_doctest(examples, {}, title, "docs/scoring.md", 0)
    assert test.examples, "a section without an example"
    told = io.StringIO()
    failed, _ = doctest.DocTestRunner().run(test, out=told.write)
    assert not failed, told.getvalue()


@pytest.mark.parametrize("name", [*FAILURES, *get_args(ParseStatus), *LABEL_RULES, *FRAMES])
def test_every_word_of_a_verdict_is_shown(name: str) -> None:
    shown = re.findall(r"'(\w+)'|\"(\w+)\"", "\n".join(sections().values()))
    assert name in {one or other for one, other in shown}


@pytest.mark.parametrize("name", [*RATES, *get_args(Bucket)])
def test_every_rate_has_an_example(name: str) -> None:
    assert name in "\n".join(sections().values())


@pytest.mark.parametrize("category", TASKS)
def test_every_task_has_a_worked_score(category: str) -> None:
    assert f'"{category}"' in "\n".join(sections().values())
    headings = "\n".join(sections())
    assert f"`{category}`" in headings


@pytest.mark.parametrize("page", [SCORING, DIFFERENCES], ids=["scoring", "differences"])
def test_lines_are_wrapped_and_links_lead_somewhere(page: str) -> None:
    for line in page.splitlines():
        assert len(line) <= 120 or line.startswith("|"), line
    for target in re.findall(r"\]\(([\w./-]+)\)", page):
        assert (DOCS / target).exists()


def test_the_published_labeler_scores_above_their_yield_are_listed() -> None:
    """The table is worked out from the published figures, to the digits that it shows."""
    published = json.loads(GRID.read_text(encoding="utf-8"))
    expected = []
    for row in published["ranking"]:
        labeler, mean = row["labeler_score"], row["mean_yield"]
        column = [yields.get(row["model"]) for yields in published["effective_yield"].values()]
        valid = [value for value in column if value is not None]
        over = f"{sum(valid) / len(valid):.3f}" if valid else "not published"
        count = "all 15" if len(valid) == 15 else str(len(valid))
        over += f" ({count})" if valid else ""
        if labeler > mean:
            cells = (row["model"], f"{labeler:.3f}", f"{mean:.3f}", f"{labeler - mean:.3f}", over)
            expected.append(f"| {' | '.join(cells)} |")
    listed = [line for line in DIFFERENCES.splitlines() if line.startswith("| qwen3")]
    assert listed == expected

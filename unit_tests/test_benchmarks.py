"""How figures of speed are summed up and written; nothing is timed here."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("figures")


@pytest.mark.parametrize(
    ("target", "worst", "held"),
    [
        ("<= 3", False, True),  # the median
        ("<= 2.9", False, False),
        ("<= 9", True, True),
        ("<= 8", True, False),  # the largest
        (">= 3", False, True),
        (">= 3.1", False, False),
        (">= 1", True, True),
        (">= 2", True, False),  # the smallest
        (None, False, None),
    ],
)
def test_a_figure_says_whether_its_target_is_held(
    figures: Any, target: str | None, worst: bool, held: bool | None
) -> None:
    figure = figures.Figure.of("items", [9, 1, 3, 2, 5], "x", target, worst=worst)
    assert (figure.median, figure.min, figure.max, figure.rounds) == (3, 1, 9, 5)
    assert figure.held is held


def test_the_line_of_a_figure(figures: Any) -> None:
    rate = figures.Figure.of("rescoring", [2900, 3100, 3500.4], "records/s", ">= 3000", note="all")
    assert rate.line() == (
        "| rescoring | 3,100 records/s | 2,900 - 3,500 | 3 | at least 3,000 | yes | all |"
    )
    free = figures.Figure.of("size", [0.01234], "kB")
    assert free.line() == "| size | 0.0123 kB | 0.0123 - 0.0123 | 1 | - | - |  |"
    late = figures.Figure.of("late", [20.04], "ms", "<= 20")
    assert late.line().endswith("| at most 20 | NO |  |")
    assert late.line().count("|") == figures.HEADER.splitlines()[0].count("|")


def test_figures_come_back_from_a_script_as_they_were(figures: Any, tmp_path: Path) -> None:
    run = importlib.import_module("run")
    (tmp_path / "script.py").write_text(
        f"import sys; sys.path.insert(0, {str(FOLDER)!r})\n"
        "from figures import Figure, Sheet\n"
        "sheet = Sheet('Two.', items=7)\n"
        "given = sheet.parse()\n"
        "sheet.show(Figure.of('a', [given.items] * given.rounds, 's', '<= 6'))\n"
        "sheet.show(Figure.of('b', [1.5], 'x'))\n"
        "sys.exit(3)\n"
    )
    found = run.measure(sys.executable, [str(tmp_path / "script.py"), "--rounds", "2"])
    assert found.status == 3
    assert found.figures == (
        figures.Figure.of("a", [7, 7], "s", "<= 6"),
        figures.Figure.of("b", [1.5], "x"),
    )
    content = {"measured": "now", "machine": run.machine(), "versions": run.versions()}
    written = json.loads(run.as_json(content, [found]))
    assert [figure["held"] for figure in written["figures"]] == [False, None]
    assert written["figures"][0].keys() >= {"name", "median", "min", "max", "rounds", "unit"}
    assert written["scripts"][0]["status"] == 3
    page = run.as_markdown(content, [found])
    assert "| a | 7 s | 7 - 7 | 2 | at most 6 | NO |  |" in page
    assert "script.py --rounds 2 ended with status 3" in page


def test_every_script_of_the_plan_is_there(figures: Any) -> None:
    run = importlib.import_module("run")
    named = {script[0] for script in (*run.SCRIPTS, run.VLLM)}
    helpers = {"figures.py", "processes.py", "run.py"}
    assert {path.name for path in FOLDER.glob("*.py")} == named | helpers

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from vlmbench_plugin.report.heading import Heading
from vlmbench_plugin.report.terminal import leaderboard_lines, live_line

TWELVE = tuple(
    f"{family}-{size}"
    for family in ("qwen3vl", "qwen3.5")
    for size in ("2b", "4b", "8b", "32b", "30b-a3b", "0.8b-captioner")
)


def lines_of(run: Any, **options: Any) -> list[str]:
    board, rows, heading = run
    return leaderboard_lines(board, rows, heading, **options)


def test_a_leaderboard_line_by_eye(make_run: Any) -> None:
    lines = lines_of(make_run(models=("qwen3.5-35b-a3b",)))
    (header,) = [line for line in lines if line.startswith("rank  ")]
    (line,) = [line for line in lines if line.startswith("   1")]
    assert header.split()[:6] == ["rank", "model", "params", "labeler", "yield", "r/s/c"]
    # (0.41 + 0.32 + 0) / 3: all clean JSON, so the labeler score is the yield. Of 3 x 10 items 12
    # are invalid, and 9 of the others reach one half.
    assert line.split() == [
        "1", "qwen3.5-35b-a3b", "35B", "(3B)", "0.243", *line.split()[5:7], "0.243", "30/30/40",
        "60.0%", "->", "100.0%", "59.3", "constr", "insufficient",
    ]  # fmt: skip
    low, high = (float(end.strip("[],")) for end in line.split()[5:7])
    assert 0 < low < 0.243 < high < 1


@pytest.mark.parametrize("count", range(1, 13))
@pytest.mark.parametrize("modes", [("json_mode",), ("json_mode", "constrained")])
def test_no_line_is_wider_than_120_columns(
    make_run: Any, count: int, modes: tuple[str, ...]
) -> None:
    names = TWELVE[:count]
    ranks = {(name, "off"): (1, count) for name in names}
    lines = lines_of(make_run(models=names, modes=modes, ranks=ranks))
    assert max(map(len, lines)) <= 120
    text = "\n".join(lines)
    assert all(name in text for name in names)


@pytest.mark.parametrize(("count", "grids"), [(1, 1), (4, 1), (5, 1), (6, 2), (12, 3)])
def test_many_models_make_several_grids(make_run: Any, count: int, grids: int) -> None:
    lines = lines_of(make_run(models=TWELVE[:count]))
    assert sum(line.startswith("category") for line in lines) == grids
    shown = [line for line in lines if line.startswith("segmentation")]
    assert sum(line.count("n/a") for line in shown) == count


def test_a_narrow_terminal_cuts_names_and_wraps(make_run: Any) -> None:
    lines = lines_of(make_run(models=("a-folder/with-a-name/that-is-long-beyond-all-reason",)))
    assert max(map(len, lines)) <= 120
    assert any(".." in line for line in lines if line.startswith("   1"))


def test_a_cell_that_was_not_run_is_no_zero(make_run: Any) -> None:
    board, rows, heading = make_run(models=("a", "b"))
    lacking = [row for row in rows if (row.model, row.category) != ("b", "segmentation")]
    lines = leaderboard_lines(board, lacking, heading)
    (line,) = [line for line in lines if line.startswith("segmentation")]
    columns = {row.model: at for at, row in enumerate(board)}
    cells = line.split()[2:]
    assert cells[2 * columns["b"] : 2 * columns["b"] + 2] == ["-", "-"]
    assert cells[2 * columns["a"]] == "n/a"


def test_the_floor_stands_beside_each_category(make_run: Any) -> None:
    shown = [line.split()[1] for line in lines_of(make_run()) if line.startswith("segmentation")]
    assert shown == ["0.12"]


@pytest.mark.parametrize("runner", ["stub", "replay"])
def test_above_the_table_it_says_that_no_model_ran(make_run: Any, runner: str) -> None:
    lines = lines_of(make_run(runner=runner))
    assert lines[0].startswith("No model ran:")
    assert not any("No model ran" in line for line in lines_of(make_run()))


def test_nothing_scored_gives_a_sentence_and_no_table() -> None:
    assert leaderboard_lines((), (), Heading.of((), ())) == ["No item has been scored."]


def test_a_live_line_by_eye(make_run: Any) -> None:
    _, rows, _ = make_run(models=("m",))
    shown = {"effective_yield_interval": (0.234, 0.616), "lift_interval": (0.1, 0.4)}
    row = dataclasses.replace(rows[0], n_errors=2, **shown)
    assert live_line(row, 1450, 200.5) == (
        "m image_classification json_mode: n 10, 2 errors, yield 0.41 [0.23, 0.62], valid 90.0%, "
        "robust 100.0%, 59.3 tok/s, 3 min 21 s left (1450 items)"
    )


@pytest.mark.parametrize(
    ("items", "seconds", "said"),
    [
        (0, 0.0, "done"),
        (5, None, "5 items left"),
        (5, 0.2, "1 s left (5 items)"),
        (5, 60.0, "1 min 0 s left (5 items)"),
        (5, 7384.0, "2 h 3 min left (5 items)"),
    ],
)
def test_time_left(make_run: Any, items: int, seconds: float | None, said: str) -> None:
    _, rows, _ = make_run(models=("m",))
    assert live_line(rows[0], items, seconds).endswith(f" tok/s, {said}")


def test_a_live_line_without_a_scored_item(make_run: Any) -> None:
    _, rows, _ = make_run(models=("m",))
    row = dataclasses.replace(rows[0], n=0, n_errors=3, effective_yield=None)
    assert live_line(row, 0, None) == (
        "m image_classification json_mode: no item scored, 3 errors, done"
    )


def test_lines_are_plain_text(make_run: Any) -> None:
    for line in lines_of(make_run(models=TWELVE)):
        assert line == line.rstrip()
        assert line.isascii()
        assert "\n" not in line


def test_a_yield_not_shown_to_be_better_than_blind_is_marked(make_run: Any) -> None:
    _, rows, _ = make_run(models=("m",))
    for low, mark in ((-0.1, "~"), (0.0, "~"), (0.01, "")):
        row = dataclasses.replace(rows[0], lift_interval=(low, 0.5))
        assert f"yield 0.41{mark} [" in live_line(row, 0, None)
    assert "yield 0.41 [" in live_line(dataclasses.replace(rows[0], lift_interval=None), 0, None)

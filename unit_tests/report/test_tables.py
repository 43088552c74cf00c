"""Which cells of a grid are the best of their lines."""

from __future__ import annotations

import dataclasses
from typing import Any

from unit_tests.report.conftest import CATEGORIES
from vlmbench_plugin.report.tables import best_columns, grid

FIRST, SECOND, THIRD = CATEGORIES


def test_the_best_of_each_line_by_hand(make_run: Any) -> None:
    board, rows, _ = make_run(models=("a", "b"))
    yields = {
        # model, mode: one per category; the columns are a json, a constr, b json, b constr
        ("a", "json_mode"): (0.5, 0.0, 0.25),
        ("a", "constrained"): (0.75, 0.0, None),
        ("b", "json_mode"): (0.75, 0.0, 0.125),
        ("b", "constrained"): (0.625, 0.0, 0.2),
    }
    rows = [
        dataclasses.replace(
            row, effective_yield=yields[row.model, row.mode][CATEGORIES.index(row.category)]
        )
        for row in rows
    ]
    first = {row.model: at for at, row in enumerate(board)}
    a, b = 2 * first["a"], 2 * first["b"]
    expected = {FIRST: {a + 1, b}, SECOND: set(), THIRD: {a}}  # equal ones; all are 0; alone
    assert best_columns(board, rows) == expected

    lacking = [row for row in rows if (row.model, row.category) != ("a", FIRST)]
    assert best_columns(board, lacking)[FIRST] == {b}
    native = [row for row in rows if row.mode == "json_mode"]
    assert best_columns(board, native) == {FIRST: {b // 2}, SECOND: set(), THIRD: {a // 2}}


def test_best_columns_are_columns_of_the_grid(make_run: Any) -> None:
    board, rows, _ = make_run(models=("a", "b", "c"))
    found = best_columns(board, rows)
    for category, _, texts in grid(board, rows).lines:
        best = {float(texts[at].rstrip("~")) for at in found[category]}
        shown = [float(text.rstrip("~")) for text in texts if text != "n/a"]
        assert best == {max(shown)}


def test_without_rows_nothing_is_best() -> None:
    assert best_columns((), ()) == {}

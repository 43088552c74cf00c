from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench_plugin.metrics.matching import assign, f1, heaviest, masked

WEIGHT = st.integers(0, 10).map(lambda tenths: tenths / 10)


@st.composite
def tables(draw: st.DrawFn) -> list[list[float]]:
    columns = draw(st.integers(1, 5))
    row = st.lists(WEIGHT, min_size=columns, max_size=columns)
    return draw(st.lists(row, min_size=1, max_size=5))


def every_assignment(table: list[list[float]]) -> list[list[tuple[int, int]]]:
    """All ways to give rows their columns; a row beyond the columns gets none."""
    rows, columns = len(table), len(table[0])
    places = range(max(rows, columns))
    return [
        [(i, j) for i, j in enumerate(order[:rows]) if j < columns]
        for order in permutations(places)
    ]


@pytest.mark.parametrize(
    ("table", "at_least", "expected"),
    [
        ([], 0.5, []),
        ([[], []], 0.5, []),
        ([[0.4]], 0.5, []),
        ([[0.5]], 0.5, [(0, 0)]),
        ([[0.0]], 0.0, []),
        ([[0.9, 0.8], [0.8, 0.1]], 0.5, [(0, 1), (1, 0)]),
        ([[0.6], [0.9]], 0.5, [(1, 0)]),
        # Two pairs come before the one heavy pair.
        ([[1.0, 0.5], [0.5, 0.0]], 0.5, [(0, 1), (1, 0)]),
        ([[1.0, 0.4], [0.4, 0.0]], 0.5, [(0, 0)]),
    ],
)
def test_assign(table: list[list[float]], at_least: float, expected: list[tuple[int, int]]) -> None:
    assert assign(table, at_least=at_least) == expected


def test_heaviest_prefers_weight_to_pairs() -> None:
    table = [[1.0, 0.1], [0.1, 0.0]]
    assert heaviest(table) == [(0, 0)]
    assert assign(table, at_least=0) == [(0, 1), (1, 0)]
    assert heaviest([]) == heaviest([[]]) == []


@given(tables(), WEIGHT)
def test_assign_is_the_best_of_all(table: list[list[float]], at_least: float) -> None:
    def worth(pairs: list[tuple[int, int]]) -> tuple[int, float]:
        good = [table[i][j] for i, j in pairs if table[i][j] > 0 and table[i][j] >= at_least]
        return len(good), sum(good)

    pairs = assign(table, at_least=at_least)
    count, weight = max(map(worth, every_assignment(table)))
    assert len(pairs) == count
    assert sum(table[i][j] for i, j in pairs) == pytest.approx(weight)
    assert all(table[i][j] >= at_least for i, j in pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(type(i) is int and type(j) is int for i, j in pairs)


@given(tables())
def test_heaviest_is_the_heaviest_of_all(table: list[list[float]]) -> None:
    best = max(sum(table[i][j] for i, j in pairs) for pairs in every_assignment(table))
    assert sum(table[i][j] for i, j in heaviest(table)) == pytest.approx(best)


def test_masked_asks_only_where_it_matters() -> None:
    asked = []

    def allowed(i: int, j: int) -> bool:
        asked.append((i, j))
        return i == j

    assert masked([[0.5, 0.6], [0.0, 0.7]], allowed) == [[0.5, 0.0], [0.0, 0.7]]
    assert asked == [(0, 0), (0, 1), (1, 1)]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((0, 0, 0), 1.0), ((0, 3, 0), 0.0), ((0, 0, 3), 0.0), ((2, 3, 4), 4 / 7), ((3, 3, 3), 1.0)],
)
def test_f1(counts: tuple[int, int, int], expected: float) -> None:
    assert f1(*counts) == pytest.approx(expected)


@given(st.integers(1, 20), st.integers(0, 20), st.integers(0, 20))
def test_f1_is_the_harmonic_mean(matched: int, extra: int, missing: int) -> None:
    precision, recall = matched / (matched + extra), matched / (matched + missing)
    expected = 2 / (1 / precision + 1 / recall)
    assert f1(matched, matched + extra, matched + missing) == pytest.approx(expected)


def test_a_negative_weight_is_worth_nothing() -> None:
    assert heaviest([[3, 1], [1, -10]]) == [(0, 0)]

"""Two runs image by image."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit_tests.records import failed_record, make_record
from vlmbench_plugin.pairing import mean_difference_interval, pair_cells
from vlmbench_plugin.record import Record
from vlmbench_plugin.stats import TaskScores, mean_intervals, paired_interval


def scored(image: str, score: float | None, **changes: Any) -> Record:
    passed = score is not None and score >= 0.25
    outcome: dict[str, Any] = {
        "primary_score": score,
        "schema_valid": score is not None,
        "passed": passed,
        "status": "passed" if passed else "missed",
    }
    return make_record(image, **(outcome | changes))


def test_a_cell_by_hand() -> None:
    first = [
        scored("a", 0.5),
        scored("b", 1.0),
        scored("c", None),
        scored("only", 1.0),
        failed_record("e"),
        scored("moved", 1.0),
    ]
    second = [
        scored("b", 0.0),
        scored("a", 0.75, key_parts={"task": "00", "prompt": "22"}),
        scored("c", 0.5),
        failed_record("only"),
        scored("e", 1.0),
        scored("f", 1.0),
        scored("moved", 0.0, truth={"lines": ["other"]}),
    ]
    (cell,), only_first, only_second = pair_cells(first, second)
    assert cell.cell == ("m", "off", "ocr_text", "json_mode")
    assert [pair[0].image_id for pair in cell.pairs] == ["a", "b", "c"]
    assert cell.differences == [0.25, -1.0, 0.5]
    assert cell.yields == (0.5, 1.25 / 3)
    assert cell.interval() == paired_interval([0.25, -1.0, 0.5])
    assert (cell.only, cell.errors, cell.changed) == ((1, 2), (1, 1), 1)
    assert cell.asked == ("prompt",)
    assert (only_first, only_second) == ((), ())


def test_images_of_two_sources_are_two_images() -> None:
    first = [scored("a", 1.0), scored("a", 0.0, source="photo")]
    (cell,), *_ = pair_cells(first, [scored("a", 0.25, source="photo")])
    assert cell.differences == [0.25]
    assert cell.only == (1, 0)


def test_cells_that_only_one_has_and_the_order_of_all() -> None:
    first = [
        scored("a", 1.0, category=category, mode=mode)
        for category in ("my_task", "segmentation", "ocr_text", "a_task")
        for mode in ("constrained", "json_mode")
    ]
    second = [record for record in first if record.category != "ocr_text"]
    both, only_first, only_second = pair_cells(first, [*second, scored("a", 1.0, model="n")])
    assert [cell.cell[2:] for cell in both] == [
        (category, mode)
        for category in ("segmentation", "a_task", "my_task")
        for mode in ("json_mode", "constrained")
    ]
    assert [cell[3] for cell in only_first] == ["json_mode", "constrained"]
    assert only_second == (("n", "off", "ocr_text", "json_mode"),)


def test_two_models_are_set_side_by_side_whatever_their_names() -> None:
    first, second = [scored("a", 1.0)], [scored("a", 0.5, model="n")]
    assert pair_cells(first, second)[0] == ()
    (cell,), *_ = pair_cells(first, second, one_model=True)
    assert (cell.cell[0], cell.differences) == ("", [-0.5])


def test_no_image_in_common_is_no_figure() -> None:
    (cell,), *_ = pair_cells([scored("a", 1.0)], [scored("b", 1.0)])
    assert (cell.yields, cell.differences, cell.interval()) == ((None, None), [], None)
    assert cell.only == (1, 1)


def test_the_mean_over_tasks() -> None:
    """Half of each difference, moved up by a half, is a score: the interval moves along.

    The images of both tasks are the same ones.
    """
    tasks = ("ocr_text", "segmentation")
    first = [scored(f"{n}", 0.5, category=task) for task in tasks for n in range(9)]
    second = [scored(f"{n}", n / 8, category=task) for task in tasks for n in range(9)]
    cells, *_ = pair_cells(first, second)
    halves = {(str(n),): 0.25 + n / 16 for n in range(9)}
    task = TaskScores.of([halves], {image: at for at, image in enumerate(halves)})
    ((low, high),) = mean_intervals([task, task], 9)
    assert mean_difference_interval(cells) == pytest.approx((2 * low - 1, 2 * high - 1))
    assert mean_difference_interval(cells[:1]) == pytest.approx(cells[0].interval())
    assert mean_difference_interval([]) is None


scores = st.lists(st.sampled_from([None, 0.0, 0.3, 0.5, 1.0]), min_size=1, max_size=12)


@given(scores)
def test_a_run_against_itself_differs_nowhere(earned: list[float | None]) -> None:
    run = [scored(f"{n}", score) for n, score in enumerate(earned)]
    (cell,), only_first, only_second = pair_cells(run, run[::-1])
    assert set(cell.differences) == {0.0}
    assert cell.yields[0] == cell.yields[1]
    assert (cell.only, cell.changed, cell.asked) == ((0, 0), 0, ())
    assert (only_first, only_second) == ((), ())
    for interval in (cell.interval(), mean_difference_interval([cell])):
        assert interval is not None
        assert interval[0] < 0 < interval[1]


@given(scores, scores)
def test_the_other_way_round_everything_changes_its_sign(
    one: list[float | None], other: list[float | None]
) -> None:
    first = [scored(f"{n}", score) for n, score in enumerate(one)]
    second = [scored(f"{n}", score) for n, score in enumerate(other)]
    (there,), *_ = pair_cells(first, second)
    (back,), *_ = pair_cells(second, first)
    assert back.differences == [-difference for difference in there.differences]
    assert back.yields == there.yields[::-1]
    assert back.only == there.only[::-1]
    assert len(there.pairs) + there.only[0] == len(one)
    assert len(there.pairs) + there.only[1] == len(other)

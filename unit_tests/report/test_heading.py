from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from vlmbench_plugin.report.heading import Heading, legend


def heading_text(run: Any) -> str:
    return " ".join(run[2].sentences())


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("synthetic", "drawn scenes, not your images"),
        ("smoke", "not a measurement"),
        ("synthetic-blind", "BLIND: every image was replaced by a grey one"),
        ("synthetic-blind", "drawn scenes, not your images"),
        ("my-folder", "Data set my-folder."),
    ],
)
def test_it_says_where_the_images_come_from(make_run: Any, dataset: str, said: str) -> None:
    assert said in heading_text(make_run(dataset=dataset))


def test_it_names_sources_that_are_not_the_data_set(make_run: Any) -> None:
    assert "Image sources" not in heading_text(make_run())
    assert "Image sources: coco, photo." in heading_text(make_run(source="photo + coco"))


def test_it_calls_toys_toys(make_run: Any) -> None:
    run = make_run(models=("tiny-qwen3vl", "qwen3vl-4b"))
    assert "Toys, far too small for these tasks: tiny-qwen3vl." in heading_text(run)
    assert "Toys" not in heading_text(make_run())


@pytest.mark.parametrize("rule", ["closed", "open"])
def test_it_names_the_vocabulary_rule(make_run: Any, rule: str) -> None:
    vocabulary = {"rule": rule, "names": {"label": ["cat"]}}
    assert f"Vocabulary: {rule} (" in heading_text(make_run(vocabulary=vocabulary))
    none = make_run(vocabulary={"rule": rule, "names": {}})
    assert "Vocabulary" not in heading_text(none)


@pytest.mark.parametrize(
    ("n", "half", "few"), [(12, "0.28", True), (30, "0.18", False), (50, "0.14", False)]
)
def test_it_says_how_much_a_few_images_tell(make_run: Any, n: int, half: str, few: bool) -> None:
    text = heading_text(make_run(n=n))
    assert f"n = {n} per task: one yield is known to about +-{half}." in text
    assert ("do not call one model better" in text) == few


def test_it_gives_the_range_of_n(make_run: Any) -> None:
    board, rows, _ = make_run(n=12)
    uneven = [dataclasses.replace(rows[0], n=40), dataclasses.replace(rows[1], n=0), *rows[2:]]
    assert "n = 12 to 40 per task" in " ".join(Heading.of(board, uneven).sentences())


def test_a_part_that_no_model_answered_is_told(make_run: Any) -> None:
    board, rows, _ = make_run()
    mixed = [dataclasses.replace(rows[0], runner="stub"), *rows[1:]]
    text = Heading.of(board, mixed).sentences()[0]
    assert text == "For some figures no model ran: stub answers."


def test_the_legend_says_what_ship_is_about(make_run: Any) -> None:
    board, _, _ = make_run(modes=("constrained",))
    text = " ".join(legend(board))
    assert "It is about form" in text
    assert "The share of passed items is not the yield." in text
    assert "this run has no json_mode" in text


def test_the_legend_counts_wrong_labels_of_each_ship(make_run: Any) -> None:
    board, _, _ = make_run(modes=("constrained",))
    shipping = [
        dataclasses.replace(row, bucket="ship", wrong_labels=share)
        for row, share in zip(board, (0.374, 0.25), strict=True)
    ]
    text = " ".join(legend(shipping))
    assert f"Of 100 valid answers of {board[0].model}, about 37 would be wrong labels" in text
    assert f"Of 100 valid answers of {board[1].model}, about 25 would be wrong labels" in text


def test_without_a_ship_the_first_model_is_counted(make_run: Any) -> None:
    board, _, _ = make_run()
    text = " ".join(legend(board))
    assert text.count("Of 100 valid answers") == 1
    assert f"Of 100 valid answers of {board[0].model}" in text


def test_the_legend_says_who_is_not_ranked_and_why(make_run: Any) -> None:
    board, _, _ = make_run()
    lacking = dataclasses.replace(board[1], incomplete=("lacks ocr_text", "lacks segmentation"))
    text = " ".join(legend([board[0], lacking]))
    named = f"Incomplete, not ranked: {board[1].model} (lacks ocr_text; lacks segmentation)."
    assert named in text
    assert "Incomplete" not in " ".join(legend(board))
    assert legend(()) == []


def test_it_says_when_models_had_other_images(make_run: Any) -> None:
    board, rows, _ = make_run()
    some = " ".join(Heading.of(board, rows, left_out=7).sentences())
    assert "on the images that all of them have: 7 records" in some
    assert "left out" not in " ".join(Heading.of(board, rows).sentences())

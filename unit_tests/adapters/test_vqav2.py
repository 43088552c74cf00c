from __future__ import annotations

import random
from typing import Any

import pytest

from unit_tests.adapters.tables import blank, fixture_rows, oracle_scores
from vlmbench_plugin.adapters.vqav2 import answered
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.sources import Labelled, LeftOut
from vlmbench_plugin.tasks import TASKS

ROWS = "lmms-lab-encoder/LMMs-Eval-Lite/vqav2_val/lite-00000-of-00001.parquet"


def made(answers: Any, **changed: Any) -> Labelled | LeftOut:
    row = {
        "question_id": 42001,
        "image": blank(120, 90),
        "question": " Is it red? ",
        "answers": answers,
        **changed,
    }
    return answered(row, random.Random(0))


def test_the_truth_is_the_ten_answers_in_all_three_shapes() -> None:
    ten = ["red"] * 6 + ["blue "] * 4
    case = made([{"answer": answer, "answer_id": k} for k, answer in enumerate(ten)])
    assert isinstance(case, Labelled)
    assert case.truth == {"answers": ["red"] * 6 + ["blue"] * 4}
    assert (case.image_id, case.question, case.size) == ("42001", "Is it red?", (120, 90))
    for shape in ({"answer": ten, "answer_id": list(range(10))}, ten):
        other = made(shape)
        assert isinstance(other, Labelled)
        assert other.truth == case.truth


def test_what_is_left_out() -> None:
    few = LeftOut("no answer that four annotators gave")
    assert made(["red"] * 3 + [f"colour {k}" for k in range(7)]) == few
    assert isinstance(made(["red"] * 4 + [f"colour {k}" for k in range(6)]), Labelled)
    # "a dog", "dog" and "Dog" are one answer.
    assert isinstance(made(["a dog", "dog", "Dog", "dog", *"bcdefg"]), Labelled)
    bounds = LeftOut("an answer not of 1 to 40 characters")
    assert made(["x" * 41] * 10) == bounds
    assert made([" "] * 10) == bounds
    assert made(["no"] * 10, image=blank(60, 90)) == LeftOut("an image below 64 pixels a side")


def test_a_split_without_answers_and_ill_typed_values_are_errors() -> None:
    with pytest.raises(DataError, match=r"expected 10 answers, got 0 in test.jpg\n.*test split"):
        made([])
    with pytest.raises(DataError, match="expected records in column 'answers', got NoneType"):
        made(None)
    with pytest.raises(DataError, match="expected a column 'answer', got 'answer_id'"):
        made([{"answer_id": 1}] * 10)
    with pytest.raises(DataError, match="expected str in column 'question', got NoneType"):
        made(["no"] * 10, question=None)
    with pytest.raises(DataError, match="expected a column 'answers', got 'image'"):
        answered({"image": blank(120, 90)}, random.Random(0))


def test_the_right_answer_to_every_fixture_scores() -> None:
    cases = [answered(row, random.Random(0)) for row in fixture_rows(ROWS)]
    kept = [case for case in cases if isinstance(case, Labelled)]
    assert len(kept) == len({case.image_id for case in kept}) == 9
    for case in kept:
        scores = oracle_scores(TASKS["vit_accuracy_to_prompt"], case, {})
        assert set(scores) == {1.0}

from __future__ import annotations

import random
from typing import Any

import pytest

from unit_tests.adapters.tables import blank, fixture_rows, oracle_scores
from vlmbench_plugin.adapters.textvqa import readable_text
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.sources import Labelled, LeftOut
from vlmbench_plugin.tasks import TASKS

ROWS = "lmms-lab-encoder/LMMs-Eval-Lite/textvqa_val/lite-00000-of-00001.parquet"

TOKENS = ["Grand", "Hotel", "SINCE", "1905,", "Rooms", "nowhere"]


def made(answers: list[str], **changed: Any) -> Labelled | LeftOut:
    row = {
        "question_id": 34602,
        "image": blank(120, 90),
        "answers": answers,
        "ocr_tokens": TOKENS,
        **changed,
    }
    return readable_text(row, random.Random(0))


def truth_of(answers: list[str], **changed: Any) -> dict[str, Any]:
    case = made(answers, **changed)
    assert isinstance(case, Labelled), case
    return dict(case.truth)


def test_the_truth_is_what_three_annotators_gave_and_stands_in_the_image() -> None:
    answers = ["Grand Hotel"] * 3 + ["grand hotel."] + ["hotel"] * 3 + ["motel"] * 3
    assert truth_of(answers) == {"answers": ["grand hotel", "hotel"], "words": 6}
    case = made(answers)
    assert isinstance(case, Labelled)
    assert (case.image_id, case.question, case.size) == ("34602", None, (120, 90))


def test_an_answer_stands_at_word_boundaries_in_order() -> None:
    unreadable = LeftOut("an answer that is not readable in the image")
    assert truth_of(["1905"] * 10)["answers"] == ["1905"]
    assert made(["where"] * 10) == unreadable
    assert made(["hotel grand"] * 10) == unreadable
    assert made(["grand since"] * 10) == unreadable
    assert made(["yes"] * 10) == unreadable


def test_what_is_left_out() -> None:
    assert made([f"hotel {k // 2}" for k in range(10)]) == LeftOut(
        "no answer that 3 annotators gave"
    )
    assert made([""] * 10) == LeftOut("no answer that 3 annotators gave")
    bounds = LeftOut("an answer not of 3 to 40 characters")
    assert made(["19"] * 10, ocr_tokens=["19"]) == bounds
    assert made(["x" * 41] * 10, ocr_tokens=["x" * 41]) == bounds
    assert truth_of(["x" * 40] * 10, ocr_tokens=["x" * 40])["answers"] == ["x" * 40]
    assert made(["hotel"] * 10, ocr_tokens=["hotel"] * 51) == LeftOut(
        "more than 50 words in the image"
    )
    assert made(["hotel"] * 10, image=blank(120, 63)) == LeftOut("an image below 64 pixels a side")


def test_missing_and_ill_typed_values_name_their_column() -> None:
    with pytest.raises(DataError, match="expected list in column 'answers', got NoneType"):
        made(None)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="expected str in column 'ocr_tokens', got int 3"):
        made(["hotel"] * 10, ocr_tokens=[3])
    with pytest.raises(DataError, match="expected a column 'ocr_tokens', got 'image'"):
        readable_text({"image": blank(120, 90)}, random.Random(0))


def test_the_right_answer_to_every_fixture_scores_and_every_reason_occurs() -> None:
    cases = [readable_text(row, random.Random(0)) for row in fixture_rows(ROWS)]
    kept = [case for case in cases if isinstance(case, Labelled)]
    assert len(kept) == len({case.image_id for case in kept}) == 6
    assert {case.reason for case in cases if isinstance(case, LeftOut)} == {
        "an answer that is not readable in the image",
        "no answer that 3 annotators gave",
        "an answer not of 3 to 40 characters",
    }
    for case in kept:
        assert set(oracle_scores(TASKS["ocr_text"], case, {})) == {1.0}

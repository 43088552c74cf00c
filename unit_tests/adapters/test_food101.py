from __future__ import annotations

import random
from typing import Any

import pytest

from unit_tests.adapters.tables import blank, fixture_rows, oracle_scores
from vlmbench_plugin.adapters.food101 import FOOD101_NAMES, dish
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.sources import Labelled, LeftOut
from vlmbench_plugin.tasks import TASKS

ROWS = "ethz/food101/data/validation-00000-of-00001.parquet"


def row_of(**changed: Any) -> dict[str, Any]:
    return {"image": blank(120, 90), "label": "macaroni_and_cheese", **changed}


def made(**changed: Any) -> Labelled | LeftOut:
    return dish(row_of(**changed), random.Random(0))


def test_the_names_are_101_words() -> None:
    assert len(set(FOOD101_NAMES)) == 101
    assert FOOD101_NAMES[0] == "apple pie"
    assert not any("_" in name for name in FOOD101_NAMES)


def test_a_label_becomes_words() -> None:
    case = made()
    assert isinstance(case, Labelled)
    assert case.truth == {"label": "macaroni and cheese"}
    assert (case.size, case.question) == ((120, 90), None)


def test_a_number_counts_the_names_and_an_id_tells_pictures_apart() -> None:
    cases = [made(label=0), made(image=blank(90, 120)), made(), made()]
    ids = [case.image_id for case in cases if isinstance(case, Labelled)]
    assert len(set(ids[:3])) == 3
    assert ids[2] == ids[3]
    assert isinstance(cases[0], Labelled)
    assert cases[0].truth == {"label": "apple pie"}


def test_what_is_left_out_and_what_is_an_error() -> None:
    assert made(image=blank(120, 63)) == LeftOut("an image below 64 pixels a side")
    with pytest.raises(DataError, match="expected one of 101 known names in column 'label'"):
        made(label="apple pie")
    with pytest.raises(DataError, match="expected a column 'label', got 'image'"):
        dish({"image": blank(120, 90)}, random.Random(0))
    with pytest.raises(DataError, match="expected Picture in column 'image', got NoneType"):
        made(image=None)


def test_the_right_answer_to_every_fixture_scores() -> None:
    cases = [dish(row, random.Random(0)) for row in fixture_rows(ROWS)]
    kept = [case for case in cases if isinstance(case, Labelled)]
    assert len(kept) == len({case.image_id for case in kept}) == 12
    for case in kept:
        scores = oracle_scores(TASKS["image_classification"], case, {"label": FOOD101_NAMES})
        assert set(scores) == {1.0}

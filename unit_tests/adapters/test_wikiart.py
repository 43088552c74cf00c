from __future__ import annotations

from typing import Any

import pytest

from unit_tests.adapters.tables import (
    blank,
    case_of,
    fixture_rows,
    oracle_scores,
    reason_of,
    rng,
)
from vlmbench_plugin.adapters.wikiart import GROUPS, STYLE_GROUPS, painting
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.scenes.styles import STRUCTURES
from vlmbench_plugin.sources import Labelled
from vlmbench_plugin.tasks import TASKS

ROWS = "huggan/wikiart/data/train-00000-of-00072.parquet"


def row_of(**changed: Any) -> dict[str, Any]:
    return {"image": blank(120, 90), "style": "Pointillism", **changed}


def test_the_groups_hold_each_of_27_styles_once() -> None:
    styles = [style for group in GROUPS.values() for style in group]
    assert len(styles) == len(set(styles)) == 27
    assert len(STYLE_GROUPS) == 15


@pytest.mark.parametrize(
    ("style", "group"),
    [
        ("Pointillism", "impressionism"),
        ("Impressionism", "impressionism"),
        ("Analytical_Cubism", "cubism"),
        ("Art_Nouveau", "art nouveau"),
        ("Ukiyo_e", "ukiyo-e"),
        # Numbers are those of the alphabetical order.
        (0, "abstract expressionism"),
        (4, "baroque"),
        (26, "ukiyo-e"),
    ],
)
def test_a_style_becomes_its_group_and_the_structure_is_unknown(
    style: str | int, group: str
) -> None:
    case = case_of(painting, row_of(style=style))
    assert case.truth == {"style": group, "structure": None}
    assert (case.size, case.question) == ((120, 90), None)


def test_an_id_tells_pictures_apart() -> None:
    ids = [case_of(painting, row_of(image=blank(120, high))).image_id for high in (90, 91, 90)]
    assert ids[0] == ids[2] != ids[1]


def test_what_is_left_out_and_what_is_an_error() -> None:
    small = row_of(image=blank(63, 90))
    assert reason_of(painting, small) == "an image below 64 pixels a side"
    for style in ("Cubist", 27, None):
        with pytest.raises(DataError, match="expected one of 27 known names in column 'style'"):
            painting(row_of(style=style), rng())
    with pytest.raises(DataError, match="expected a column 'style', got 'image'"):
        painting({"image": blank(120, 90)}, rng())
    with pytest.raises(DataError, match="expected Picture in column 'image', got NoneType"):
        painting(row_of(image=None), rng())


def test_the_right_answer_to_every_fixture_scores() -> None:
    cases = [painting(row, rng()) for row in fixture_rows(ROWS)]
    kept = [case for case in cases if isinstance(case, Labelled)]
    assert len(kept) == len({case.image_id for case in kept}) == 7
    assert "L" in {case.image.raw().mode for case in kept}
    vocabulary = {"style": STYLE_GROUPS, "structure": STRUCTURES}
    for case in kept:
        scores = oracle_scores(TASKS["style_structural_awareness"], case, vocabulary)
        assert set(scores) == {1.0}

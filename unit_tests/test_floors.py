from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from vlmbench_plugin.core import Answer, Score, Scorer, Truth, Vocabulary
from vlmbench_plugin.floors import case_of
from vlmbench_plugin.floors import floor as best_blind
from vlmbench_plugin.record import Record


def case(index: int, label: str, **changes: Any) -> Record:
    values: dict[str, Any] = {field.name: None for field in dataclasses.fields(Record)}
    values |= {
        "model": "m",
        "category": "image_classification",
        "image_id": f"image-{index}",
        "case_index": index,
        "source": "synthetic",
        "status": "missed",
        "truth": {"label": label, "extra": index},
        "vocabulary": {"rule": "closed", "names": {"label": ["cat", "dog"]}},
    }
    return Record(**(values | changes))


def same_label(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    assert vocabulary == {"label": ("cat", "dog")}
    return Score(primary=float(answer["label"] == truth["label"]))


def label_alone(truth: Truth) -> Answer:
    return {"label": truth["label"]}


def floor(records: list[Record], score: Scorer, answer: Any) -> float | None:
    found = best_blind(records, score, answer)
    return None if found is None else found.value


LABELS = ["cat", "cat", "cat", "dog", "dog", "dog", "dog", "dog"]


def test_the_best_blind_answer_by_hand() -> None:
    records = [case(index, label) for index, label in enumerate(LABELS)]
    # A dog's label is right on 4 of the 7 other cases, a cat's on 2 of 7.
    assert floor(records, same_label, label_alone) == pytest.approx(4 / 7)


def test_no_candidate_is_scored_on_its_own_case() -> None:
    records = [case(index, f"name {index}") for index in range(8)]
    assert floor(records, same_label, label_alone) == 0.0


def test_below_eight_cases_there_is_no_floor() -> None:
    seven = [case(index, "cat") for index in range(7)]
    assert floor(seven, same_label, label_alone) is None
    again = [dataclasses.replace(record, model="other") for record in seven]
    assert floor(seven + again, same_label, label_alone) is None
    assert floor([*seven, case(7, "cat")], same_label, label_alone) == 1.0


def test_only_the_first_eight_cases_are_candidates() -> None:
    records = [case(index, f"name {index}") for index in range(8)]
    records += [case(index, "cat") for index in range(8, 20)]
    assert floor(records, same_label, label_alone) == 0.0


def test_the_first_cases_are_those_of_lowest_index() -> None:
    records = [case(index, "cat" if index < 8 else f"name {index}") for index in range(16)]
    expected = pytest.approx(7 / 15)
    assert floor(records, same_label, label_alone) == expected
    assert floor(records[::-1], same_label, label_alone) == expected


def test_one_id_in_two_sources_is_two_cases() -> None:
    records = [case(index, "cat") for index in range(4)]
    records += [case(index, "cat", source="photo") for index in range(4)]
    assert floor(records, same_label, label_alone) == 1.0


def test_neither_order_nor_answers_nor_models_matter() -> None:
    records = [case(index, label) for index, label in enumerate(LABELS)]
    others = [
        dataclasses.replace(record, model="other", status="error", primary_score=None)
        for record in records
    ]
    expected = floor(records, same_label, label_alone)
    assert floor([*others, *records][::-1], same_label, label_alone) == expected


def test_records_of_two_categories_are_refused() -> None:
    with pytest.raises(ValueError, match="one category"):
        floor([case(0, "cat"), case(1, "cat", category="ocr_text")], same_label, label_alone)


def test_a_task_may_name_blind_answers_that_see_the_request_alone() -> None:
    records = [
        case(
            index,
            f"name {index}",
            question=f"name {index}" if index % 2 else "?",
            image_size=[4, 3],
        )
        for index in range(8)
    ]
    seen = []

    def blind(question: Any, size: Any, vocabulary: Any) -> list[Answer]:
        seen.append((size, vocabulary))
        return [{"label": "nothing"}, {"label": question}]

    found = best_blind(records, same_label, label_alone, blind)
    assert found is not None
    assert found.value == 0.5
    assert [found.scores[case_of(record)] for record in records] == [0.0, 1.0] * 4
    assert seen == [((4, 3), {"label": ("cat", "dog")})] * 8


def test_the_best_answers_own_case_has_no_score() -> None:
    records = [case(index, label) for index, label in enumerate(LABELS)]
    found = best_blind(records, same_label, label_alone)
    assert found is not None
    assert found.value == pytest.approx(4 / 7)
    assert found.scores == {
        case_of(record): float(record.truth["label"] == "dog")
        for record in records
        if record.case_index != 3
    }

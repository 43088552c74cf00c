from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench_plugin.metrics.text import (
    Pair,
    anls,
    character_error_rate,
    contains_words,
    edit_distance,
    key_f1,
    ocr_containment,
    pair_f1,
    vqa_accuracy,
    vqa_normalise,
    words,
)

SHORT = st.text("abcé ", max_size=12)
WORD_LIST = st.lists(st.sampled_from(["open", "the", "door", "4.99"]), max_size=6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  OPEN\tnow! ", ["open", "now"]),
        ("(it's) $4.99, ok", ["it's", "$4.99", "ok"]),
        ("— ... —", []),
        ("\uff2f\uff30\uff25\uff2e", ["open"]),
        ("well-known", ["well-known"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("haystack", "needle", "expected"),
    [
        ("open the door", "the door", True),
        ("Open, the DOOR!", "the door", True),
        ("open the door", "door the", False),
        ("open the door", "open door", False),
        ("open the doors", "door", False),
        ("reopen", "open", False),
        ("it is 4.99 now", "4.99", True),
        ("it is 499 now", "4.99", False),
        ("door", "open door", False),
        ("door", "", False),
        ("door !", "!", False),
    ],
)
def test_contains_words(haystack: str, needle: str, expected: bool) -> None:
    assert contains_words(haystack, needle) is expected


@given(WORD_LIST, WORD_LIST)
def test_containment_is_a_run_of_the_list(haystack: list[str], needle: list[str]) -> None:
    runs = [haystack[i : i + len(needle)] for i in range(len(haystack))]
    expected = bool(needle) and needle in runs
    assert contains_words(" ".join(haystack), " ".join(needle)) == expected


def test_ocr_containment() -> None:
    assert ocr_containment(["OPEN THE", "DOOR now"], ["door now"], 4) == 1.0
    assert ocr_containment(["OPEN THE", "DOOR now"], ["the door"], 4) == 1.0
    assert ocr_containment(["OPEN THE", "DOOR now"], ["nothing", "open"], 4) == 1.0
    assert ocr_containment(["OPEN THE", "DOOR now"], ["close"], 4) == 0.0
    assert ocr_containment([], ["close"], 4) == 0.0
    assert ocr_containment(["45 apple"], ["45% apple"], 2) == 0.0
    assert ocr_containment(["(45% apple)"], ["45% apple."], 2) == 1.0
    assert ocr_containment(["OPEN"], [], 4) == 0.0


def test_an_endless_answer_contains_nothing() -> None:
    assert ocr_containment(["open", *["x"] * 15], ["open"], 2) == 1.0
    assert ocr_containment(["open", *["x"] * 16], ["open"], 2) == 0.0
    assert ocr_containment(["open " + "! " * 16], ["open"], 2) == 0.0


def table_distance(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        previous, row = row, [i]
        for j, right in enumerate(b, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (left != right)))
    return row[-1]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("ab", "ba", 2)],
)
def test_edit_distance(a: str, b: str, expected: int) -> None:
    assert edit_distance(a, b) == expected


@given(st.text("abc", max_size=80), st.text("abcd", max_size=80))
def test_edit_distance_is_that_of_the_full_table(a: str, b: str) -> None:
    assert edit_distance(a, b) == table_distance(a, b) == edit_distance(b, a)
    assert edit_distance(a, a) == 0


@pytest.mark.parametrize(
    ("prediction", "truth", "expected"),
    [
        ("abcd", "abcd", 0.0),
        (" ab  cd", "ab cd", 0.0),
        ("abc", "abcd", 0.25),
        ("ABCD", "abcd", 1.0),
        ("", "abcd", 1.0),
        ("x" * 99, "abcd", 1.0),
        ("abc", "", None),
    ],
)
def test_character_error_rate(prediction: str, truth: str, expected: float | None) -> None:
    assert character_error_rate(prediction, truth) == expected


@pytest.mark.parametrize(
    ("prediction", "answers", "expected"),
    [
        ("Hello", ["hello"], 1.0),
        ("helo", ["hello"], 0.8),
        ("ab", ["abcd"], 0.5),
        ("a", ["abc"], 0.0),
        ("helo", ["nothing", "hello"], 0.8),
        ("", [""], 1.0),
        ("x", [], None),
    ],
)
def test_anls(prediction: str, answers: list[str], expected: float | None) -> None:
    assert anls(prediction, answers) == (None if expected is None else pytest.approx(expected))


@given(SHORT, st.lists(SHORT, min_size=1, max_size=3))
def test_text_scores_are_bounded(prediction: str, answers: list[str]) -> None:
    similarity = anls(prediction, answers)
    assert similarity is not None
    assert similarity == 0 or 0.5 <= similarity <= 1
    assert anls(answers[0], answers) == 1
    error = character_error_rate(prediction, answers[0])
    assert error is None or 0 <= error <= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes.", "yes"),
        ("The Two dogs", "2 dogs"),
        ("none", "0"),
        ("ten", "10"),
        ("twenty", "twenty"),
        ("dont know", "don't know"),
        ("don't know", "don't know"),
        ("don\u2019t", "don't"),
        ("100,978", "100978"),
        ("red, white", "red white"),
        ("red/white", "red white"),
        ("4.5", "4.5"),
        ("U.S.A.", "usa"),
        ("10:30", "10:30"),
        ("t-shirt", "t shirt"),
        ("  a\tcat\n", "cat"),
        ("a", "a"),
        ("?", "?"),
        ("were", "were"),
    ],
)
def test_vqa_normalise(text: str, expected: str) -> None:
    assert vqa_normalise(text) == expected


@given(st.integers(0, 10))
def test_vqa_accuracy_is_the_mean_over_all_nine_of_ten(agreeing: int) -> None:
    answers = ["red"] * agreeing + [f"other {i}" for i in range(10 - agreeing)]
    nines = [[answers[i] for i in kept] for kept in combinations(range(10), 9)]
    mean = sum(min(1, nine.count("red") / 3) for nine in nines) / 10
    assert vqa_accuracy("Red.", answers) == pytest.approx(mean)
    assert vqa_accuracy("Red.", answers) in (0, 0.3, 0.6, 0.9, 1)


@pytest.mark.parametrize(
    ("answer", "answers", "expected"),
    [
        ("Two", ["2"], 1.0),
        ("a dog", ["dog"], 1.0),
        ("the", ["a"], 0.0),
        ("dogs", ["dog"], 0.0),
        ("dog", ["cat", "dog"], 1.0),
        ("dog", [], 0.0),
        ("", [""], 1.0),
    ],
)
def test_vqa_accuracy_of_other_numbers_of_answers(
    answer: str, answers: list[str], expected: float
) -> None:
    assert vqa_accuracy(answer, answers) == expected


TRUE = [("a.b", "1.5"), ("a.c", "x"), ("a.c", "x"), ("d", "true")]


@pytest.mark.parametrize(
    ("predicted", "pairs", "keys"),
    [
        (TRUE, 1.0, 1.0),
        (TRUE[::-1], 1.0, 1.0),
        ([(" a.b ", "1.50"), ("a.c", " x"), ("a.c", "x"), ("d", "true")], 1.0, 1.0),
        ([("a.b", "15e-1")], 0.4, 0.4),
        ([("a.b", "1.6")], 0.0, 0.4),
        ([("a.c", "x")] * 4, 0.5, 0.5),
        ([("d", "True")], 0.0, 0.4),
        ([("D", "true")], 0.0, 0.0),
        ([], 0.0, 0.0),
    ],
)
def test_pairs_by_hand(predicted: list[Pair], pairs: float, keys: float) -> None:
    assert pair_f1(predicted, TRUE) == pytest.approx(pairs)
    assert key_f1(predicted, TRUE) == pytest.approx(keys)


@pytest.mark.parametrize(
    ("given_", "true", "equal"),
    [
        ("1", "1.0", True),
        ("-0.50", "-.5", True),
        ("1e3", "1000", True),
        ("+7", "7", True),
        ("1,000", "1000", False),
        ("0.1", "0.1000000000000000001", False),
        ("1e99999999", "1e99999999", True),
        ("1e" + "9" * 30, "1e" + "9" * 30, True),
        ("nan", "nan", True),
        ("inf", "Infinity", False),
        ("\u0661", "1", False),
        ("", "0", False),
    ],
)
def test_values(given_: str, true: str, equal: bool) -> None:
    assert pair_f1([("k", given_)], [("k", true)]) == float(equal)


PAIRS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["1", "2", "x"])), max_size=5)


@given(PAIRS, PAIRS)
def test_pair_f1_is_that_of_taking_away_one_by_one(a: list[Pair], b: list[Pair]) -> None:
    rest, matched = list(b), 0
    for pair in a:
        if pair in rest:
            rest.remove(pair)
            matched += 1
    expected = 2 * matched / (len(a) + len(b)) if a or b else 1.0
    assert pair_f1(a, b) == pytest.approx(expected)
    assert pair_f1(b, a) == pair_f1(a, b) <= key_f1(a, b) <= 1
    assert type(pair_f1(a, b)) is float

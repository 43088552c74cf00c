from __future__ import annotations

from collections.abc import Mapping

import pytest

from unit_tests.records import failed_record as failed
from unit_tests.records import make_record as make
from vlmbench_plugin.stale import mixed, reason


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"prompt": "1", "mode": "a"}, {"prompt": "2", "mode": "a"}, ("prompt",)),
        ({"prompt": "1", "mode": "a"}, {"prompt": "2", "mode": "b"}, ("prompt", "mode")),
        ({"prompt": "1"}, {"prompt": "1"}, ("data",)),
        ({"prompt": "1"}, {"prompt": "1", "thinking": "x"}, ("thinking",)),
        ({}, {"prompt": "1"}, ("untold",)),
    ],
)
def test_the_reason_is_what_differs(
    before: Mapping[str, str], after: Mapping[str, str], expected: tuple[str, ...]
) -> None:
    assert reason(make(key_parts=before), make(key_parts=after)) == expected


def test_mixed_rows_are_told_and_vocabularies_of_their_own_are_not() -> None:
    cats, dogs = ({"rule": "closed", "names": {"label": [name]}} for name in ("cat", "dog"))
    usual = [make(str(n), key_parts={"prompt": "1"}, vocabulary=cats) for n in range(3)]
    own = make("own", key_parts={"prompt": "2"}, vocabulary=dogs)
    assert mixed([*usual, own]) == []
    other = make("other", key_parts={"prompt": "2"}, vocabulary=cats)
    (told,) = mixed([*usual, own, other])
    assert told.startswith("Mixed: 1 of 5 records of m ocr_text json_mode were asked with another ")
    assert "another prompt;" in told
    elsewhere = make("x", key_parts={"prompt": "3"}, vocabulary=cats, mode="constrained")
    assert mixed([*usual, elsewhere, failed("e"), make("old", key_parts={})]) == []

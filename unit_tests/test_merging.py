"""Which record of an item is kept where several folders have one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from unit_tests.records import failed_record, make_record
from vlmbench_plugin.folder_tables import tables
from vlmbench_plugin.merging import Folder, Merged, merge, merge_lines
from vlmbench_plugin.record import Record
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.store_files import item_of


def merged(*folders: Sequence[Record]) -> Merged:
    """Merges folders that are called A, B, C, ..."""
    return merge(
        [Folder(name=name, records=tuple(r)) for name, r in zip("ABCD", folders, strict=False)]
    )


def kept(found: Merged) -> list[tuple[Record, str]]:
    return list(found.records.values())


def test_different_items_are_joined_in_the_order_of_the_folders() -> None:
    a, b, c = make_record("a"), make_record("b", "k2"), make_record("a", "k3", source="photo")
    found = merged([a, b], [c])
    assert kept(found) == [(a, "A"), (b, "A"), (c, "B")]
    assert (found.conflicts, found.agreed, found.outdone) == ([], 0, 0)


def test_the_same_answer_counts_once_whatever_it_took() -> None:
    first = make_record(busy_s=1.0, case_index=3)
    found = merged([first], [make_record(busy_s=2.0, case_index=4)])
    assert kept(found) == [(first, "A")]
    assert (found.conflicts, found.agreed) == ([], 1)


def test_another_answer_to_the_same_question_is_a_conflict_and_the_first_is_kept() -> None:
    first = make_record()
    other = make_record(raw_text="{}", finish_reason="length")
    found = merged([first], [other], [first])
    assert kept(found) == [(first, "A")]
    (conflict,) = found.conflicts
    assert (conflict.kind, conflict.differs) == ("answer", ("raw_text", "finish_reason"))
    assert (conflict.kept, conflict.folder, conflict.record) == ("A", "B", other)
    assert found.agreed == 1
    assert str(conflict) == ("m ocr_text json_mode a: raw_text, finish_reason; kept A, not B")
    line = json.loads(conflict.to_json())
    assert Record.from_json(json.dumps(line.pop("record"))) == other
    assert line == {
        "kind": "answer",
        "differs": ["raw_text", "finish_reason"],
        "kept": "A",
        "folder": "B",
    }


def test_another_fingerprint_is_a_conflict_that_names_the_parts() -> None:
    first = make_record(key_parts={"task": "1", "prompt": "2", "seed": "3"})
    other = make_record(key="k2", key_parts={"task": "9", "prompt": "8", "seed": "3"})
    found = merged([first], [other])
    assert kept(found) == [(first, "A")]
    assert [(c.kind, c.differs) for c in found.conflicts] == [("fingerprint", ("prompt", "task"))]


def test_another_image_under_the_same_name_is_told() -> None:
    found = merged([make_record()], [make_record(key="k2")])
    (conflict,) = found.conflicts
    assert (conflict.kind, conflict.differs) == ("fingerprint", ())
    assert ": the image or what is asked of it; kept A, not B" in str(conflict)


def test_an_error_gives_way_to_an_answer_wherever_it_stands() -> None:
    error, answer = failed_record(), make_record(key="k2")
    for folders in (([error], [answer]), ([answer], [error])):
        found = merged(*folders)
        assert [record for record, _ in kept(found)] == [answer]
        assert (found.conflicts, found.outdone) == ([], 1)
    found = merged([error], [failed_record(error="another")])
    assert (kept(found), found.outdone) == ([(error, "A")], 1)


def test_of_equal_texts_the_newer_score_counts() -> None:
    old = make_record(primary_score=0.25, scorer_version=1)
    new = make_record(primary_score=0.75, scorer_version=2)
    for folders in (([old], [new]), ([new], [old])):
        found = merged(*folders)
        assert [record for record, _ in kept(found)] == [new]
        assert (found.conflicts, found.agreed) == ([], 1)


def test_what_is_told() -> None:
    one = [make_record(f"{n}") for n in range(8)]
    two = [make_record(f"{n}", raw_text="[]") for n in range(7)]
    lines = merge_lines(merged(one, two, [*one, failed_record("0")]), "ABC", "out")
    assert lines[0] == "Merged into out: 8 records, 8 of A, 0 of B, 0 of C."
    assert lines[1] == "8 more hold the same answer as one that is kept."
    assert lines[2] == "1 errors gave way to answers, or are there twice."
    assert lines[3].startswith("7 conflicts, the same question got another answer (conflicts.jsonl")
    assert lines[4] == "  m ocr_text json_mode 0: raw_text; kept A, not B"
    assert lines[-1] == "  and 2 more"
    assert len(lines) == 4 + 5 + 1
    again = merge_lines(merge([Folder(name="out", records=tuple(one))]), ["A"], "out")
    assert again == ["Merged into out: 8 records, 8 that it held, 0 of A."]


def test_a_row_that_joins_two_ways_of_asking_is_told() -> None:
    one = [make_record("a", key_parts={"prompt": "1", "seed": "0", "old": "x"})]
    two = [make_record("b", key_parts={"prompt": "1", "seed": "1", "new": "x"})]
    (_, told) = merge_lines(merged(one, two), "AB", "out")
    assert told == (
        "Rows of the tables that join differently asked items of A and B: 1 (differing: seed)."
    )
    # Two vocabularies make two prompts in one folder: that the other has one of them is no matter.
    more = [*one, make_record("c", key_parts={"prompt": "2", "seed": "0"})]
    (_, told) = merge_lines(merged(more, two), "AB", "out")
    assert "(differing: seed)" in told


scores = st.sampled_from([None, 0.0, 0.25, 0.5, 1.0])


@st.composite
def records(draw: st.DrawFn) -> Record:
    image = draw(st.sampled_from("abcd"))
    changes: dict[str, Any] = {
        "model": draw(st.sampled_from(["m", "n"])),
        "mode": draw(st.sampled_from(["json_mode", "constrained"])),
        "case_index": "abcd".index(image),
    }
    if draw(st.booleans()) and draw(st.booleans()):
        return failed_record(image, **changes)
    score = draw(scores)
    passed = score is not None and score >= 0.25
    return make_record(
        image,
        draw(st.sampled_from(["k1", "k1", "k1", "k2"])),
        **changes,
        raw_text=draw(st.sampled_from(["{}", "{}", "[]"])),
        primary_score=score,
        schema_valid=score is not None,
        passed=passed,
        status="passed" if passed else "missed",
        failure=None if passed else "wrong_answer",
        scorer_version=draw(st.integers(1, 2)),
    )


def folders() -> st.SearchStrategy[list[list[Record]]]:
    one = st.lists(records(), max_size=8, unique_by=item_of)
    return st.lists(one, min_size=1, max_size=3)


@given(folders())
def test_merging_again_changes_nothing(given_folders: list[list[Record]]) -> None:
    found = merged(*given_folders)
    once = tuple(record for record, _ in kept(found))
    again = merge(
        [
            Folder(name="out", records=once),
            *(Folder(name=n, records=tuple(r)) for n, r in zip("ABC", given_folders, strict=False)),
        ]
    )
    assert tuple(record for record, _ in kept(again)) == once
    assert {name for _, name in kept(again)} <= {"out"}
    # The kept one may have come from a later folder than the error or old score before it.
    known = {(c.kind, c.differs, c.folder, c.record.to_json()) for c in found.conflicts}
    assert known <= {(c.kind, c.differs, c.folder, c.record.to_json()) for c in again.conflicts}


@given(folders())
def test_every_record_is_accounted_for(given_folders: list[list[Record]]) -> None:
    found = merged(*given_folders)
    total = sum(map(len, given_folders))
    assert len(found.records) + len(found.conflicts) + found.agreed + found.outdone == total
    items = {item_of(record) for folder in given_folders for record in folder}
    assert found.records.keys() == items
    for item, (record, _) in found.records.items():
        every = [r for folder in given_folders for r in folder if item_of(r) == item]
        assert record in every
        assert (record.status == "error") == all(r.status == "error" for r in every)


@settings(max_examples=25)
@given(folders())
def test_the_order_of_the_folders_is_no_matter_without_a_conflict(
    given_folders: list[list[Record]],
) -> None:
    # The same text and scorer lead to the same score, as they do in folders that runs wrote.
    scored: dict[tuple[Any, ...], Record] = {}
    agreeing: list[list[Record]] = []
    for folder in given_folders:
        agreeing.append([])
        for record in folder:
            asked = (*item_of(record), record.status == "error", record.scorer_version)
            agreeing[-1].append(scored.setdefault(asked, _only_key(record)))
    shown = [
        tables((record for record, _ in kept(merged(*order))), {}, {}, Settings()).files
        for order in (agreeing, agreeing[::-1])
    ]
    assert not merged(*agreeing).conflicts
    assert all(files == shown[0] for files in shown)


def _only_key(record: Record) -> Record:
    """Returns the record with the one fingerprint and text that its item has everywhere."""
    text = None if record.status == "error" else "{}"
    return dataclasses.replace(record, key="k1", raw_text=text)

from __future__ import annotations

import dataclasses
import json

import pytest

from vlmbench_plugin.asking import build_request
from vlmbench_plugin.core import Case, FinishReason, Generation, ModelSpec
from vlmbench_plugin.errors import StoreError
from vlmbench_plugin.evaluate import error_record, evaluate, rescore
from vlmbench_plugin.fingerprints import UNSTORED
from vlmbench_plugin.record import FORMAT_VERSION, Record
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

SPEC = ModelSpec(name="m", hub_id="org/m", frame="norm_0_1000")
TASK = TASKS["subject_fixation"]


def no_image() -> None:
    raise AssertionError("scoring must not look at the image")


CASE = Case(
    category=TASK.category,
    image_id="c",
    source="test",
    index=3,
    size=(500, 250),
    truth={"subject": "cup", "box": [100, 50, 300, 150]},
    image=no_image,  # type: ignore[arg-type]  # never called
    vocabulary={"object": ("cup", "tree")},
)
RIGHT = '{"subject": "cup", "box": [200, 200, 600, 600]}'


def record_of(
    text: str, finish: FinishReason = "stop", settings: Settings | None = None, **more: float
) -> Record:
    settings = settings or Settings()
    request = build_request(TASK, CASE, SPEC, "json_mode", settings)
    generation = Generation(text=text, finish_reason=finish, constraint="none", **more)  # type: ignore[arg-type]  # ints and floats
    return evaluate(TASK, CASE, SPEC, request, generation, settings, UNSTORED)


@pytest.mark.parametrize(
    ("text", "finish", "status", "parse", "valid", "robust", "failure"),
    [
        (RIGHT, "stop", "passed", "clean", True, True, None),
        (f"```json\n{RIGHT}\n```", "stop", "passed", "fenced", True, True, None),
        (f"Here it is: {RIGHT} Done.", "stop", "passed", "prose", True, False, None),
        ("", "stop", "missed", "none", False, False, "empty"),
        (RIGHT[:-5], "length", "missed", "none", False, False, "truncated"),
        ('{"a": ' + "[1, " * 300, "loop", "missed", "none", False, False, "looping"),
        ("sorry", "stop", "missed", "none", False, False, "not_json"),
        (f"[{RIGHT}]", "stop", "missed", "clean", False, True, "bare_array"),
        ('{"bbox_2d": [1, 2, 3, 4]}', "stop", "missed", "clean", False, True, "native_schema"),
        ('{"subject": "cup"}', "stop", "missed", "clean", False, True, "missing_field"),
        (RIGHT[:-1] + ', "x": 1}', "stop", "missed", "clean", False, True, "extra_field"),
        (RIGHT.replace('"cup"', "7"), "stop", "missed", "clean", False, True, "wrong_type"),
        (RIGHT.replace('"cup"', '""'), "stop", "missed", "clean", False, True, "out_of_range"),
        (
            '{"subject": "cup", "box": [100, 50, 300, 150]}',
            "stop",
            "missed",
            "clean",
            True,
            True,
            "wrong_frame",
        ),
        (RIGHT.replace("cup", "tree"), "stop", "missed", "clean", True, True, "wrong_answer"),
    ],
)
def test_one_outcome_each(
    text: str,
    finish: FinishReason,
    status: str,
    parse: str,
    valid: bool,
    robust: bool,
    failure: str | None,
) -> None:
    record = record_of(text, finish)
    assert (record.status, record.parse_status) == (status, parse)
    assert (record.schema_valid, record.json_robust, record.failure) == (valid, robust, failure)
    assert record.passed == (status == "passed")
    assert (record.primary_score is None) == (not valid)
    assert record.raw_text == text


def test_the_prediction_is_in_pixels_and_clamped() -> None:
    record = record_of('{"subject": "cup", "box": [200, 200, 1200, -30]}')
    assert record.prediction == {"subject": "cup", "box": [100.0, 50.0, 500.0, 0.0]}
    assert record.clamped == 1
    assert record.schema_valid
    assert record_of(RIGHT).clamped == 0


def test_the_bar_can_be_moved() -> None:
    assert record_of(RIGHT, settings=Settings(right_at=1.0)).status == "passed"
    assert record_of(RIGHT, settings=Settings(right_at=1.0)).right_at == 1.0


def test_speed_is_tokens_over_busy_seconds_or_unknown() -> None:
    assert record_of(RIGHT, output_tokens=50, busy_s=2.0).tokens_per_sec == 25.0
    assert record_of(RIGHT, output_tokens=50).tokens_per_sec is None
    assert record_of(RIGHT, busy_s=2.0).tokens_per_sec is None


def test_what_a_repair_library_would_have_saved_stands_apart() -> None:
    broken = RIGHT.replace('"subject"', "'subject'")
    record = record_of(broken)
    assert record.repairable
    assert not record.schema_valid
    assert not record_of("no").repairable


def test_an_error_measures_nothing() -> None:
    request = build_request(TASK, CASE, SPEC, "json_mode", Settings())
    record = error_record(TASK, CASE, SPEC, request, Settings(), UNSTORED, "boom")
    assert (record.status, record.error) == ("error", "boom")
    for name in ("primary_score", "schema_valid", "raw_text", "passed", "failure", "busy_s"):
        assert getattr(record, name) is None
    assert record.truth == CASE.truth
    assert rescore(record, TASK) is record


def test_rescoring_follows_the_text_and_stamps_the_scorer() -> None:
    newer = dataclasses.replace(TASK, scorer_version=2, score=TASKS["subject_fixation"].score)
    edited = dataclasses.replace(record_of("nothing"), raw_text=RIGHT)
    again = rescore(edited, newer)
    assert (again.status, again.primary_score, again.scorer_version) == ("passed", 1.0, 2)
    assert again.key == edited.key


@pytest.mark.parametrize("line", ["", "{", "[]", "null", '{"format_version": 99}', '{"model": 1}'])
def test_a_line_that_is_no_record_is_refused(line: str) -> None:
    with pytest.raises(StoreError):
        Record.from_json(line)


def test_a_record_with_other_fields_names_them() -> None:
    values = json.loads(record_of(RIGHT).to_json())
    values["surprise"] = 1
    with pytest.raises(StoreError, match="surprise"):
        Record.from_json(json.dumps(values))
    assert values["format_version"] == FORMAT_VERSION


@pytest.mark.parametrize("parts", [None, [], {"prompt": 7}, {"prompt": ["0"]}])
def test_damaged_parts_of_a_fingerprint_are_told(parts: object) -> None:
    values = json.loads(record_of(RIGHT).to_json()) | {"key_parts": parts}
    with pytest.raises(StoreError, match="expected one record, got one with key_parts: expected"):
        Record.from_json(json.dumps(values))


def test_records_of_a_cell_hold_their_parts_once() -> None:
    lines = [
        dataclasses.replace(record_of(RIGHT), key_parts={"prompt": "00000000"}).to_json()
        for _ in range(2)
    ]
    first, second = map(Record.from_json, lines)
    assert first.key_parts is second.key_parts
    assert first.key_parts == {"prompt": "00000000"}


def test_records_of_a_source_hold_its_vocabulary_once_and_as_it_was_written() -> None:
    names = {"rule": "closed", "names": {"label": ["cup", "dog"]}}
    turned = {"names": {"label": ["cup", "dog"]}, "rule": "closed"}
    lines = [
        dataclasses.replace(record_of(RIGHT), vocabulary=vocabulary).to_json()
        for vocabulary in (names, names, turned)
    ]
    first, second, third = map(Record.from_json, lines)
    assert first.vocabulary is second.vocabulary
    assert first.vocabulary == names
    assert [record.to_json() for record in (first, second, third)] == lines


def test_nan_never_reaches_a_file() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dataclasses.replace(record_of(RIGHT), primary_score=float("nan")).to_json()


def test_an_extreme_aspect_is_no_reason_to_fail_a_model_of_another_frame() -> None:
    case = dataclasses.replace(CASE, size=(5000, 10), truth={"subject": "cup", "box": [0, 0, 9, 9]})
    request = build_request(TASK, case, SPEC, "json_mode", Settings())
    generation = Generation(text=RIGHT, finish_reason="stop", constraint="none")
    record = evaluate(TASK, case, SPEC, request, generation, Settings(), UNSTORED)
    assert record.failure == "wrong_answer"


def test_a_valid_answer_too_long_to_repair_is_repairable() -> None:
    assert record_of(RIGHT + " " * 20_001).repairable is True


def test_rescoring_keeps_what_ended_the_answer() -> None:
    assert rescore(record_of(RIGHT[:-5], "length"), TASK).failure == "truncated"

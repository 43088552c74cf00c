from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from vlmbench_plugin import coords
from vlmbench_plugin.core import FRAMES, Answer, Frame, Generation, Json, Mode, ModelSpec, Request
from vlmbench_plugin.errors import UnknownNameError, UsageError
from vlmbench_plugin.fields import (
    artifacts,
    boolean,
    box,
    choice,
    integer,
    label,
    list_of,
    number,
    point,
    polygon,
    text,
)
from vlmbench_plugin.parsing import judge, read
from vlmbench_plugin.runners.stub import FAULTS, RATES, StubRunner, wrong_answer, wrong_frame
from vlmbench_plugin.settings import Settings

FIELDS = {
    "kind": choice("photo", "drawing"),
    "label": label("label"),
    "lines": list_of(text(8), at_most=3, at_least=1),
    "objects": list_of({"box": box(), "at": point(), "outline": polygon(6)}, at_most=2),
    "box": box(),
    "count": integer(0, 9),
    "yaw": number(-45, 45),
    "sure": boolean(),
    "score": number(0, 1, optional=True),
}
RIGHT: dict[str, Any] = {
    "kind": "photo",
    "label": "cat",
    "lines": ["one"],
    "objects": [
        {"box": [100, 200, 300, 400], "at": [500, 600], "outline": [[1, 2], [1000, 4], [5, 1000]]}
    ],
    "box": [0, 500, 1000, 1000],
    "count": 2,
    "yaw": 1.5,
    "sure": True,
}


def model(frame: Frame = "norm_0_1000") -> ModelSpec:
    return ModelSpec(name="toy", hub_id="toy", frame=frame)


def no_image() -> Any:
    raise AssertionError("the stub looked at an image")


def request(index: int, mode: Mode = "json_mode") -> Request:
    built = artifacts(FIELDS, {}, "norm_0_1000", "closed")
    return Request(
        id=f"toy-task-{mode}-{index:04d}",
        image=no_image,
        messages=(),
        mode=mode,
        grammar=built.gbnf,
        json_schema=built.json_schema,
        budget=1000,
    )


def right(_request_id: str) -> Answer:
    return RIGHT


def stub(faults: str | None = None, *, seed: int = 0) -> StubRunner:
    arguments = {} if faults is None else {"faults": faults}
    return StubRunner(model(), Settings(seed=seed, runner_args=arguments), right)


def outcome(faults: str, mode: Mode = "json_mode") -> tuple[str, str | None, Json]:
    (generation,) = stub(faults).generate([request(0, mode)])
    parsed = read(generation.text, finished=generation.finish_reason == "stop")
    built = artifacts(FIELDS, {}, "norm_0_1000", "closed")
    return parsed.status, parsed.failure or judge(parsed.value, built.model), parsed.value


@pytest.mark.parametrize(
    ("fault", "status", "failure"),
    [
        ("none", "clean", None),
        ("fenced:1", "fenced", None),
        ("prose:1", "prose", None),
        ("truncated:1", "none", "truncated"),
        ("native:1", "clean", "native_schema"),
        ("bare_array:1", "clean", "bare_array"),
        ("looping:1", "none", "looping"),
        ("wrong_frame:1", "clean", None),
        ("wrong_answer:1", "clean", None),
    ],
)
def test_each_fault_reads_as_its_failure(fault: str, status: str, failure: str | None) -> None:
    assert outcome(fault)[:2] == (status, failure)
    held_status, held_failure, held_value = outcome(fault, "constrained")
    assert (held_status, held_failure) == ("clean", None)
    assert (held_value == RIGHT) == (not fault.startswith("wrong"))
    assert set(FAULTS) == set(RATES)


def test_the_same_item_gets_the_same_answer_in_any_instance_and_order() -> None:
    requests = [request(i, mode) for i in range(50) for mode in ("json_mode", "constrained")]
    forward = list(stub().generate(requests))
    backward = list(stub().generate(reversed(requests)))
    assert forward == backward[::-1]
    assert forward != list(stub(seed=1).generate(requests))


def test_the_draw_is_the_same_in_every_process_and_release() -> None:
    # Python's hash() differs from process to process; these positions were drawn once.
    texts = [g.text for g in stub("fenced:0.2").generate(map(request, range(20)))]
    assert [i for i, text in enumerate(texts) if text.startswith("```")] == [4, 6, 18]


def form(generation: Generation) -> str:
    if generation.finish_reason != "stop":
        return "looping" if generation.finish_reason == "loop" else "truncated"
    return {"`": "fenced", "H": "prose", "[": "bare_array"}.get(generation.text[0], "other")


def test_faults_come_at_their_rates() -> None:
    n = 4000
    counts = Counter(map(form, stub().generate(map(request, range(n)))))
    for fault in ("fenced", "prose", "truncated", "looping", "bare_array"):
        rate = next(rate for name, rate in RATES.items() if name == fault)
        assert abs(counts[fault] / n - rate) < 4 * math.sqrt(rate * (1 - rate) / n), fault


def test_token_counts_are_stated_and_times_are_not() -> None:
    (free,) = stub("none").generate([request(0)])
    (held,) = stub("none").generate([request(0, "constrained")])
    assert (free.constraint, held.constraint) == ("none", "grammar")
    assert free.output_tokens == math.ceil(len(free.text) / 4)
    assert free.busy_s is free.latency_s is free.prompt_tokens is None


def test_it_describes_its_faults() -> None:
    assert stub().describe() == {"runner": "stub", "faults": dict(RATES)}
    described = stub("fenced:0.2+prose:.1").describe()["faults"]
    assert described == dict.fromkeys(FAULTS, 0.0) | {"fenced": 0.2, "prose": 0.1}
    stub().close()


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ("fence:0.1", "unknown fault of runner stub 'fence'; valid: fenced, prose, .*none"),
        ("", "unknown fault"),
        ("fenced", "expected a rate from 0 to 1 for the fault fenced, got ''"),
        ("fenced:2", "got '2'"),
        ("fenced:-1", "got '-1'"),
        ("fenced:nan", "got 'nan'"),
        ("fenced:0.6+prose:0.6", "add to at most 1, got 1.2"),
    ],
)
def test_faults_that_cannot_be_read(faults: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        stub(faults)


def test_arguments_that_it_does_not_know() -> None:
    with pytest.raises(UnknownNameError, match="'fault'; valid: faults"):
        StubRunner(model(), Settings(runner_args={"fault": "none"}), right)
    with pytest.raises(UsageError, match="needs the truth"):
        StubRunner(model(), Settings(), None)


def test_the_wrong_answer_is_least_and_never_right() -> None:
    built = artifacts(FIELDS, {}, "norm_0_1000", "closed")
    wrong = wrong_answer(built.json_schema, RIGHT)
    assert wrong == {
        "kind": "drawing",
        "label": "x",
        "lines": [""],
        "objects": [],
        "box": [0, 0, 0, 0],
        "count": 0,
        "yaw": -45,
        "sure": False,
    }
    assert judge(wrong, built.model) is None
    again = wrong_answer(built.json_schema, wrong)
    assert (again["kind"], again["count"], again["yaw"], again["sure"]) == ("photo", 9, 45, True)
    assert judge(again, built.model) is None


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("exact", [True, False])
def test_the_wrong_frame_moves_positions_alone(frame: Frame, exact: bool) -> None:
    built = artifacts(FIELDS, {}, frame, "closed")
    size = (800, 600)
    stated = built.root.map_points(
        RIGHT, lambda x, y: coords.from_pixel(x * 0.8, y * 0.6, frame, size, size)
    )
    wrong = wrong_frame(stated, built.json_schema, frame, exact=exact)
    assert judge(wrong, built.model) is None
    assert wrong["objects"][0]["box"] != stated["objects"][0]["box"]
    assert wrong["objects"][0]["outline"][1] != stated["objects"][0]["outline"][1]
    unmoved = {k: v for k, v in stated.items() if k not in ("box", "objects")}
    assert {k: wrong[k] for k in unmoved} == unmoved
    if not exact or frame.startswith("pixel"):  # what the grammar of the frame admits
        numbers = [*wrong["box"], *wrong["objects"][0]["at"]]
        assert all(0 <= v <= (1 if frame == "norm_0_1" else 1000) for v in numbers)
        assert {type(v) for v in numbers} == {float if frame == "norm_0_1" else int}


@pytest.mark.parametrize(
    ("frame", "other"), [("norm_0_1000", "norm_0_1"), ("norm_0_1", "norm_0_1000")]
)
def test_a_wrong_normalised_frame_is_right_in_the_other(frame: Frame, other: Frame) -> None:
    built = artifacts(FIELDS, {}, frame, "closed")
    size = (640, 480)
    stated = built.root.map_points(
        RIGHT, lambda x, y: coords.from_pixel(x * 0.64, y * 0.48, frame, size, size)
    )
    wrong = wrong_frame(stated, built.json_schema, frame, exact=True)

    def in_pixels(answer: Json, stated_in: Frame) -> Json:
        return built.root.map_points(
            answer, lambda x, y: coords.to_pixel(x, y, stated_in, size, size)
        )

    expected, seen = in_pixels(stated, frame), in_pixels(wrong, other)
    assert seen["box"] == pytest.approx(expected["box"])
    assert seen["objects"][0]["at"] == pytest.approx(expected["objects"][0]["at"])

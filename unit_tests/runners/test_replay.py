from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import pytest

from unit_tests.records import failed_record, make_record
from vlmbench_plugin.core import ModelSpec, Request
from vlmbench_plugin.errors import RunnerError, StoreError, UnknownNameError, UsageError
from vlmbench_plugin.record import Record
from vlmbench_plugin.runners.replay import ReplayRunner
from vlmbench_plugin.settings import Settings


def record(index: int, **changes: Any) -> Record:
    facts: dict[str, Any] = {
        "model": "toy",
        "case_index": index,
        "raw_text": f'{{"lines": ["\ud800 {index}"]}}',
    }
    return make_record(f"image-{index}", **(facts | changes))


def request(index: int) -> Request:
    return Request(
        id=f"toy-ocr_text-json_mode-{index:04d}",
        image=no_image,
        messages=(),
        mode="json_mode",
        grammar="",
        json_schema={},
        budget=1,
    )


def no_image() -> Any:
    raise AssertionError("replay looked at an image")


def write(folder: Path, *records: Record, tail: str = "\n") -> Path:
    path = folder / "results.jsonl"
    path.write_text("\n".join(r.to_json() for r in records) + tail)
    return path


def runner(path: Path) -> ReplayRunner:
    spec = ModelSpec(name="toy", hub_id="toy", frame="norm_0_1000")
    return ReplayRunner(spec, Settings(replay=str(path)))


def test_texts_times_and_counts_come_back(tmp_path: Path) -> None:
    measured: dict[str, Any] = {
        "finish_reason": "length",
        "constraint": "grammar",
        "prompt_tokens": 10,
        "output_tokens": 20,
        "thinking_tokens": 5,
        "thinking_forced": True,
        "busy_s": 0.5,
        "latency_s": 1.5,
        "batch_size": 4,
        "value_logprob": {"mean": -0.5, "minimum": -1.0},
    }
    path = write(tmp_path, record(0), record(1, **measured), record(0, model="other", raw_text=""))
    for source in (path, tmp_path):
        replay = runner(source)
        second, first = replay.generate([request(1), request(0)])
        assert first.text == record(0).raw_text
        assert (first.busy_s, first.output_tokens) == (None, None)
        assert dataclasses.asdict(second) == {"text": record(1).raw_text, **measured}
        replay.close()


def test_an_answer_is_replayed_with_or_without_its_thinking(tmp_path: Path) -> None:
    both = write(tmp_path, record(0), record(0, reasoning="on", raw_text="Hm.</think>{}"))
    asked: tuple[tuple[Literal["off", "on"], str | None], ...]
    asked = ("off", record(0).raw_text), ("on", "Hm.</think>{}")
    for reasoning, text in asked:
        spec = ModelSpec(name="toy", hub_id="toy", frame="norm_0_1000")
        replay = ReplayRunner(spec, Settings(replay=str(both), reasoning=reasoning))
        assert [found.text for found in replay.generate([request(0)])] == [text]


def test_an_item_without_text_is_named_and_the_next_one_follows(tmp_path: Path) -> None:
    failed = failed_record("image-1", model="toy", case_index=1)
    generations = runner(write(tmp_path, failed, record(2))).generate(map(request, range(3)))
    with pytest.raises(
        RunnerError, match=r"record of toy-ocr_text-json_mode-0000 in .* found none"
    ):
        next(generations)
    with pytest.raises(RunnerError, match=r"json_mode-0001 in .*, found an error: out of memory"):
        next(generations)
    assert next(generations).text == record(2).raw_text
    assert list(generations) == []


def test_the_last_record_of_an_item_counts(tmp_path: Path) -> None:
    path = write(tmp_path, record(0, raw_text="old"), record(0, raw_text="new"))
    assert next(runner(path).generate([request(0)])).text == "new"


def test_a_torn_last_line_is_ignored_and_a_whole_one_is_not(tmp_path: Path) -> None:
    torn = record(1).to_json()
    replay = runner(write(tmp_path, record(0), tail="\n" + torn[: len(torn) // 2]))
    assert next(replay.generate([request(0)])).text == record(0).raw_text
    with pytest.raises(RunnerError):
        next(replay.generate([request(1)]))
    whole = runner(write(tmp_path, record(0), tail="\n" + torn))
    assert next(whole.generate([request(1)])).text == record(1).raw_text


def test_a_broken_line_within_the_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="expected one JSON record"):
        runner(write(tmp_path, record(0), tail="\n{\n"))


def test_it_describes_what_it_replays(tmp_path: Path) -> None:
    path = write(tmp_path, record(0), record(1, runner="vllm"), record(0, model="b", runner="stub"))
    described = runner(path).describe()
    assert (described["runner"], described["replayed"]) == ("replay", ["vllm", "vlm"])
    assert described == runner(tmp_path).describe()
    write(tmp_path, record(0))
    assert described["results_sha256"] != runner(path).describe()["results_sha256"]


def test_what_it_cannot_replay(tmp_path: Path) -> None:
    spec = ModelSpec(name="toy", hub_id="toy", frame="norm_0_1000")
    with pytest.raises(UsageError, match="--replay FOLDER"):
        ReplayRunner(spec, Settings())
    with pytest.raises(UsageError, match=r"found no file .*results\.jsonl"):
        runner(tmp_path)
    with pytest.raises(UnknownNameError, match="faults"):
        ReplayRunner(spec, Settings(replay=str(tmp_path), runner_args={"faults": "none"}))

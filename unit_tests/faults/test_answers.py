"""What models and scorers may come up with, and images that are none."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from unit_tests.plugin.conftest import Inside, run
from unit_tests.plugin.test_data import LABELS, own_data
from unit_tests.plugin.test_outcomes import OWN_TASKS, records
from vlmbench_plugin.core import Generation, Request
from vlmbench_plugin.runners.stub import StubRunner

ANSWERS = {
    0: "",
    1: '{"label": "' + "x" * 1_000_000 + '"}',
    2: '{"label": "half a \ud83d pair"}',
    3: "[" * 100_000,
    4: '{"label": "\x00\x1b[31m\r\n"}',
}
CATEGORY = ("--category", "image_classification", "--mode", "json_mode")
ONE = ("--runner", "stub", "--n", "6", "--report-dir", "out", *CATEGORY)
PATCHED = """
from unit_tests.faults.test_answers import saying
from vlmbench_plugin.runners.stub import StubRunner

StubRunner._answer = saying(StubRunner._answer)
"""
WORKERS = {"plain": (), "n2": ("-n", "2")}


Answer = Callable[[StubRunner, Request], Generation]


def saying(answer: Answer) -> Answer:
    """Wraps the stub's answer: the first few items get one of ours."""

    def say(self: StubRunner, request: Request) -> Generation:
        text = ANSWERS.get(int(request.id[-4:]))
        if text is None:
            return answer(self, request)
        return Generation(text=text, finish_reason="stop", constraint="none")

    return say


@pytest.mark.parametrize("workers", WORKERS.values(), ids=WORKERS)
def test_any_text_is_stored_as_it_came(tmp_path: Path, workers: tuple[str, ...]) -> None:
    (tmp_path / "conftest.py").write_text(PATCHED)
    arguments = (*ONE, *workers, "--junitxml", "junit.xml")
    finished = run(tmp_path, *arguments, plugins=["xdist"] if workers else [])
    assert finished.exit == 0, finished.output
    found = {r["case_index"]: r for r in finished.records()}
    assert {index: found[index]["raw_text"] for index in ANSWERS} == ANSWERS
    assert {found[index]["status"] for index in ANSWERS} == {"missed"}
    assert found[0]["failure"] == "empty"
    assert all(found[index]["failure"] for index in ANSWERS)
    again = run(tmp_path, *arguments, plugins=["xdist"] if workers else [])
    assert "Replayed 6 of 6 items" in again.output


SCORERS = """
def outside(answer, truth, vocabulary):
    return Score(primary=1.5)

def below(answer, truth, vocabulary):
    return Score(primary=-0.25)

def nothing(answer, truth, vocabulary):
    return Score(primary=float("nan"))

def rounded(answer, truth, vocabulary):
    return Score(primary=1.0000000000000002)

def secondary(answer, truth, vocabulary):
    return Score(primary=1.0, secondary={"share": float("inf")})

def pytest_vlmbench_tasks():
    named = (outside, below, nothing, rounded, secondary, broken)
    return [task(score.__name__, score) for score in named]
"""


def test_a_scorer_that_raises_or_returns_no_score(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(OWN_TASKS.partition("def pytest_vlmbench_tasks")[0] + SCORERS)
    chosen = "outside or below or nothing or rounded or secondary or broken"
    arguments = ("--runner", "stub", "--n", "2", "--mode", "constrained", "--report-dir", "out")
    result = inside(*arguments, "--runner-arg", "faults=none", "-m", chosen, "--tb=no")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    found = records(pytester.path)
    errors = {r["category"]: r["error"] for r in found if r["status"] == "error"}
    assert len(found) == 12
    assert errors.keys() == {"outside", "below", "nothing", "secondary", "broken"}
    told = "ScoreError: expected a score from 0 to 1 of task {}, got {}\n  hint: "
    for name, value in (("outside", 1.5), ("below", -0.25), ("nothing", "nan")):
        assert errors[name].startswith(told.format(name, value))
    rounded = [r for r in found if r["category"] == "rounded"]
    assert [(r["primary_score"], r["status"]) for r in rounded] == [(1.0, "passed")] * 2
    log = (pytester.path / "out" / "run.log").read_text()
    assert log.count("Traceback (most recent call last):") >= 10
    assert log.count("    ValueError: the scorer is broken") == 2
    assert 'raise ValueError("the scorer is broken")' in log
    assert "test_label[tiny-qwen3vl-broken-constrained-0001]" in log


def test_a_scorer_that_raises_when_scoring_again(inside: Inside, pytester: pytest.Pytester) -> None:
    one = ("--runner", "stub", "--runner-arg", "faults=none", "--n", "2", "--report-dir", "out")
    arguments = (*one, "--mode", "constrained", "-m", "dots")
    pytester.makeconftest(OWN_TASKS)
    assert inside(*arguments).ret == pytest.ExitCode.OK
    before = records(pytester.path)
    pytester.makeconftest(OWN_TASKS.replace('task("dots", right)', 'task("dots", broken)'))
    result = inside(*arguments, "--rescore")
    assert result.ret == pytest.ExitCode.OK
    told = "Not scored again, 2 records of dots: ValueError: the scorer is broken"
    assert told in result.stdout.str()
    assert records(pytester.path) == before


def bomb(path: Path) -> None:
    """Writes a valid PNG of 50,000 x 50,000 grey pixels that takes a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1_000_000))
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


@pytest.mark.parametrize("fault", ["garbage", "bomb", "cut off"])
def test_an_image_that_cannot_be_decoded(
    inside: Inside, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def looking(self: StubRunner, request: Request) -> Generation:
        request.image()
        return answer(self, request)

    answer = StubRunner._answer
    monkeypatch.setattr(StubRunner, "_answer", looking)
    path = own_data(pytester.path) / "image_classification" / f"{LABELS[1]}.png"
    whole = path.read_bytes()
    if fault == "bomb":
        bomb(path)
    elif fault == "garbage":
        path.write_bytes(b"no image")
    else:
        Image.effect_noise((300, 300), 50).save(path)
        path.write_bytes(path.read_bytes()[:9000])
    only = ("--runner", "stub", "--report-dir", "out", "--data-dir", "mine", *CATEGORY)
    result = inside(*only)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    output = result.stdout.str()
    assert "1 errors: the harness failed, not the model" in output
    assert "items missing" not in output
    scored = [r for r in records(pytester.path) if r["status"] != "error"]
    assert len(scored) == 2
    log = (pytester.path / "out" / "run.log").read_text()
    assert f"{LABELS[1]}.png" in log
    path.write_bytes(whole)
    again = inside(*only, "--retry-errors") if fault == "cut off" else inside(*only)
    assert again.ret == pytest.ExitCode.OK
    assert len(records(pytester.path)) == 3

"""Weights of a whole run: told before the first load, deleted after the last item, peaks kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unit_tests.plugin.conftest import Finished, run
from unit_tests.runners.hub_cache import THEIRS, add_revision
from vlmbench_plugin.runners._weights import cached_revisions

LOADING = """
import fcntl, json, os, time
from pathlib import Path
from huggingface_hub import constants
from unit_tests.runners.hub_cache import OURS, add_revision
from vlmbench_plugin.runners import stub

CACHE = Path(constants.HF_HUB_CACHE)
stub.LOADS_MODEL = True
open_stub = stub.RUNNER
peaks = iter(range(1, 1000))


def say(*words):
    with open("log", "a") as log:
        log.write(json.dumps([os.environ.get("PYTEST_XDIST_WORKER"), *words]) + "\\n")


class Loading:
    \"\"\"The stub, behind weights that a first worker downloads and every answer needs.\"\"\"

    def __init__(self, spec, settings, oracle):
        self.runner = open_stub(spec, settings, oracle)
        self.spec, self.device = spec, settings.device
        self.weights = CACHE / f"models--{spec.hub_id.replace('/', '--')}" / "snapshots" / OURS
        with open("lock", "a") as lock:  # so does the hub library
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.weights.exists() and not Path(spec.hub_id).is_dir():
                add_revision(CACHE, spec.hub_id, OURS)
        say("open", spec.name, sorted(p.name for p in CACHE.glob("models--*")))

    def generate(self, requests):
        for generation in self.runner.generate(requests):
            time.sleep(0.005)
            if not self.weights.exists() and not Path(self.spec.hub_id).is_dir():
                say("GONE", self.spec.name)
            yield generation

    def describe(self):
        peak = {"peak_gpu_mb": None, "peak_resident_mb": next(peaks)}
        return {**self.runner.describe(), **peak, "device": self.device, "note": "slow today"}

    def close(self):
        say("close", self.spec.name)


stub.RUNNER = Loading
"""
MODELS = ("--model", "a=org/a,b=org/b,c=org/c")
ARGUMENTS = (
    *("--runner", "stub", "--frame", "norm_0_1000", "--n", "12"),
    *("--category", "image_classification,camera_rotational_offset", "--report-dir", "out"),
    *("--mode", "constrained", "--device", "cpu,cpu"),
)
CLEAR = "--clear-cache-after-model"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache that already has another revision of one of the models."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    add_revision(tmp_path / "hub", "org/b", THEIRS)
    (tmp_path / "conftest.py").write_text(LOADING)
    return tmp_path / "hub"


def log(folder: Path) -> list[list[object]]:
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


def left(cache: Path) -> dict[str, frozenset[str]]:
    return {name: cached_revisions(f"org/{name}", cache) for name in "abc"}


@pytest.mark.parametrize("workers", [(), ("-n", "0"), ("-n", "2")])
def test_weights_go_once_no_worker_needs_them(
    tmp_path: Path, cache: Path, workers: tuple[str, ...]
) -> None:
    finished = run(
        tmp_path, *ARGUMENTS, *MODELS, CLEAR, *workers, plugins=["xdist"] if workers else []
    )
    assert finished.exit == 0, finished.output
    assert len(finished.records()) == 3 * 2 * 12
    assert left(cache) == {"a": frozenset(), "b": frozenset({THEIRS}), "c": frozenset()}
    said = log(tmp_path)
    assert [words for words in said if words[1] == "GONE"] == []
    deleted = [name for name in "abc" if f"org/{name}: deleted" in finished.text("run.log")]
    assert deleted == ["a", "b", "c"]
    if "2" not in workers:  # one model at a time, beside what was there
        there = {words[2]: words[3] for words in said if words[1] == "open"}
        assert there == {
            "a": ["models--org--a", "models--org--b"],
            "b": ["models--org--b"],
            "c": ["models--org--b", "models--org--c"],
        }
    else:
        assert {words[0] for words in said if words[1:3] == ["open", "a"]} == {"gw0", "gw1"}


def test_an_interrupted_run_leaves_nothing_behind(tmp_path: Path, cache: Path) -> None:
    finished = run(tmp_path, *ARGUMENTS, *MODELS, CLEAR, "--on-miss", "fail", "-x")
    assert finished.exit != 0
    assert len(finished.records()) < 24
    assert left(cache) == {"a": frozenset(), "b": frozenset({THEIRS}), "c": frozenset()}


def test_without_being_asked_nothing_is_deleted(tmp_path: Path, cache: Path) -> None:
    finished = run(tmp_path, *ARGUMENTS, *MODELS)
    assert finished.exit == 0, finished.output
    assert [len(found) for found in left(cache).values()] == [1, 2, 1]


def facts(finished: Finished) -> dict[str, dict[str, object]]:
    found = json.loads(finished.text("manifest.json"))["runner"]
    assert isinstance(found, dict)
    return found


def test_the_manifest_keeps_the_highest_peak_of_each_model(tmp_path: Path, cache: Path) -> None:
    finished = run(tmp_path, *ARGUMENTS, *MODELS)
    found = facts(finished)
    # Asked once an item, each time one higher; 24 items a model, one process for all.
    assert [found[name]["peak_resident_mb"] for name in "abc"] == [24, 48, 72]
    assert {found[name]["peak_gpu_mb"] for name in "abc"} == {None}
    assert finished.text("run.log").count("a: slow today") == 1
    more = run(tmp_path, *ARGUMENTS, *MODELS, "--n", "14")
    assert more.exit == 0, more.output
    assert len(more.records()) == 3 * 2 * 14
    assert [facts(more)[name]["peak_resident_mb"] for name in "abc"] == [24, 48, 72]


def test_a_model_that_cannot_fit_is_refused_before_anything_is_loaded(
    tmp_path: Path, cache: Path
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "qwen3_vl", "dtype": "bfloat16"}')
    weights = folder / "model.safetensors"
    weights.write_bytes(b"w")
    done = (*ARGUMENTS, "--model", f"own={folder}", "--n", "4")
    assert run(tmp_path, *done).exit == 0
    with weights.open("ab") as file:
        file.truncate(1 << 43)  # 8.8 TB that take no disk
    (tmp_path / "log").unlink()
    for workers in ((), ("-n", "2")):
        asked = (*ARGUMENTS, "--n", "5", "--model", f"a=org/a,own={folder}", *workers)
        refused = run(tmp_path, *asked, plugins=["xdist"])
        assert refused.exit != 0
        assert "own: 17,592.2 GB of weights as float32" in refused.output
        assert "more than main memory can hold" in refused.output
        assert "INTERNALERROR" not in refused.output
        assert not (tmp_path / "log").exists(), "nothing was loaded"
    again = run(tmp_path, *done)
    assert again.exit == 0, again.output
    assert "Replayed 8 of 8 items" in again.output, "what loads nothing is never refused"


def test_toys_are_not_spoken_of(tmp_path: Path, cache: Path) -> None:
    told = run(tmp_path, *ARGUMENTS, *MODELS, "--n", "1")
    assert "vlmbench: a: the size of its weights is not known" in told.output
    assert "vlmbench: to download: at least 0.0 GB (a, b, c)" in told.output
    toy = run(tmp_path, *ARGUMENTS, "--n", "1", "--model", "tiny-qwen3vl", "--report-dir", "toy")
    assert toy.exit == 0, toy.output
    assert "weights" not in toy.output
    assert "weights" not in run(tmp_path, *ARGUMENTS, *MODELS, "--n", "1").output, "all is replayed"

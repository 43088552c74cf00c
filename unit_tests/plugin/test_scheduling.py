"""Whole chunks, model by model, whatever the number of workers and whoever dies."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdist.scheduler import LoadScheduling

from unit_tests.plugin.conftest import SMALL, Finished, run
from unit_tests.plugin.test_workers import DYING
from vlmbench_plugin.asking import request_id
from vlmbench_plugin.chunks import CHUNK, chunk_of
from vlmbench_plugin.scheduling import ChunkScheduling

LISTING = """
import vlmbench_plugin.chunks

vlmbench_plugin.chunks.CHUNK = 4

def pytest_runtest_logreport(report):
    node = getattr(report, "node", None)  # on the controller alone
    if node is not None and report.when == "call":
        with open("ran.txt", "a") as file:
            file.write(f"{node.gateway.id} {report.nodeid}\\n")
"""
MODELS = ("--model", "qwen3vl-4b,qwen3vl-2b")
MEASURED = {"busy_s", "latency_s", "tokens_per_sec"}


def item(model: str, category: str, index: int) -> str:
    name = request_id(model, category, "constrained", index)
    return f"bench_tests/test_bench.py::test_label[{name}]"


def ran(finished: Finished) -> dict[str, list[str]]:
    """Returns worker -> the tests that it ran, in order."""
    found: dict[str, list[str]] = {}
    for line in (finished.folder / "ran.txt").read_text().splitlines():
        worker, _, name = line.partition(" ")
        found.setdefault(worker, []).append(name)
    return found


def small_chunk(name: str) -> tuple[str, int] | None:
    """Returns the chunk of an item where four cases are one, as in LISTING."""
    group, _, index = name.removesuffix("]").rpartition("-")
    return (group, int(index) // 4) if "::test_label[" in name else None


def blocks(names: list[str]) -> list[tuple[str, int]]:
    """Returns the chunks of one worker in the order in which it ran them."""
    return [chunk for chunk, _ in groupby(map(small_chunk, names)) if chunk is not None]


def models_of(names: list[str]) -> list[str]:
    found = [chunk.model for name in names if (chunk := chunk_of(name)) is not None]
    return [model for model, _ in groupby(found)]


# What a chunk is


def test_a_chunk_is_64_cases_of_one_model_category_and_mode() -> None:
    names = [item("qwen3vl-4b", "ocr_text", index) for index in range(2 * CHUNK + 1)]
    assert CHUNK == 64
    assert Counter(map(chunk_of, names)).most_common() == [
        (chunk_of(names[0]), 64),
        (chunk_of(names[64]), 64),
        (chunk_of(names[128]), 1),
    ]
    assert chunk_of(names[0]) != chunk_of(item("qwen3vl-2b", "ocr_text", 0))
    assert chunk_of(names[0]) != chunk_of(item("qwen3vl-4b", "vit_accuracy_to_prompt", 0))
    assert chunk_of(names[0]) != chunk_of(names[0].replace("constrained", "json_mode"))
    assert chunk_of(names[0]) != chunk_of(f"other/{names[0]}")


@pytest.mark.parametrize(
    "name", ["test_a.py::test_b", "test_a.py::test_b[x-y-constrained-0001]", "test_label[0001]"]
)
def test_other_tests_are_in_no_chunk(name: str) -> None:
    assert chunk_of(name) is None


def test_a_run_without_benchmark_items_imports_nothing_heavy() -> None:
    heavy = "{'pydantic', 'numpy', 'PIL'} & sys.modules.keys()"
    code = f"import sys, vlmbench_plugin.scheduling; assert not {heavy}, {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True)


# The scheduler alone: workers that do what xdist's do, in any order


class Worker:
    """Starts a test only once it knows the next, or that there is none: so does xdist's."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.shutting_down = False
        self.queue: list[int] = []
        self.sent: list[list[int]] = []
        self.ran: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        assert not self.shutting_down
        self.queue += indices
        self.sent.append(list(indices))

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def able(self) -> bool:
        return len(self.queue) > (0 if self.shutting_down else 1)


class Farm:
    """What xdist's session does with a scheduler, without processes."""

    def __init__(self, kind: Any, names: list[str], workers: int, seed: int = 0) -> None:
        config = SimpleNamespace(
            getvalue=lambda _: [f"{workers}*popen"], getoption=lambda _: None, hook=None
        )
        self.names = names
        self.random = random.Random(seed)
        self.scheduler = kind(config)
        self.workers: list[Worker] = []
        self.crashed: list[int] = []
        for _ in range(workers):
            self.add()
        self.scheduler.schedule()

    def add(self) -> None:
        worker = Worker(f"gw{len(self.workers)}")
        self.workers.append(worker)
        self.scheduler.add_node(worker)
        self.scheduler.add_node_collection(worker, list(self.names))

    def run(self, deaths: int = 0) -> None:
        """Runs everything; ``deaths`` workers die on the way, each in the test that it is in."""
        steps = {self.random.randrange(len(self.names)) for _ in range(deaths)}
        for step in range(2 * len(self.names)):
            if self.scheduler.tests_finished:
                for worker in self.scheduler.nodes:
                    worker.shutdown()
            able = [worker for worker in self.scheduler.nodes if worker.able]
            if not able:
                break
            worker = self.random.choice(able)
            if step in steps:
                self.crashed.append(worker.queue[0])
                assert self.scheduler.remove_node(worker) == self.names[worker.queue[0]]
                self.add()
                self.scheduler.schedule()
            else:
                index = worker.queue.pop(0)
                worker.ran.append(index)
                self.scheduler.mark_test_complete(worker, index, self.random.random())
        assert not self.scheduler.has_pending, "nobody can go on, and tests are left"


@st.composite
def collections(draw: st.DrawFn) -> list[str]:
    """Several models, categories and sizes, and ordinary tests before and after."""
    sizes = draw(st.lists(st.sampled_from([1, 2, 63, 64, 65, 130]), min_size=1, max_size=3))
    models = draw(st.integers(1, 4))
    names = [f"a.py::test_{index}" for index in range(draw(st.integers(0, 5)))]
    for model in range(models):
        for category, size in enumerate(sizes):
            names += [item(f"m-{model}", f"c{category}", index) for index in range(size)]
    return names + [f"z.py::test_{index}" for index in range(draw(st.integers(0, 5)))]


@settings(max_examples=60)
@given(collections(), st.integers(1, 5), st.integers(0, 999))
def test_chunks_stay_whole_and_no_model_comes_back(
    names: list[str], workers: int, seed: int
) -> None:
    farm = Farm(ChunkScheduling, names, workers, seed)
    farm.run()
    done = [index for worker in farm.workers for index in worker.ran]
    assert sorted(done) == list(range(len(names)))
    for worker in farm.workers:
        assert worker.ran == sorted(worker.ran)
        models = models_of([names[index] for index in worker.ran])
        assert len(models) == len(set(models))
    units = [tuple(names[i] for i in unit) for worker in farm.workers for unit in worker.sent]
    chunks = [{chunk_of(name) for name in unit} for unit in units]
    assert all(len(chunk) == 1 for chunk in chunks)
    cut = Counter(chunk for unit in chunks for chunk in unit if chunk is not None)
    assert set(cut.values()) == {1}


@settings(max_examples=60)
@given(collections(), st.integers(1, 5), st.integers(1, 4), st.integers(0, 999))
def test_whoever_dies_every_other_item_runs_once(
    names: list[str], workers: int, deaths: int, seed: int
) -> None:
    farm = Farm(ChunkScheduling, names, workers, seed)
    farm.run(deaths)
    done = [index for worker in farm.workers for index in worker.ran]
    assert sorted(done + farm.crashed) == list(range(len(names)))


def test_the_cut_and_the_order_do_not_depend_on_the_workers() -> None:
    names = [item(model, "ocr_text", index) for model in "ba" for index in range(150)]
    handed = []
    for workers in (1, 2, 3, 7):
        farm = Farm(ChunkScheduling, names, workers)
        farm.run()
        handed.append(sorted(unit for worker in farm.workers for unit in worker.sent))
    ends = (0, 64, 128, 150, 214, 278, 300)
    assert handed[0] == [list(range(*pair)) for pair in pairwise(ends)]
    assert all(units == handed[0] for units in handed)


def test_a_dead_workers_items_are_next_and_its_model_is_not_loaded_twice() -> None:
    names = [item(model, "ocr_text", index) for model in "abc" for index in range(128)]
    farm = Farm(ChunkScheduling, names, 2)
    first, second = farm.workers
    for _ in range(62):  # two left: the next chunk, of b, is on its way
        farm.scheduler.mark_test_complete(first, first.queue.pop(0))
    assert first.sent[1] == list(range(128, 192))
    assert farm.scheduler.remove_node(second) == names[64]
    for _ in range(64):
        farm.scheduler.mark_test_complete(first, first.queue.pop(0))
    assert first.sent[2] == list(range(192, 256)), "its own model before what is left of a"
    farm.add()
    farm.scheduler.schedule()
    assert farm.workers[2].sent == [list(range(65, 128))]


def test_everyone_gets_one_chunk_before_anyone_gets_two() -> None:
    farm = Farm(ChunkScheduling, [item("a", f"c{number}", 0) for number in range(4)], 3)
    assert [worker.sent for worker in farm.workers] == [[[0], [3]], [[1]], [[2]]]


def test_a_worker_takes_over_at_the_very_end() -> None:
    """xdist lets workers go as soon as all is handed out; a dead one's items then need a new."""
    names = [item("a", "ocr_text", index) for index in range(128)]
    farm = Farm(ChunkScheduling, names, 2)
    first, second = farm.workers
    for _ in range(62):
        farm.scheduler.mark_test_complete(first, first.queue.pop(0))
    farm.scheduler.remove_node(second)
    assert first.sent[1] == list(range(65, 128))


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_without_benchmark_items_it_is_xdists_own(workers: int) -> None:
    names = [f"test_{index % 7}.py::test_{index}" for index in range(100)]
    ours, theirs = (Farm(kind, names, workers, 3) for kind in (ChunkScheduling, LoadScheduling))
    ours.run(1)
    theirs.run(1)
    assert [worker.sent for worker in ours.workers] == [worker.sent for worker in theirs.workers]


# Real pytest


def test_any_number_of_workers_makes_the_same_records(tmp_path: Path) -> None:
    def started(name: str, *arguments: str, plugins: Sequence[str] = ()) -> Finished:
        (tmp_path / name).mkdir()
        (tmp_path / name / "conftest.py").write_text(LISTING)
        finished = run(tmp_path / name, *SMALL, *MODELS, *arguments, plugins=plugins)
        assert finished.exit == 0, finished.output
        return finished

    def told(finished: Finished) -> list[dict[str, Any]]:
        return [{key: r[key] for key in r.keys() - MEASURED} for r in finished.records()]

    two = started("two", "-n", "2", plugins=["xdist"])
    assert len(two.records()) == 48
    assert told(two) == told(started("plain"))
    assert told(two) == told(started("none", "-n", "0", plugins=["xdist"]))
    by_worker = ran(two)
    assert set(by_worker) == {"gw0", "gw1"}
    whole = [chunk for names in by_worker.values() for chunk in blocks(names)]
    assert len(whole) == len(set(whole)) == 16
    for names in by_worker.values():
        assert names == sorted(names, key=lambda name: "2b" in name), "4b was asked for first"


def test_beside_ordinary_tests_and_in_random_order(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(LISTING)
    (tmp_path / "bench_tests").mkdir()
    (tmp_path / "bench_tests" / "test_other.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('number', range(9))\n"
        "def test_number(number): assert number < 9\n"
    )
    finished = run(tmp_path, *SMALL, *MODELS, "-n", "2", plugins=["xdist", "pytest_randomly"])
    assert finished.exit == 0, finished.output
    assert len(finished.records()) == 48
    by_worker = ran(finished)
    assert sum("test_number" in name for names in by_worker.values() for name in names) == 9
    whole = [chunk for names in by_worker.values() for chunk in blocks(names)]
    assert len(whole) == len(set(whole)) == 16
    for names in by_worker.values():
        assert len(models_of(names)) == len(set(models_of(names)))


def test_another_worker_finishes_a_dead_ones_chunk(tmp_path: Path) -> None:
    dying = DYING.replace("constrained-0003", "constrained-0001")
    assert dying != DYING
    (tmp_path / "conftest.py").write_text(LISTING + dying)
    finished = run(tmp_path, *SMALL, "-n", "2", plugins=["xdist"])
    assert finished.exit == 1, finished.output
    assert "1 errors: the harness failed" in finished.output
    assert "missing" not in finished.output
    assert len(finished.records()) == 24
    dead = (
        "bench_tests/test_bench.py::test_label[tiny-qwen3vl-image_classification-constrained",
        0,
    )
    found = {
        worker: [name[-5:-1] for name in names if small_chunk(name) == dead]
        for worker, names in ran(finished).items()
    }
    shares = sorted(share for share in found.values() if share)
    assert shares == [["0000"], ["0002", "0003"]]


def test_another_dist_is_the_users_own_choice(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(LISTING)
    finished = run(tmp_path, *SMALL, "-n", "2", "--dist", "loadfile", plugins=["xdist"])
    assert finished.exit == 0, finished.output
    assert len(finished.records()) == 24
    assert len(ran(finished)) == 1


def test_workers_that_collect_different_items_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import os\n"
        "def pytest_collection_modifyitems(items):\n"
        "    if os.environ.get('PYTEST_XDIST_WORKER') == 'gw1':\n"
        "        del items[0]\n"
    )
    finished = run(tmp_path, *SMALL, "-n", "2", plugins=["xdist"])
    assert finished.exit != 0
    assert "Different tests were collected between" in finished.output

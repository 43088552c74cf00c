"""Public tables from a local copy: which rows, what they hold, and what goes wrong."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit_tests.data.public_tables import (
    adapt,
    cases,
    counted_rows,
    features,
    jpeg,
    listed,
    rows,
    table,
    write,
)
from vlmbench_plugin.data import hub
from vlmbench_plugin.data.parquet import ParquetRows
from vlmbench_plugin.data.public import PublicCases, in_seeded_order
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.sources import Joined, Labelled, LeftOut, Public, Row

ROOT = Path(__file__).parents[2]
ROWS = 400


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local copy that no test writes to."""
    root = tmp_path_factory.mktemp("copies")
    write(root / "org/pets", rows(ROWS))
    return root


def in_another_process(copied: Path, **settings: Any) -> subprocess.Popen[str]:
    asked = json.dumps([{}, {"data_dir": str(copied), **settings}])
    return subprocess.Popen(
        [sys.executable, "-m", "unit_tests.data.public_tables", asked],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def read_groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts rows per row group that is read from now on, until the test ends."""
    monkeypatch.setattr(ParquetRows, "take", ParquetRows.take)  # put back at the end
    return counted_rows()


# Which rows


@given(st.integers(0, 60), st.text(max_size=3))
def test_the_order_is_a_permutation(count: int, seed: str) -> None:
    assert sorted(in_seeded_order(count, seed)) == list(range(count))


def test_every_row_is_as_likely_in_every_place() -> None:
    """3,000 seeds, 10 rows: 300 expected, +-69 is four standard deviations of 16.4."""
    orders = [tuple(in_seeded_order(10, f"{seed}/pets")) for seed in range(3000)]
    for place in range(10):
        counts = Counter(order[place] for order in orders)
        assert all(abs(counts[row] - 300) < 69 for row in range(10))


def test_the_first_of_a_million_rows_cost_nothing() -> None:
    assert list(islice(in_seeded_order(10**12, "a"), 3)) == list(
        islice(in_seeded_order(10**12, "a"), 3)
    )


def test_class_runs_do_not_matter(copied: Path) -> None:
    """Four runs of 100 rows: of 40 drawn, 10 each; all seeds together 400 of 1,600."""
    drawn: Counter[str] = Counter()
    for seed in range(40):
        found = cases(table(), data_dir=str(copied), seed=seed, n=40)
        labels = Counter(case.truth["label"] for case in listed(found))
        assert len(labels) == 4
        drawn.update(labels)
    assert sum((count - 400) ** 2 / 400 for count in drawn.values()) < 16.3  # chi2(3), p = 0.001


def test_a_case_does_not_depend_on_how_many_are_wanted(copied: Path) -> None:
    few, many = (cases(table(), data_dir=str(copied), n=n) for n in (5, 150))
    for one, other in zip(listed(few), listed(many), strict=False):
        assert (one.index, one.image_id, one.truth) == (other.index, other.image_id, other.truth)
    assert len({case.image_id for case in listed(many)}) == 150


def test_another_process_draws_the_same(copied: Path) -> None:
    here = cases(table(), data_dir=str(copied), n=8, seed=3)
    out, _ = in_another_process(copied, n=8, seed=3).communicate(timeout=60)
    there = json.loads(out)
    assert there["ids"] == [case.image_id for case in listed(here)]
    assert there["drawn"] == [case.truth["drawn"] for case in listed(here)]
    assert there["imported"] == []  # the cache had all of it


def test_two_tasks_draw_the_same_rows_with_numbers_of_their_own(copied: Path) -> None:
    settings = Settings(data_dir=str(copied), n=4)
    source = Public(table=table(), adapt=adapt)
    one, other = (PublicCases(name, source, settings) for name in ("naming", "counting"))
    assert [case.image_id for case in listed(one)] == [case.image_id for case in listed(other)]
    assert [case.truth["drawn"] for case in listed(one)] != [
        case.truth["drawn"] for case in listed(other)
    ]


def test_a_table_smaller_than_n_gives_all_it_has(tmp_path: Path) -> None:
    write(tmp_path / "org/pets", rows(7))
    found = cases(table(), data_dir=str(tmp_path), n=50)
    assert sorted(int(case.image_id) for case in listed(found)) == list(range(7))
    with pytest.raises(IndexError, match="expected a case from 0 to 6, got 7"):
        found[7]


def test_an_image_under_two_labels_is_one_case(copied: Path) -> None:
    def same_for_all(row: Row, rng: random.Random) -> Labelled | LeftOut:
        made = adapt(row, rng)
        assert isinstance(made, Labelled)
        return replace(made, image_id=str(int(made.image_id) % 3))

    found = PublicCases(
        "naming", Public(table=table(), adapt=same_for_all), Settings(data_dir=str(copied), n=9)
    )
    assert sorted(case.image_id for case in listed(found)) == ["0", "1", "2"]
    assert found.left_out == {"an image seen before": ROWS - 3}


def test_an_index_that_the_files_contradict_is_told(copied: Path) -> None:
    cases(table(), data_dir=str(copied), n=1)
    (path,) = (Path(os.environ["VLMBENCH_CACHE"])).rglob("index.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "rows": 1_000_000}))
    with pytest.raises(DataError, match="the cache is damaged"):
        cases(table(), data_dir=str(copied), n=150)


# What they hold


def test_a_case_holds_what_the_row_holds(copied: Path) -> None:
    found = cases(table(), data_dir=str(copied), n=3)
    for index, case in enumerate(listed(found)):
        number = int(case.image_id)
        assert case.truth["label"] == ["ant", "bee", "cat", "dog"][number // 100]
        assert case.truth["objects"] == {
            "category": ["cup", "hat"],
            "bbox": [[0, 0, 2, 2], [1, 1, 3, 4]],
        }
        assert case.truth["parts"] == [{"name": "yes", "rle": b"\x00\xff"}]
        assert (case.index, case.source, case.difficulty) == (index, "pets", None)
        assert case.size == (8 + number % 5, 6)
        image = case.image()
        assert (image.mode, image.size) == ("RGB", case.size)  # the file is grayscale
        assert abs(image.tobytes()[0] - number % 256) < 4
    described = found.describe()
    assert described == {
        "source": "pets",
        "hub_id": "org/pets",
        "revision": found[0].revision,
        "split": "val",
        "rows": ROWS,
        "left_out": {},
    }
    assert str(found[0].revision).startswith("mirror-")


def test_a_view_changes_what_is_shown(copied: Path) -> None:
    def turned(row: Row, rng: Any) -> Any:
        made = adapt(row, rng)
        assert not isinstance(made, LeftOut)
        return dataclasses.replace(made, view=lambda image: image.resize((3, 4)))

    source = Public(table=table(), adapt=turned)
    case = PublicCases("naming", source, Settings(data_dir=str(copied), n=1))[0]
    assert case.image().size == (3, 4)


def test_rows_without_a_usable_image_are_left_out_and_counted(tmp_path: Path) -> None:
    content = rows(40)
    content[3]["image"] = None
    content[4]["image"] = {"bytes": None, "path": "elsewhere.jpg"}
    content[5]["image"] = {"bytes": b"no image", "path": None}
    content[6]["image"] = {"bytes": jpeg(6)[:-20], "path": None}
    write(tmp_path / "org/pets", content)
    found = cases(table(), data_dir=str(tmp_path), n=40)
    assert len(found) == 36
    assert found.left_out == {"no image": 2, "an image that cannot be decoded": 2}


def test_what_the_adapter_leaves_out_is_counted(copied: Path) -> None:
    def odd(row: Row, rng: Any) -> Any:
        return adapt(row, rng) if row["id"] % 2 else LeftOut("even")

    source = Public(table=table(), adapt=odd)
    found = PublicCases("naming", source, Settings(data_dir=str(copied), n=20))
    assert len(found) == 20
    assert list(found.left_out) == ["even"]
    none = Public(table=table(), adapt=lambda row, rng: LeftOut("all of them"))
    with pytest.raises(DataError) as raised:
        PublicCases("naming", none, Settings(data_dir=str(copied), n=1))
    assert raised.value.args[0] == (
        "expected a case of naming in Pets (split 'val' of org/pets, 400 rows), got none; "
        "left out: 400 all of them"
    )


def test_a_contradiction_names_its_row(copied: Path) -> None:
    def wrong(row: Row, rng: Any) -> Any:
        raise DataError("expected a box, got a stick", hint="look")

    with pytest.raises(
        DataError, match=r"^Pets, row \d+: expected a box, got a stick\n  hint: look$"
    ):
        PublicCases("a", Public(table=table(), adapt=wrong), Settings(data_dir=str(copied)))


def test_a_joined_table_and_small_files_come_with_the_row(tmp_path: Path) -> None:
    write(tmp_path / "org/pets", rows(20))
    write(tmp_path / "org/masks", rows(15), shard="data/test-{:05d}-of-{:05d}.parquet")
    (tmp_path / "org/pets/names.json").write_text('{"1": "one"}')
    joined = Joined(
        name="masks", key="id", hub_ids=("org/masks",), columns=("parts",), splits=("test",)
    )
    wanted = table(joined=joined, files=("names.json",), columns=("image", "label"))
    found = cases(wanted, data_dir=str(tmp_path), n=20)
    assert found.left_out == {"no partner in 'masks'": 5}
    for case in listed(found):
        assert case.truth["masks"]["id"] == case.truth["id"] < 15
        assert case.truth["masks"]["parts"] == [{"name": "yes", "rle": b"\x00\xff"}]
        assert case.truth["names.json"] == {"1": "one"}
    assert str(found[0].revision).count("mirror-") == 2
    again = cases(wanted, data_dir=str(tmp_path), n=20)
    assert [case.truth for case in listed(again)] == [case.truth for case in listed(found)]


CARD = """---
configs:
- config_name: other
  data_files:
  - split: train
    path: other/train-*
- config_name: default
  default: true
  data_files:
  - split: train
    path: data/train-*
  - split: teset
    path: data/test-*
dataset_info:
  config_name: default
  features:
  - name: label
    dtype:
      class_label:
        names:
          '0': one
          '1': two
          '2': three
          '3': four
---
"""


def test_a_copy_of_one_split_serves_and_its_card_names_split_and_classes(tmp_path: Path) -> None:
    write(tmp_path / "org/pets", rows(8), shard="data/test-{:05d}-of-{:05d}.parquet")
    (tmp_path / "org/pets/README.md").write_text(CARD)
    found = cases(table(splits=("test", "teset")), data_dir=str(tmp_path), n=2)
    assert found.describe()["split"] == "teset"
    assert found[0].truth["label"] == "one"


def test_images_are_known_without_the_features_of_datasets(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "org/pets/data/val-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    stored = pa.Table.from_pylist(rows(4), schema=features().arrow_schema).replace_schema_metadata()
    pq.write_table(stored, path)
    found = cases(table(), data_dir=str(tmp_path), n=1)
    assert found[0].truth["label"] == 0
    assert found[0].image().mode == "RGB"


# How often, and how much


def test_a_rerun_needs_neither_files_nor_libraries(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cases(table(), data_dir=str(copied), n=30)

    def absent(*args: Any, **named: Any) -> None:
        raise AssertionError("the table was opened")

    monkeypatch.setattr(hub, "open_table", absent)
    again = cases(table(), data_dir=str(copied), n=30)
    assert [case.truth for case in listed(again)] == [case.truth for case in listed(first)]
    assert [case.image().tobytes() for case in listed(again)] == [
        case.image().tobytes() for case in listed(first)
    ]
    assert again.describe() == first.describe()


def test_fifty_cases_of_five_thousand_rows_read_a_hundred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "org/pets", rows(5000), group=100)
    taken = read_groups(monkeypatch)
    cases(table(), data_dir=str(tmp_path), n=50)
    assert sum(taken) == 100  # a batch of 2n
    assert len(taken) <= 50  # of 50 row groups, each at most once
    cases(table(), data_dir=str(tmp_path), n=90)
    assert sum(taken) == 100


def test_a_torn_file_is_read_again(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cases(table(), data_dir=str(copied), n=10)
    folder = next(Path(os.environ["VLMBENCH_CACHE"]).rglob("mirror-*/mirror-*"))
    (folder / f"{first[0].image_id}.json").write_text("{")
    image = json.loads((folder / f"{first[1].image_id}.json").read_text())["row"]["image"]["$image"]
    (folder / image).write_bytes(b"\xff\xd8")
    taken = read_groups(monkeypatch)
    again = cases(table(), data_dir=str(copied), n=10)
    assert [case.truth for case in listed(again)] == [case.truth for case in listed(first)]
    assert sum(taken) == 2


def test_two_processes_read_a_table_once(copied: Path) -> None:
    both = [in_another_process(copied, n=20) for _ in range(2)]
    told = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert told[0]["ids"] == told[1]["ids"]
    assert sorted(one["read"] for one in told) == [0, 64]


def test_a_killed_process_leaves_what_it_had_and_the_next_goes_on(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Path(os.environ["VLMBENCH_CACHE"])
    process = in_another_process(copied, n=200)

    def stored() -> Iterator[Path]:
        return cache.rglob("[0-9]*.json")

    until = time.monotonic() + 60
    while sum(1 for _ in stored()) < 20 and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    kept = sum(1 for _ in stored())
    assert 20 <= kept < ROWS
    (next(stored()).parent / "9.json.tmp").write_text("{")
    taken = read_groups(monkeypatch)
    found = cases(table(), data_dir=str(copied), n=200)
    assert len(found) == 200
    assert sum(taken) == ROWS - kept
    assert not list(cache.rglob("*.tmp"))


# What goes wrong


def test_a_missing_copy_names_the_folders_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        cases(table(revision="v1"), data_dir=str(tmp_path))
    assert str(raised.value) == (
        "expected a local copy of the data set 'pets', found none of the folders "
        f"{tmp_path}/new/pets, {tmp_path}/org/pets\n"
        "  hint: hf download --repo-type dataset new/pets --revision v1 --local-dir "
        f"{tmp_path}/new/pets, or run without --data-dir to read it from the hub"
    )


def test_a_missing_column_is_named(copied: Path) -> None:
    with pytest.raises(DataError) as raised:
        cases(table(columns=("image", "intrinsics")), data_dir=str(copied))
    assert str(raised.value) == (
        f"expected a column 'intrinsics' in {copied}/org/pets (val-00000-of-00002-c0ffee.parquet), "
        "got 'id', 'image', 'label', 'objects', 'parts', 'spare'\n"
        "  hint: copy the table again, as it is on the hub"
    )


def test_a_missing_split_is_named(copied: Path) -> None:
    with pytest.raises(DataError) as raised:
        cases(table(splits=("test", "teset")), data_dir=str(copied))
    assert str(raised.value) == (
        f"expected a split 'test' or 'teset' in {copied}/org/pets, got 'val'\n"
        "  hint: copy that split's files too"
    )


def test_a_table_that_lacks_something_says_what(copied: Path) -> None:
    lacking = table(lacks="it has no intrinsics")
    with pytest.raises(DataError) as raised:
        cases(lacking)
    assert str(raised.value) == (
        "expected Pets on the hub to serve, but it has no intrinsics\n"
        "  hint: give a local copy that does with --data-dir DIR, in DIR/new/pets, or leave this "
        "task out"
    )
    assert len(cases(lacking, data_dir=str(copied), n=2)) == 2


def test_a_pointer_file_says_how_it_came(tmp_path: Path) -> None:
    path = tmp_path / "org/pets/data/val-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n")
    with pytest.raises(DataError, match=r"expected parquet files(.|\n)*git-lfs"):
        cases(table(), data_dir=str(tmp_path))


def test_a_folder_without_files_and_one_with_a_script_say_so(tmp_path: Path) -> None:
    (tmp_path / "org/pets").mkdir(parents=True)
    with pytest.raises(DataError, match=r"expected parquet files in .*org/pets.*EmptyDataset"):
        cases(table(), data_dir=str(tmp_path))
    (tmp_path / "org/pets/pets.py").write_text("")
    with pytest.raises(DataError, match=r"a loading script(.|\n)*refs/convert/parquet"):
        cases(table(), data_dir=str(tmp_path))


def test_a_missing_small_file_and_configuration_are_named(copied: Path) -> None:
    with pytest.raises(DataError, match=r"names\.json"):
        cases(table(files=("names.json",)), data_dir=str(copied))
    with pytest.raises(DataError, match="'small' not found"):
        cases(table(config="small"), data_dir=str(copied))


def test_changed_files_are_another_revision(tmp_path: Path) -> None:
    write(tmp_path / "org/pets", rows(10))
    first = cases(table(), data_dir=str(tmp_path), n=10)
    write(tmp_path / "org/pets", rows(12))
    second = cases(table(), data_dir=str(tmp_path), n=12)
    assert first[0].revision != second[0].revision
    assert len(second) == 12

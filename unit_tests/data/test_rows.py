"""The cache of rows: what comes back is what went in, or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit_tests.data.public_tables import jpeg, table
from vlmbench_plugin.data.rows import Index, RowCache, cache_folder
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.pictures import Picture
from vlmbench_plugin.sources import LeftOut, Table

INDEX = Index(hub_id="org/pets", revisions=("c0", "c1"), split="val", rows=3, files={"a.json": [1]})
NAMES = st.text(max_size=3) | st.sampled_from(["$bytes", "$image", "$", "$$image"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
    | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RowCache:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path))
    made = RowCache(table(), ())
    with made.locked():
        made.keep_index(INDEX)
    return made


def test_the_cache_stands_where_the_user_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("VLMBENCH_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "qwen-vlmbench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "qwen-vlmbench"


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=3))
def test_a_row_comes_back_as_it_went_in(tmp_path_factory: Any, row: dict[str, Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLMBENCH_CACHE", str(tmp_path_factory.mktemp("rows")))
        cache = RowCache(table(), ())
        with cache.locked():
            cache.put(INDEX, 0, row)
        assert cache.get(INDEX, 0) == row


def test_an_image_keeps_its_bytes_and_is_named_by_its_file(cache: RowCache) -> None:
    cache.put(INDEX, 7, {"image": Picture(jpeg(1), "image.jpeg"), "more": [Picture(b"x", "y")]})
    row = cache.get(INDEX, 7)
    assert row is not None
    assert not isinstance(row, LeftOut)
    assert row["image"].encoded == jpeg(1)
    assert Path(row["image"].name).read_bytes() == jpeg(1)
    assert row["image"].name.endswith(".jpeg")
    assert row["more"][0].encoded == b"x"


def test_rows_that_share_an_image_store_it_once(cache: RowCache) -> None:
    for position in range(3):
        cache.put(INDEX, position, {"image": Picture(jpeg(1), "image.jpeg")})
    assert len(list(cache.folder.rglob("*.jpeg"))) == 1


def test_a_row_without_a_case_is_kept_with_its_reason(cache: RowCache) -> None:
    cache.put(INDEX, 1, LeftOut("no image"))
    assert cache.get(INDEX, 1) == LeftOut("no image")


def test_what_was_found_comes_back(cache: RowCache) -> None:
    assert cache.index() == INDEX
    assert INDEX.revision == "c0+c1"


@pytest.mark.parametrize(
    "torn",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '"text"',
        "null",
        '{"row": 1}',
        '{"row": {"a": {"$bytes": "!"}}}',
    ],
)
def test_a_torn_row_counts_as_absent(cache: RowCache, torn: str) -> None:
    cache.put(INDEX, 2, {"a": 1})
    next(cache.folder.rglob("2.json")).write_text(torn)
    assert cache.get(INDEX, 2) is None


@pytest.mark.parametrize(
    "torn",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"hub_id": "a", "revisions": null}',
        "[" * 100_000,
        *(
            json.dumps({"hub_id": "a", "revisions": ["c"], "split": "val", "rows": 3, **changed})
            for changed in (
                {"rows": "3"},
                {"rows": None},
                {"rows": 2.5},
                {"files": [1]},
                {"revisions": [1]},
                {"revisions": ["../../.."]},
                {"split": None},
            )
        ),
    ],
)
def test_a_torn_index_counts_as_absent(cache: RowCache, torn: str) -> None:
    (cache.folder / "index.json").write_text(torn)
    assert cache.index() is None


def test_an_altered_image_counts_as_absent_and_is_mended(cache: RowCache) -> None:
    row = {"image": Picture(jpeg(1), "image.jpeg")}
    cache.put(INDEX, 2, row)
    image = next(cache.folder.rglob("*.jpeg"))
    image.write_bytes(jpeg(1)[:-9])
    assert cache.get(INDEX, 2) is None
    cache.put(INDEX, 2, row)
    assert image.read_bytes() == jpeg(1)
    image.unlink()
    assert cache.get(INDEX, 2) is None


def test_what_a_killed_process_left_half_written_is_removed(cache: RowCache) -> None:
    left = cache.folder / "c0+c1" / "5.json.tmp"
    left.parent.mkdir(exist_ok=True)
    left.write_text('{"row"')
    with cache.locked():
        assert not left.exists()
    assert cache.get(INDEX, 5) is None


def test_rows_are_plain_json(cache: RowCache) -> None:
    cache.put(INDEX, 3, {"rle": b"\x00\xff", "name": "caf\u00e9", "$bytes": {"$image": 1}})
    stored = json.loads(next(cache.folder.rglob("3.json")).read_text(encoding="utf-8"))
    assert stored == {
        "row": {"rle": {"$bytes": "AP8="}, "name": "caf\u00e9", "$bytes": {"$$image": 1}}
    }


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (table(title="Other", licence="none"), True),
        (table(columns=("id",)), False),
        (table(config="small"), False),
        (table(revision="v1"), False),
    ],
)
def test_what_decides_a_row_decides_where_it_is_kept(
    cache: RowCache, other: Table, same: bool
) -> None:
    assert (RowCache(other, ()).folder == cache.folder) is same
    assert RowCache(other, ("mirror-1",)).folder != RowCache(other, ("mirror-2",)).folder


def test_a_cache_that_cannot_be_written_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "file"))
    with (
        pytest.raises(DataError, match=r"cache folder that can be written(.|\n)*VLMBENCH_CACHE"),
        RowCache(table(), ()).locked(),
    ):
        pass

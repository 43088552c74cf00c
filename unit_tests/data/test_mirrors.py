"""A local copy of a public table is read inside the data folder alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from unit_tests.data.public_tables import cases, rows, table, write
from vlmbench_plugin.errors import DataError

FEW = 12


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a copy; ``beside`` has the same files outside of it."""
    write(tmp_path / "data/org/pets", rows(FEW))
    shutil.copytree(tmp_path / "data/org/pets", tmp_path / "beside")
    return tmp_path / "data"


def shards(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def test_links_inside_the_folder_are_followed(data: Path) -> None:
    (data / "blobs").mkdir()
    for shard in shards(data / "org"):
        shard.rename(data / "blobs" / shard.name)
        shard.symlink_to(data / "blobs" / shard.name)
    assert len(cases(table(), data_dir=str(data), n=3)) == 3


def test_a_file_that_leads_out_is_refused(data: Path, tmp_path: Path) -> None:
    shard = shards(data)[0]
    shard.unlink()
    shard.symlink_to(shards(tmp_path / "beside")[0])
    with pytest.raises(DataError, match=r"a link that leads out of it\n  hint: copy the files"):
        cases(table(), data_dir=str(data), n=3)


@pytest.mark.parametrize("name", ["org", "org/pets", "org/pets/data"])
def test_a_folder_that_leads_out_is_refused(data: Path, tmp_path: Path, name: str) -> None:
    (data / name).rename(tmp_path / "moved")
    (data / name).symlink_to(tmp_path / "moved", target_is_directory=True)
    with pytest.raises(DataError, match="a link that leads out of it"):
        cases(table(), data_dir=str(data), n=3)


def test_the_data_folder_itself_may_be_a_link(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data, target_is_directory=True)
    assert len(cases(table(), data_dir=str(tmp_path / "link"), n=3)) == 3


@pytest.mark.parametrize(
    "path", ["../../../beside/**/*.parquet", "{beside}/**/*.parquet", "file://{beside}/x.parquet"]
)
def test_a_card_cannot_name_files_outside(data: Path, tmp_path: Path, path: str) -> None:
    named = path.format(beside=tmp_path / "beside")
    card = f"""---
configs:
- config_name: default
  data_files:
  - split: val
    path: "{named}"
---
"""
    (data / "org/pets/README.md").write_text(card)
    with pytest.raises(DataError, match=r"expected names of files inside .*, got .* in its card"):
        cases(table(), data_dir=str(data), n=3)


def test_no_other_file_can_name_them_either(data: Path) -> None:
    named = 'configs:\n- config_name: default\n  data_files: "../../../beside/**/*.parquet"\n'
    (data / "org/pets/.huggingface.yaml").write_text(named)
    with pytest.raises(DataError, match=r"expected files inside .*beside"):
        cases(table(splits=("train",)), data_dir=str(data), n=3)


def test_a_row_cannot_name_a_file(data: Path, tmp_path: Path) -> None:
    shutil.rmtree(data)
    content = rows(FEW)
    (tmp_path / "secret.jpg").write_bytes(content[0]["image"]["bytes"])
    for row in content[1:]:
        row["image"] = {"bytes": None, "path": str(tmp_path / "secret.jpg")}
    write(data / "org/pets", content)
    found = cases(table(), data_dir=str(data), n=FEW)
    assert len(found) == 1
    assert found.left_out == {"no image": FEW - 1}

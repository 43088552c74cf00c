"""What a run leaves in the hub cache, on fabricated caches."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from unit_tests.runners.hub_cache import OURS, THEIRS, WEIGHT_BYTES, add_revision
from unit_tests.tiny_models import ASSET, folder_spec
from vlmbench_plugin.runners._weights import Downloads, cached_revisions, cached_weight_bytes


def files(cache: Path) -> dict[str, bytes]:
    return {str(p.relative_to(cache)): p.read_bytes() for p in cache.rglob("*") if p.is_file()}


def test_only_what_the_run_brought_leaves_the_cache(tmp_path: Path) -> None:
    add_revision(tmp_path, "org/tiny", THEIRS, shared=True)
    add_revision(tmp_path, "org/other", OURS)
    before = files(tmp_path)
    downloads = Downloads([folder_spec("org/tiny"), folder_spec("org/new")], tmp_path)
    add_revision(tmp_path, "org/tiny", OURS, shared=True)
    add_revision(tmp_path, "org/new", OURS)
    (told,) = downloads.clear("org/tiny")
    assert "org/tiny: deleted from the hub cache, 1,000 bytes" in told
    assert cached_revisions("org/tiny", tmp_path) == {THEIRS}
    assert cached_revisions("org/new", tmp_path) == {OURS}
    downloads.clear("org/new")
    assert files(tmp_path) == before  # refs/main among them, which had moved


def test_what_was_there_in_part_is_kept(tmp_path: Path) -> None:
    snapshot = add_revision(tmp_path, "org/tiny", OURS)
    (snapshot / "model.safetensors").unlink()
    downloads = Downloads([folder_spec("org/tiny")], tmp_path)
    add = tmp_path / "models--org--tiny" / "blobs" / f"weights-{OURS}"
    (snapshot / "model.safetensors").symlink_to(add)
    assert downloads.clear("org/tiny") == []
    assert cached_revisions("org/tiny", tmp_path) == {OURS}


def test_models_that_the_run_did_not_ask_for_are_never_touched(tmp_path: Path) -> None:
    downloads = Downloads([folder_spec("org/tiny")], tmp_path)
    add_revision(tmp_path, "org/other", OURS)
    assert downloads.clear("org/other") == []
    assert cached_revisions("org/other", tmp_path) == {OURS}


def test_a_local_folder_is_never_cleared(tmp_path: Path) -> None:
    copy = shutil.copytree(ASSET, tmp_path / "copy")
    before = files(copy)
    assert Downloads([folder_spec(copy)], tmp_path).clear(str(copy)) == []
    assert files(copy) == before


def test_without_a_cache_nothing_is_cached(tmp_path: Path) -> None:
    nowhere = tmp_path / "none"
    assert cached_revisions("org/tiny", nowhere) == frozenset()
    assert Downloads([folder_spec("org/tiny")], nowhere).clear("org/tiny") == []
    assert cached_weight_bytes([folder_spec("org/tiny")], nowhere) == {"tiny": 0}


@pytest.mark.parametrize(
    ("revision", "found"),
    [(None, WEIGHT_BYTES), (THEIRS, WEIGHT_BYTES), (OURS[:7], WEIGHT_BYTES), ("v2", 0)],
)
def test_cached_weights_are_those_of_the_revision(
    tmp_path: Path, revision: str | None, found: int
) -> None:
    add_revision(tmp_path, "org/tiny", THEIRS)
    add_revision(tmp_path, "org/tiny", OURS)
    spec = replace(folder_spec("org/tiny"), revision=revision)
    here = replace(folder_spec(ASSET), name="here")
    assert cached_weight_bytes([spec, here], tmp_path) == {"tiny": found}

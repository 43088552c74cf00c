"""Weights in the hub cache: what is there, and what a run brought and takes out again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlmbench_plugin.core import ModelSpec
from vlmbench_plugin.models import WEIGHTS


class Downloads:
    """What a run downloads into the hub cache; made before the first load.

    Only the process that knows when *all* workers are done with a model may clear it: a worker
    that opens late finds what another one is downloading, and cannot tell that from what was there.

    Args:
        specs: The models of the run; local folders among them are never touched.
        folder: The hub cache, None for the one that the hub library uses.
    """

    def __init__(self, specs: Iterable[ModelSpec], folder: Path | None = None) -> None:
        self._folder = folder
        self._before = {
            spec.hub_id: _names(_cache_of(spec.hub_id, folder))
            for spec in specs
            if not Path(spec.hub_id).is_dir()
        }

    def clear(self, hub_id: str) -> list[str]:
        """Deletes the revisions of a model that were not there before.

        Returns:
            What was done, and what could not be; one line each.
        """
        if hub_id not in self._before:
            return []
        cache = _cache_of(hub_id, self._folder)
        before = self._before[hub_id]
        brought = sorted(_names(cache).keys() - before.keys())
        if not brought:
            return []
        # Whole revisions: one that was there in part, as after a broken download, is kept.
        strategy = cache.delete_revisions(*brought)
        (repository,) = cache.repos
        strategy.execute()
        _restore(repository.repo_path / "refs", before)
        left = cached_revisions(hub_id, self._folder) & set(brought)
        if left:
            return [f"{hub_id}: could not be deleted from the hub cache: {', '.join(sorted(left))}"]
        return [f"{hub_id}: deleted from the hub cache, {strategy.expected_freed_size:,} bytes"]


def cached_revisions(hub_id: str, folder: Path | None = None) -> frozenset[str]:
    """Commit hashes of a model in the hub cache."""
    return frozenset(_names(_cache_of(hub_id, folder)))


def cached_weight_bytes(specs: Iterable[ModelSpec], folder: Path | None = None) -> dict[str, int]:
    """Model name -> bytes of its weights in the hub cache, at the revision that a run would load.

    Args:
        specs: The models; local folders are left out.
        folder: The hub cache, None for the one that the hub library uses.
    """
    asked = [spec for spec in specs if not Path(spec.hub_id).is_dir()]
    if not asked:
        return {}
    cache = _scan(folder)
    by_id: Mapping[str, Any] = {
        repo.repo_id: repo
        for repo in (cache.repos if cache is not None else ())
        if repo.repo_type == "model"
    }
    return {spec.name: _weight_bytes(by_id.get(spec.hub_id), spec.revision) for spec in asked}


def _weight_bytes(repo: Any, revision: str | None) -> int:
    wanted = revision or "main"
    return sum(
        file.size_on_disk
        for found in (repo.revisions if repo is not None else ())
        if wanted in found.refs or found.commit_hash.startswith(wanted)
        for file in found.files
        if any(Path(file.file_name).match(pattern) for pattern in WEIGHTS)
    )


def _names(cache: Any) -> dict[str, frozenset[str]]:
    """Commit hash -> the names under which it is known, such as main."""
    repos = cache.repos if cache is not None else ()
    return {found.commit_hash: found.refs for repo in repos for found in repo.revisions}


def _restore(refs: Path, names: Mapping[str, frozenset[str]]) -> None:
    """Lets a name point again to where it did: with what it came to mean, it was deleted."""
    for commit, known in names.items():
        for name in known:
            path = refs / name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(commit, encoding="utf-8")


def _cache_of(hub_id: str, folder: Path | None) -> Any:
    """The hub cache narrowed to one model: copies of a model share commit hashes with it."""
    cache = _scan(folder)
    if cache is None:
        return None
    ours = (repo for repo in cache.repos if (repo.repo_type, repo.repo_id) == ("model", hub_id))
    return replace(cache, repos=frozenset(ours))


def _scan(folder: Path | None) -> Any:
    """The hub library's view of the cache; None where there is none."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        return scan_cache_dir(folder)
    except CacheNotFound:
        return None

"""Hub caches as the hub library lays them out: links from snapshots to blobs."""

from __future__ import annotations

from pathlib import Path

OURS, THEIRS = "a" * 40, "b" * 40
WEIGHT_BYTES = 1000


def add_revision(cache: Path, hub_id: str, commit: str, *, shared: bool = False) -> Path:
    """Adds a revision of a configuration and weights, and makes it the newest.

    Args:
        cache: The cache's folder.
        hub_id: Of the model.
        commit: Of the revision.
        shared: Whether its configuration is the same file as that of other revisions.
    """
    repository = cache / f"models--{hub_id.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    for folder in (snapshot, repository / "blobs", repository / "refs"):
        folder.mkdir(parents=True, exist_ok=True)
    config = "config" if shared else f"config-{commit}"
    for name, blob, content in (
        ("config.json", config, b"{}"),
        ("model.safetensors", f"weights-{commit}", b"w" * WEIGHT_BYTES),
    ):
        target = repository / "blobs" / blob
        target.write_bytes(content)
        (snapshot / name).symlink_to(target)
    (repository / "refs" / "main").write_text(commit)
    return snapshot

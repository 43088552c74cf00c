"""``qwen-vlmbench merge``: results folders into one, which then is one like any other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from vlmbench_plugin.errors import StoreError
from vlmbench_plugin.folder_manifest import merged_manifest, read_manifest
from vlmbench_plugin.manifest import MANIFEST
from vlmbench_plugin.merging import CONFLICTS, Conflict, Folder, Merged, merge, merge_lines
from vlmbench_plugin.rebuilding import rebuild
from vlmbench_plugin.record import Record
from vlmbench_plugin.store import Store
from vlmbench_plugin.store_files import RESULTS
from vlmbench_plugin.thumbnails import file_name

_MAX_IMAGE = 2 * 2**20
"""Bytes of a small copy: 512 x 512 pixels take at most 1 MB as PNG."""
_PNG = b"\x89PNG\r\n\x1a\n"


def merge_folders(out: Path, folders: Sequence[Path]) -> tuple[list[str], tuple[Conflict, ...]]:
    """Joins results folders into one and writes its tables; the folders joined stay as they are.

    Args:
        out: A new folder, or a results folder, whose own records then count as named first.
        folders: Results folders, those that count most first.

    Returns:
        The leaderboard and what the reader must know, one line each; and what contradicts itself.

    Raises:
        StoreError: If a folder holds no readable results, ``out`` is one of them or holds something
            else, or another run is writing to ``out``.
    """
    folders = list({folder.resolve(): folder for folder in folders}.values())
    _check(out, folders)
    read: list[Folder] = []
    notes: list[str] = []
    for folder in folders:
        records, found = _looked_at(folder)
        read.append(Folder(name=str(folder), records=records))
        notes += found
    manifests = [read_manifest(folder) for folder in folders]
    with closing(Store.open(out)) as store:
        before = read_manifest(out)
        own = [Folder(name=str(out), records=store.records)] if store.records else []
        merged = merge([*own, *read])
        _write(store, merged, out)
        _copy_images(store, merged, folders)
        sources = [
            (one.name, len(one.records), manifest)
            for one, manifest in zip(read, manifests, strict=True)
        ]
        content = merged_manifest(before, sources)
        store.write(MANIFEST, json.dumps(content, indent=2, allow_nan=False) + "\n")
        notes += [*store.notes, *merge_lines(merged, [one.name for one in read], str(out))]
        for note in notes:
            store.log(note)
    *lines, written = rebuild(out, rescore=False)
    return [*lines, *notes, written], tuple(merged.conflicts)


def _check(out: Path, folders: Iterable[Path]) -> None:
    if out.exists() and not (out / RESULTS).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(
            f"expected a new folder or a results folder to merge into, got {out}: it holds "
            "something else",
            hint="qwen-vlmbench merge OUT A B writes to OUT",
        )
    for folder in folders:
        path = folder / RESULTS
        if not path.is_file():
            raise StoreError(
                f"expected a results folder to merge, got {folder}: it has no {RESULTS}",
                hint="name folders that runs wrote to, such as reports/synthetic",
            )
        if (out / RESULTS).exists() and path.samefile(out / RESULTS):
            raise StoreError(
                f"expected folders other than {out} to merge into it, got {folder}",
                hint="leave it out: what it holds already counts first",
            )


def _looked_at(folder: Path) -> tuple[tuple[Record, ...], list[str]]:
    try:
        return Store.look(folder)
    except StoreError as error:
        raise StoreError(f"{folder}: {error.args[0]}", hint=error.hint) from error


def _write(store: Store, merged: Merged, out: Path) -> None:
    """Stores what the folder lacks, and adds to the conflicts that it knows."""
    for record, owner in merged.records.values():
        if owner != str(out):
            store.append(record)
    if not merged.conflicts:
        return
    path = out / CONFLICTS
    # Whoever merges the same folders again finds the same conflicts: each is told once.
    lines = dict.fromkeys(path.read_text(encoding="utf-8").splitlines() if path.exists() else ())
    lines |= dict.fromkeys(conflict.to_json() for conflict in merged.conflicts)
    store.write(CONFLICTS, "".join(f"{line}\n" for line in lines))


def _copy_images(store: Store, merged: Merged, folders: Sequence[Path]) -> None:
    """Copies the small images that the records name and this folder lacks."""
    by_name = {str(folder): folder / "images" for folder in folders}
    for record, owner in merged.records.values():
        images = by_name.get(owner)
        if images is None:
            continue
        name = file_name(record.category, record.image_id)
        if (store.folder / "images" / name).exists():
            continue
        content = _image(images, name)
        if content is not None:
            store.write(f"images/{name}", content)


def _image(images: Path, name: str) -> bytes | None:
    """Returns a small copy; None where there is none, or something else in its place."""
    path = images / name
    if not path.is_file() or not path.resolve().is_relative_to(images.resolve()):
        return None
    with path.open("rb") as file:
        content = file.read(_MAX_IMAGE + 1)
    return content if content.startswith(_PNG) and len(content) <= _MAX_IMAGE else None

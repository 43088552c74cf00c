"""A results folder from elsewhere must not make a run write outside of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vlmbench_plugin.errors import StoreError


def refuse_links(folder: Path, names: Iterable[str]) -> None:
    """Refuses a folder in which a file that is written in place is a link.

    A ``run.lock`` that leads to another file would empty that one.

    Args:
        folder: The folder, which may be a link itself.
        names: Files, and folders of files, that are written to.

    Raises:
        StoreError: If one is a symbolic link.
    """
    for name in names:
        path = folder / name
        if path.is_symlink():
            raise StoreError(
                f"expected a results folder without links, got {path}, which leads elsewhere",
                hint="remove that link, or copy the file that it leads to in its place",
            )

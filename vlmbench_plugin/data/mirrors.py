"""Local copies of public tables: folders laid out as on the hub, named ``<org>/<name>``."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from vlmbench_plugin.errors import DataError
from vlmbench_plugin.sources import Joined, Table


@dataclass(frozen=True, slots=True)
class Mirror:
    """The local copy of one table.

    Attributes:
        hub_id: The id that it is a copy of.
        folder: Where it is.
    """

    hub_id: str
    folder: Path

    def revision(self) -> str:
        """Returns ``mirror-`` and a hash of its files' names and sizes.

        Contents are not read, a mirror holds gigabytes: a file that is replaced by another of the
        same length goes unnoticed. Hidden folders, such as the download tool's own, do not count.
        """
        digest = hashlib.sha256()
        for folder, folders, files in os.walk(self.folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(name for name in files if not name.startswith(".")):
                path = Path(folder, name)
                line = f"{path.relative_to(self.folder).as_posix()}\0{path.stat().st_size}\n"
                digest.update(line.encode())
        return f"mirror-{digest.hexdigest()[:16]}"


def find_mirror(table: Table | Joined, data_dir: Path) -> Mirror:
    """Returns the first of a table's ids that has a folder.

    Raises:
        DataError: If there is none; it names the folders that were looked for. Or if a link in it
            leads out of the data folder.
    """
    mirrors = [Mirror(hub_id, data_dir / hub_id) for hub_id in table.hub_ids]
    for mirror in mirrors:
        if mirror.folder.is_dir():
            _refuse_links(mirror.folder, data_dir)
            return mirror
    pinned = f" --revision {table.revision}" if table.revision else ""
    first = mirrors[0]
    raise DataError(
        f"expected a local copy of the data set {table.name!r}, found none of the folders "
        f"{', '.join(str(mirror.folder) for mirror in mirrors)}",
        hint=f"hf download --repo-type dataset {first.hub_id}{pinned} --local-dir {first.folder}"
        ", or run without --data-dir to read it from the hub",
    )


def _refuse_links(folder: Path, data_dir: Path) -> None:
    """Refuses a copy that holds, or is, a link to somewhere outside of the data folder."""
    root = data_dir.resolve()
    paths = [folder]
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [Path(here, name) for name in (*folders, *files) if not name.startswith(".")]
    for path in paths:
        if not path.resolve().is_relative_to(root):
            raise DataError(
                f"expected a copy inside {data_dir}, got {path}, a link that leads out of it",
                hint="copy the files themselves (cp -rL), not links to a cache of downloads",
            )

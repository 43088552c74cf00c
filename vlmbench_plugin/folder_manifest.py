"""``manifest.json`` of a results folder, as one reads it that may come from elsewhere."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vlmbench_plugin import __version__
from vlmbench_plugin.core import Json, ModelSpec
from vlmbench_plugin.errors import StoreError
from vlmbench_plugin.manifest import MANIFEST
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.untrusted import check_json

MAX_BYTES = 16 * 2**20
SOURCES = "merged"
"""Under this key the manifest of a merged folder lists the folders that it was made from."""

_STORED = (
    "margin",
    "max_new_tokens",
    "max_pixels",
    "price_per_hour",
    "reasoning",
    "thinking_budget",
)
"""Settings of a run that its tables and its route depend on."""
_PER_NAME = ("data", "models", "prompts", "runner")
"""What maps a category or a model to facts: those of all folders are joined."""
_COMMON = ("dataset", "machine", "packages", "settings")
"""What a merged folder says only as far as all of its folders agree."""


def read_manifest(folder: Path) -> dict[str, Json]:
    """Returns a folder's manifest; empty where there is none.

    Raises:
        StoreError: If it is no JSON object of a reasonable size and depth.
    """
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        found = json.loads(content)
        check_json(found, MANIFEST)
        if not isinstance(found, dict):
            raise ValueError(f"{found!r:.60}")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, str(error)) from error
    return found


def specs_of(folder: Path) -> dict[str, ModelSpec]:
    """Returns the models that a folder's manifest describes; none where there is no manifest.

    Raises:
        StoreError: If the manifest is none of this release.
    """
    manifest = read_manifest(folder)
    if not manifest:
        return {}
    import pydantic  # not needed to open a folder

    reader = pydantic.TypeAdapter(dict[str, ModelSpec])
    try:
        found = reader.validate_json(json.dumps(manifest["models"]), strict=True)
        for spec in found.values():
            numbers = (spec.total_params, spec.active_params, *spec.sampling.values())
            if not all(number is None or math.isfinite(number) for number in numbers):
                raise ValueError(f"numbers of {spec.name!r:.60} that are not finite")
    except KeyError as error:
        raise _unreadable(folder / MANIFEST, 'no "models"') from error
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, ("models", *first["loc"])))
        raise _unreadable(folder / MANIFEST, f"{place:.100}: {first['msg']:.100}") from error
    except ValueError as error:
        raise _unreadable(folder / MANIFEST, str(error)) from error
    return found


def known_settings(folder: Path) -> Settings:
    """Returns what a folder's manifest tells of how its last run asked, and what it wanted to know.

    Raises:
        StoreError: If the manifest is none of this release.
    """
    manifest = read_manifest(folder)
    if not manifest:
        return Settings()
    import pydantic  # not needed to open a folder

    stored = manifest.get("settings")
    stored = stored if isinstance(stored, dict) else {}
    found = {name: stored[name] for name in _STORED if name in stored}
    try:
        return pydantic.TypeAdapter(Settings).validate_json(json.dumps(found), strict=True)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, ("settings", *first["loc"])))
        raise _unreadable(folder / MANIFEST, f"{place:.100}: {first['msg']:.100}") from error


def merged_manifest(
    before: Mapping[str, Json], folders: Sequence[tuple[str, int, Mapping[str, Json]]]
) -> dict[str, Json]:
    """Returns the manifest of a merged folder.

    Args:
        before: The manifest that the folder had; empty if it is new.
        folders: Name, number of records and manifest of each folder that was merged into it.
    """
    earlier = before.get(SOURCES)
    if not isinstance(earlier, dict):
        earlier = {".": {"manifest": before}} if before else {}
    added = {name: {"records": count, "manifest": found} for name, count, found in folders}
    sources = earlier | added
    manifests = [source["manifest"] for source in sources.values() if _is_source(source)]
    times = {name: _texts(manifests, name) for name in ("started", "finished")}
    return {
        "package": {"name": "qwen-vlmbench", "version": __version__},
        SOURCES: sources,
        "started": min(times["started"], default=None),
        "finished": max(times["finished"], default=None),
        **{name: _joined(manifests, name) for name in _PER_NAME},
        **{name: _common([manifest.get(name) for manifest in manifests]) for name in _COMMON},
    }


def _is_source(source: Json) -> bool:
    return isinstance(source, dict) and isinstance(source.get("manifest"), dict)


def _texts(manifests: Iterable[Mapping[str, Json]], name: str) -> list[str]:
    return [found for one in manifests if isinstance(found := one.get(name), str)]


def _joined(manifests: Sequence[Mapping[str, Json]], name: str) -> dict[str, Json]:
    """Returns the entries of all; of two with one name that of the folder named first."""
    joined: dict[str, Json] = {}
    for one in reversed(manifests):
        found = one.get(name)
        joined |= found if isinstance(found, dict) else {}
    return joined


def _common(values: Sequence[Json]) -> Json:
    """Returns what is equal in all: of objects their equal entries; None where nothing is."""
    if not values or any(value != values[0] for value in values):
        if not values or not all(isinstance(value, dict) for value in values):
            return None
        first, *others = values
        return {
            key: value
            for key, value in first.items()
            if all(key in other and other[key] == value for other in others)
        }
    return values[0]


def _unreadable(path: Path, got: str) -> StoreError:
    return StoreError(
        f"expected the models of a run in {path}, got {got}",
        hint="delete that file: only the sizes of models with names of your own are lost",
    )

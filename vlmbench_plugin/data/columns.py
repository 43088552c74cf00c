"""Stored values of a row as an adapter sees them: pictures, and classes by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlmbench_plugin.core import Json
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.pictures import Picture
from vlmbench_plugin.sources import LeftOut, Row

_STORED_IMAGE = frozenset({"bytes", "path"})


class _NoImageError(Exception):
    """A row's image is missing or none; the message is the reason to be counted."""


def read_row(values: Mapping[str, Any], features: Mapping[str, Json]) -> Row | LeftOut:
    """Returns a stored row as an adapter sees it.

    A row in which an image is missing or cannot be decoded is left out. Whole images are decoded
    to know, once for all tasks: a file that is cut off has a good header.

    Args:
        values: Column -> value as parquet holds it.
        features: Column -> what it is, as ``datasets.Features.to_dict`` writes it.
    """
    try:
        return {name: _read(value, features.get(name)) for name, value in values.items()}
    except _NoImageError as error:
        return LeftOut(str(error))


def _read(value: Any, feature: Json) -> Any:
    kind = feature.get("_type") if isinstance(feature, dict) else None
    # A file without the features of `datasets` holds images as any other pair.
    if kind == "Image" or (isinstance(feature, dict) and set(feature) == _STORED_IMAGE):
        return _picture(value)
    if kind == "ClassLabel":
        # -1 stands for "no label".
        return None if value is None or value < 0 else feature["names"][value]
    if isinstance(value, dict):
        inner = feature if isinstance(feature, dict) else {}
        return {name: _read(item, inner.get(name)) for name, item in value.items()}
    if isinstance(value, list):
        item_feature = feature.get("feature") if isinstance(feature, dict) else None
        return [_read(item, item_feature) for item in value]
    return value


def _picture(stored: Any) -> Picture:
    encoded = stored.get("bytes") if isinstance(stored, dict) else stored
    if not isinstance(encoded, bytes) or not encoded:
        raise _NoImageError("no image")
    try:
        form = Picture(encoded, "an image of a table").raw().format or "image"
    except DataError as error:
        raise _NoImageError("an image that cannot be decoded") from error
    return Picture(encoded, f"image.{form.lower()}")

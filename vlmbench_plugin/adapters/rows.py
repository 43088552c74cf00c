"""Reading a row of a public table: clear errors for what is missing or of another kind."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from vlmbench_plugin.errors import DataError
from vlmbench_plugin.pictures import Picture

T = TypeVar("T")

SMALLEST_SIDE = 64
"""Images with a shorter side, in pixels, show too little to be asked about."""


def column(row: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """One value of a row, or of a record within it.

    Args:
        row: The row.
        name: The column.
        kind: What its value must be; a whole number is a float too, a bool is no number.

    Raises:
        DataError: If there is no such column, or its value is of another kind. It names both.
    """
    if name not in row:
        raise DataError(
            f"expected a column {name!r}, got {', '.join(map(repr, row)) or 'none'}",
            hint="the table's layout has changed, or the mirror is of another table",
        )
    value = row[name]
    if kind is float and type(value) is int:
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind in (int, float)):
        raise DataError(
            f"expected {kind.__name__} in column {name!r}, got {_shown(value)}",
            hint="the table's layout has changed, or the mirror is of another table",
        )
    found: T = value
    return found


def picture(row: Mapping[str, Any], name: str = "image") -> Picture:
    """The picture in a column.

    Raises:
        DataError: If there is none.
    """
    return column(row, name, Picture)


def record(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The record in a column.

    Raises:
        DataError: If there is none.
    """
    return column(row, name, dict)


def records(row: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A column of records as a list of them, whichever way round the table stores it.

    ``datasets`` gives a ``Sequence`` of a struct as a dict of lists, a list of structs as a list of
    dicts.

    Raises:
        DataError: If it is neither, or the lists are not of one length.
    """
    value = column(row, name, object)
    if isinstance(value, Mapping):
        lists = {key: column(value, key, list) for key in value}
        if len({len(items) for items in lists.values()}) > 1:
            counts = ", ".join(f"{key} {len(items)}" for key, items in lists.items())
            raise DataError(f"expected lists of one length in column {name!r}, got {counts}")
        return [dict(zip(lists, items, strict=True)) for items in zip(*lists.values(), strict=True)]
    if isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        return value
    raise DataError(f"expected records in column {name!r}, got {_shown(value)}")


def numbers(row: Mapping[str, Any], name: str, count: int) -> list[float]:
    """A column of ``count`` numbers.

    Raises:
        DataError: If it is anything else.
    """
    values = column(row, name, list)
    if len(values) != count:
        raise DataError(f"expected {count} numbers in column {name!r}, got {_shown(values)}")
    return [column({name: value}, name, float) for value in values]


def texts(row: Mapping[str, Any], name: str) -> list[str]:
    """A column of strings.

    Raises:
        DataError: If it is anything else.
    """
    return [column({name: value}, name, str) for value in column(row, name, list)]


def class_name(row: Mapping[str, Any], name: str, names: Sequence[str]) -> str:
    """A class label as one of the names that the table is known to have.

    Args:
        row: The row, or a record of it.
        name: The column; a name, or a number where the table declares no names.
        names: The names in the order of the table's numbers.

    Raises:
        DataError: If it is none of them.
    """
    value = column(row, name, object)
    if type(value) is int and 0 <= value < len(names):
        return names[value]
    if value not in names:
        raise DataError(
            f"expected one of {len(names)} known names in column {name!r}, got {_shown(value)}"
        )
    return str(value)


def content_id(image: Picture) -> str:
    """An id for a picture of a table that has none: the same bytes, the same id."""
    return hashlib.sha256(image.encoded).hexdigest()[:16]


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text[:60]}{'...' if len(text) > 60 else ''}"

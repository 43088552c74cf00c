"""What an option is, and how its text is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

Read: TypeAlias = "Callable[[str, str], Any]"
"""(option as the user writes it, text) -> value; raises pytest.UsageError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option and how its text is read.

    Attributes:
        field: The field of ``Settings`` that it fills; ``vlm_<field>`` is its ``dest``.
        names: Its names without dashes, the canonical one first.
        help: One line, starting with a capital, naming the default.
        read: Turns one piece of text into a value.
        metavar: What the help shows for its value; empty for a flag.
        listed: Whether it is repeatable.
        commas: Whether one value may hold several, separated by commas.
        ini: Name of its ini twin, or None.
    """

    field: str
    names: tuple[str, ...]
    help: str
    read: Read = lambda _, text: text
    metavar: str = ""
    listed: bool = False
    commas: bool = True
    ini: str | None = None

    @property
    def dest(self) -> str:
        """The attribute of ``config.option`` that holds the text."""
        return f"vlm_{self.field}"

    @property
    def flag(self) -> str:
        """The option as messages name it."""
        return f"--{self.names[0]}"

    def flags(self, prefix: str) -> tuple[str, ...]:
        """Returns the spellings on the command line, ``prefix`` being ``--`` or ``--vlm-``."""
        return tuple(f"{prefix}{name}" for name in self.names)

    def arguments(self) -> dict[str, Any]:
        """Returns what ``add_argument`` needs beside the names."""
        shared: dict[str, Any] = {"dest": self.dest, "default": None, "help": self.help}
        if not self.metavar:
            return {**shared, "action": "store_true"}
        action = "append" if self.listed else "store"
        return {**shared, "action": action, "metavar": self.metavar}


def whole(at_least: int) -> Read:
    """Takes whole numbers from ``at_least`` on."""

    def read(option: str, text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = at_least - 1
        if value < at_least:
            raise pytest.UsageError(
                f"{option} takes a whole number of at least {at_least}, got {text!r}"
            )
        return value

    return read


def whole_or_auto(at_least: int) -> Read:
    """Takes whole numbers from ``at_least`` on, or auto, which is None."""
    read = whole(at_least)
    return lambda option, text: None if text == "auto" else read(option, text)


def _number(text: str) -> float:
    """Returns the number, or NaN, which no range holds."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def share(option: str, text: str) -> float:
    """Takes a number from 0 to 1."""
    value = _number(text)
    if not 0.0 <= value <= 1.0:
        raise pytest.UsageError(f"{option} takes a number from 0 to 1, got {text!r}")
    return value


def positive(option: str, text: str) -> float:
    """Takes a number above 0."""
    value = _number(text)
    if not 0.0 < value < math.inf:
        raise pytest.UsageError(f"{option} takes a number above 0, such as 0.9, got {text!r}")
    return value


def bar(option: str, text: str) -> tuple[str | None, float]:
    """Takes a number from 0 to 1, which is None's, or CATEGORY=NUMBER."""
    category, equals, number = text.rpartition("=")
    value = _number(number)
    if not 0.0 <= value <= 1.0 or bool(category) != bool(equals):
        percent = f"; did you mean {value / 100:g}?" if 1.0 < value <= 100.0 else ""
        raise pytest.UsageError(
            f"{option} takes a number from 0 to 1, or CATEGORY=NUMBER, got {text!r}{percent}"
        )
    return category.strip() or None, value


def amount(option: str, text: str) -> float:
    """Takes a finite number from 0 on."""
    value = _number(text)
    if not 0.0 <= value < math.inf:
        raise pytest.UsageError(f"{option} takes a number of at least 0, got {text!r}")
    return value


def one_of(*valid: str) -> Read:
    """Takes one of ``valid``."""

    def read(option: str, text: str) -> str:
        if text not in valid:
            raise pytest.UsageError(f"{option}: unknown {text!r}; valid: {', '.join(valid)}")
        return text

    return read


def one_of_core(constant: str) -> Read:
    """Takes the choices from ``core.py``, which no run without benchmark items has to import."""

    def read(option: str, text: str) -> str:
        from vlmbench_plugin import core

        chosen: str = one_of(*getattr(core, constant))(option, text)
        return chosen

    return read


def on_off(option: str, text: str) -> bool:
    """Takes on or off."""
    return bool(one_of("on", "off")(option, text) == "on")


def pair(option: str, text: str) -> tuple[str, str]:
    """Takes key=value."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise pytest.UsageError(f"{option} takes key=value, got {text!r}")
    return key, value

"""The options as one table, for both spellings in pytest and for the console script."""

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


def _whole(at_least: int) -> Read:
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


def _share(option: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise pytest.UsageError(f"{option} takes a number from 0 to 1, got {text!r}")
    return value


def _one_of(*valid: str) -> Read:
    def read(option: str, text: str) -> str:
        if text not in valid:
            raise pytest.UsageError(f"{option}: unknown {text!r}; valid: {', '.join(valid)}")
        return text

    return read


def _one_of_core(constant: str) -> Read:
    """Takes the choices from ``core.py``, which no run without benchmark items has to import."""

    def read(option: str, text: str) -> str:
        from vlmbench_plugin import core

        chosen: str = _one_of(*getattr(core, constant))(option, text)
        return chosen

    return read


def _on_off(option: str, text: str) -> bool:
    return bool(_one_of("on", "off")(option, text) == "on")


def _pair(option: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise pytest.UsageError(f"{option} takes key=value, got {text!r}")
    return key, value


OPTIONS: tuple[Option, ...] = (
    Option(
        field="models",
        names=("model", "models"),
        metavar="NAME",
        listed=True,
        ini="vlm_model",
        help="Model to ask: a name of `qwen-vlmbench models`, a folder, a hub id, or name=either; "
        "repeatable, or a comma list (default: tiny-qwen3vl, a toy)",
    ),
    Option(
        field="modes",
        names=("mode", "modes"),
        metavar="MODE",
        listed=True,
        ini="vlm_mode",
        read=_one_of_core("MODES"),
        help="How to ask: json_mode (prompt alone) or constrained (grammar); repeatable, or a "
        "comma list (default: json_mode,constrained)",
    ),
    Option(
        field="categories",
        names=("category", "categories"),
        metavar="NAME",
        listed=True,
        help="Category to run, as -m does; repeatable, or a comma list (default: all fifteen)",
    ),
    Option(
        field="runner",
        names=("runner",),
        metavar="NAME",
        help="What answers: vlm (transformers), stub (answers made from the truth, no model), or "
        "replay (default: vlm)",
    ),
    Option(
        field="dataset",
        names=("dataset",),
        metavar="NAME",
        ini="vlm_dataset",
        help="Where images come from: smoke (a few per category, offline) or synthetic (drawn "
        "scenes) (default: synthetic)",
    ),
    Option(
        field="n",
        names=("n",),
        metavar="N",
        read=_whole(1),
        help="Images per category, at most (default: 50)",
    ),
    Option(
        field="seed",
        names=("seed",),
        metavar="N",
        read=_whole(0),
        help="Seed of the drawn scenes and of the stub's faults (default: 0)",
    ),
    Option(
        field="vocabulary",
        names=("vocabulary",),
        metavar="RULE",
        read=_one_of("closed", "open"),
        help="Whether a prompt lists the names that the source declares: closed or open "
        "(default: closed)",
    ),
    Option(
        field="blind",
        names=("blind",),
        help="Replace every image by a grey one of the same size, to see what a model earns "
        "without looking (default: off)",
    ),
    Option(
        field="difficulty",
        names=("difficulty",),
        metavar="LEVEL",
        listed=True,
        read=_one_of_core("DIFFICULTIES"),
        help="Difficulty of drawn scenes: easy, medium, hard; repeatable, or a comma list "
        "(default: all three)",
    ),
    Option(
        field="max_new_tokens",
        names=("max-new-tokens",),
        metavar="N",
        read=_whole(1),
        help="Most tokens of a json_mode answer (default: twice the longest truth of the task)",
    ),
    Option(
        field="max_pixels",
        names=("max-pixels",),
        metavar="N",
        read=_whole(1),
        help="Larger images are scaled down to this many pixels (default: 1310720)",
    ),
    Option(
        field="right_at",
        names=("right-at",),
        metavar="SCORE",
        read=_share,
        help="Least score of an answer that passes, for all tasks (default: the task's own)",
    ),
    Option(
        field="frame",
        names=("frame",),
        metavar="FRAME",
        read=_one_of_core("FRAMES"),
        help="Coordinate frame of the models: norm_0_1000, pixel_resized, norm_0_1 or pixel "
        "(default: the model's own)",
    ),
    Option(
        field="report_dir",
        names=("report-dir",),
        metavar="DIR",
        ini="vlm_report_dir",
        help="Folder of the results; the same folder resumes (default: reports/<dataset>[-blind])",
    ),
    Option(
        field="fresh",
        names=("fresh",),
        help="Start in a new folder (-2, -3, ...) instead of resuming (default: resume)",
    ),
    Option(
        field="rescore",
        names=("rescore",),
        help="Score every stored answer again from its raw text, and say which scores changed "
        "(default: only where the task's scorer has changed)",
    ),
    Option(
        field="replay",
        names=("replay",),
        metavar="FILE",
        help="The results.jsonl, or its folder, that --runner replay answers from",
    ),
    Option(
        field="on_miss",
        names=("on-miss",),
        metavar="HOW",
        read=_one_of("miss", "fail"),
        help="What a wrong or invalid answer is for pytest: miss or fail (default: miss)",
    ),
    Option(
        field="min_yield",
        names=("min-yield",),
        metavar="YIELD",
        read=_share,
        help="Exit with 1 if the effective yield of any (model, category, mode) is lower "
        "(default: no gate)",
    ),
    Option(
        field="thumbnails",
        names=("thumbnails",),
        metavar="on|off",
        read=_on_off,
        help="Whether to keep small copies of the images (default: on where a model sees them)",
    ),
    Option(
        field="clear_cache_after_model",
        names=("clear-cache-after-model",),
        help="Delete the weights that this run downloaded, as soon as their model is done "
        "(default: keep them)",
    ),
    Option(
        field="device",
        names=("device",),
        metavar="DEVICE",
        help="Device of the model; a comma list gives each xdist worker its own (default: auto)",
    ),
    Option(
        field="dtype",
        names=("dtype",),
        metavar="DTYPE",
        help="Number format of the weights (default: auto: bfloat16 on a GPU, float32 on a CPU)",
    ),
    Option(
        field="runner_args",
        names=("runner-arg",),
        metavar="KEY=VALUE",
        listed=True,
        commas=False,
        read=_pair,
        help="Setting that one runner alone knows; repeatable",
    ),
)


def add_options(add: Callable[..., Any], prefix: str) -> None:
    """Registers the table through ``add``, an ``add_argument`` or ``addoption``."""
    for option in OPTIONS:
        add(*option.flags(prefix), **option.arguments())

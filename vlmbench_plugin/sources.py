"""Where a task's ground truth may come from, as frozen values that a task's entry holds.

A *drawn* source makes scenes from a seed; a *packaged* one ships photographs; a *public* one turns
the rows of a table on a hub, or of a local mirror of it, into cases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import random

    from PIL.Image import Image

    from vlmbench_plugin.core import Difficulty, Truth, Vocabulary
    from vlmbench_plugin.pictures import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a seeded generator returns: exact geometry, and how to draw it if someone looks.

    Attributes:
        size: Width and height in pixels.
        truth: The truth in pixels of this image (see ``Case.truth``).
        draw: Renders the RGB image; the same bytes on every call.
        question: What the prompt asks about this very image, or None.
    """

    size: tuple[int, int]
    truth: Truth
    draw: Callable[[], Image]
    question: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A source of seeded drawn scenes.

    Attributes:
        scene: (random generator, difficulty) -> scene. All randomness comes from the generator.
        vocabulary: The names that scenes draw from.
    """

    scene: Callable[[random.Random, Difficulty], Scene]
    vocabulary: Vocabulary = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """The offline smoke set: photographs of the package first, then a few drawn scenes.

    The photographs' labels are in ``assets/smoke/<category>.jsonl``, the names that they add in
    ``vocabulary.json`` beside them.

    Attributes:
        drawn: The scenes that follow the photographs.
    """

    drawn: Drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A second, small table without pixels, whose rows belong to those of the first.

    Attributes:
        name: The column under which an adapter finds the joined row, as a mapping.
        key: The column that both tables have; a row without a partner is left out.
        hub_ids: As in ``Table``.
        columns: As in ``Table``.
        splits: As in ``Table``.
        config: As in ``Table``.
        revision: As in ``Table``.
    """

    name: str
    key: str
    hub_ids: tuple[str, ...]
    columns: tuple[str, ...]
    splits: tuple[str, ...]
    config: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A public data set: parquet files on a hub, one row per image or per question.

    Attributes:
        name: Its name in records, headings and the cache, such as "coco".
        title: Its name for people.
        hub_ids: Its ids, the present one first; an older one serves where that is not found. A
            mirror holds a folder of one of these names.
        columns: The columns that adapters read; no other is downloaded.
        splits: Names under which the wanted split is known, in order of preference.
        config: The configuration, None for the default.
        revision: The commit that is read. None where it is not known: then the newest commit is
            read, and the cache keeps to the one it has begun with.
        licence: What is known of the licence, for documents and headings.
        files: Small JSON files of the repository; an adapter finds each parsed, under its name.
        joined: A second table to be joined, or None.
        lacks: Why the hub's own copy cannot serve, such as a missing column; a local mirror that
            has it can. None where the hub's copy serves.
    """

    name: str
    title: str
    hub_ids: tuple[str, ...]
    columns: tuple[str, ...]
    splits: tuple[str, ...]
    licence: str
    config: str | None = None
    revision: str | None = None
    files: tuple[str, ...] = ()
    joined: Joined | None = None
    lacks: str | None = None


Row: TypeAlias = Mapping[str, Any]
"""One row as an adapter sees it: plain Python values; a class label is its name where the table
declares names, else its number; an image is a ``Picture``; bytes are bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What an adapter makes of a row.

    Attributes:
        image_id: Unique within the table.
        image: The row's picture.
        truth: As in ``Case``: pixels of the image as shown, EXIF rotation applied.
        question: The per-image part of the prompt, or None.
        size: Width and height of the image as shown, in pixels.
        view: Turns the decoded RGB photograph into what is shown; None shows it as it is.
    """

    image_id: str
    image: Picture
    size: tuple[int, int]
    truth: Truth
    question: str | None = None
    view: Callable[[Image], Image] | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that makes no case, and why, in words that can be counted: "more than 12 objects"."""

    reason: str


Adapter: TypeAlias = "Callable[[Row, random.Random], Labelled | LeftOut]"
"""(row, generator seeded by run and row) -> case or the reason why there is none.

Raises DataError where the row contradicts what the table is known to hold, such as a box that is
no ``x1 y1 x2 y2``: then no row of it can be trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """A public table as one task's ground truth.

    Attributes:
        table: The table.
        adapt: Row -> case.
        vocabulary: All names that the table declares, never those of one image.
    """

    table: Table
    adapt: Adapter
    vocabulary: Vocabulary = field(default_factory=dict)


Source: TypeAlias = Drawn | Packaged | Public

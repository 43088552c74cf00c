"""How many tokens an image costs: what Qwen's image processors make of its size.

An image is scaled to multiples of a factor (``coords.smart_resize``), and each square of that many
pixels is one token. On a run of the packaged checkpoint the counts were those of its processor.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vlmbench_plugin import coords
from vlmbench_plugin.coords import Size
from vlmbench_plugin.core import Json, ModelSpec
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.pictures import shown_size

MOST_FILES = 1000
"""Files of a folder that are looked at: the mean of so many is known to a few percent."""

_CONFIGS = ("preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageProcessor:
    """What decides the tokens of an image.

    Attributes:
        factor: Side in pixels of the square that is one token.
        min_pixels: Smaller images are enlarged to it.
        max_pixels: Larger images are reduced to it.
        source: Where these numbers are from.
    """

    factor: int
    min_pixels: int
    max_pixels: int
    source: str

    def tokens(self, sent: Size) -> int:
        """Returns the tokens of an image of this size after the run's pixel cap.

        Raises:
            DataError: If one side is more than 200 times the other.
        """
        across, down = coords.smart_resize(
            *sent, self.factor, self.min_pixels, max(self.min_pixels, self.max_pixels)
        )
        return (across // self.factor) * (down // self.factor)


# Patches of 16 or 14 pixels, merged two by two; limits as in the published checkpoints.
QWEN3 = ImageProcessor(
    factor=32,
    min_pixels=256 * 256,
    max_pixels=4096 * 4096,
    source="Qwen3-VL and later: one token for 32 x 32 pixels",
)
QWEN25 = ImageProcessor(
    factor=coords.RESIZE_FACTOR,
    min_pixels=coords.RESIZE_MIN_PIXELS,
    max_pixels=coords.RESIZE_MAX_PIXELS,
    source="Qwen2.5-VL: one token for 28 x 28 pixels",
)


def processor_of(spec: ModelSpec) -> ImageProcessor:
    """Returns a model's image processor: its folder's, else that of its family.

    Raises:
        DataError: If the folder's configuration cannot be read.
    """
    published = QWEN25 if spec.frame == "pixel_resized" else QWEN3
    for name in _CONFIGS:
        path = Path(spec.hub_id, name)
        if path.is_file():
            return _configured(path, published)
    return published


def _configured(path: Path, published: ImageProcessor) -> ImageProcessor:
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        found: dict[str, Json] = whole.get("image_processor", whole)
        size = found.get("size") or {}
        limits = {"shortest_edge": "min_pixels", "longest_edge": "max_pixels"}
        given = {own: size.get(edge) or found.get(own) for edge, own in limits.items()}
        factor = int(found["patch_size"]) * int(found["merge_size"])
        return ImageProcessor(
            factor=factor,
            min_pixels=int(given["min_pixels"] or published.min_pixels),
            max_pixels=int(given["max_pixels"] or published.max_pixels),
            source=f"{path.name} of the model: one token for {factor} x {factor} pixels",
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"expected an image processor's configuration in {path}, got {error!r}",
            hint="write the folder anew with the processor's save_pretrained",
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The images of a folder, as far as they were looked at.

    Attributes:
        folder: As given.
        images: Files with an image's ending, in all sub-folders.
        others: Files without.
        sent: Width and height of each readable one that was looked at, after the run's pixel cap.
        unreadable: Those looked at that no model could be asked about, each with the reason.
    """

    folder: str
    images: int
    others: int
    sent: tuple[Size, ...]
    unreadable: tuple[tuple[str, str], ...]

    @property
    def looked_at(self) -> int:
        """How many files were opened."""
        return len(self.sent) + len(self.unreadable)


def look_at(folder: Path, max_pixels: int, *, most: int = MOST_FILES, seed: int = 0) -> Sizes:
    """Reads the headers of a folder's images, or of a seeded sample of them.

    Args:
        folder: Sub-folders are looked through too.
        max_pixels: The run's pixel cap.
        most: Files to look at, at most.
        seed: Of the sample.

    Raises:
        DataError: If there is no such folder, or no image in it that can be read.
    """
    if not folder.is_dir():
        raise DataError(f"expected a folder of images, got {folder}: there is no such folder")
    openable = _endings()
    files: list[Path] = []
    others = 0
    for path in folder.rglob("*"):
        if path.suffix.lower() in openable:
            files.append(path)
        else:
            others += path.is_file()
    chosen = sorted(files)
    if len(chosen) > most:
        chosen = sorted(random.Random(seed).sample(chosen, most))
    sent: list[Size] = []
    unreadable: list[tuple[str, str]] = []
    for path in chosen:
        name = path.relative_to(folder).as_posix()
        try:
            size = coords.capped_size(shown_size(path, name), max_pixels)
            coords.smart_resize(*size)  # refuses what the processors refuse
        except DataError as error:
            unreadable.append((name, str(error.args[0])))
        else:
            sent.append(size)
    found = Sizes(
        folder=str(folder),
        images=len(files),
        others=others,
        sent=tuple(sent),
        unreadable=tuple(unreadable),
    )
    if not sent:
        reason = f"; {unreadable[0][1]}" if unreadable else ""
        raise DataError(
            f"expected images in {folder}, got none that can be read among {len(files)} files "
            f"with an image's ending and {others} without{reason}",
            hint="--sizes FOLDER takes the folder of the images to be labeled",
        )
    return found


def _endings() -> frozenset[str]:
    """Returns the endings of all files that Pillow can open, such as ``.jpg``."""
    every = Image.registered_extensions()
    return frozenset(ending for ending, kind in every.items() if kind in Image.OPEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Mean, and the values that 5 % and 95 % of the items stay below."""

    mean: float
    p5: float
    p95: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Returns the spread of at least one value."""
        p5, p95 = np.quantile(values, (0.05, 0.95))
        return cls(mean=float(np.mean(values)), p5=float(p5), p95=float(p95))

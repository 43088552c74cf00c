"""Decoding of images that came from elsewhere: the orientation, the mode, and what is no image."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL import Image, ImageOps

from vlmbench_plugin.errors import DataError

MAX_IMAGE_PIXELS = 89_478_485
"""Larger images are refused, as those of which Pillow warns: decoded they take 270 MB."""

_PILLOW_RAISES = (
    OSError, ValueError, SyntaxError, RuntimeError, OverflowError, EOFError, struct.error,
    Image.DecompressionBombError, Warning,
)  # fmt: skip
"""What its decoders were seen to raise on 1,500 damaged files of each format; warnings are raised
where the user's filters make them errors."""
_DEEP = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})
_TURNED = frozenset({5, 6, 7, 8})
_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded image, decoded only when looked at.

    Attributes:
        encoded: The bytes of the file.
        name: What errors call it.
    """

    encoded: bytes
    name: str

    def size(self) -> tuple[int, int]:
        """Returns width and height in pixels, EXIF rotation applied; reads the header alone.

        Raises:
            DataError: If these bytes are no image, or one that is too large.
        """
        return shown_size(io.BytesIO(self.encoded), self.name)

    def rgb(self) -> Image.Image:
        """Returns the RGB image, EXIF rotation applied.

        Raises:
            DataError: If these bytes are no image, or one that is too large.
        """
        return open_rgb(io.BytesIO(self.encoded), self.name)

    def raw(self) -> Image.Image:
        """Returns the image in its own mode and orientation, such as a 16-bit depth map.

        Raises:
            DataError: If these bytes are no image, or one that is too large.
        """
        image = _opened(io.BytesIO(self.encoded), self.name)
        with _told(self.name):
            image.load()
        return image


def shown_size(file: Path | IO[bytes], name: str) -> tuple[int, int]:
    """Returns an image's width and height in pixels, EXIF rotation applied, from its header.

    Raises:
        DataError: If the file is missing, no image, or too large a one.
    """
    with _opened(file, name) as image, _told(name):
        width, height = image.size
        return (height, width) if _orientation(image) in _TURNED else (width, height)


def open_rgb(file: Path | IO[bytes], name: str) -> Image.Image:
    """Decodes an image as RGB, EXIF rotation applied.

    Raises:
        DataError: If the file is missing, no image, or too large a one.
    """
    with _opened(file, name) as image, _told(name):
        if image.mode in _DEEP:
            raise DataError(
                f"expected an image of 8 bits a channel, got {name} in mode {image.mode}",
                hint="save it as an ordinary PNG or JPEG: what white is here, nobody says",
            )
        turned = _orientation(image) is not None
        image.load()
        return (ImageOps.exif_transpose(image) if turned else image).convert("RGB")


def _orientation(image: Image.Image) -> int | None:
    """Returns the EXIF orientation as far as the header tells it."""
    # Asked for EXIF data that it has not met, Pillow decodes a whole PNG to look behind the pixels;
    # a TIFF it turns by itself, and its size is that of the turned image.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return None
    found: int | None = image.getexif().get(_ORIENTATION)
    return found


def _opened(file: Path | IO[bytes], name: str) -> Image.Image:
    """Opens a file without decoding its pixels."""
    with _told(name):
        image = Image.open(file)
    pixels = image.width * image.height
    if pixels > MAX_IMAGE_PIXELS:
        raise DataError(
            f"expected an image of at most {MAX_IMAGE_PIXELS:,} pixels, got {name} of "
            f"{image.width} x {image.height}",
            hint="scale it down: models see far fewer pixels (--max-pixels)",
        )
    return image


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    """Tells of a file that is no image, or a damaged one, in one way for all of Pillow's."""
    try:
        yield
    except _PILLOW_RAISES as error:
        raise DataError(
            f"expected an image that can be decoded, got {name}: {error}",
            hint="replace the file or leave it out",
        ) from error

"""Decoding of images that came from elsewhere: the orientation, the mode, and what is no image."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL import Image, ImageOps

from vlmbench_plugin.errors import DataError

MAX_IMAGE_PIXELS = 120_000_000
"""Larger images are refused: decoded, 120 megapixels are 360 MB."""

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
        return _decoded(image, self.name)


def shown_size(file: Path | IO[bytes], name: str) -> tuple[int, int]:
    """Returns an image's width and height in pixels, EXIF rotation applied, from its header.

    Raises:
        DataError: If the file is missing, no image, or too large a one.
    """
    with _opened(file, name) as image:
        width, height = image.size
        return (height, width) if _orientation(image) in _TURNED else (width, height)


def open_rgb(file: Path | IO[bytes], name: str) -> Image.Image:
    """Decodes an image as RGB, EXIF rotation applied.

    Raises:
        DataError: If the file is missing, no image, or too large a one.
    """
    with _opened(file, name) as image:
        turned = _orientation(image) is not None
        _decoded(image, name)
        return (ImageOps.exif_transpose(image) if turned else image).convert("RGB")


def _orientation(image: Image.Image) -> int | None:
    """Returns the EXIF orientation as far as the header tells it."""
    # Asked for EXIF data that it has not met, Pillow decodes a whole PNG to look behind the pixels.
    if image.format == "PNG" and "exif" not in image.info:
        return None
    found: int | None = image.getexif().get(_ORIENTATION)
    return found


def _opened(file: Path | IO[bytes], name: str) -> Image.Image:
    """Opens a file without decoding its pixels."""
    try:
        with warnings.catch_warnings():
            # Our own limit decides, with a message of its own, below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(file)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(
            f"expected an image, got {name}: {error}", hint="replace the file or leave it out"
        ) from error
    pixels = image.width * image.height
    if pixels > MAX_IMAGE_PIXELS:
        raise DataError(
            f"expected an image of at most {MAX_IMAGE_PIXELS:,} pixels, got {name} of "
            f"{image.width} x {image.height}",
            hint="scale it down: models see far fewer pixels (--max-pixels)",
        )
    return image


def _decoded(image: Image.Image, name: str) -> Image.Image:
    try:
        image.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(
            f"expected an image that can be decoded, got {name}: {error}",
            hint="replace the file or leave it out",
        ) from error
    return image

"""The pictures of the fixtures: drawn here or CC0 photographs of the package, as small files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib import resources

from PIL import Image

from vlmbench_plugin.pictures import Picture
from vlmbench_plugin.scenes.canvas import Backdrop, Size, render
from vlmbench_plugin.scenes.everyday import Sprite

_ORIENTATION = 0x0112
_TURNED_RIGHT = 6


def jpeg(image: Image.Image, quality: int = 75) -> bytes:
    """Encodes as JPEG in the image's own mode: a mode ``L`` image is a grayscale JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def png(image: Image.Image) -> bytes:
    """Encodes as PNG in the image's own mode, such as a 16-bit depth map."""
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def gray_jpeg(image: Image.Image) -> bytes:
    """Encodes as a JPEG of one channel."""
    return jpeg(image.convert("L"))


def turned_jpeg(image: Image.Image) -> bytes:
    """Encodes as a camera held upright does: stored lying down, with EXIF orientation 6.

    Shown as EXIF says, it is ``image`` again.
    """
    exif = Image.Exif()
    exif[_ORIENTATION] = _TURNED_RIGHT
    file = io.BytesIO()
    image.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", quality=75, exif=exif)
    return file.getvalue()


def photo(name: str, width: int = 240) -> Image.Image:
    """A photograph of the package, scaled to a width in pixels.

    Args:
        name: A file of ``assets/smoke``, such as "chelsea.jpg"; its licence stands there.
        width: The width in pixels; the height follows.
    """
    folder = resources.files("vlmbench_plugin").joinpath("assets", "smoke")
    image = Picture(folder.joinpath(name).read_bytes(), name).rgb()
    height = round(image.height * width / image.width)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def drawn(size: Size, sprites: Sequence[Sprite]) -> Image.Image:
    """Everyday objects on plain paper; each sprite knows its box and its polygons."""
    paper = Backdrop(size=size, kind="plain", colour=(240, 240, 236), second=(255, 255, 255))
    return render(paper, [fill for sprite in sprites for fill in sprite.fills])


def cell(encoded: bytes, path: str | None = None) -> dict[str, bytes | str | None]:
    """An image as a column of images holds it."""
    return {"bytes": encoded, "path": path}

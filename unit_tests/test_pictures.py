"""Images that came from elsewhere: orientation, mode, and what is no image."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vlmbench_plugin import pictures
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.pictures import Picture, open_rgb, shown_size

ORIENTATION = 0x0112


def encoded(image: Image.Image, kind: str = "PNG", orientation: int | None = None) -> bytes:
    exif = Image.Exif()
    if orientation is not None:
        exif[ORIENTATION] = orientation
    buffer = io.BytesIO()
    image.save(buffer, format=kind, exif=exif)
    return buffer.getvalue()


def corner() -> Image.Image:
    """Six by four pixels, black but for a white one top left."""
    image = Image.new("RGB", (6, 4))
    image.putpixel((0, 0), (255, 255, 255))
    return image


@pytest.mark.parametrize(
    ("orientation", "size", "white"),
    [
        (None, (6, 4), (0, 0)),
        (1, (6, 4), (0, 0)),
        (2, (6, 4), (5, 0)),
        (3, (6, 4), (5, 3)),
        (4, (6, 4), (0, 3)),
        (5, (4, 6), (0, 0)),
        (6, (4, 6), (3, 0)),
        (7, (4, 6), (3, 5)),
        (8, (4, 6), (0, 5)),
        (99, (6, 4), (0, 0)),  # no orientation that there is
    ],
)
def test_an_image_is_turned_as_it_is_shown(
    orientation: int | None, size: tuple[int, int], white: tuple[int, int]
) -> None:
    picture = Picture(encoded(corner(), orientation=orientation), "a")
    image = picture.rgb()
    assert picture.size() == image.size == size
    assert image.getpixel(white) == (255, 255, 255)
    assert np.asarray(image).sum() == 3 * 255


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_decoded_image(kind: str, orientation: int) -> None:
    picture = Picture(encoded(corner(), kind, orientation), "a")
    assert picture.size() == picture.rgb().size


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_more_than_eight_bits_are_refused_not_flattened(mode: str) -> None:
    deep = Image.fromarray(np.full((4, 6), 40_000, dtype=np.int32)).convert(mode)
    with pytest.raises(DataError, match=r"8 bits a channel, got deep\.tif"):
        Picture(encoded(deep, "TIFF"), "deep.tif").rgb()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"])
def test_a_damaged_image_is_a_data_error_and_nothing_else(kind: str) -> None:
    noise = np.random.default_rng(1)
    whole = encoded(Image.fromarray(noise.integers(0, 255, (24, 24, 3), dtype=np.uint8)), kind, 6)
    for _ in range(150):
        damaged = bytearray(whole)
        for place in noise.integers(0, len(whole), 4):
            damaged[place] = noise.integers(0, 256)
        for look in (Picture.size, Picture.rgb, Picture.raw):
            with contextlib.suppress(DataError):
                look(Picture(bytes(damaged), "damaged"))


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    data = encoded(Image.new("RGB", (5, 3), (10, 200, 30)).convert(mode), "TIFF")
    image = Picture(data, "a").rgb()
    assert (image.mode, image.size) == ("RGB", (5, 3))


def test_a_raw_picture_keeps_its_mode_and_orientation() -> None:
    depth = Image.fromarray(np.arange(24, dtype=np.uint16).reshape(4, 6) * 1000)
    raw = Picture(encoded(depth, orientation=6), "depth").raw()
    assert raw.size == (6, 4)
    assert np.asarray(raw).max() == 23000


@pytest.mark.parametrize("data", [b"", b"no image at all", encoded(corner())[:20]])
def test_what_is_no_image_is_told_by_name(data: bytes) -> None:
    for look in (Picture.size, Picture.rgb, Picture.raw):
        with pytest.raises(DataError, match=r"expected an image.*holiday\.png"):
            look(Picture(data, "holiday.png"))


def test_a_torn_image_has_a_size_but_no_pixels() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    picture = Picture(encoded(noise)[:4000], "torn.png")
    assert picture.size() == (64, 64)
    with pytest.raises(DataError, match=r"can be decoded.*torn\.png"):
        picture.rgb()


def test_a_decompression_bomb_is_refused_unopened() -> None:
    side = 20_000

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    for look in (Picture.size, Picture.rgb, Picture.raw):
        with pytest.raises(DataError, match="bomb"):
            look(Picture(bomb, "bomb.png"))


def test_just_above_our_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_IMAGE_PIXELS", 24)
    assert Picture(encoded(corner()), "a").size() == (6, 4)
    monkeypatch.setattr(pictures, "MAX_IMAGE_PIXELS", 23)
    with pytest.raises(DataError, match="at most 23 pixels, got a of 6 x 4"):
        Picture(encoded(corner()), "a").rgb()


def test_files_are_read_as_bytes_are(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(corner(), orientation=8))
    assert shown_size(path, "a.png") == open_rgb(path, "a.png").size == (4, 6)
    with pytest.raises(DataError, match=r"b\.png"):
        shown_size(tmp_path / "b.png", "b.png")

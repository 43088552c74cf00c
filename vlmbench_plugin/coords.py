"""Coordinate frames: how a model states a position, and where that is in the image.

Sizes are (width, height). ``size`` is the original image, ``sent_size`` the image after the run's
pixel cap (``capped_size``). Pixels have x to the right, y down, and their origin at the top left
corner, so that x runs from 0 to the width.
"""

from __future__ import annotations

import math

from vlmbench_plugin.core import Frame
from vlmbench_plugin.errors import DataError

Size = tuple[int, int]

# Qwen2.5-VL: patches of 14 merged two by two; the limits are those of its published checkpoints.
# transformers' own default maximum (1,003,520) is lower, and would apply below the run's cap.
RESIZE_FACTOR = 28
RESIZE_MIN_PIXELS = 56 * 56
RESIZE_MAX_PIXELS = 12_845_056


def extent(frame: Frame, sent_size: Size) -> Size:
    """Returns what the image's full width and height are in a frame."""
    match frame:
        case "norm_0_1000":
            return 1000, 1000
        case "norm_0_1":
            return 1, 1
        case "pixel":
            return sent_size
        case "pixel_resized":
            return smart_resize(*sent_size)


def to_pixel(x: float, y: float, frame: Frame, size: Size, sent_size: Size) -> tuple[float, float]:
    """Converts a position as a model states it to pixels of the original image, not clamped."""
    across, down = extent(frame, sent_size)
    return x * size[0] / across, y * size[1] / down


def from_pixel(
    x: float, y: float, frame: Frame, size: Size, sent_size: Size
) -> tuple[float, float]:
    """Converts pixels of the original image to what a model of this frame would state.

    Returns:
        Integers, but numbers of four decimals in ``norm_0_1``.
    """
    across, down = extent(frame, sent_size)
    stated = x * across / size[0], y * down / size[1]
    if frame == "norm_0_1":
        return round(stated[0], 4), round(stated[1], 4)
    return round(stated[0]), round(stated[1])


def clamp(x: float, y: float, size: Size) -> tuple[float, float, bool]:
    """Moves a pixel position onto the image; the third value tells whether it had to move."""
    inside = min(max(x, 0), size[0]), min(max(y, 0), size[1])
    return *inside, inside != (x, y)


def capped_size(size: Size, max_pixels: int) -> Size:
    """Returns the size to send: at most ``max_pixels``, aspect kept, never enlarged.

    A side is at least 1, also where that bends the aspect.
    """
    width, height = size
    if width * height <= max_pixels:
        return size
    scale = math.sqrt(max_pixels / (width * height))
    width, height = max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
    return min(width, max_pixels // min(height, max_pixels)), min(height, max_pixels)


def smart_resize(
    width: int,
    height: int,
    factor: int = RESIZE_FACTOR,
    min_pixels: int = RESIZE_MIN_PIXELS,
    max_pixels: int = RESIZE_MAX_PIXELS,
) -> Size:
    """Returns the size at which Qwen's image processors show an image to the model.

    Equal to ``transformers.models.qwen2_vl.image_processing_qwen2_vl.smart_resize``: both sides
    are rounded to multiples of ``factor``; where their product leaves the limits, the image is
    scaled to the limit first and its sides rounded towards the inside.

    Raises:
        DataError: If one side is more than 200 times the other, which the processors refuse.
    """
    if max(width, height) > 200 * min(width, height):
        raise DataError(
            f"expected an aspect ratio of at most 200, got an image of {width} x {height}",
            hint="Qwen's image processors refuse such an image: crop it, or leave it out",
        )
    area = width * height
    across, down = round(width / factor) * factor, round(height / factor) * factor
    if across * down > max_pixels:
        shrink = math.sqrt(area / max_pixels)
        across = max(factor, math.floor(width / shrink / factor) * factor)
        down = max(factor, math.floor(height / shrink / factor) * factor)
    elif across * down < min_pixels:
        grow = math.sqrt(min_pixels / area)
        across = math.ceil(width * grow / factor) * factor
        down = math.ceil(height * grow / factor) * factor
    return across, down


def describe(frame: Frame, sent_size: Size) -> str:
    """Returns the sentences that tell a model how to state positions."""
    return describe_extent(frame, *extent(frame, sent_size))


def describe_extent(frame: Frame, width: int | str, height: int | str) -> str:
    """Returns the same for an image that is ``width`` and ``height`` in the frame, or any words."""
    if frame == "norm_0_1000":
        unit = "integers from 0 to 1000, relative to the image size"
    elif frame == "norm_0_1":
        unit = "decimals from 0 to 1 with at most four digits, relative to the image size"
    else:
        unit = f"integers in pixels of the image, which is {width} wide and {height} high"
    return (
        f"Coordinates are {unit}: x from left to right, y from top to bottom. "
        "Points are [x, y]; boxes are [x1, y1, x2, y2], top left corner first."
    )

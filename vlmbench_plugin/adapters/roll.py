"""Camera roll of real photographs: any table's pictures, turned by a known angle.

Turning a photograph counter-clockwise by an angle shows what a camera would have shown that was
rolled clockwise by it, as seen from behind: the right end of the horizon rises. That is positive
roll in the drawn scenes too.

Photographs are not all level. Most are within a few degrees, some are not, and nothing in a row
tells which: so the score's tolerance of 30 degrees is what the truth can bear, and errors below
some 5 degrees mean nothing. Angles are at least 15 degrees either way, first because so much is a
turn whatever the photograph's own; and because, of angles spread evenly over -45 to 45 degrees, two
thirds are within 30 degrees of 0, and "not turned" would be right as often. Of these it is half.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from PIL.Image import Resampling

from vlmbench_plugin.adapters.rows import column, picture
from vlmbench_plugin.scenes.perspective import LARGEST_TURN
from vlmbench_plugin.sources import Labelled, LeftOut, Row

if TYPE_CHECKING:
    import random

    from PIL.Image import Image

LEAST_TURN = 15
"""Degrees; see the module's text."""

SMALLEST_SIDE = 128
"""Of what is left, in pixels."""

_QUESTION = (
    "The photograph was turned about its middle and cropped, as if the camera had been rolled when "
    "it was taken: tell the roll. Roll is positive when the camera turned clockwise as seen from "
    "behind it, so that the right end of the horizon appears higher and upright things lean to the "
    f"left. It lies between -{LARGEST_TURN} and {LARGEST_TURN} degrees. Yaw and pitch are not "
    "asked: answer 0 for both."
)


def rolled(row: Row, rng: random.Random) -> Labelled | LeftOut:
    """Row with ``image_id`` and ``image`` -> the photograph turned by a whole number of degrees.

    Raises:
        DataError: If a column is missing.
    """
    image = picture(row)
    size = cropped_size(image.size())
    if min(size) < SMALLEST_SIDE:
        return LeftOut(f"less than {SMALLEST_SIDE} pixels a side once turned and cropped")
    roll = rng.choice((-1, 1)) * rng.randint(LEAST_TURN, LARGEST_TURN)
    return Labelled(
        image_id=str(column(row, "image_id", int)),
        image=image,
        size=size,
        truth={"yaw": None, "pitch": None, "roll": roll},
        question=_QUESTION,
        view=partial(_turned, roll, size),
    )


def cropped_size(size: tuple[int, int]) -> tuple[int, int]:
    """The largest upright rectangle of a photograph's aspect that is within it at every turn.

    An upright ``s w`` by ``s h`` about the middle lies within a ``w`` by ``h`` turned by ``a`` if
    ``s (w cos a + h sin a) <= w`` and ``s (w sin a + h cos a) <= h``: its corners, turned back, are
    within. The same size serves all angles, for it would else tell the angle. Two pixels each way
    are spared, for interpolation and where sizes are odd.

    Args:
        size: Width and height of the photograph in pixels.

    Returns:
        Width and height in pixels.
    """
    width, height = size
    share = 1.0
    for degrees in range(LEAST_TURN, LARGEST_TURN + 1):
        sin, cos = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        share = min(
            share,
            width / (width * cos + height * sin),
            height / (width * sin + height * cos),
        )
    return int(share * width) - 4, int(share * height) - 4


def _turned(roll: float, size: tuple[int, int], photo: Image) -> Image:
    """The middle of a photograph turned counter-clockwise, which is what ``rotate`` does."""
    left, top = (photo.width - size[0]) // 2, (photo.height - size[1]) // 2
    turned = photo.rotate(roll, Resampling.BICUBIC)
    return turned.crop((left, top, left + size[0], top + size[1]))

"""NYU Depth v2: photographs of rooms with a depth map; marked points are ordered near to far.

Silberman et al. 2012, "Indoor Segmentation and Support Inference from RGBD Images".

The card does not say in which unit the depth is, and the order needs none. It needs larger to mean
farther, which no single row proves. So only rows are taken that agree with it: where the camera
stands in a room and looks ahead, what is seen at the bottom of the image is nearer than what is
seen in its middle. Were the map inverted, nearly all rows would be left out for that reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import ImageDraw

from vlmbench_plugin.adapters.rows import content_id, picture
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.scenes.depth import ask_objects
from vlmbench_plugin.scenes.fonts import load_font
from vlmbench_plugin.sources import Labelled, LeftOut, Row, Table

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image

    Depth: TypeAlias = NDArray[np.floating[Any]]
    Window: TypeAlias = NDArray[np.floating[Any]]

NYU = Table(
    name="nyu",
    title="NYU Depth v2",
    hub_ids=("wyrx/NYUDepthv2_seg",),
    # The card calls the split of the file "test" by the name "teset".
    splits=("test", "teset", "validation"),
    columns=("image", "depth"),
    licence="none on the card",
    revision="82ca4004869fd9dbeb054ce3eaac835bd7f3bafe",
)

POINTS: tuple[str, ...] = tuple(f"point {letter}" for letter in "abcde")
"""The names of the marks; an image has three to five of them."""

APART = 1.2
"""Each next point's depth is at least this many times that of the one before."""

FLAT = 1.08
"""The largest depth in a point's window over the smallest. Its square is less than ``APART``, so
that all of a nearer point's window is nearer than all of the next one's."""

SMALLEST_SIDE = 160
"""In pixels. On a smaller image marks and their letters would hide the room."""

_COUNTS = (3, 5)
_TRIES = 8
_MODES = frozenset({"L", "I;16", "I;16L", "I;16B", "I", "F"})
_MARKS = (
    "In the photograph, rings mark some points of the room: each point is what is seen in the "
    "middle of its ring, and is named by the letter beside it. "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A pixel in the middle of a window without a depth edge.

    Attributes:
        x: Column.
        y: Row.
        depth: The window's median, in the map's unit.
    """

    x: int
    y: int
    depth: float


def depth_order(row: Row, rng: random.Random) -> Labelled | LeftOut:
    """Row -> three to five marked points, to be ordered from near to far.

    Raises:
        DataError: If a column is missing, or the depth map is not of one channel and of the
            image's size.
    """
    image = picture(row)
    size = image.size()
    if min(size) < SMALLEST_SIDE:
        return LeftOut(f"an image below {SMALLEST_SIDE} pixels a side")
    depth = _read_depth(row, size)
    if not _agrees(depth):
        return LeftOut("nothing shows that larger depth is farther")
    spots = _flat_spots(depth)
    wanted = rng.randint(*_COUNTS)
    chosen = max((_choose(rng, spots, wanted, size) for _ in range(_TRIES)), key=len)
    if len(chosen) < _COUNTS[0]:
        return LeftOut(f"fewer than {_COUNTS[0]} points well apart in depth")
    names = rng.sample(POINTS[: len(chosen)], len(chosen))
    order = sorted(zip(names, chosen, strict=True), key=lambda named: named[1].depth)
    listed = rng.sample(names, len(names))
    return Labelled(
        image_id=content_id(image),
        image=image,
        size=size,
        truth={
            "order": [name for name, _ in order],
            "places": {name: [spot.x, spot.y] for name, spot in order},
        },
        question=_MARKS + ask_objects(listed),
        view=partial(_marked, [(name, spot.x, spot.y) for name, spot in order]),
    )


def _read_depth(row: Row, size: tuple[int, int]) -> Depth:
    """The map as height x width, 0 where nothing was measured or the scale ended."""
    picture_of_depth = picture(row, "depth")
    image = picture_of_depth.raw()
    if image.mode not in _MODES or image.size != size:
        raise DataError(
            f"expected a depth map of one channel and {size}, got {picture_of_depth.name} of mode "
            f"{image.mode} and {image.size}",
            hint="this copy of NYU Depth v2 is not the one that is expected; use another mirror",
        )
    depth = np.asarray(image, dtype=np.float64)
    largest = 255 if image.mode == "L" else 65535
    known: Depth = np.where(np.isfinite(depth) & (depth > 0) & (depth < largest), depth, 0)
    return known


def _agrees(depth: Depth) -> bool:
    """Whether the bottom of the image is nearer than its middle, if larger is farther."""
    height = len(depth)
    bands = depth[height // 3 : height // 2], depth[-height // 5 :]
    middle, bottom = (band[band > 0] for band in bands)
    return bool(middle.size and bottom.size and np.median(bottom) < np.median(middle))


def _reach(size: tuple[int, int]) -> int:
    """Half a window's side, and the radius of a ring, which so holds one surface."""
    return max(6, min(size) // 60)


def _flat_spots(depth: Depth) -> list[Spot]:
    """Spots on a lattice, away from the border, whose windows have no gap and no edge."""
    height, width = depth.shape
    half = _reach((width, height))
    margin = min(height, width) // 10
    spots = []
    for y in range(margin, height - margin, 2 * half):
        for x in range(margin, width - margin, 2 * half):
            window: Window = depth[y - half : y + half + 1, x - half : x + half + 1]
            low, high = window.min(), window.max()
            if low > 0 and high <= FLAT * low:
                spots.append(Spot(x=x, y=y, depth=float(np.median(window))))
    return spots


def _choose(
    rng: random.Random, spots: Sequence[Spot], wanted: int, size: tuple[int, int]
) -> list[Spot]:
    """Takes spots in random order, each well apart from those taken, until there are enough."""
    reach = min(size) / 5
    chosen: list[Spot] = []
    for spot in rng.sample(spots, len(spots)):
        if all(_well_apart(spot, other, reach) for other in chosen):
            chosen.append(spot)
        if len(chosen) == wanted:
            break
    return chosen


def _well_apart(one: Spot, two: Spot, reach: float) -> bool:
    near, far = sorted((one.depth, two.depth))
    return far >= APART * near and (one.x - two.x) ** 2 + (one.y - two.y) ** 2 >= reach**2


def _marked(marks: Sequence[tuple[str, int, int]], photo: Image) -> Image:
    """A copy with a ring about each point and its letter beside it, both white edged in black."""
    shown = photo.copy()
    pen = ImageDraw.Draw(shown)
    side = min(shown.size)
    radius = _reach(shown.size)
    font = load_font("sans_bold", max(14, side // 18))
    for name, x, y in marks:
        for reach, width, colour in ((radius + 2, 5, "black"), (radius, 2, "white")):
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), outline=colour, width=width)
        pen.text(
            (x + radius + 2, y - radius),
            name[-1].upper(),
            font=font,
            fill="white",
            stroke_width=max(2, side // 160),
            stroke_fill="black",
            anchor="ls",
        )
    return shown

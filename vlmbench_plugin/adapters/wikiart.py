"""WikiArt: 81,444 paintings of 27 styles, of which 15 groups are asked for.

Neighbouring styles of the table overlap: the same painter's works, even the same work, stand in
Impressionism and in Post-Impressionism, Analytical Cubism beside Cubism. One label of 27 would hold
an answer wrong that many would give. So styles are asked for as 15 groups, each a style and what
art history counts to it as a phase, a branch or a close neighbour. What a painting shows is not
labelled by layout: ``structure`` is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vlmbench_plugin.adapters.rows import SMALLEST_SIDE, class_name, content_id, picture
from vlmbench_plugin.sources import Labelled, LeftOut, Row, Table

if TYPE_CHECKING:
    import random

WIKIART = Table(
    name="wikiart",
    title="WikiArt",
    hub_ids=("huggan/wikiart",),
    splits=("train",),
    columns=("image", "style"),
    licence="unknown; each work under its author's own rights",
    revision="d559852d2b232e0fcf195e775866964f0564f2b5",
)

GROUPS: Mapping[str, tuple[str, ...]] = {
    "renaissance": (
        "Early_Renaissance",
        "High_Renaissance",
        "Mannerism_Late_Renaissance",
        "Northern_Renaissance",
    ),
    "baroque": ("Baroque",),
    "rococo": ("Rococo",),
    "romanticism": ("Romanticism",),
    "realism": ("Realism", "Contemporary_Realism", "New_Realism"),
    "impressionism": ("Impressionism", "Post_Impressionism", "Pointillism"),
    "symbolism": ("Symbolism",),
    "art nouveau": ("Art_Nouveau",),
    "expressionism": ("Expressionism", "Fauvism"),
    "cubism": ("Cubism", "Analytical_Cubism", "Synthetic_Cubism"),
    "naive art": ("Naive_Art_Primitivism",),
    "abstract expressionism": (
        "Abstract_Expressionism",
        "Action_painting",
        "Color_Field_Painting",
    ),
    "minimalism": ("Minimalism",),
    "pop art": ("Pop_Art",),
    "ukiyo-e": ("Ukiyo_e",),
}
"""What is asked for -> the table's styles that it stands for."""

STYLE_GROUPS: tuple[str, ...] = tuple(GROUPS)
"""The names of the groups."""

_GROUP_OF = {style: group for group, styles in GROUPS.items() for style in styles}
_STYLES = tuple(sorted(_GROUP_OF))


def painting(row: Row, rng: random.Random) -> Labelled | LeftOut:
    """Row -> the group of its style.

    Raises:
        DataError: If a column is missing, or the style is no name of a known one and no number of
            their alphabetical order.
    """
    image = picture(row)
    size = image.size()
    if min(size) < SMALLEST_SIDE:
        return LeftOut(f"an image below {SMALLEST_SIDE} pixels a side")
    style = class_name(row, "style", _STYLES)
    return Labelled(
        image_id=content_id(image),
        image=image,
        size=size,
        truth={"style": _GROUP_OF[style], "structure": None},
    )

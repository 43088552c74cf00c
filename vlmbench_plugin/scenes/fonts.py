"""The fonts that drawn text uses: four of the DejaVu family, and the one that Pillow carries."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Literal, get_args

from PIL import ImageFont

FontName = Literal["sans", "sans_bold", "serif", "serif_italic", "mono"]
FONTS: tuple[FontName, ...] = get_args(FontName)

MONO_ADVANCE = 0.603
"""Upper bound on the width of one mono character in ems (1233 of 2048 font units)."""

_FILES = {
    "sans_bold": "DejaVuSans-Bold.ttf",
    "serif": "DejaVuSerif.ttf",
    "serif_italic": "DejaVuSerif-Italic.ttf",
    "mono": "DejaVuSansMono.ttf",
}


@lru_cache(maxsize=128)
def load_font(name: FontName, size: int) -> ImageFont.FreeTypeFont:
    """Loads a font once for each size.

    Args:
        name: One of ``FONTS``.
        size: Height of the em square in pixels.

    Raises:
        ImportError: If this Pillow was built without FreeType.
    """
    if name == "sans":
        font = ImageFont.load_default(size=size)
        if not isinstance(font, ImageFont.FreeTypeFont):
            raise ImportError(
                "Pillow has no FreeType, which drawn text needs: install a Pillow wheel from PyPI"
            )
        return font
    # Basic layout, because Raqm is present on some machines only and would move glyphs.
    path = files("vlmbench_plugin") / "assets" / "fonts" / _FILES[name]
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)

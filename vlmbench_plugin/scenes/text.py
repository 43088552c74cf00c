"""Scenes with lines of text: everyday words, numbers, prices and codes."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from vlmbench_plugin.scenes.canvas import RGB, Backdrop, Size, choose_backdrop
from vlmbench_plugin.scenes.fonts import FONTS, FontName, load_font
from vlmbench_plugin.sources import Scene

if TYPE_CHECKING:
    from vlmbench_plugin.core import Difficulty

LONGEST_LINE = 40
"""No line has more characters than this."""

_WORD_LIST = """
    apple answer autumn basket bakery bicycle blanket border bottle breakfast bridge bright
    butter candle careful castle central change chapter cherry circle clinic coffee common copper
    corner cotton counter country cousin daily dinner doctor double dragon early eastern effort
    engine evening express factory family famous farmer ferry final finger flower forest fresh
    friend garden gentle glass golden grammar green guest guitar harbour harvest heavy history
    holiday honest hotel island jacket journey kitchen ladder lantern large lemon letter library
    little local lucky market meadow medicine member middle mirror modern morning mountain museum
    narrow native northern notice number ocean office open orange orchard original oven painter
    paper parking pepper picture pilot planet platform pocket police pottery present private
    public quarter quiet railway rapid recipe record repair return ribbon river rocket salad
    sample school season second secret service shadow silver simple single sister soup southern
    special spring square station still stone street sugar summer sunday supper table tailor
    teacher theatre ticket timber tomato tower traffic travel tunnel turn under united upper
    valley velvet village violin visitor wagon waiter walnut warm water weather welcome western
    window winter wooden yellow young
"""
_WORDS = tuple(_WORD_LIST.split())
# Neither O nor I, nor 0 and 1 beside letters: no reader could tell them apart in every font.
_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE_DIGITS = "23456789"

_DARK_INKS: tuple[RGB, ...] = (
    (20, 20, 22),
    (16, 44, 120),
    (128, 16, 24),
    (14, 82, 40),
    (84, 26, 116),
    (96, 52, 10),
)
_LIGHT_INKS: tuple[RGB, ...] = (
    (255, 255, 255),
    (255, 226, 92),
    (186, 232, 255),
    (206, 248, 196),
    (255, 208, 190),
)
_DARK_PANELS: tuple[RGB, ...] = (
    (26, 32, 48),
    (16, 62, 50),
    (74, 18, 30),
    (46, 34, 74),
    (40, 40, 40),
)
_SMALLEST = 14
_MARGIN = 14
_SUPERSAMPLING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One line and how it is set; ``indent`` and ``gap`` are in ems, ``tilt`` in degrees."""

    text: str
    font: FontName
    size: int
    ink: RGB
    indent: float
    gap: float
    tilt: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """Lines on a backdrop, with a panel behind them where there is one.

    ``angle`` turns the block, in degrees; ``spot`` places it in the room there is, 0 to 1 an axis.
    """

    backdrop: Backdrop
    panel: RGB | None
    angle: float
    spot: tuple[float, float]
    lines: tuple[_Line, ...]

    def paint(self) -> Image.Image:
        """The page as an RGB image; all text lies inside it."""
        image = self.backdrop.paint()
        room = (image.width - 2 * _MARGIN, image.height - 2 * _MARGIN)
        scale = 1.0
        block = self._block(scale)
        while block.width > room[0] or block.height > room[1]:
            # Padding and rounding keep a second or third pass necessary.
            scale *= 0.98 * min(room[0] / block.width, room[1] / block.height)
            block = self._block(scale)
        at = (
            _MARGIN + int((room[0] - block.width) * self.spot[0]),
            _MARGIN + int((room[1] - block.height) * self.spot[1]),
        )
        image.paste(block, at, block)
        return image

    def _block(self, scale: float) -> Image.Image:
        """The lines below each other on a transparent layer, cut to what is visible."""
        strips = [_strip(line, scale) for line in self.lines]
        pad = 20
        lefts = [
            pad + round(line.indent * line.size * scale * _SUPERSAMPLING) for line in self.lines
        ]
        tops = [pad]
        for line, strip in zip(self.lines, strips, strict=True):
            leading = round(line.gap * line.size * scale * _SUPERSAMPLING)
            tops.append(tops[-1] + strip.height + leading)
        width = max(x + strip.width for x, strip in zip(lefts, strips, strict=True)) + pad
        colour = (*(self.panel or self.lines[0].ink), 255 if self.panel else 0)
        layer = Image.new("RGBA", (width, tops[-1] + pad), colour)
        for x, y, strip in zip(lefts, tops, strips, strict=False):
            layer.alpha_composite(strip, (x, y))
        layer = layer.rotate(self.angle, Image.Resampling.BICUBIC, expand=True)
        return layer.reduce(_SUPERSAMPLING)


def _strip(line: _Line, scale: float) -> Image.Image:
    font = load_font(line.font, round(line.size * scale * _SUPERSAMPLING))
    left, top, right, bottom = (int(side) for side in font.getbbox(line.text))
    pad = 4
    size = (right - left + 2 * pad, bottom - top + 2 * pad)
    strip = Image.new("RGBA", size, (*line.ink, 0))
    ImageDraw.Draw(strip).text((pad - left, pad - top), line.text, font=font, fill=(*line.ink, 255))
    return strip.rotate(line.tilt, Image.Resampling.BICUBIC, expand=True) if line.tilt else strip


def ocr_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """One to eight lines of text, read from top to bottom.

    Args:
        rng: Where all randomness comes from.
        difficulty: Raises the number of lines, words, fonts and angles.

    Returns:
        A scene whose truth holds ``lines`` in reading order, ``answers`` (all lines joined by a
        space) and ``words`` (how many there are).
    """
    fewest, most = {"easy": (1, 2), "medium": (2, 5), "hard": (4, 8)}[difficulty]
    texts = [_text(rng, difficulty) for _ in range(rng.randint(fewest, most))]
    steepest = {"easy": 0.0, "medium": 6.0, "hard": 14.0}[difficulty]
    angle = round(rng.uniform(-steepest, steepest), 1)
    size = _page_size(rng, texts, angle)
    panel = rng.choice(_DARK_PANELS) if rng.random() < 0.35 else None
    inks = _LIGHT_INKS if panel else _DARK_INKS
    page = _Page(
        backdrop=choose_backdrop(rng, difficulty, size),
        panel=panel,
        angle=angle,
        spot=(rng.random(), rng.random()),
        lines=_typeset(rng, texts, inks, mixed=difficulty != "easy", uneven=difficulty == "hard"),
    )
    joined = " ".join(texts)
    truth = {"lines": texts, "answers": [joined], "words": len(joined.split())}
    return Scene(size=size, truth=truth, draw=page.paint)


def _typeset(
    rng: random.Random, texts: list[str], inks: tuple[RGB, ...], *, mixed: bool, uneven: bool
) -> tuple[_Line, ...]:
    font, ink, size = rng.choice(FONTS), rng.choice(inks), rng.randint(20, 40)
    centred = rng.random() < 0.5
    widest = max(map(len, texts))
    lines = []
    for text in texts:
        if mixed and rng.random() < 0.5:
            font, ink = rng.choice(FONTS), rng.choice(inks)
        indent = (widest - len(text)) * 0.25 if centred else 0.0
        lines.append(
            _Line(
                text=text,
                font=font,
                size=round(size * (rng.uniform(0.8, 1.15) if mixed else 1.0)),
                ink=ink,
                indent=indent,
                gap=rng.uniform(0.3, 0.6),
                tilt=round(rng.uniform(-1.5, 1.5), 1) if uneven else 0.0,
            )
        )
    return tuple(lines)


def _page_size(rng: random.Random, texts: list[str], angle: float) -> Size:
    """Sizes at which even the widest text can be set at ``_SMALLEST`` pixels.

    0.8 em a character and 2 em a line are more than any of the fonts needs.
    """
    width = max(map(len, texts)) * 0.8 * _SMALLEST
    height = len(texts) * 2 * _SMALLEST + 20
    turn = math.radians(abs(angle))
    needed = (
        width * math.cos(turn) + height * math.sin(turn) + 2 * _MARGIN,
        width * math.sin(turn) + height * math.cos(turn) + 2 * _MARGIN,
    )
    wide, high = rng.randint(360, 720), rng.randint(256, 560)
    return max(wide, math.ceil(needed[0])), max(high, math.ceil(needed[1]))


def _text(rng: random.Random, difficulty: Difficulty) -> str:
    most = {"easy": 3, "medium": 4, "hard": 6}[difficulty]
    text = _token(rng)
    for _ in range(rng.randint(0 if difficulty == "easy" else 1, most - 1)):
        longer = f"{text} {_token(rng)}"
        if len(longer) > LONGEST_LINE:
            break
        text = longer
    return text


def _token(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.64:
        word = rng.choice(_WORDS)
        return rng.choice((word, word, word.capitalize(), word.upper()))
    if kind < 0.76:
        return str(rng.randint(2, 9999))
    if kind < 0.86:
        price = f"{rng.randint(1, 499)}.{rng.randint(0, 99):02d}"
        return rng.choice((f"${price}", f"${price}", f"{rng.randint(1, 99)}%"))
    if kind < 0.92:
        return f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}"
    letters = "".join(rng.choices(_CODE_LETTERS, k=2))
    digits = "".join(rng.choices(_CODE_DIGITS, k=rng.randint(2, 4)))
    return f"{letters}-{digits}" if rng.random() < 0.5 else f"{letters}{digits}"

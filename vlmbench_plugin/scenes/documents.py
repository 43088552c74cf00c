"""Scenes that show the source text of a small document on a screen."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from vlmbench_plugin.scenes.canvas import RGB, Backdrop, Size, choose_backdrop
from vlmbench_plugin.scenes.contents import document
from vlmbench_plugin.scenes.fonts import MONO_ADVANCE, load_font
from vlmbench_plugin.scenes.formats import Tree, entries
from vlmbench_plugin.sources import Scene

if TYPE_CHECKING:
    from vlmbench_plugin.core import Difficulty


@dataclass(frozen=True, slots=True, kw_only=True)
class _Theme:
    paper: RGB
    ink: RGB
    bar: RGB
    gutter: RGB
    key: RGB
    string: RGB
    number: RGB
    mark: RGB


_THEMES = (
    _Theme(
        paper=(255, 255, 255),
        ink=(30, 30, 30),
        bar=(226, 228, 232),
        gutter=(160, 164, 170),
        key=(0, 82, 160),
        string=(150, 30, 30),
        number=(20, 110, 60),
        mark=(96, 96, 110),
    ),
    _Theme(
        paper=(253, 246, 227),
        ink=(70, 90, 98),
        bar=(238, 232, 213),
        gutter=(170, 168, 150),
        key=(30, 110, 170),
        string=(30, 125, 115),
        number=(180, 40, 110),
        mark=(110, 120, 120),
    ),
    _Theme(
        paper=(30, 32, 40),
        ink=(222, 224, 230),
        bar=(52, 54, 66),
        gutter=(104, 108, 122),
        key=(124, 190, 255),
        string=(226, 164, 120),
        number=(170, 220, 150),
        mark=(160, 166, 180),
    ),
    _Theme(
        paper=(0, 20, 16),
        ink=(190, 240, 200),
        bar=(14, 50, 40),
        gutter=(70, 120, 96),
        key=(110, 230, 170),
        string=(236, 220, 130),
        number=(130, 210, 250),
        mark=(130, 180, 150),
    ),
)

# Tried in this order at each place; what none of them takes is plain ink.
_TOKEN = re.compile(
    r'(?P<key>"[^"]*"(?=:)|^\s*(?:- )?[\w.@-]+(?=\s*[:=])|</?\w+|[\w-]+(?==")|/?>)'
    r'|(?P<string>"[^"]*")'
    r"|(?P<number>(?<![\w.-])-?\d[\d.]*(?![\w.@-])|\b(?:true|false)\b)"
    r"|(?P<mark>[\[\]{}|,:=]+|-{3,})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Screen:
    """Source text in a window."""

    source: str
    theme: _Theme
    font_size: int
    coloured: bool
    numbered: bool
    bar: bool
    margin: int

    @property
    def size(self) -> Size:
        """Width and height in pixels; reckoned, not measured, so that no font is loaded."""
        lines = self.source.split("\n")
        columns = max(map(len, lines)) + self._gutter
        # Hinting rounds an advance to whole pixels.
        width = columns * math.ceil(MONO_ADVANCE * self.font_size) + 2 * self.margin
        height = len(lines) * self._leading + 2 * self.margin + self._bar_height
        return max(160, width), max(96, height)

    @property
    def _gutter(self) -> int:
        return 4 if self.numbered else 0

    @property
    def _leading(self) -> int:
        return round(self.font_size * 1.35)

    @property
    def _bar_height(self) -> int:
        return self.font_size + 10 if self.bar else 0

    def paint(self) -> Image.Image:
        """The window as an RGB image."""
        theme, font = self.theme, load_font("mono", self.font_size)
        image = Image.new("RGB", self.size, theme.paper)
        pen = ImageDraw.Draw(image)
        if self.bar:
            self._paint_bar(pen)
        advance = font.getlength("0")
        for row, line in enumerate(self.source.split("\n")):
            y = self._bar_height + self.margin + row * self._leading
            if self.numbered:
                pen.text((self.margin, y), f"{row + 1:2d}", font=font, fill=theme.gutter)
            for column, text, colour in self._runs(line):
                x = self.margin + (self._gutter + column) * advance
                pen.text((x, y), text, font=font, fill=colour)
        return image

    def _paint_bar(self, pen: ImageDraw.ImageDraw) -> None:
        height, radius = self._bar_height, self.font_size // 4
        pen.rectangle((0, 0, self.size[0], height - 1), fill=self.theme.bar)
        for i, colour in enumerate(((236, 96, 84), (244, 190, 64), (96, 196, 84))):
            x, y = 14 + i * 3.2 * radius, height / 2
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def _runs(self, line: str) -> list[tuple[int, str, RGB]]:
        """(column, text, colour) of the coloured pieces of a line."""
        theme = self.theme
        if not self.coloured:
            return [(0, line, theme.ink)]
        palette = {
            "key": theme.key,
            "string": theme.string,
            "number": theme.number,
            "mark": theme.mark,
        }
        runs, done = [], 0
        for match in _TOKEN.finditer(line):
            runs.append((done, line[done : match.start()], theme.ink))
            runs.append((match.start(), match.group(), palette[str(match.lastgroup)]))
            done = match.end()
        return [*runs, (done, line[done:], theme.ink)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desktop:
    """A window on a ground, which fills the picture where there is no ground to be seen."""

    screen: _Screen
    ground: Backdrop | None = None
    at: tuple[int, int] = (0, 0)

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return self.ground.size if self.ground else self.screen.size

    def paint(self) -> Image.Image:
        """The desktop as an RGB image."""
        if self.ground is None:
            return self.screen.paint()
        image = self.ground.paint()
        image.paste(self.screen.paint(), self.at)
        return image


def format_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """A document whose format is asked; truth ``{"format"}``."""
    name, _, desktop = _document(rng, difficulty)
    return Scene(size=desktop.size, truth={"format": name}, draw=desktop.paint)


def utilization_scene(rng: random.Random, difficulty: Difficulty) -> Scene:
    """A document whose format and values are asked.

    Returns:
        A scene whose truth is ``{"format", "entries": [{"key", "value"}]}``, keys by ``PATH_RULE``.
    """
    name, tree, desktop = _document(rng, difficulty)
    truth = {"format": name, "entries": entries(tree)}
    return Scene(size=desktop.size, truth=truth, draw=desktop.paint)


def _document(rng: random.Random, difficulty: Difficulty) -> tuple[str, Tree, _Desktop]:
    name, tree, source = document(rng, difficulty)
    sizes = {"easy": (20, 26), "medium": (16, 22), "hard": (12, 16)}[difficulty]
    screen = _Screen(
        source=source,
        theme=rng.choice(_THEMES),
        font_size=rng.randint(*sizes),
        coloured=rng.random() < 0.6,
        numbered=difficulty != "easy" and rng.random() < 0.5,
        bar=rng.random() < 0.5,
        margin=rng.randint(10, 28),
    )
    if difficulty == "easy" or rng.random() < 0.5:
        return name, tree, _Desktop(screen=screen)
    left, top, right, bottom = (rng.randint(8, 48) for _ in range(4))
    size = screen.size[0] + left + right, screen.size[1] + top + bottom
    ground = choose_backdrop(rng, difficulty, size)
    return name, tree, _Desktop(screen=screen, ground=ground, at=(left, top))

"""OCR scenes: bounds of the truth, and that all text is legible and inside the image."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vlmbench_plugin.core import DIFFICULTIES, Difficulty
from vlmbench_plugin.scenes import text
from vlmbench_plugin.scenes.canvas import Backdrop
from vlmbench_plugin.scenes.fonts import FONTS, load_font
from vlmbench_plugin.scenes.text import LONGEST_LINE, ocr_scene


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_truth_keeps_its_bounds_and_agrees_with_itself(difficulty: Difficulty) -> None:
    seen = set()
    for seed in range(300):
        scene = ocr_scene(random.Random(seed), difficulty)
        lines = scene.truth["lines"]
        seen.add(len(lines))
        assert 1 <= len(lines) <= 8
        assert all(0 < len(line) <= LONGEST_LINE and line.isascii() for line in lines)
        assert scene.truth["answers"] == [" ".join(lines)]
        assert scene.truth["words"] == sum(len(line.split()) for line in lines)
        assert json.loads(json.dumps(scene.truth)) == scene.truth
    assert len(seen) == {"easy": 2, "medium": 4, "hard": 5}[difficulty]


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_same_seed_same_image_on_every_call(difficulty: Difficulty) -> None:
    first = ocr_scene(random.Random(7), difficulty)
    second = ocr_scene(random.Random(7), difficulty)
    picture = first.draw()
    assert picture.mode == "RGB"
    assert picture.size == first.size
    assert first.truth == second.truth
    assert picture.tobytes() == first.draw().tobytes() == second.draw().tobytes()


def test_same_image_in_a_fresh_process() -> None:
    code = (
        "import hashlib, random\n"
        "from vlmbench_plugin.scenes.text import ocr_scene\n"
        "image = ocr_scene(random.Random(11), 'hard').draw()\n"
        "print(hashlib.sha256(image.tobytes()).hexdigest())"
    )
    root = Path(text.__file__).parents[2]
    fresh = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    here = ocr_scene(random.Random(11), "hard").draw().tobytes()
    assert fresh.stdout.strip() == hashlib.sha256(here).hexdigest()


@pytest.mark.parametrize("seed", range(12))
def test_ink_stays_inside_and_no_line_is_lost(seed: int) -> None:
    """On a plain ground, whatever differs from it is text or its panel."""
    for difficulty in DIFFICULTIES:
        scene = ocr_scene(random.Random(seed), difficulty)
        page = getattr(scene.draw, "__self__")  # noqa: B009 - mypy sees a plain callable
        plain = Backdrop(
            size=scene.size, kind="plain", colour=(255, 255, 255), second=(255, 255, 255)
        )
        pixels = np.asarray(
            text._Page(
                backdrop=plain,
                panel=page.panel,
                angle=page.angle,
                spot=page.spot,
                lines=page.lines,
            ).paint()
        )
        marked = pixels.min(axis=2) < 250
        edge = np.concatenate([marked[:3].ravel(), marked[-3:].ravel(), marked[:, :3].ravel()])
        assert not edge.any()
        assert not marked[:, -3:].any()
        assert marked.any(axis=1).sum() >= 8 * len(scene.truth["lines"])


def test_every_font_loads_and_has_every_character() -> None:
    for name in FONTS:
        font = load_font(name, 20)
        missing = font.getmask("\uffff").getbbox(), font.getlength("\uffff")
        for character in "AZaz09$%:-.":
            assert font.getmask(character).getbbox() is not None, (name, character)
            assert (font.getmask(character).getbbox(), font.getlength(character)) != missing
    assert load_font("mono", 20) is load_font("mono", 20)

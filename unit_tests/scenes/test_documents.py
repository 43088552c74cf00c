"""Document scenes: the shown source text is read by each format's own parser and by path."""

from __future__ import annotations

import configparser
import csv
import io
import json
import random
import tomllib
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from vlmbench_plugin.core import DIFFICULTIES, Difficulty
from vlmbench_plugin.scenes.contents import MOST_ENTRIES, document
from vlmbench_plugin.scenes.documents import format_scene, utilization_scene
from vlmbench_plugin.scenes.fonts import MONO_ADVANCE, load_font
from vlmbench_plugin.scenes.formats import FORMATS, PATH_RULE, WRITERS, Leaf, entries


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, text) of all leaves of what a parser returned; it is lists, dicts and scalars."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from flat(child, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for i, child in enumerate(value):
            yield from flat(child, f"{path}.{i}".lstrip("."))
    else:
        yield path, str(value).lower() if isinstance(value, bool) else str(value)


def read_xml(element: ET.Element) -> Any:
    parts: dict[str, Any] = {f"@{key}": value for key, value in element.attrib.items()}
    parts.update((child.tag, read_xml(child)) for child in element)
    return parts or element.text


def read_ini(source: str) -> Any:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(source)
    return {name: dict(parser[name]) for name in parser.sections()}


def read_markdown(source: str) -> Any:
    header, rule, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in source.split("\n")
    ]
    assert all(set(cell) == {"-"} for cell in rule)
    return [dict(zip(header, row, strict=True)) for row in rows]


class _Table(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        self._inside = tag in ("td", "th")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1].append(data)


def read_html(source: str) -> Any:
    table = _Table()
    table.feed(source)
    header, *rows = table.rows
    return [dict(zip(header, row, strict=True)) for row in rows]


def read_yaml(source: str) -> Any:
    yaml: Any = pytest.importorskip("yaml")
    return yaml.load(source, Loader=yaml.BaseLoader)  # all scalars stay text


READERS: dict[str, Any] = {
    "json": lambda source: json.loads(source, parse_float=str, parse_int=str),
    "yaml": read_yaml,
    "toml": lambda source: tomllib.loads(source, parse_float=str),
    "xml": lambda source: read_xml(ET.fromstring(source)),
    "csv": lambda source: list(csv.DictReader(io.StringIO(source))),
    "ini": read_ini,
    "markdown_table": read_markdown,
    "html_table": read_html,
}


@pytest.mark.parametrize("name", FORMATS)
def test_source_means_what_the_truth_says(name: str) -> None:
    checked = 0
    for seed in range(400):
        drawn, tree, source = document(random.Random(seed), DIFFICULTIES[seed % 3])
        if drawn == name:
            truth = Counter((entry["key"], entry["value"]) for entry in entries(tree))
            assert Counter(flat(READERS[name](source))) == truth, source
            checked += 1
    assert checked >= 20


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_truth_keeps_its_bounds(difficulty: Difficulty) -> None:
    for seed in range(300):
        scene = utilization_scene(random.Random(seed), difficulty)
        pairs = scene.truth["entries"]
        assert 1 <= len(pairs) <= MOST_ENTRIES
        assert len({pair["key"] for pair in pairs}) == len(pairs)
        for pair in pairs:
            assert 0 < len(pair["key"]) <= 32
            assert 0 < len(pair["value"]) <= 40
            assert pair["value"].isascii()
            assert pair["value"].isprintable()
            assert not set(pair["value"]) & {'"', "\\"}
        assert json.loads(json.dumps(scene.truth)) == scene.truth


def test_formats_come_equally_often() -> None:
    drawn = Counter(
        format_scene(random.Random(seed), "medium").truth["format"] for seed in range(800)
    )
    assert set(drawn) == set(FORMATS)
    assert min(drawn.values()) > 60


def test_path_rule_by_hand() -> None:
    leaf = Leaf(text="x", quoted=True)
    assert [e["key"] for e in entries({"a": {"b": leaf, "c": [leaf, {"d": leaf}]}})] == [
        "a.b",
        "a.c.0",
        "a.c.1.d",
    ]
    assert [e["key"] for e in entries([{"k": leaf}, {"k": leaf}])] == ["0.k", "1.k"]
    assert entries({"a": {"@id": leaf}}) == [{"key": "a.@id", "value": "x"}]
    for part in ("a.b", "a.0", "a.@attribute", "section.key", "row.column"):
        assert part in PATH_RULE


def test_xml_escapes_and_rejects_lists() -> None:
    source = WRITERS["xml"]({"a": Leaf(text="b & c", quoted=True)})
    assert ET.fromstring(source).findtext("a") == "b & c"
    with pytest.raises(TypeError, match="without lists"):
        WRITERS["xml"]({"a": [Leaf(text="b", quoted=True)]})
    with pytest.raises(TypeError, match="table at its root"):
        WRITERS["toml"]([])


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_same_seed_same_image_and_text_inside(difficulty: Difficulty) -> None:
    for seed in range(12):
        scene = format_scene(random.Random(seed), difficulty)
        again = format_scene(random.Random(seed), difficulty)
        picture = scene.draw()
        assert (picture.mode, picture.size, scene.truth) == ("RGB", again.size, again.truth)
        assert picture.tobytes() == scene.draw().tobytes() == again.draw().tobytes()
        desktop = scene.draw.__self__  # type: ignore[attr-defined]
        (left, top), (width, height) = desktop.at, desktop.screen.size
        assert (desktop.ground is None) >= (difficulty == "easy")
        pixels = np.asarray(picture)[top : top + height, left : left + width]
        assert pixels.shape[:2] == (height, width)
        paper = pixels[-1, 0]
        assert (pixels[-4:] == paper).all()
        assert (pixels[pixels.shape[0] // 4 :, -6:] == paper).all()


def test_reckoned_width_covers_the_real_one() -> None:
    for size in range(10, 30):
        assert load_font("mono", size).getlength("0") <= -(-MONO_ADVANCE * size // 1)

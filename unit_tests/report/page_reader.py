"""Reads a page as a reader of its source would: tables, data blocks, scripts, attributes."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

VOID = frozenset({"meta", "link", "input", "wbr"})


class Page(HTMLParser):
    """A parsed page.

    Attributes:
        tables: Caption -> lines of cell texts, heads included.
        data: Id of a data block -> its value.
        scripts: The scripts that run.
        tags: Every (tag, attributes).
        text: All text outside scripts and styles.
    """

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: dict[str, list[list[str]]] = {}
        self.data: dict[str, Any] = {}
        self.scripts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self._lines: list[list[str]] = []
        self._caption = ""
        self._script: dict[str, str | None] = {}
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self._lines, self._caption = [], ""
        elif tag == "tr":
            self._lines.append([])
        elif tag in ("td", "th"):
            self._lines[-1].append("")
        elif tag == "script":
            self._script = dict(attrs)
            if "type" not in self._script:
                self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"
        if tag == "table":
            self.tables[self._caption] = self._lines

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            if "type" in self._script:
                self.data[str(self._script["id"])] = json.loads(data)
            else:
                self.scripts[-1] += data
        elif "caption" in self.open:
            self._caption += data
        elif "style" not in self.open:
            self.text += data
            if "td" in self.open or "th" in self.open:
                self._lines[-1][-1] += data

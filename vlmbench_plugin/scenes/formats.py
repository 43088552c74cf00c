"""Small documents as trees, their entries by the path rule, and eight ways of writing them down.

A tree is a dict, a list or a ``Leaf``. Tables are lists of rows, INI files are dicts of sections,
and in XML a key that starts with ``@`` is an attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from xml.sax.saxutils import escape

PATH_RULE = (
    "Write each key as the full path to its value, the parts joined by dots: a nested key is a.b, "
    "item 0 of a list under a is a.0 (items count from 0), an XML attribute is a.@attribute and "
    "the XML root element is left out of the path, a key of an INI section is section.key, and "
    "a table cell is row.column, where rows count from 0 below the header. "
    "Write each value as it is shown, without its quotation marks."
)
"""How a value in a document is named; part of the prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A value as shown; ``quoted`` where formats that tell text from numbers put it in quotes."""

    text: str
    quoted: bool


Tree: TypeAlias = "Mapping[str, Tree] | list[Tree] | Leaf"


def entries(tree: Tree, path: str = "") -> list[dict[str, str]]:
    """All values of a tree in document order, named by the path rule."""
    if isinstance(tree, Leaf):
        return [{"key": path, "value": tree.text}]
    children = tree.items() if isinstance(tree, Mapping) else enumerate(tree)
    return [
        entry
        for name, child in children
        for entry in entries(child, f"{path}.{name}" if path else str(name))
    ]


def _literal(leaf: Leaf) -> str:
    return f'"{leaf.text}"' if leaf.quoted else leaf.text


def _json(tree: Tree, indent: str = "") -> str:
    if isinstance(tree, Leaf):
        return _literal(tree)
    deeper = indent + "  "
    if isinstance(tree, Mapping):
        parts = [f'{deeper}"{name}": {_json(child, deeper)}' for name, child in tree.items()]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    parts = [deeper + _json(child, deeper) for child in tree]
    return "[\n" + ",\n".join(parts) + f"\n{indent}]"


def _yaml(tree: Tree, indent: str = "") -> Iterator[str]:
    if isinstance(tree, Leaf):
        yield indent + tree.text
    elif isinstance(tree, Mapping):
        for name, child in tree.items():
            if isinstance(child, Leaf):
                yield f"{indent}{name}: {child.text}"
            else:
                yield f"{indent}{name}:"
                yield from _yaml(child, indent + "  ")
    else:
        for child in tree:
            first, *rest = _yaml(child, indent + "  ")
            yield f"{indent}- {first.strip()}"
            yield from rest


def _toml(tree: Mapping[str, Tree], path: str = "") -> Iterator[str]:
    """Plain values first: a key after a table header would belong to that table."""
    for name, child in tree.items():
        if isinstance(child, Leaf):
            yield f"{name} = {_literal(child)}"
        elif _is_plain(child):
            items = [_literal(item) for item in child if isinstance(item, Leaf)]
            yield f"{name} = [{', '.join(items)}]"
    for name, child in tree.items():
        full = f"{path}.{name}" if path else name
        if isinstance(child, Mapping):
            yield from ("", f"[{full}]", *_toml(child, full))
        elif isinstance(child, list) and not _is_plain(child):
            for row in child:
                if isinstance(row, Mapping):
                    yield from ("", f"[[{full}]]", *_toml(row, full))


def _is_plain(tree: Tree) -> bool:
    return isinstance(tree, list) and all(isinstance(item, Leaf) for item in tree)


def _xml(name: str, tree: Tree, indent: str = "") -> Iterator[str]:
    if isinstance(tree, Leaf):
        yield f"{indent}<{name}>{escape(tree.text)}</{name}>"
        return
    if not isinstance(tree, Mapping):
        raise TypeError(f"XML documents are drawn without lists, but {name} holds {tree!r}")
    marks = "".join(
        f' {key[1:]}="{escape(leaf.text)}"'
        for key, leaf in tree.items()
        if key.startswith("@") and isinstance(leaf, Leaf)
    )
    children = [(key, child) for key, child in tree.items() if not key.startswith("@")]
    if not children:
        yield f"{indent}<{name}{marks}/>"
        return
    yield f"{indent}<{name}{marks}>"
    for key, child in children:
        yield from _xml(key, child, indent + "  ")
    yield f"{indent}</{name}>"


def _cells(tree: Tree) -> list[list[str]]:
    """Header and rows of a table."""
    rows = [row for row in tree if isinstance(row, Mapping)] if isinstance(tree, list) else []
    header = list(rows[0])
    return [header, *([entry["value"] for entry in entries(row)] for row in rows)]


def _csv(tree: Tree) -> str:
    return "\n".join(",".join(row) for row in _cells(tree))


def _markdown(tree: Tree) -> str:
    header, *rows = _cells(tree)
    columns = zip(header, *rows, strict=True)
    widths = [max(3, *(len(cell) for cell in column)) for column in columns]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in (header, ["-" * w for w in widths], *rows)
    ]
    return "\n".join(lines)


def _html(tree: Tree) -> str:
    header, *rows = _cells(tree)
    lines = ["<table>"]
    for tag, row in (("th", header), *(("td", row) for row in rows)):
        lines += ["  <tr>", *(f"    <{tag}>{escape(cell)}</{tag}>" for cell in row), "  </tr>"]
    return "\n".join([*lines, "</table>"])


def _ini(tree: Tree) -> str:
    sections = tree.items() if isinstance(tree, Mapping) else ()
    return "\n\n".join(
        "\n".join([f"[{name}]", *(f"{e['key']} = {e['value']}" for e in entries(section))])
        for name, section in sections
    )


def _toml_text(tree: Tree) -> str:
    if not isinstance(tree, Mapping):
        raise TypeError(f"a TOML document is a table at its root, not {tree!r}")
    return "\n".join(_toml(tree)).strip()


def _json_text(tree: Tree) -> str:
    return _json(tree)


WRITERS: Mapping[str, Callable[[Tree], str]] = {
    "json": _json_text,
    "yaml": lambda tree: "\n".join(_yaml(tree)),
    "toml": _toml_text,
    "xml": lambda tree: "\n".join(_xml("document", tree)),
    "csv": _csv,
    "ini": _ini,
    "markdown_table": _markdown,
    "html_table": _html,
}
"""Format -> how a tree of the right shape is written in it."""

FORMATS: tuple[str, ...] = tuple(WRITERS)
"""The vocabulary of document formats."""

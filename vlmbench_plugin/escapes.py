"""What a terminal or a table must not obey: characters that move, colour, reorder or hide text."""

from __future__ import annotations


def printable(text: str) -> str:
    """Returns a text that a terminal can be shown: what is not printable is escaped.

    Line ends are among it, so that one name stays on one line; so are the marks that turn the
    direction of writing, and lone surrogates, which no file in UTF-8 can hold.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def markdown(text: str) -> str:
    """Keeps names from being read as markup: ``_`` and ``*`` in a word stay what they are.

    A name of a record from elsewhere may hold a line end, an element, a link or an image.
    """
    for mark in "\\|*<`":
        text = text.replace(mark, f"\\{mark}")
    return printable(text).replace("](", "]\\(")


def printable_lines(text: str) -> str:
    """Returns a text of several lines, such as an error with its hint, each as ``printable``."""
    return "\n".join(map(printable, text.split("\n")))

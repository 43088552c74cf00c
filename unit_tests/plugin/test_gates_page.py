"""docs/gates.md: its commands run, one after the other, and print what it says."""

from __future__ import annotations

import doctest
import io
import re
import shlex
from pathlib import Path

from unit_tests.plugin.conftest import Inside

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "gates.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_commands_print_what_the_page_shows(inside: Inside) -> None:
    commands = re.findall(
        r"^\$ pytest bench_tests (.*)\n((?:.*\n)*?)exit status (\d)\n",
        "".join(blocks("console")),
        flags=re.MULTILINE,
    )
    assert len(commands) == PAGE.count("\n$ ")
    for arguments, shown, status in commands:
        result = inside(*shlex.split(arguments))
        assert result.ret == int(status), arguments
        printed = result.stdout.lines
        for line in shown.splitlines():
            assert line in printed, f"{arguments}: expected {line!r}"


def test_the_examples_run() -> None:
    test = doctest.DocTestParser().get_doctest("\n".join(blocks("python")), {}, "gates", None, 0)
    assert test.examples
    told = io.StringIO()
    failed, _ = doctest.DocTestRunner().run(test, out=told.write)
    assert not failed, told.getvalue()


def test_lines_are_wrapped_and_links_lead_somewhere() -> None:
    prose = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    for line in prose.splitlines():
        assert len(line) <= 120 or line.startswith("|"), line
    for target in re.findall(r"\]\(([\w./-]+)\)", PAGE):
        assert (DOCS / target).exists()

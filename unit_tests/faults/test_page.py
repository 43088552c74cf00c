"""``docs/reliability.md`` names every fault test, and none that does not exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "reliability.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (.+) \| (.+) \| `(\w+\.py)::(\w+)`( \(slow\))? \|$", re.MULTILINE)


def fault_tests() -> dict[tuple[str, str], bool]:
    """(File, test) -> whether it is marked slow."""
    found = {}
    for path in HERE.glob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                marks = [ast.unparse(mark) for mark in node.decorator_list]
                found[path.name, node.name] = "pytest.mark.slow" in marks
    return {key: slow for key, slow in found.items() if key[0] != Path(__file__).name}


def test_the_table_and_the_tests_are_the_same() -> None:
    rows = [(file, test) for _, _, file, test, _ in ROW.findall(PAGE)]
    assert sorted(rows) == sorted(fault_tests())
    assert len(rows) > 20


def test_the_table_says_which_are_slow() -> None:
    assert {
        (file, test): bool(slow) for _, _, file, test, slow in ROW.findall(PAGE)
    } == fault_tests()


def test_every_row_of_the_table_is_read() -> None:
    rows = [line for line in PAGE.splitlines() if ".py::" in line]
    assert len(rows) == len(ROW.findall(PAGE))

"""Lower layers never import higher ones; heavy packages are named where they belong."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "vlmbench_plugin"

LEVELS = {
    0: (
        "", "categories", "chunks", "core", "errors", "escapes", "record", "settings", "sources",
        "thinking", "untrusted",
    ),
    1: (
        "artifact_forms", "coords", "fields", "from_model", "gbnf", "labels", "nodes", "numeric",
        "parsing", "pictures", "synonyms",
    ),
    2: ("adapters", "metrics", "scenes"),
    3: ("generic", "tasks"),
    4: ("data",),
    5: ("models", "runners"),
    6: (
        "acceptance", "aggregate", "asking", "baselines", "board_intervals", "cells", "conclusions",
        "costs", "data_check", "decide", "evaluate", "findings", "fingerprints", "floors",
        "folder_guard", "folder_manifest", "folding", "gate_figures", "gates", "manifest",
        "merging", "pairing", "published", "ranking", "rescoring", "result_lines", "routing",
        "stale", "stats", "store", "store_files", "store_lock", "swaps", "tax", "visual_tokens",
    ),
    7: (
        "comparing", "comparing_published", "contact_sheets", "folder_tables", "measured",
        "merged_folder", "overlays", "planning", "rebuilding", "report", "route_entries",
        "route_file", "run_plan", "sides", "spec_plan", "thumbnails",
    ),
    8: (
        "asking_options", "bench", "cli", "compare_command", "data_command", "hookspecs",
        "interrupts", "items", "junit", "labeler", "merge_command", "option_kinds", "option_table",
        "options", "plan_command", "plugin", "report_command", "results", "retrying",
        "route_command", "run_gates", "scheduling", "session", "short_options", "weights",
        "workers",
    ),
}  # fmt: skip
LEVEL_OF = {name: level for level, names in LEVELS.items() for name in names}
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def _level(dotted: str) -> int:
    """Returns the level of ``vlmbench_plugin.x.y``, which is that of x."""
    first = dotted.split(".")[1] if "." in dotted else ""
    return LEVEL_OF[first]


def _dotted(path: Path) -> str:
    parts = ("vlmbench_plugin", *path.with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Walks all that runs: a name imported for annotations alone ties no module to another."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _nodes(child)


def _imports(path: Path) -> Iterator[str]:
    """Yields every imported module, wherever in the file; of our own the full name."""
    for node in _nodes(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            own = module == "vlmbench_plugin"
            yield from (f"{module}.{name.name}" if own else module for name in node.names)


def _top(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in _imports(path)}


def test_every_module_has_a_level() -> None:
    known = {path.parts[0].removesuffix(".py") for path in MODULES}
    assert known - {"__init__"} <= LEVEL_OF.keys()


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_module_imports_a_higher_layer(path: Path) -> None:
    own = _level(_dotted(path))
    for name in _imports(path):
        if name.partition(".")[0] != "vlmbench_plugin" or name == "vlmbench_plugin.__version__":
            continue
        assert _level(name) <= own, f"{path} (level {own}) imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_only_the_top_layer_knows_pytest(path: Path) -> None:
    if _top(path) & {"pytest", "_pytest", "pluggy", "xdist"}:
        assert _level(_dotted(path)) == 8


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_only_runners_name_the_model_libraries(path: Path) -> None:
    if _top(path) & {"torch", "torchvision", "transformers", "xgrammar", "accelerate"}:
        assert path.parts[0] == "runners"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_only_the_hub_source_names_datasets(path: Path) -> None:
    if "datasets" in _top(path):
        assert path.as_posix() == "data/hub.py"


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[0] == "tasks"], ids=str)
def test_tasks_only_compose(path: Path) -> None:
    assert not _top(path) & {"PIL", "shapely", "numpy", "scipy"}


def test_the_walk_sees_what_it_should() -> None:
    """The tests above pass on an empty list too; this one does not."""
    assert "vlmbench_plugin.evaluate" in set(_imports(Path("labeler.py")))
    assert "pytest" in _top(Path("plugin.py"))
    assert len(MODULES) > 40

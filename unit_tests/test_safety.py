"""No module reads data that can run code, or runs text as code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    path.relative_to(ROOT)
    for folder in ("vlmbench_plugin", "tools", "benchmarks", "examples")
    for path in (ROOT / folder).rglob("*.py")
)
RUNS_CODE = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
CALLS = {"eval", "exec", "compile", "__import__"}
LOADERS = {"torch.load", "np.load", "numpy.load", "yaml.load", "yaml.unsafe_load", "pd.read_pickle"}


def unsafe(source: str) -> list[str]:
    """Returns what in a module reads pickles or runs text as code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.split(".")[0] in RUNS_CODE]
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in RUNS_CODE:
                found.append(str(node.module))
            found += [f"{node.module}.load" for name in node.names if _loader(node, name)]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            odd = {key.arg for key in node.keywords if ast.unparse(key.value) != "False"}
            if called in CALLS | LOADERS or odd & {"allow_pickle", "trust_remote_code", "shell"}:
                found.append(called)
    return found


def _loader(node: ast.ImportFrom, name: ast.alias) -> bool:
    return f"{node.module}.{name.name}" in LOADERS


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_module_runs_what_it_reads(path: Path) -> None:
    assert unsafe((ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import marshal as m",
        "from shelve import open",
        "from torch import load",
        "def f():\n    import pickle.x",
        "eval('1')",
        "exec(text)",
        "__import__('pickle')",
        "torch.load(path, weights_only=True)",
        "np.load(path)",
        "loaded(path, allow_pickle=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=flag)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_the_walk_sees_what_it_should(source: str) -> None:
    assert unsafe(source)


def test_what_is_safe_is_let_through() -> None:
    source = "import json\nre.compile('a')\nmodel.eval()\nloaded(path, trust_remote_code=False)\n"
    assert unsafe(source) == []
    assert len(MODULES) > 100

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HEAVY = (
    "pydantic",
    "numpy",
    "torch",
    "PIL",
    "scipy",
    "shapely",
    "jinja2",
    "transformers",
    "vlmbench_plugin.core",
)


def test_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, vlmbench_plugin.plugin\n"
        f"sys.exit(', '.join(n for n in {HEAVY} if n in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_an_unrelated_run_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_empty.py").write_text("def test_nothing(): pass\n")
    code = (
        "import sys, pytest\n"
        "exit = pytest.main(['-q', '-p', 'vlmbench_plugin.plugin', '-p', 'no:cacheprovider'])\n"
        f"sys.exit(exit or ', '.join(n for n in {HEAVY} if n in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert "1 passed" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != "_") == [
        "test_empty.py"
    ]

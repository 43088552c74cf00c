from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from vlmbench_plugin import runners
from vlmbench_plugin.core import ModelSpec
from vlmbench_plugin.errors import MissingExtraError, UnknownNameError
from vlmbench_plugin.settings import Settings

SPEC = ModelSpec(name="toy", hub_id="toy", frame="norm_0_1000")


def test_runners_are_found_by_name() -> None:
    assert {"replay", "stub", "vlm"} <= set(runners.RUNNERS)
    assert list(runners.RUNNERS) == sorted(runners.RUNNERS)
    assert not [name for name in runners.RUNNERS if name.startswith("_")]


def test_a_runner_opens_by_name() -> None:
    runner = runners.open_runner("stub", SPEC, Settings(), lambda _: {})
    assert runner.describe()["runner"] == "stub"


def test_an_unknown_runner_is_named_with_the_valid_ones() -> None:
    for ask in (runners.loads_model, runners.needs_pixels):
        with pytest.raises(UnknownNameError, match=r"unknown runner 'stab'; valid: .*stub"):
            ask("stab")
    with pytest.raises(UnknownNameError):
        runners.open_runner("_grammar", SPEC, Settings())


def test_only_a_runner_of_weights_loads_and_looks() -> None:
    for name, expected in (("stub", False), ("replay", False), ("vlm", True)):
        assert runners.loads_model(name) is expected
        assert runners.needs_pixels(name) is expected


def failing(error: ImportError) -> Any:
    def runner(*_arguments: object) -> None:
        raise error

    return SimpleNamespace(RUNNER=runner)


@pytest.mark.parametrize("package", ["torch", "transformers.models", None])
def test_a_missing_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, package: str | None
) -> None:
    error = ModuleNotFoundError(f"No module named {package!r}", name=package)
    monkeypatch.setitem(sys.modules, "vlmbench_plugin.runners.vlm", failing(error))
    with pytest.raises(MissingExtraError, match=r"(?s)runner vlm .*'qwen-vlmbench\[vlm\]'") as e:
        runners.open_runner("vlm", SPEC, Settings())
    assert e.value.__cause__ is error


@pytest.mark.parametrize("name", ["vlmbench_plugin", "vlmbench_plugin.runners._grammar"])
def test_a_fault_of_the_package_itself_is_not_an_extra(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(
        sys.modules, "vlmbench_plugin.runners.vlm", failing(ImportError("broken", name=name))
    )
    with pytest.raises(ImportError, match="broken"):
        runners.open_runner("vlm", SPEC, Settings())


def test_asking_about_runners_imports_no_heavy_package() -> None:
    code = (
        "import sys; from vlmbench_plugin import runners\n"
        "for name in runners.RUNNERS: runners.loads_model(name), runners.needs_pixels(name)\n"
        "sys.exit(str({'torch', 'transformers', 'xgrammar', 'vllm'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) in ((0, ""), (1, ""))
    assert not done.stderr.strip()

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from unit_tests.records import make_record as record
from vlmbench_plugin import __version__
from vlmbench_plugin.core import Json
from vlmbench_plugin.manifest import hashes, manifest, resumed
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.settings import Settings

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def make(
    command: tuple[str, ...] = (),
    settings: Settings | None = None,
    facts: Mapping[str, Mapping[str, Json]] | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    content = manifest(
        settings or Settings(),
        [MODELS["qwen3.5-4b"]],
        facts or {},
        command,
        data={"ocr_text": {"source": "synthetic"}},
        prompts={"ocr_text": "abc"},
        started=NOON,
        environment=environment or {},
    )
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    return content


def test_manifest_names_what_decides_results() -> None:
    content = make(("-m", "ocr_text"))
    assert content["package"]["version"] == __version__
    assert content["packages"]["pytest"] == pytest.__version__
    assert content["packages"]["vllm"] is None or content["packages"]["vllm"]
    assert content["models"]["qwen3.5-4b"]["hub_id"] == "Qwen/Qwen3.5-4B"
    assert content["prompts"] == {"ocr_text": "abc"}
    assert content["data"] == {"ocr_text": {"source": "synthetic"}}
    assert content["dataset"] == content["settings"]["dataset"] == "synthetic"
    assert (content["started"], content["finished"]) == ("2026-01-02T12:00:00+00:00", None)
    assert content["command"] == ["-m", "ocr_text"]


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("--api-key", "abc", "-q"), ["--api-key", "***", "-q"]),
        (("--api-key", "-q"), ["--api-key", "-q"]),
        (("--api-key=abc",), ["--api-key=***"]),
        (("--runner-arg", "api_key=abc"), ["--runner-arg", "api_key=***"]),
        (("--runner-arg=HF_TOKEN=abc",), ["--runner-arg=HF_TOKEN=***"]),
        (("--server-url", "http://me:abc@host/v1"), ["--server-url", "http://***@host/v1"]),
        (("http://host/?key=abc&n=2",), ["http://host/?key=***&n=2"]),
        (("header=Bearer abc",), ["header=Bearer ***"]),
        (("hf_abcdefghijklmnopqrst",), ["***"]),
        (("--max-new-tokens", "512"), ["--max-new-tokens", "512"]),
        (("--max-new-tokens=512", "-k", "abc"), ["--max-new-tokens=512", "-k", "abc"]),
        (("--model", "qwen3vl-4b=prod"), ["--model", "qwen3vl-4b=prod"]),
    ],
)
def test_command_shows_no_secret(command: tuple[str, ...], shown: list[str]) -> None:
    assert make(command)["command"] == shown


def test_secrets_of_settings_and_runner_are_masked() -> None:
    settings = Settings(runner_args={"api_key": "abc", "timeout": "60"})
    content = make(settings=settings, facts={"m": {"server": {"token": "abc", "tokens": 5}}})
    assert content["settings"]["runner_args"] == {"api_key": "***", "timeout": "60"}
    assert content["runner"] == {"m": {"server": {"token": "***", "tokens": 5}}}


def test_secret_of_the_environment_is_masked_wherever_it_was_pasted() -> None:
    environment = {"MY_API_KEY": "correct-horse", "SHORT_KEY": "a", "HOME": "/home/me"}
    content = make(("a", "x:correct-horse:y", "/home/me"), environment=environment)
    assert content["command"] == ["a", "x:***:y", "/home/me"]
    assert "correct-horse" not in json.dumps(content)


def test_odd_values_become_plain() -> None:
    facts = {"m": {"nan": float("nan"), "inf": [float("inf")], "path": Path("x"), "shape": (1, 2)}}
    assert make(facts=facts)["runner"]["m"] == {
        "nan": None,
        "inf": [None],
        "path": "x",
        "shape": [1, 2],
    }


def test_commit_is_that_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert make()["commit"] is None
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    head = subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert make()["commit"] == head


def test_a_resumed_folder_keeps_what_earlier_runs_wrote() -> None:
    first = {
        **make(("first",)),
        "data": {"ocr_text": {"source": "photo"}, "segmentation": {"source": "coco"}},
        "runner": {"qwen3.5-4b": {"dtype": "bfloat16"}},
        "prompts": {"segmentation": "def"},
    }
    once = resumed(make(("second",), facts={"tiny-qwen3vl": {"dtype": "float32"}}), first)
    twice = resumed(make(("third",)), once)
    assert twice["command"] == ["third"]
    assert [run["command"] for run in twice["earlier"]] == [["first"], ["second"]]
    assert twice["earlier"][0]["packages"] == first["packages"]
    assert twice["data"] == {
        "ocr_text": {"source": "synthetic"},
        "segmentation": {"source": "coco"},
    }
    assert twice["runner"].keys() == {"qwen3.5-4b", "tiny-qwen3vl"}
    assert twice["prompts"] == {"ocr_text": "abc", "segmentation": "def"}
    assert resumed(first, {}) == {**first, "earlier": []}
    assert json.loads(json.dumps(twice, allow_nan=False)) == twice


def test_hashes_name_prompt_schema_and_grammar_of_every_cell() -> None:
    same = {"prompt": "p1", "schema": "s1", "grammar": "g1", "revision": "r1", "seed": "x"}
    records = [record("a", key_parts=same), record("b", key_parts=same)]
    records += [record(str(n), mode="constrained", key_parts={"prompt": str(n)}) for n in range(9)]
    assert hashes([*records, record("old", category="bbox_grounding", key_parts={})]) == {
        "m ocr_text json_mode": {
            "prompt": ["p1"], "schema": ["s1"], "grammar": ["g1"], "revision": ["r1"]
        },
        "m ocr_text constrained": {
            "prompt": list("01234567"), "schema": [], "grammar": [], "revision": []
        },
        "m bbox_grounding json_mode": {"prompt": [], "schema": [], "grammar": [], "revision": []},
    }  # fmt: skip

"""Public tables over HTTP, from a hub on this machine, through the real client libraries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unit_tests.data.fake_hub import FakeHub
from unit_tests.data.public_tables import SPARE, rows, write

ROOT = Path(__file__).parents[2]
OLD, NEW = "a" * 40, "b" * 40
TOKEN = "hf_" + "secret" * 5  # what must be in no message


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    write(root / "org/pets", rows(400))
    (root / "org/pets/names.json").write_text('{"1": "one"}')
    return root


@pytest.fixture
def hub(served: Path) -> Iterator[FakeHub]:
    with FakeHub(served, {"org/pets": OLD}).running() as running:
        yield running


def drawn(hub: FakeHub, folder: Path, *, home: str = "home", **changes: Any) -> dict[str, Any]:
    """Draws cases in a process of its own: the client reads the hub's address when imported."""
    settings = {"n": changes.pop("n", 5)}
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HUB_OFFLINE": "0",  # the address above is all that is reached, on this machine
        "HF_HOME": str(folder / home),
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "VLMBENCH_CACHE": str(folder / "cache"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "unit_tests.data.public_tables", json.dumps([changes, settings])],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def of(hub: FakeHub, command: str) -> list[str]:
    return [asked.partition(" ")[2] for asked in hub.asked if asked.startswith(command)]


def test_importing_the_module_imports_no_library() -> None:
    code = (
        "import sys, vlmbench_plugin.data.public, vlmbench_plugin.data.hub\n"
        "print({'datasets', 'pyarrow', 'huggingface_hub', 'fsspec'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_an_old_id_serves_where_the_present_one_is_not_found(hub: FakeHub, tmp_path: Path) -> None:
    told = drawn(hub, tmp_path, files=["names.json"])
    asked = [path for path in of(hub, "GET") if path.startswith("/api/datasets/")]
    assert asked[:2] == ["/api/datasets/new/pets", "/api/datasets/org/pets"]
    assert told["described"] == {
        "source": "pets",
        "hub_id": "org/pets",
        "revision": OLD,
        "split": "val",
        "rows": 400,
        "left_out": {},
    }
    assert told["labels"] == [["ant", "bee", "cat", "dog"][int(i) // 100] for i in told["ids"]]


def test_only_the_columns_and_row_groups_that_are_wanted_are_read(
    hub: FakeHub, served: Path, tmp_path: Path
) -> None:
    told = drawn(hub, tmp_path, n=1)
    assert told["read"] == 64
    whole = sum(path.stat().st_size for path in served.rglob("*.parquet"))
    # Two footers of at most 64 kB each, then every row group at most once, without ``spare``.
    assert 0 < hub.sent < whole + 2 * 65536 - 400 * SPARE
    asked = [path for path in of(hub, "GET") if path.endswith(".parquet")]
    assert len(asked) <= 2 + 20


def test_rows_that_came_before_a_failure_are_kept(hub: FakeHub, tmp_path: Path) -> None:
    hub.reads_left = 2 + 5  # two footers, five row groups
    told = drawn(hub, tmp_path)
    assert told["message"] == (
        f"expected org/pets at {OLD}, the hub refused it (403)\n  hint: 401 and 403: ask for "
        "access on its page and run `hf auth login`; 429 and 5xx: wait and run again, what was "
        "read is kept"
    )
    kept = len(list((tmp_path / "cache").rglob("[0-9]*.json")))
    assert 5 <= kept < 64
    hub.reads_left = None
    assert drawn(hub, tmp_path)["read"] == 64 - kept


def test_a_rerun_asks_nothing(hub: FakeHub, tmp_path: Path) -> None:
    first = drawn(hub, tmp_path)
    hub.asked.clear()
    again = drawn(hub, tmp_path, home="other")
    assert hub.asked == []
    assert again["imported"] == []
    assert {**again, "imported": 0, "read": 0} == {**first, "imported": 0, "read": 0}


def test_a_cache_keeps_to_the_commit_it_began_with(hub: FakeHub, tmp_path: Path) -> None:
    first = drawn(hub, tmp_path, n=5)
    hub.commits["org/pets"] = NEW
    hub.asked.clear()
    again = drawn(hub, tmp_path, n=5)
    assert again["described"]["revision"] == first["described"]["revision"] == OLD
    more = drawn(hub, tmp_path, n=100)
    assert more["error"] == "DataError"
    assert more["message"].startswith(f"expected org/pets at {OLD}, the hub has no such commit")
    assert not any(NEW in asked for asked in hub.asked)


def test_a_pinned_commit_is_the_one_that_is_read(hub: FakeHub, tmp_path: Path) -> None:
    assert drawn(hub, tmp_path, revision=OLD)["described"]["revision"] == OLD
    resolved = [path for path in of(hub, "GET") if path.endswith(".parquet")]
    assert resolved
    assert all(f"/resolve/{OLD}/" in path for path in resolved)
    told = drawn(hub, tmp_path, revision=NEW)
    assert told["message"].startswith(f"expected org/pets at {NEW}, the hub has no such commit")


def test_a_table_that_is_nowhere_names_its_ids(hub: FakeHub, tmp_path: Path) -> None:
    told = drawn(hub, tmp_path, hub_ids=["new/pets", "old/pets"])
    assert told["error"] == "DataError"
    assert told["message"] == (
        "expected the data set 'pets' on the hub, found none that is open to you under new/pets, "
        "old/pets\n  hint: if you must ask for access, do so and run `hf auth login`; else report "
        "this: the table may have moved; a local copy of it serves with --data-dir DIR"
    )


@pytest.mark.parametrize("status", [401, 403])
def test_a_table_that_is_closed_says_so(hub: FakeHub, tmp_path: Path, status: int) -> None:
    hub.refused["org/pets"] = status
    told = drawn(hub, tmp_path, hub_ids=["org/pets"])
    assert told["error"] == "DataError"
    assert "hf auth login" in told["message"]


def test_no_network_says_what_serves_without(hub: FakeHub, tmp_path: Path) -> None:
    hub.url = "http://127.0.0.1:9"  # the discard port: nothing listens
    told = drawn(hub, tmp_path)
    assert told["message"] == (
        "expected new/pets at main, could not reach the hub (ConnectError)\n  hint: check the "
        "network and run again, what was read is kept; without one, copy the table with "
        "`hf download --repo-type dataset` elsewhere and give its folder with --data-dir DIR"
    )


def test_a_loading_script_says_so(hub: FakeHub, served: Path, tmp_path: Path) -> None:
    folder = served / "org/scripted"
    folder.mkdir()
    (folder / "scripted.py").write_text("")
    hub.commits["org/scripted"] = OLD
    told = drawn(hub, tmp_path, hub_ids=["org/scripted"])
    assert told["message"].startswith(
        f"expected parquet files in org/scripted at {OLD}, got a loading script"
    )


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path))
    code = (
        "import sys; sys.modules['datasets'] = None; sys.modules['huggingface_hub'] = None\n"
        "from unit_tests.data.public_tables import outcome\n"
        "print(outcome({}, {})['message'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("data set 'pets' on the hub needs a package")
    assert "pip install 'qwen-vlmbench[hub]'" in done.stdout

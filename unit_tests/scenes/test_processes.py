"""Every task's drawn cases are the same in another process, and whatever n is."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vlmbench_plugin.core import DIFFICULTIES
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

# Twice round the difficulties, from some way into the list.
INDICES = range(9, 9 + 2 * len(DIFFICULTIES))


def digest(category: str, n: int) -> str:
    """A hash of questions, truths and pixels of a few cases."""
    source = load_cases(TASKS[category], Settings(n=n))
    found = hashlib.sha256()
    for index in INDICES:
        case = source[index]
        found.update(json.dumps([case.image_id, case.size, case.question, case.truth]).encode())
        found.update(case.image().tobytes())
    return found.hexdigest()


@pytest.fixture(scope="module")
def elsewhere() -> dict[str, str]:
    """The digests that a fresh process with another hash seed finds."""
    program = (
        "import json\n"
        "from unit_tests.scenes.test_processes import TASKS, digest\n"
        "print(json.dumps({name: digest(name, 500) for name in TASKS}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_all_fifteen_are_compared(elsewhere: dict[str, str]) -> None:
    assert len(elsewhere) == 15
    assert len(set(elsewhere.values())) == 15


@pytest.mark.parametrize("category", TASKS)
def test_a_fresh_process_draws_the_same_cases_of_a_longer_list(
    category: str, elsewhere: dict[str, str]
) -> None:
    assert digest(category, INDICES.stop) == elsewhere[category]

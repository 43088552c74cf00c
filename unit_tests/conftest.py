"""Shared by all unit tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

# The two cores are shared with whatever else runs: an example's duration says nothing.
settings.register_profile("vlmbench", deadline=None, derandomize=True)
settings.load_profile("vlmbench")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach the hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Rows of public tables are cached where no user's are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLMBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield

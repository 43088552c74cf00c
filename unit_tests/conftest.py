"""Shared by all unit tests."""

from __future__ import annotations

import pytest
from hypothesis import settings

# The two cores are shared with whatever else runs: an example's duration says nothing.
settings.register_profile("vlmbench", deadline=None, derandomize=True)
settings.load_profile("vlmbench")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach the hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

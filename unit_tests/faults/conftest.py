"""The fixture that runs pytest in this process, as the plugin's own tests have it."""

from __future__ import annotations

from unit_tests.plugin.conftest import inside

__all__ = ["inside"]

"""Only what must be at the root: pytest allows ``pytest_plugins`` nowhere else."""

from __future__ import annotations

pytest_plugins = ["pytester", "vlmbench_plugin.plugin"]

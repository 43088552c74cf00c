"""The short spellings of the options: ``--model`` beside ``--vlm-model``.

Loaded only by who asks for it (``-p vlmbench_plugin.short_options``: this repository's ini, the
console script), so that an installed plugin never takes ``--model``, ``--device`` or ``--seed``
from another one.
"""

from __future__ import annotations

import pytest

from vlmbench_plugin.option_table import OPTIONS

_taken_key = pytest.StashKey[list[str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser) -> None:
    """Adds each short name that no other plugin has.

    Not done in ``pytest_addoption``: a plugin given by ``-p`` is loaded before the installed ones,
    and pytest-playwright, which has a ``--device`` of its own, would then stop with an error.
    """
    group = parser.getgroup("vlmbench short names")
    taken = [flag for option in OPTIONS for flag in option.flags("--") if _is_taken(parser, flag)]
    for option in OPTIONS:
        free = [flag for flag in option.flags("--") if flag not in taken]
        if free:
            group.addoption(*free, **option.arguments())
    early_config.stash[_taken_key] = taken


def _is_taken(parser: pytest.Parser, flag: str) -> bool:
    """Whether an option of that name exists: pytest has no other public way to ask."""
    try:
        _, unknown = parser.parse_known_and_unknown_args([f"{flag}=?"])
    except (pytest.UsageError, SystemExit):  # known, but not with this value
        return True
    return not unknown


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Says which short names belong to another plugin."""
    return [
        f"vlmbench: {flag} belongs to another plugin here, write --vlm-{flag[2:]}"
        for flag in config.stash.get(_taken_key, [])
    ]

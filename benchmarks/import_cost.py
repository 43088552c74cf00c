"""What the installed, unused plugin costs a run of pytest.

python benchmarks/import_cost.py [--rounds N]

Both sides load installed plugins as pytest does, all others but this one being blocked by name; one
side blocks this one too. Loading it by ``-p`` would not do: pytest then looks through the metadata
of every installed package once more.
"""

from __future__ import annotations

import statistics
import tempfile
from importlib import metadata
from pathlib import Path

from figures import Figure, Sheet
from processes import Run, run_pytest

OURS = "vlmbench_plugin.plugin"
TARGET = "<= 20"
ROUNDS = 20


def blocked_others() -> list[str]:
    """Returns what keeps every other installed plugin out.

    Raises:
        RuntimeError: If this one is not installed.
    """
    names = {found.name for found in metadata.entry_points(group="pytest11")}
    if OURS not in names:
        raise RuntimeError(f"expected {OURS} among the installed plugins: pip install -e .")
    return [part for name in sorted(names - {OURS}) for part in ("-p", f"no:{name}")]


def main() -> None:
    """Shows what is added in a round."""
    sheet = Sheet(__doc__ or "", rounds=ROUNDS)
    rounds = sheet.parse().rounds
    with_plugin: list[Run] = []
    without: list[Run] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_empty.py").write_text("def test_nothing() -> None:\n    pass\n")
        loaded = ["--collect-only", "test_empty.py", *blocked_others()]
        blocked = [*loaded, "-p", f"no:{OURS}"]
        for warm_up in (loaded, blocked):
            run_pytest(folder, warm_up, installed=True)  # writes the bytecode
        for _ in range(rounds):  # in turn, so that a busy spell hits both
            without.append(run_pytest(folder, blocked, installed=True))
            with_plugin.append(run_pytest(folder, loaded, installed=True))
    pairs = list(zip(with_plugin, without, strict=True))
    busy = statistics.median((one.busy - other.busy) * 1e3 for one, other in pairs)
    alone = statistics.median(run.seconds for run in without) * 1e3
    sheet.show(
        Figure.of(
            "added to `pytest --collect-only` of one empty file by the unused plugin",
            [(one.seconds - other.seconds) * 1e3 for one, other in pairs],
            "ms",
            TARGET,
            note=f"{alone:.0f} ms without; of processor time {busy:+.1f} ms",
        )
    )


if __name__ == "__main__":
    main()

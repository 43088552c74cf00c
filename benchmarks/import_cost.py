"""What the installed, unused plugin costs a run of pytest.

python benchmarks/import_cost.py [--rounds N]
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from figures import Figure, Sheet
from processes import Run, run_pytest

TARGET = "<= 20"
ROUNDS = 20


def main() -> None:
    """Shows what is added in a round."""
    sheet = Sheet(__doc__ or "", rounds=ROUNDS)
    rounds = sheet.parse().rounds
    with_plugin: list[Run] = []
    without: list[Run] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_empty.py").write_text("def test_nothing() -> None:\n    pass\n")
        collect = ["--collect-only", "test_empty.py"]
        loaded = [*collect, "-p", "vlmbench_plugin.plugin"]
        for warm_up in (loaded, collect):
            run_pytest(folder, warm_up)  # writes the bytecode
        for _ in range(rounds):  # in turn, so that a busy spell hits both
            without.append(run_pytest(folder, collect))
            with_plugin.append(run_pytest(folder, loaded))
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

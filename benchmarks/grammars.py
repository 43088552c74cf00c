"""What holding an answer to its grammar costs, on the two real Qwen vocabularies.

    python benchmarks/grammars.py [--json FILE]

Per vocabulary: seconds to compile each task's grammar, and milliseconds to fill one mask, over the
tokens of right answers and over random walks; median and spread are over the fifteen tasks. The
table of all tasks goes to stderr. Vocabularies are closed.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import xgrammar
from figures import Figure, Sheet

from unit_tests.artifacts.cases import built, truths
from unit_tests.artifacts.walks import RealVocabulary, noise, real_vocabulary
from vlmbench_plugin.categories import CATEGORIES

TRUTHS, WALKS, WALK_TOKENS = 6, 3, 400
TABLE = (
    "| task | compile s | CPU s | truths mean ms | p50 | max | walks mean ms | p50 | max |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one task's grammar costs: seconds to compile, milliseconds of each mask.

    Processor seconds are those of all threads; unlike the others, a busy machine hardly adds to it.
    """

    compile_s: float
    compile_cpu_s: float
    on_truths: list[float]
    on_walks: list[float]

    def row(self, category: str) -> str:
        """Returns the row of the table."""
        cells = [f"{self.compile_s:.2f}", f"{self.compile_cpu_s:.2f}"]
        for masks in (self.on_truths, self.on_walks):
            cells += [f"{f(masks):.3f}" for f in (statistics.mean, statistics.median, max)]
        return f"| {category} | {' | '.join(cells)} |"


def forced(matcher: Any, bits: Any, ids: list[int]) -> Iterator[float]:
    """Yields the milliseconds of each mask along given tokens."""
    for token in ids:
        yield timed(matcher, bits)
        if not matcher.accept_token(token):
            raise RuntimeError(f"the grammar refused token {token} of a right answer")


def random_walk(real: RealVocabulary, matcher: Any, bits: Any, seed: int) -> Iterator[float]:
    """Yields the milliseconds of each mask along random allowed tokens."""
    jitter = noise(real.width, seed)
    ordinary = torch.full((real.width,), -torch.inf)
    ordinary[[i for i, token in enumerate(real.spelled) if token]] = 0.0
    ordinary[list(real.tokenizer.added_tokens_decoder)] = -torch.inf
    ordinary[list(real.stops)] = 0.0
    for step in range(WALK_TOKENS):
        yield timed(matcher, bits)
        logits = (ordinary + jitter(step))[None]
        xgrammar.apply_token_bitmask_inplace(logits, bits)
        matcher.accept_token(int(logits.argmax()))
        if matcher.is_terminated():
            return


def timed(matcher: Any, bits: Any) -> float:
    """Fills one mask; returns its milliseconds."""
    begun = time.perf_counter()
    matcher.fill_next_token_bitmask(bits)
    return (time.perf_counter() - begun) * 1e3


def cost(real: RealVocabulary, category: str) -> Cost:
    """Measures one task."""
    grammar = built(category, "closed").gbnf
    begun, begun_cpu = time.perf_counter(), time.process_time()
    compiled = real.masks.compile(grammar)
    compile_s, compile_cpu_s = time.perf_counter() - begun, time.process_time() - begun_cpu
    bits = xgrammar.allocate_token_bitmask(1, real.width)
    on_truths: list[float] = []
    for text in truths(category, TRUTHS):
        ids = [*real.tokenizer.encode(text), real.stops[0]]
        on_truths += forced(xgrammar.GrammarMatcher(compiled), bits, ids)
    on_walks: list[float] = []
    for seed in range(WALKS):
        on_walks += random_walk(real, xgrammar.GrammarMatcher(compiled), bits, seed)
    return Cost(
        compile_s=compile_s, compile_cpu_s=compile_cpu_s, on_truths=on_truths, on_walks=on_walks
    )


def show(sheet: Sheet, family: str, costs: list[Cost]) -> None:
    """Shows what the tasks' grammars cost with one vocabulary."""

    def over_tasks(name: str, values: list[float], unit: str, target: str, *, worst: bool) -> None:
        name = f"{name}, {len(values)} tasks, {family}"
        sheet.show(Figure.of(name, values, unit, target, worst=worst))

    over_tasks("compiling a grammar", [c.compile_s for c in costs], "s", "<= 10", worst=True)
    for what, target, masks in (
        ("right answers", "<= 0.5", [c.on_truths for c in costs]),
        ("random walks", "<= 1.5", [c.on_walks for c in costs]),
    ):
        means = [statistics.mean(found) for found in masks]
        over_tasks(f"filling a mask on {what}, mean of a task", means, "ms", target, worst=False)
        most = [max(found) for found in masks]
        over_tasks(f"filling a mask on {what}, the longest", most, "ms", "<= 50", worst=True)


def main() -> None:
    """Shows the figures, and on stderr the table of every task."""
    sheet = Sheet(__doc__ or "", rounds=1)
    sheet.parse()
    torch.set_num_threads(1)
    for family in ("qwen3", "qwen3_5"):
        with tempfile.TemporaryDirectory() as folder:
            real = real_vocabulary(family, Path(folder))
        costs = {category: cost(real, category) for category in CATEGORIES}
        print(f"\n{family}: {real.width:,} logits\n\n{TABLE}", file=sys.stderr)
        for category, found in costs.items():
            print(found.row(category), file=sys.stderr)
        show(sheet, family, list(costs.values()))


if __name__ == "__main__":
    main()

"""What holding an answer to its grammar costs, on the two real Qwen vocabularies.

    python benchmarks/grammars.py

prints one Markdown table per vocabulary: seconds to compile each task's grammar, and milliseconds
to fill one mask, over the tokens of right answers and over random walks. Vocabularies are closed
unless ``--vocabulary open`` is given.
"""

from __future__ import annotations

import argparse
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

from unit_tests.artifacts.cases import built, truths
from unit_tests.artifacts.walks import RealVocabulary, noise, real_vocabulary
from vlmbench_plugin.categories import CATEGORIES
from vlmbench_plugin.core import VocabularyRule

TRUTHS, WALKS, WALK_TOKENS = 6, 3, 400
TARGETS = "targets: compile 10 s, truths 0.5 ms and walks 1.5 ms in the mean, none above 50 ms"


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


def cost(real: RealVocabulary, category: str, rule: VocabularyRule) -> Cost:
    """Measures one task."""
    grammar = built(category, rule).gbnf
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


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description="Measure grammar compilation and masks.")
    parser.add_argument("--vocabulary", choices=("closed", "open"), default="closed")
    rule: VocabularyRule = parser.parse_args().vocabulary
    torch.set_num_threads(1)
    for family in ("qwen3", "qwen3_5"):
        with tempfile.TemporaryDirectory() as folder:
            real = real_vocabulary(family, Path(folder))
        print(f"\n{family}: {real.width:,} logits, vocabulary {rule} ({TARGETS})\n")
        print(
            "| task | compile s | CPU s | truths mean ms | p50 | max | walks mean ms | p50 | max |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for category in CATEGORIES:
            print(cost(real, category, rule).row(category), flush=True)


if __name__ == "__main__":
    main()

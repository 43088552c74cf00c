"""The ``vlm`` runner against vLLM in the same process, on the same requests and checkpoint.

    .venv-vllm/bin/python benchmarks/throughput_vllm.py [--items N] [--rounds N]

Needs an environment with vLLM (``tools/vllm_cpu_venv.sh FOLDER`` makes one for a CPU). Both compute
in float32 on a CPU and are handed all requests at once; each batches as it chooses. Each round asks
both in turn; a ratio is of one round. Loading, and vLLM's first requests, are not counted. The two
add numbers up in another order, so that a text may differ: how many are the same is shown.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from figures import Figure, Sheet
from throughput import ITEMS, LOADS, SETTINGS, SPEC, requests_of, seconds_of

from vlmbench_plugin.core import MODES, Generation, Request
from vlmbench_plugin.runners import Runner
from vlmbench_plugin.runners.vllm import VllmRunner
from vlmbench_plugin.runners.vlm import VlmRunner

TARGET = ">= 1"
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB, more than 64 of these answers need; else nearly all of it
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}


def generations(runner: Runner, requests: list[Request]) -> list[Generation]:
    """Returns a runner's answers.

    Raises:
        RunnerError: If an item failed.
    """
    found = []
    for outcome in runner.generate(requests):
        if not isinstance(outcome, Generation):
            raise outcome
        found.append(outcome)
    return found


def compare(sheet: Sheet, ours: Runner, theirs: Runner) -> None:
    """Shows a figure for each load that has a target, in each mode."""
    for load in (load for load in LOADS if load.targets):
        for mode in MODES:
            ratios, same, rates = [], 0, (0.0, 0.0)
            tokens = (0, 0)
            for number in range(sheet.arguments.rounds + 1):
                # Other scenes each time: vLLM remembers prompts and images that it has seen.
                settings = replace(SETTINGS, n=sheet.arguments.items, seed=number)
                requests = requests_of(load, mode, settings)
                if not number:  # compiles grammars and kernels
                    generations(theirs, requests)
                    generations(ours, requests)
                    continue
                slow, other = seconds_of(partial(generations, theirs, requests))
                quick, own = seconds_of(partial(generations, ours, requests))
                ratios.append(slow / quick)
                rates = len(own) / quick, len(other) / slow
                same = sum(a.text == b.text for a, b in zip(own, other, strict=True))
                tokens = sum(a.output_tokens for a in own), sum(b.output_tokens for b in other)
            sheet.show(
                Figure.of(
                    f"vlm runner over vLLM in process, {load.task} in {mode}: items/s",
                    ratios,
                    "x",
                    TARGET,
                    note=f"last round {rates[0]:.1f} and {rates[1]:.1f} items/s, {tokens[0]:,} and "
                    f"{tokens[1]:,} tokens, {same} of {sheet.arguments.items} texts "
                    "the same",
                )
            )


def main() -> None:
    """Opens both, vLLM first: it sets this process up as it needs it."""
    sheet = Sheet(__doc__ or "", items=ITEMS)
    sheet.parse()
    for name, value in ENVIRONMENT.items():  # read when vLLM is imported
        os.environ.setdefault(name, value)
    theirs = VllmRunner(SPEC, replace(SETTINGS, runner="vllm"))
    threads = torch.get_num_threads()
    ours = VlmRunner(SPEC, SETTINGS)
    try:
        compare(sheet, ours, theirs)
    finally:
        ours.close()
        torch.set_num_threads(threads)
        theirs.close()


if __name__ == "__main__":
    main()

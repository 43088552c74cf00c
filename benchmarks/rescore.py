"""Records scored again per second, in one process.

python benchmarks/rescore.py [--items N] [--rounds N]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from figures import Figure, Sheet

from vlmbench_plugin.asking import build_request, request_id, right_answer
from vlmbench_plugin.core import MODES, Answer, Case, Generation, VisionTask
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.evaluate import evaluate, rescore
from vlmbench_plugin.fingerprints import UNSTORED
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.record import Record
from vlmbench_plugin.runners import open_runner
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

TARGET = ">= 3000"
SPEC = MODELS["tiny-qwen3vl"]


def fabricated(total: int) -> Iterator[Record]:
    """Yields records of the stub over all tasks and modes, as a folder gives them back."""
    settings = Settings(runner="stub", n=total // (len(TASKS) * len(MODES)))
    asked: dict[str, tuple[VisionTask, Case]] = {}

    def oracle(name: str) -> Answer:
        task, case = asked[name]
        return right_answer(task, case, SPEC, settings)

    runner = open_runner("stub", SPEC, settings, oracle)
    for task in TASKS.values():
        cases = load_cases(task, settings)
        for index in range(len(cases)):
            case = cases[index]
            for mode in MODES:
                asked = {request_id(SPEC.name, task.category, mode, index): (task, case)}
                request = build_request(task, case, SPEC, mode, settings)
                (generation,) = runner.generate([request])
                assert isinstance(generation, Generation)  # the stub fails no item
                record = evaluate(task, case, SPEC, request, generation, settings, UNSTORED)
                yield Record.from_json(record.to_json())


def main() -> None:
    """Shows the rounds, and what each category costs in the last one."""
    sheet = Sheet(__doc__ or "", items=30_000)
    given = sheet.parse()
    records = list(fabricated(given.items))
    rates = []
    spent: dict[str, float] = {}
    for _ in range(given.rounds):
        spent = dict.fromkeys(TASKS, 0.0)
        for record in records:
            before = time.perf_counter()
            rescore(record, TASKS[record.category])
            spent[record.category] += time.perf_counter() - before
        rates.append(len(records) / sum(spent.values()))
    name = f"rescoring {len(records):,} records in one process"
    sheet.show(Figure.of(name, rates, "records/s", TARGET))
    each = len(records) / len(TASKS)
    slowest = sorted(spent.items(), key=lambda pair: -pair[1])[:3]
    shown = ", ".join(f"{name} {seconds / each * 1e3:.2f}" for name, seconds in slowest)
    print(f"\nSlowest, in ms a record: {shown}", file=sys.stderr)


if __name__ == "__main__":
    main()

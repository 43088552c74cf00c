"""A plan without a run: what the tasks, the models and a stated throughput allow to compute."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vlmbench_plugin import coords
from vlmbench_plugin.asking import build_request, right_answer
from vlmbench_plugin.core import MODES, Case, Generation, Mode, ModelSpec, VisionTask
from vlmbench_plugin.data import CaseSource, load_cases
from vlmbench_plugin.evaluate import evaluate
from vlmbench_plugin.fingerprints import UNSTORED
from vlmbench_plugin.models import resolve_models
from vlmbench_plugin.planning import (
    HOUR,
    Asked,
    Figure,
    Plan,
    Row,
    at_most,
    known,
    size_notes,
    sums,
    total,
    unknown,
    visual_figures,
    weights,
    with_peak,
)
from vlmbench_plugin.record import Record
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.store_files import RESULTS
from vlmbench_plugin.tasks import TASKS, get_task
from vlmbench_plugin.thumbnails import MAX_PER_CATEGORY, MAX_SIDE, thumbnails
from vlmbench_plugin.visual_tokens import processor_of

SCENES = 16
"""Drawn scenes of a task whose prompts and right answers are looked at."""
PICTURES = 4
"""Those of them that are drawn, for the bytes of their small images."""
LARGEST_PNG = MAX_SIDE * (3 * MAX_SIDE + 1) * 1.01
"""Bytes of a small image that nothing compresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One task, asked about its first drawn scenes in one mode by models of one frame.

    Attributes:
        task: The task.
        sent: Size of each image.
        prompt_bytes: Mean, of the text.
        budget: Mean tokens that an answer may have.
        right: Records of the right answers.
    """

    task: VisionTask
    sent: tuple[coords.Size, ...]
    prompt_bytes: float
    budget: float
    right: tuple[Record, ...]

    @classmethod
    def of(
        cls,
        task: VisionTask,
        cases: Sequence[Case],
        spec: ModelSpec,
        mode: Mode,
        settings: Settings,
    ) -> Sample:
        """Asks about each of the cases and answers right."""
        requests = [build_request(task, case, spec, mode, settings) for case in cases]
        texts = [str(request.messages[0]["content"][1]["text"]) for request in requests]
        right = []
        for case, request in zip(cases, requests, strict=True):
            text = json.dumps(right_answer(task, case, spec, settings))
            answer = Generation(text=text, finish_reason="stop", constraint="none")
            right.append(evaluate(task, case, spec, request, answer, settings, UNSTORED))
        return cls(
            task=task,
            sent=tuple(coords.capped_size(case.size, settings.max_pixels) for case in cases),
            prompt_bytes=sum(len(text.encode()) for text in texts) / len(texts),
            budget=sum(request.budget for request in requests) / len(requests),
            right=tuple(right),
        )

    def row(self, spec: ModelSpec, asked: Asked, visual: Mapping[str, Figure] | None) -> Row:
        """Returns what the images would take of one model.

        Args:
            spec: The model, of the sample's frame.
            asked: What is to be planned.
            visual: Tokens of one of the user's images; None for images like the scenes.
        """
        processor = processor_of(spec)
        image = (
            visual["mean"]
            if visual
            else known(
                sum(map(processor.tokens, self.sent)) / len(self.sent),
                f"the first {len(self.sent)} drawn scenes of each task; {processor.source}",
            )
        )
        text = at_most(self.prompt_bytes, "text: at most a token a byte; chat template left out")
        right = at_most(
            min(self.task.answer_tokens, self.budget),
            "no longer than the longest truth of the task (a task's answer_tokens)",
        )
        longest = at_most(self.budget, "every answer cut off at its budget")
        per_item = {
            "items": known(1, "as asked"),
            "image_tokens": image,
            "prompt_tokens": total((image, text)),
            "output_tokens_right": right,
            "output_tokens": longest,
            "hours_right": _hours(right, asked),
            "hours": _hours(longest, asked),
        }
        return Row(
            model=spec.name,
            category=self.task.category,
            mode=self.right[0].mode,
            figures={name: figure.times(asked.images) for name, figure in per_item.items()},
        )


def plan_from_spec(asked: Asked, max_pixels: int) -> Plan:
    """Plans what can be known before anything has run.

    Args:
        asked: Models as ``--model`` takes them; at least one.
        max_pixels: The run's pixel cap.

    Raises:
        UnknownNameError: If there is no such model or category.
    """
    specs = resolve_models(asked.models, None)
    tasks = [get_task(name) for name in asked.categories or TASKS]
    modes = [mode for mode in MODES if not asked.modes or mode in asked.modes]
    settings = Settings(n=min(asked.images, SCENES), max_pixels=max_pixels)
    sources = {task.category: load_cases(task, settings) for task in tasks}
    cases = {name: [source[k] for k in range(len(source))] for name, source in sources.items()}
    samples = {
        (spec.frame, task.category, mode): Sample.of(
            task, cases[task.category], spec, mode, settings
        )
        for spec in {spec.frame: spec for spec in specs}.values()
        for task in tasks
        for mode in modes
    }
    visual = visual_figures(specs, asked.sizes)
    chosen = [
        (spec, samples[spec.frame, task.category, mode])
        for spec in specs
        for mode in modes
        for task in tasks
    ]
    rows = tuple(sample.row(spec, asked, visual.get(spec.name)) for spec, sample in chosen)
    return Plan(
        basis="a spec",
        rows=rows,
        totals=sums(rows),
        disk=with_peak(
            {
                RESULTS: total(_lines(sample, asked) for _, sample in chosen),
                "small images": total(
                    _small(samples[specs[0].frame, task.category, modes[0]], sources, asked)
                    for task in tasks
                ),
            }
            | weights(specs)
        ),
        visual=visual,
        sizes=asked.sizes,
        notes=tuple(_notes(asked)),
    )


def _hours(tokens: Figure, asked: Asked) -> Figure:
    if asked.tokens_per_second is None:
        return unknown(
            "no throughput: state one with --tokens-per-second, or plan from the folder of a run"
        )
    hours = tokens.times(1 / asked.tokens_per_second / HOUR)
    return Figure(low=hours.low, high=hours.high, source=asked.stated())


def _lines(sample: Sample, asked: Asked) -> Figure:
    """Returns the bytes of ``results.jsonl`` for one model, category and mode."""
    mean = sum(len(record.to_json()) + 1 for record in sample.right) / len(sample.right)
    return known(
        mean * asked.images,
        f"lines of the right answers to the first {len(sample.right)} drawn scenes of each task",
    )


def _small(sample: Sample, sources: Mapping[str, CaseSource], asked: Asked) -> Figure:
    """Returns the bytes of the small images of one category."""
    kept = min(asked.images, MAX_PER_CATEGORY)
    limit = f"at most {MAX_PER_CATEGORY} a category are kept"
    if asked.sizes is not None:
        return at_most(
            kept * LARGEST_PNG, f"as if nothing could compress {MAX_SIDE} x {MAX_SIDE}; {limit}"
        )
    files = [png for _, png in thumbnails(sample.right[:PICTURES], sources)]
    mean = sum(map(len, files)) / len(files)
    return known(mean * kept, f"the first {len(files)} drawn scenes of each task; {limit}")


def _notes(asked: Asked) -> Iterator[str]:
    yield (
        "Nothing ran: bounds are of the tasks as packaged, for answers without thinking. A run of "
        "a few items gives means: qwen-vlmbench --models ... --n 8, then plan its folder."
    )
    if asked.tokens_per_second is not None:
        yield (
            "The throughput is an assumption of whoever stated it, the same for every model, and "
            "counts output tokens of all answers under way together."
        )
    yield "Weights are counted for runners that load them here (vlm, vllm); a server has its own."
    yield from size_notes(asked.sizes)

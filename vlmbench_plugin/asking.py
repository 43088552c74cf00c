"""Case to request: the prompt, the artifacts, and the budget."""

from __future__ import annotations

import re

from PIL import Image

from vlmbench_plugin import coords
from vlmbench_plugin.core import (
    Answer,
    Case,
    Frame,
    Mode,
    ModelSpec,
    Request,
    VisionTask,
)
from vlmbench_plugin.fields import Artifacts, artifacts
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.thinking import thinking_of

MIN_BUDGET, MAX_BUDGET = 256, 8192
GREY = (128, 128, 128)

_PLACEHOLDER = re.compile(r"\{(schema|coordinates|question|vocabulary)\}")


def request_id(model: str, category: str, mode: Mode, index: int) -> str:
    """Returns the id of one item, as it reads in pytest: ``qwen3vl-4b-ocr_text-json_mode-0007``."""
    return f"{model}-{category}-{mode}-{index:04d}"


def build_request(
    task: VisionTask, case: Case, spec: ModelSpec, mode: Mode, settings: Settings
) -> Request:
    """Renders what the runner may see; both modes get the same messages.

    Raises:
        FieldError: If the case's vocabulary does not fit the task's fields.
    """
    built = task_artifacts(task, case, spec, settings)
    sent = coords.capped_size(case.size, settings.max_pixels)

    def image() -> Image.Image:
        if settings.blind:
            return Image.new("RGB", sent, GREY)
        drawn = case.image()
        return drawn if drawn.size == sent else drawn.resize(sent, Image.Resampling.LANCZOS)

    text = _render_prompt(task, case, built, spec.frame, sent, settings)
    content = [{"type": "image"}, {"type": "text", "text": text}]
    return Request(
        id=request_id(spec.name, task.category, mode, case.index),
        image=image,
        messages=({"role": "user", "content": content},),
        mode=mode,
        grammar=built.gbnf,
        json_schema=built.json_schema,
        budget=answer_budget(task, built, mode, settings),
        thinking=thinking_of(spec, settings, task.category, case.image_id),
    )


def right_answer(task: VisionTask, case: Case, spec: ModelSpec, settings: Settings) -> Answer:
    """Returns the right answer as the model would have to state it, in the model's frame."""
    sent = coords.capped_size(case.size, settings.max_pixels)
    answer = task.pixel_answer(case.truth)

    def move(x: float, y: float) -> tuple[float, float]:
        return coords.from_pixel(x, y, spec.frame, case.size, sent)

    moved: Answer = task_artifacts(task, case, spec, settings).root.map_points(answer, move)
    return moved


def task_artifacts(task: VisionTask, case: Case, spec: ModelSpec, settings: Settings) -> Artifacts:
    """Returns the artifacts of a task for one case's vocabulary and one model's frame."""
    return artifacts(task.fields, case.vocabulary, spec.frame, settings.vocabulary)


def _render_prompt(
    task: VisionTask,
    case: Case,
    built: Artifacts,
    frame: Frame,
    sent: tuple[int, int],
    settings: Settings,
) -> str:
    keys = built.root.label_vocabularies() if settings.vocabulary == "closed" else ()
    names = [", ".join(case.vocabulary[key]) for key in keys if case.vocabulary.get(key)]
    values = {
        "schema": built.description,
        "coordinates": coords.describe(frame, sent),
        "question": case.question or "",
        "vocabulary": f"Use only these labels: {'; '.join(names)}." if names else "",
    }
    rendered = _PLACEHOLDER.sub(lambda match: values[match.group(1)], task.prompt)
    return "\n".join(line.rstrip() for line in rendered.splitlines() if line.strip())


def answer_budget(task: VisionTask, built: Artifacts, mode: Mode, settings: Settings) -> int:
    """Returns the most tokens of an answer; thinking has a budget of its own.

    A token is at least one byte of text, so with one more for the stop token the constrained budget
    never binds. The free one is twice the longest truth, rounded up to a power of two.
    """
    if mode == "constrained":
        return built.longest_bytes + 1
    if settings.max_new_tokens is not None:
        return settings.max_new_tokens
    power = 1 << (2 * task.answer_tokens - 1).bit_length()
    return min(max(power, MIN_BUDGET), MAX_BUDGET)

"""Case and generation to record: reading, scoring, diagnosing. No pytest, no file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from vlmbench_plugin import coords, parsing
from vlmbench_plugin.core import (
    FRAMES,
    Answer,
    Case,
    Failure,
    Frame,
    Generation,
    Json,
    ModelSpec,
    Request,
    VisionTask,
    Vocabulary,
)
from vlmbench_plugin.errors import DataError, ScoreError
from vlmbench_plugin.fields import Artifacts, artifacts
from vlmbench_plugin.fingerprints import Fingerprint
from vlmbench_plugin.record import FORMAT_VERSION, Record
from vlmbench_plugin.settings import Settings

PIXEL_DECIMALS = 2
_ROUNDING = 1e-9
"""A mean of scores may end beyond 1 by its last digit."""


def evaluate(
    task: VisionTask,
    case: Case,
    spec: ModelSpec,
    request: Request,
    generation: Generation,
    settings: Settings,
    fingerprint: Fingerprint,
) -> Record:
    """Reads and scores one generation.

    Args:
        task: The task.
        case: The case that was asked.
        spec: The model that answered; its frame is the only one tried for the score.
        request: What the runner got.
        generation: What it gave back.
        settings: The run's settings.
        fingerprint: The item's.

    Returns:
        A record whose status is ``passed`` or ``missed``.

    Raises:
        ScoreError: If the task's scorer returns no score.
        Exception: Whatever the scorer raised.
    """
    facts = _facts(task, case, spec, request, settings, fingerprint)
    finished = generation.finish_reason == "stop"
    looped = not finished and parsing.is_looping(generation.text)
    return Record(
        **facts,
        **_read(task, facts, generation.text, finished),
        error=None,
        raw_text=generation.text,
        tokens_per_sec=_rate(generation),
        constraint=generation.constraint,
        finish_reason=generation.finish_reason,
        prompt_tokens=generation.prompt_tokens,
        output_tokens=generation.output_tokens,
        thinking_tokens=generation.thinking_tokens,
        thinking_forced=generation.thinking_forced,
        value_logprob=generation.value_logprob,
        looped=generation.finish_reason == "loop" or looped,
        busy_s=generation.busy_s,
        latency_s=generation.latency_s,
        batch_size=generation.batch_size,
    )


def error_record(
    task: VisionTask,
    case: Case,
    spec: ModelSpec,
    request: Request,
    settings: Settings,
    fingerprint: Fingerprint,
    error: str,
) -> Record:
    """Returns the record of an item that the harness failed on: every measured field is None."""
    facts = _facts(task, case, spec, request, settings, fingerprint)
    measured: dict[str, Any] = {
        f.name: None for f in dataclasses.fields(Record) if f.name not in facts
    }
    return Record(**facts, **(measured | {"status": "error", "error": error}))


def rescore(record: Record, task: VisionTask) -> Record:
    """Reads and scores the stored raw text again with today's scorer; errors stay as they are."""
    if record.status == "error" or record.raw_text is None:
        return record
    facts = {f.name: getattr(record, f.name) for f in dataclasses.fields(Record)}
    again = _read(task, facts, record.raw_text, record.finish_reason == "stop")
    return dataclasses.replace(record, **again, scorer_version=task.scorer_version)


def _facts(
    task: VisionTask,
    case: Case,
    spec: ModelSpec,
    request: Request,
    settings: Settings,
    fingerprint: Fingerprint,
) -> dict[str, Any]:
    """What is known of an item before it is answered, by the field names of ``Record``."""
    return {
        "model": spec.name,
        "reasoning": settings.reasoning,
        "category": task.category,
        "mode": request.mode,
        "image_id": case.image_id,
        "format_version": FORMAT_VERSION,
        "key": fingerprint.key,
        "key_parts": fingerprint.parts,
        "runner": settings.runner,
        "dataset": settings.dataset_name,
        "source": case.source,
        "case_index": case.index,
        "difficulty": case.difficulty,
        "question": case.question,
        "vocabulary": {
            "rule": settings.vocabulary,
            "names": {name: list(names) for name, names in case.vocabulary.items()},
        },
        "frame": spec.frame,
        "image_size": list(case.size),
        "sent_size": list(coords.capped_size(case.size, settings.max_pixels)),
        "truth": case.truth,
        "right_at": task.right_at if settings.right_at is None else settings.right_at,
        "scorer_version": task.scorer_version,
    }


def _read(
    task: VisionTask, facts: Mapping[str, Any], raw_text: str, finished: bool
) -> dict[str, Any]:
    """Reads and scores a raw text: the recomputable fields of ``Record`` by their names."""
    vocabulary = {key: tuple(names) for key, names in facts["vocabulary"]["names"].items()}
    built = artifacts(task.fields, vocabulary, facts["frame"], facts["vocabulary"]["rule"])
    parsed = parsing.read(raw_text, finished=finished)
    failure = parsed.failure or parsing.judge(parsed.value, built.model)
    measured: dict[str, Any] = {
        "primary_score": None,
        "schema_valid": failure is None,
        "json_robust": parsed.status in ("clean", "fenced"),
        "passed": False,
        "failure": failure,
        "parse_status": parsed.status,
        "repairable": failure is None or parsing.repairable(raw_text, built.model),
        "secondary": None,
        "label_rule": None,
        "prediction": None,
        "at_bound": None,
        "clamped": None,
        "status": "missed",
    }
    if failure is not None:
        return measured
    answer, clamped = _to_pixels(built, parsed.value, facts["frame"], facts)
    score = task.score(answer, facts["truth"], vocabulary)
    primary = _share(score.primary, task)
    passed = primary >= facts["right_at"]
    return measured | {
        "primary_score": primary,
        "passed": passed,
        "failure": None if passed else _diagnose(task, built, parsed.value, facts, vocabulary),
        "secondary": dict(score.secondary),
        "label_rule": score.label_rule,
        "prediction": answer,
        "at_bound": built.root.is_full(parsed.value),
        "clamped": clamped,
        "status": "passed" if passed else "missed",
    }


def _share(score: float, task: VisionTask) -> float:
    """Returns a primary score that is one, rounding of a last digit mended."""
    if not -_ROUNDING <= score <= 1 + _ROUNDING:  # NaN is in no range
        raise ScoreError(
            f"expected a score from 0 to 1 of task {task.category}, got {score!r}",
            hint="this item is an error until the task's scorer is mended",
        )
    return min(max(score, 0.0), 1.0)


def _to_pixels(
    built: Artifacts, value: Json, frame: Frame, facts: Mapping[str, Any]
) -> tuple[Answer, int]:
    """Returns the answer in pixels of the original image, and how many points were clamped."""
    width, height = facts["image_size"]
    sent_width, sent_height = facts["sent_size"]
    clamped = 0

    def move(x: float, y: float) -> tuple[float, float]:
        nonlocal clamped
        moved = coords.to_pixel(x, y, frame, (width, height), (sent_width, sent_height))
        inside_x, inside_y, outside = coords.clamp(*moved, (width, height))
        clamped += outside
        return round(inside_x, PIXEL_DECIMALS), round(inside_y, PIXEL_DECIMALS)

    return built.root.map_points(value, move), clamped


def _diagnose(
    task: VisionTask,
    built: Artifacts,
    value: Json,
    facts: Mapping[str, Any],
    vocabulary: Vocabulary,
) -> Failure:
    """Tells a right answer in another coordinate frame from a wrong one; never the score."""
    declared, _ = _to_pixels(built, value, facts["frame"], facts)
    for frame in FRAMES:
        try:
            answer, _ = _to_pixels(built, value, frame, facts)
        except DataError:
            continue  # An image of extreme aspect has no resized form to answer in.
        if answer == declared:
            continue
        if task.score(answer, facts["truth"], vocabulary).primary >= facts["right_at"]:
            return "wrong_frame"
    return "wrong_answer"


def _rate(generation: Generation) -> float | None:
    if generation.output_tokens is None or not generation.busy_s:
        return None
    return generation.output_tokens / generation.busy_s

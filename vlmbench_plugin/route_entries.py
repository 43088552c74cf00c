"""One labeler of ``route.json``: how it is asked, what may be accepted, what its figures are."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from vlmbench_plugin import coords
from vlmbench_plugin.acceptance import acceptances, sentence
from vlmbench_plugin.asking import build_request
from vlmbench_plugin.cells import metrics_row
from vlmbench_plugin.core import Case, Json, ModelSpec, Request, VisionTask
from vlmbench_plugin.costs import costs
from vlmbench_plugin.findings import Acceptance, Choice, Cost
from vlmbench_plugin.fingerprints import Fingerprints
from vlmbench_plugin.floors import vocabulary_of
from vlmbench_plugin.record import Record
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.thinking import thinking_budget

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE, QUESTION, WIDTH, HEIGHT = "{image}", "{question}", "{width}", "{height}"
"""What stands in a message for what is known of one image alone."""

GREEDY: Mapping[str, float] = {
    "temperature": 0,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "repetition_penalty": 1.0,
}
STATED = (
    *("task", "prompt", "schema", "grammar", "budget", "model", "revision", "pixels"),
    "reasoning",
)
"""Parts of a fingerprint that a labeler states again."""

Cell: TypeAlias = tuple[Choice, str]
"""Who labels, and which task."""


def labeler_name(choice: Choice, category: str) -> str:
    """Returns what a labeler is called: ``qwen3vl-4b-ocr_text-constrained``."""
    thinking = "-thinking" if choice.reasoning == "on" else ""
    return f"{choice.model}-{category}-{choice.mode}{thinking}"


def labelers(
    records: Iterable[Record],
    used: Iterable[Cell],
    tasks: Mapping[str, VisionTask],
    specs: Mapping[str, ModelSpec],
    settings: Settings,
    *,
    price_per_hour: float | None = None,
) -> dict[str, Json]:
    """Returns the entries of some labelers by their names: plain values.

    Args:
        records: All records of a folder.
        used: The labelers wanted; each has a record.
        tasks: Category -> task, of all that are used.
        specs: Model name -> its entry.
        settings: Those of the run: pixel cap and budgets.
        price_per_hour: Of the machine; None for no money.
    """
    used = set(used)
    cells: dict[Cell, list[Record]] = defaultdict(list)
    for record in records:
        choice = Choice(model=record.model, reasoning=record.reasoning, mode=record.mode)
        if (choice, record.category) in used:
            cells[choice, record.category].append(record)
    kept = [record for found in cells.values() for record in found]
    accepted: dict[Cell, list[Acceptance]] = defaultdict(list)
    for one in acceptances(kept, tasks):
        accepted[one.choice, one.category].append(one)
    spent = {(one.choice, one.category): one for one in costs(kept, price_per_hour=price_per_hour)}
    return {
        labeler_name(*cell): {
            **_asked(cell, cells[cell], tasks[cell[1]], specs, settings),
            "acceptance": [_acceptance(one) for one in accepted[cell]],
            "figures": _figures(cells[cell], spent[cell]),
        }
        for cell in sorted(used, key=lambda cell: labeler_name(*cell))
    }


def _asked(
    cell: Cell,
    records: Sequence[Record],
    task: VisionTask,
    specs: Mapping[str, ModelSpec],
    settings: Settings,
) -> dict[str, Json]:
    """Returns how a labeler is asked, and which of it is not as its records were asked."""
    choice, _ = cell
    typical = _typical(records)
    stranger = ModelSpec(name=choice.model, hub_id=choice.model, frame=typical.frame)
    spec = dataclasses.replace(specs.get(choice.model, stranger), frame=typical.frame)
    rule = typical.vocabulary["rule"]
    thinking = choice.reasoning == "on"
    settings = dataclasses.replace(settings, vocabulary=rule, reasoning="on" if thinking else "off")
    questions = sorted({record.question for record in records if record.question is not None})
    case = _template(typical, QUESTION if questions else None)
    request = build_request(task, case, spec, choice.mode, settings)
    parts = Fingerprints(spec, settings).of(task, case.identity, choice.mode).parts
    return {
        "category": task.category,
        "model": {
            "name": spec.name,
            "hub_id": spec.hub_id,
            "revision": spec.revision,
            "served_name": spec.served_name,
            "weight_bytes": spec.weight_bytes,
        },
        "reasoning": choice.reasoning,
        "mode": choice.mode,
        "messages": _messages(request, case, spec, settings),
        "example_question": questions[0] if questions else None,
        "json_schema": dict(request.json_schema),
        "gbnf": request.grammar,
        "budget": request.budget,
        "decoding": dict(spec.sampling if thinking else GREEDY),
        "thinking": {"enable_thinking": thinking},
        "thinking_budget": thinking_budget(settings) if thinking else None,
        "frame": spec.frame,
        "max_pixels": settings.max_pixels,
        "differs": [
            name
            for name in STATED
            if any(record.key_parts.get(name, parts[name]) != parts[name] for record in records)
        ],
    }


def _typical(records: Sequence[Record]) -> Record:
    """Returns a record with the vocabulary, rule and frame that most have."""

    def asked(record: Record) -> str:
        return json.dumps([record.vocabulary, record.frame], sort_keys=True)

    counts = Counter(map(asked, records))
    return min(records, key=lambda record: (-counts[asked(record)], asked(record)))


def _template(typical: Record, question: str | None) -> Case:
    """Returns a case that stands for every image; nobody looks at its own."""
    return Case(
        category=typical.category,
        image_id="",
        source=typical.source,
        index=0,
        size=(1000, 1000),
        truth={},
        image=_nobody_looks,
        question=question,
        vocabulary=vocabulary_of(typical),
    )


def _nobody_looks() -> Image:
    raise AssertionError("a template has no image")


def _messages(
    request: Request, case: Case, spec: ModelSpec, settings: Settings
) -> list[dict[str, Json]]:
    """Returns the messages as OpenAI-compatible servers take them, with what is to be filled in."""
    sent = coords.capped_size(case.size, settings.max_pixels)
    stated = coords.describe(spec.frame, sent)
    template = coords.describe_extent(spec.frame, WIDTH, HEIGHT)

    def part(given: Mapping[str, Json]) -> dict[str, Json]:
        if given["type"] == "image":
            return {"type": "image_url", "image_url": {"url": IMAGE}}
        return {**given, "text": given["text"].replace(stated, template)}

    return [
        {**one, "content": [part(given) for given in one["content"]]} for one in request.messages
    ]


def _acceptance(found: Acceptance) -> dict[str, Json]:
    shown = ("order", "threshold", "coverage", "precision", "n", "illustration")
    return {name: getattr(found, name) for name in shown} | {"said": sentence(found)}


def _figures(records: Sequence[Record], cost: Cost) -> dict[str, Any]:
    row = metrics_row(records)
    interval = row.effective_yield_interval
    return {
        "runner": row.runner,
        "dataset": row.dataset,
        "n": row.n,
        "yield": row.effective_yield,
        "yield_interval": None if interval is None else list(interval),
        "right": row.right,
        "silent": row.silent,
        "caught": row.caught,
        "labels_per_hour": cost.labels_per_hour,
        "seconds_per_right": cost.seconds_per_right,
        "tokens_per_right": cost.tokens_per_right,
        "money_per_million": cost.money_per_million,
    }

"""Runner ``stub``: right answers with seeded faults at stated rates, for a check without a model.

It is given the truth, looks at no image, and measures no time.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, get_args

from vlmbench_plugin.core import (
    Answer,
    FinishReason,
    Frame,
    Generation,
    Json,
    ModelSpec,
    Request,
)
from vlmbench_plugin.errors import UnknownNameError, UsageError
from vlmbench_plugin.settings import Settings

LOADS_MODEL = False
NEEDS_PIXELS = False

Fault = Literal[
    "fenced",
    "prose",
    "truncated",
    "native",
    "bare_array",
    "looping",
    "wrong_frame",
    "wrong_answer",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)
CONTENT_FAULTS: frozenset[Fault] = frozenset({"wrong_frame", "wrong_answer"})
"""What a grammar cannot prevent."""

RATES: Mapping[Fault, float] = {
    "fenced": 0.10,
    "prose": 0.04,
    "truncated": 0.04,
    "native": 0.04,
    "bare_array": 0.02,
    "looping": 0.01,
    "wrong_frame": 0.05,
    "wrong_answer": 0.15,
}
"""The default share of items with each fault; the rest is right."""

THOUGHT = "The stub knows the answer.\n</think>\n\n"
"""What it thinks where it is asked to; as in real prompts the opening tag is not its own."""

_POSITIONS = frozenset({"box", "point", "polygon"})


class StubRunner:
    """Answers from the truth, faults drawn from (seed, model, request id) alone.

    So an item's answer is the same in any process, order, and selection of items.

    Args:
        spec: Its name seeds the draw, its frame is the one that ``wrong_frame`` leaves.
        settings: The seed, and ``runner_args["faults"]``: ``none``, or rates such as
            ``fenced:0.2+wrong_answer:0.1``, where a fault that is not named has rate 0.
        oracle: Request id -> the right answer in the model's frame.

    Raises:
        UsageError: If there is no oracle, or the faults cannot be read.
    """

    def __init__(
        self, spec: ModelSpec, settings: Settings, oracle: Callable[[str], Answer] | None = None
    ) -> None:
        if oracle is None:
            raise UsageError(
                "runner stub needs the truth and was given none",
                hint="it runs within the benchmark only; for a real model use --runner vlm",
            )
        for argument in settings.runner_args:
            if argument != "faults":
                raise UnknownNameError("argument of runner stub", argument, ("faults",))
        self._oracle = oracle
        self._spec = spec
        self._seed = settings.seed
        self._rates = _read_rates(settings.runner_args.get("faults"))

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation]:
        """Yields one answer per request, in order, without reading ahead."""
        return map(self._answer, requests)

    def describe(self) -> Mapping[str, Json]:
        """Names the faults and their rates."""
        return {"runner": "stub", "faults": dict(self._rates)}

    def close(self) -> None:
        """Does nothing: a stub holds no memory."""

    def _answer(self, request: Request) -> Generation:
        fault = self._draw(request)
        right = self._oracle(request.id)
        answer: Json = right
        if fault == "wrong_answer":
            answer = wrong_answer(request.json_schema, right)
        elif fault == "wrong_frame":
            form_free = request.mode == "json_mode"
            answer = wrong_frame(right, request.json_schema, self._spec.frame, exact=form_free)
        text, finish_reason = _written(json.dumps(answer), fault)
        thought = "" if request.thinking is None else THOUGHT
        return Generation(
            text=thought + text,
            finish_reason=finish_reason,
            constraint="grammar" if request.mode == "constrained" else "none",
            output_tokens=_tokens(thought) + _tokens(text),
            thinking_tokens=_tokens(thought) if thought else None,
            thinking_forced=False if thought else None,
        )

    def _draw(self, request: Request) -> Fault | None:
        point = random.Random(f"{self._seed}|{self._spec.name}|{request.id}").random()
        for fault, rate in self._rates.items():
            point -= rate
            if point < 0:
                held = request.mode == "constrained" and fault not in CONTENT_FAULTS
                return None if held else fault
        return None


def _tokens(text: str) -> int:
    return math.ceil(len(text) / 4)


def _read_rates(stated: str | None) -> Mapping[Fault, float]:
    if stated is None:
        return RATES
    rates = dict.fromkeys(FAULTS, 0.0)
    for part in [] if stated == "none" else stated.split("+"):
        name, _, share = part.partition(":")
        fault = next((known for known in FAULTS if known == name), None)
        if fault is None:
            raise UnknownNameError("fault of runner stub", name, (*FAULTS, "none"))
        try:
            rates[fault] = float(share)
        except ValueError:
            rates[fault] = -1.0
        if not 0 <= rates[fault] <= 1:
            raise UsageError(
                f"expected a rate from 0 to 1 for the fault {name}, got {share!r}",
                hint="write --runner-arg faults=fenced:0.2+wrong_answer:0.1",
            )
    total = math.fsum(rates.values())
    if total > 1:
        raise UsageError(f"expected rates of faults that add to at most 1, got {total:g}")
    return rates


def _written(right: str, fault: Fault | None) -> tuple[str, FinishReason]:
    """Writes an answer's JSON text with a fault of form, if it is one."""
    match fault:
        case "fenced":
            return f"```json\n{right}\n```", "stop"
        case "prose":
            return f"Here is what the image shows: {right} I hope this helps.", "stop"
        case "truncated":
            return right[: len(right) // 2], "length"
        case "native":
            return '{"bbox_2d": [0, 0, 100, 100], "label": "object"}', "stop"
        case "bare_array":
            return f"[{right}]", "stop"
        case "looping":
            return "{" + '"again", ' * 64, "loop"
        case _:
            return right, "stop"


def wrong_answer(schema: Mapping[str, Json], right: Json) -> Json:
    """Returns the least legal value of a JSON Schema that differs from the right one.

    Enumerations give their first value, numbers their lower bound (positions 0), strings and lists
    are as short as they may be, optional fields are left out. Where the right answer is the first
    of an enumeration, or the lower bound, the next or the upper bound is taken.
    """
    if "enum" in schema:
        return _other(schema["enum"], right)
    kind = schema["type"]
    if kind == "object":
        known = right if isinstance(right, Mapping) else {}
        return {
            name: wrong_answer(schema["properties"][name], known.get(name))
            for name in schema.get("required", ())
        }
    if kind == "array":
        if schema.get("title") in _POSITIONS:
            return _at_origin(schema)
        return [wrong_answer(schema["items"], None)] * schema.get("minItems", 0)
    if kind == "string":
        return "x" * schema.get("minLength", 0)
    if kind == "boolean":
        return right is False
    return _other([schema.get("minimum", 0), schema.get("maximum", 1)], right)


def _other(values: list[Json], right: Json) -> Json:
    return next((value for value in values if value != right), values[0])


def _at_origin(schema: Mapping[str, Json]) -> Json:
    if schema["type"] != "array":
        return 0
    return [_at_origin(schema["items"])] * schema.get("minItems", 0)


def wrong_frame(value: Json, schema: Mapping[str, Json], frame: Frame, *, exact: bool) -> Json:
    """Restates every position of an answer as if the model used another frame.

    Args:
        value: An answer, or a part of it.
        schema: Its JSON Schema, in which boxes, points and polygons are told by their title.
        frame: The frame of the answer.
        exact: Whether a normalised frame becomes the other normalised one, whose numbers a grammar
            of the frame does not admit. Otherwise, and from frames of pixels, positions become
            what thousandths would be in pixels of a 640 x 480 image.

    Returns:
        A legal value by the schema; the same one where it has no position.
    """
    if schema.get("title") in _POSITIONS:
        if exact and frame == "norm_0_1000":
            return _scaled(value, (0.001, 0.001), 4)
        if exact and frame == "norm_0_1":
            return _scaled(value, (1000, 1000), None)
        return _scaled(value, (0.640, 0.480), 4 if frame == "norm_0_1" else None)
    if isinstance(value, Mapping):
        inner = schema["properties"]
        return {k: wrong_frame(v, inner[k], frame, exact=exact) for k, v in value.items()}
    if isinstance(value, list):
        return [wrong_frame(v, schema["items"], frame, exact=exact) for v in value]
    return value


def _scaled(value: Json, factors: tuple[float, float], digits: int | None) -> list[Json]:
    """Scales a flat list x, y, x, y, ... or a list of such; digits None rounds to integers."""
    if value and isinstance(value[0], list):
        return [_scaled(part, factors, digits) for part in value]
    return [round(number * factors[i % 2], digits) for i, number in enumerate(value)]


RUNNER = StubRunner

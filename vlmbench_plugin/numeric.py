"""The leaf nodes that are numbers: numbers, integers, and positions in the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from vlmbench_plugin import gbnf
from vlmbench_plugin.core import Frame, Json
from vlmbench_plugin.errors import FieldError
from vlmbench_plugin.nodes import Node, PointMap

DECIMALS = 4
COORDINATE_RANGE = (-9999, 99999)
GRAMMAR_COORDINATES: Mapping[Frame, tuple[int, int]] = {
    "norm_0_1000": (0, 1000),
    "pixel_resized": (0, 9999),
    "norm_0_1": (0, 1),
    "pixel": (0, 9999),
}


def few_decimals(value: float) -> float:
    """Returns the value.

    Raises:
        ValueError: If it has more decimals than the grammar writes.
    """
    if round(value, DECIMALS) != value:
        raise ValueError(f"at most {DECIMALS} decimals")
    return value


def _bounded(low: float, high: float) -> Any:
    return Annotated[
        float,
        Field(ge=low, le=high, strict=True, allow_inf_nan=False),
        AfterValidator(few_decimals),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Node):
    """A number between two whole bounds, with at most four decimals, or an integer."""

    low: int
    high: int
    whole: bool = False

    def __post_init__(self) -> None:
        if self.low > self.high or (self.high < 0 and not self.whole):
            raise FieldError(
                f"expected bounds low <= high with high >= 0, got {self.low}..{self.high}"
            )

    def python_type(self) -> Any:
        if self.whole:
            return Annotated[int, Field(ge=self.low, le=self.high, strict=True)]
        return _bounded(self.low, self.high)

    def json_schema(self) -> dict[str, Json]:
        kind = "integer" if self.whole else "number"
        return {"type": kind, "minimum": self.low, "maximum": self.high}

    def grammar(self, rules: gbnf.Rules) -> str:
        if self.whole:
            return gbnf.integer(self.low, self.high)
        return gbnf.number(self.low, self.high, DECIMALS)

    def longest(self, frame: Frame) -> int:
        digits = max(len(str(self.low)), len(str(self.high)))
        return digits if self.whole else digits + 1 + DECIMALS

    def describe(self) -> str:
        if self.whole:
            return f"<integer from {self.low} to {self.high}>"
        return f"<number from {self.low} to {self.high}, at most {DECIMALS} decimals>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Points(Node):
    """Positions: a box (two corners in one flat list), a point, or a polygon.

    The grammar admits the integers of the model's frame (decimals in ``norm_0_1``); validity is the
    same in every frame: any number from -9999 to 99999 with at most four decimals.
    """

    kind: Literal["box", "point", "polygon"]
    at_most: int = 1

    def __post_init__(self) -> None:
        if self.kind == "polygon" and self.at_most < 3:
            raise FieldError(f"expected a polygon of at least 3 points, got at most {self.at_most}")

    def python_type(self) -> Any:
        coordinate = _bounded(*COORDINATE_RANGE)
        width = 4 if self.kind == "box" else 2
        flat = Annotated[
            list[coordinate],  # type: ignore[valid-type]  # a type built at run time
            Field(min_length=width, max_length=width, strict=True),
        ]
        if self.kind != "polygon":
            return flat
        bounds = Field(min_length=3, max_length=self.at_most, strict=True)
        return Annotated[list[flat], bounds]

    def json_schema(self) -> dict[str, Json]:
        low, high = COORDINATE_RANGE
        width = 4 if self.kind == "box" else 2
        schema: dict[str, Json] = {
            "type": "array",
            "items": {"type": "number", "minimum": low, "maximum": high},
            "minItems": width,
            "maxItems": width,
        }
        if self.kind == "polygon":
            bounds = {"minItems": 3, "maxItems": self.at_most}
            schema = {"type": "array", "items": schema, **bounds}
        return {"title": self.kind, **schema}

    def grammar(self, rules: gbnf.Rules) -> str:
        low, high = GRAMMAR_COORDINATES[rules.frame]
        scalar = gbnf.number(low, high, DECIMALS) if high == 1 else gbnf.integer(low, high)
        name = rules.define("coordinate", scalar)
        width = 4 if self.kind == "box" else 2
        flat = rules.define(
            "box" if self.kind == "box" else "point", gbnf.array(name, width, width)
        )
        return gbnf.array(flat, 3, self.at_most) if self.kind == "polygon" else flat

    def longest(self, frame: Frame) -> int:
        coordinate = 1 + 1 + DECIMALS if frame == "norm_0_1" else 4
        width = 4 if self.kind == "box" else 2
        flat = 2 + width * coordinate + 2 * (width - 1)
        if self.kind != "polygon":
            return flat
        return 2 + self.at_most * flat + 2 * (self.at_most - 1)

    def describe(self) -> str:
        return {
            "box": "[x1, y1, x2, y2]",
            "point": "[x, y]",
            "polygon": f"[[x, y], [x, y], [x, y], ... at most {self.at_most} points]",
        }[self.kind]

    def map_points(self, value: Json, move: PointMap) -> Json:
        if self.kind == "polygon":
            return [list(move(x, y)) for x, y in value]
        pairs = zip(value[::2], value[1::2], strict=True)
        return [part for x, y in pairs for part in move(x, y)]

    def is_full(self, value: Json) -> bool:
        return self.kind == "polygon" and len(value) >= self.at_most

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from annotated_types import Interval, Len
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, RootModel, StringConstraints, field_validator

from vlmbench_plugin.errors import FieldError
from vlmbench_plugin.fields import (
    Fields,
    artifacts,
    boolean,
    box,
    choice,
    fields_object,
    integer,
    list_of,
    number,
    text,
)
from vlmbench_plugin.from_model import fields_from_model
from vlmbench_plugin.nodes import Node


class Part(BaseModel):
    name: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    box: Annotated[list[float], box()]


class Photo(BaseModel):
    kind: Literal["indoor", "outdoor"]
    parts: list[Part] = Field(max_length=5)
    tags: list[Annotated[str, Field(max_length=12)]] = Field(min_length=1, max_length=3)
    people: int = Field(ge=0, lt=100)
    sharpness: float = Field(default=0.5, ge=0.0, le=1)
    stars: Annotated[int, Interval(gt=0, le=5)] = 3
    triple: Annotated[list[bool], Len(3, 3)] = Field(default_factory=list)
    caption: Annotated[str, text(40, unicode=True)] = ""


def test_a_model_of_ones_own() -> None:
    assert fields_from_model(Photo) == {
        "kind": choice("indoor", "outdoor"),
        "parts": list_of({"name": text(20, at_least=1), "box": box()}, 5),
        "tags": list_of(text(12), 3, at_least=1),
        "people": integer(0, 99),
        "sharpness": number(0, 1, optional=True),
        "stars": integer(1, 5, optional=True),
        "triple": list_of(boolean(), 3, at_least=3, optional=True),
        "caption": text(40, unicode=True, optional=True),
    }


def leaves() -> st.SearchStrategy[Node]:
    small = st.integers(0, 50)
    pairs = st.tuples(small, small).map(sorted)
    return st.one_of(
        pairs.map(lambda p: text(p[1], at_least=p[0])),
        pairs.map(lambda p: integer(p[0] - 30, p[1])),
        pairs.map(lambda p: number(-p[0], p[1])),
        st.just(boolean()),
        st.sets(st.sampled_from("abcd"), min_size=1).map(lambda v: choice(*sorted(v))),
    )


def members(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Fields]:
    return st.dictionaries(st.sampled_from(["a", "b", "model_x"]), nodes, min_size=1)


def trees() -> st.SearchStrategy[Node]:
    return st.recursive(
        leaves(),
        lambda inner: st.one_of(
            members(inner).map(fields_object),
            st.tuples(inner, st.integers(1, 9)).map(lambda p: list_of(p[0], p[1])),
        ),
        max_leaves=6,
    )


@given(fields=members(trees()), tail=leaves())
def test_fields_to_model_and_back(fields: Fields, tail: Node) -> None:
    given_ = {**fields, "tail": type(tail)(**{**_values(tail), "optional": True})}
    built = artifacts(given_, {}, "pixel", "open")
    assert fields_from_model(built.model) == given_


def _values(node: Node) -> dict[str, Any]:
    return {name: getattr(node, name) for name in node.__dataclass_fields__}


class Colour(Enum):
    RED = "red"


class Loop(BaseModel):
    name: Annotated[str, Field(max_length=3)]
    inner: list[Loop] = Field(max_length=2)


class Checked(BaseModel):
    name: str = Field(max_length=3)

    @field_validator("name")
    @classmethod
    def known(cls, value: str) -> str:
        return value


class Listed(RootModel[list[int]]):
    pass


def bounded(**more: Any) -> Any:
    return Field(max_length=5, **more)


# (type, what the field says, the path after the model's name, what the message says)
REFUSED: list[tuple[Any, Any, str, str]] = [
    (str, ..., "v", "str without max_length"),
    (str, Field(max_length=500), "v", "at_most <= 128"),
    (str, bounded(pattern="a+"), "v", "pattern='a\\+'"),
    (str, Field(ge="a", max_length=4), "v", "ge, max_length on a str"),
    (list[int], ..., "v", "list without max_length"),
    (list, bounded(), "v", "type of the list's items"),
    (list[str], bounded(), r"v\[\]", "str without max_length"),
    (list[int], bounded(), r"v\[\]", "needs a lower and an upper bound"),
    (int, ..., "v", "needs a lower and an upper bound"),
    (int, Field(ge=0), "v", "needs a lower and an upper bound"),
    (int, Field(ge=0, le=9, multiple_of=3), "v", "multiple_of"),
    (int, Field(ge=9, le=0), "v", "low <= high"),
    (float, Field(le=9), "v", "needs a lower and an upper bound"),
    (float, Field(gt=0, le=9), "v", "gt on a float"),
    (float, Field(ge=0.5, le=9), "v", "whole bounds"),
    (float, Field(ge=-3, le=-1), "v", "high >= 0"),
    (bool, Field(ge=0), "v", "ge on a bool"),
    (Optional[int], Field(ge=0, le=1), "v", "no null"),  # noqa: UP045  # both spellings
    (str | None, bounded(default=None), "v", "no null"),
    (Union[int, str], ..., "v", "more than one type"),  # noqa: UP007  # both spellings
    (int | str, ..., "v", "more than one type"),
    (Literal[1, 2], ..., "v", "Literal of strings"),
    (Literal["a", True], ..., "v", "Literal of strings"),
    (dict[str, int], bounded(), "v", "no field for dict"),
    (Any, ..., "v", "no field for"),
    (date, ..., "v", "no field for date"),
    (tuple[int, int], ..., "v", "no field for tuple"),
    (Colour, ..., "v", "no field for Colour"),
    (bytes, bounded(), "v", "no field for bytes"),
    (str, bounded(alias="w"), "v", "the alias 'w'"),
    (str, bounded(validation_alias="w"), "v", "the alias 'w'"),
    (Annotated[str, AfterValidator(str.strip)], bounded(), "v", "AfterValidator"),
    (Loop, ..., r"v.inner\[\]", "Loop contains itself"),
    (Checked, ..., "v", "the validator known"),
    (Listed, ..., "v", "root model"),
    (Part, Field(max_length=3), "v", "max_length on a model"),
]


@pytest.mark.parametrize(("kind", "said", "path", "reason"), REFUSED)
def test_refused_with_path_and_reason(kind: Any, said: Any, path: str, reason: str) -> None:
    annotations = {"first": Annotated[bool, Field()], "v": kind}
    values = {} if said is ... else {"v": said}
    model = type("Mine", (BaseModel,), {"__annotations__": annotations, **values})
    with pytest.raises(FieldError, match=rf"^Mine\.{path}: .*{reason}"):
        fields_from_model(model)


def test_most_refusals_say_what_to_write_instead() -> None:
    class Mine(BaseModel):
        name: str

    with pytest.raises(FieldError) as caught:
        fields_from_model(Mine)
    assert caught.value.hint == "Field(max_length=...)"


def test_the_first_field_may_not_be_optional() -> None:
    class Mine(BaseModel):
        name: bool = True

    with pytest.raises(FieldError, match=r"Mine\.name: the first field"):
        fields_from_model(Mine)


def test_a_model_without_fields() -> None:
    with pytest.raises(FieldError, match="at least one field"):
        fields_from_model(type("Mine", (BaseModel,), {}))

"""Fields from a Pydantic model, for people who bring their own.

What cannot be bounded or written as a grammar is refused, with the place, the reason, and what to
write instead: a field that only seems to be held would make a run's validity figures wrong.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, NoReturn, TypeAlias, Union, get_args, get_origin

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt, MaxLen, MinLen
from pydantic import AfterValidator, BaseModel, RootModel, Strict
from pydantic.fields import FieldInfo

from vlmbench_plugin.errors import FieldError
from vlmbench_plugin.fields import Fields, ListOf, fields_object
from vlmbench_plugin.nodes import Boolean, Choice, Node, Text
from vlmbench_plugin.numeric import Number, few_decimals

_BOUNDS: Mapping[type, str] = {
    Ge: "ge",
    Le: "le",
    Gt: "gt",
    Lt: "lt",
    MinLen: "min_length",
    MaxLen: "max_length",
}
_HARMLESS = ("strict", "allow_inf_nan")
_ABSENT = "an optional field is one with a default: its key may be absent, never null"


def fields_from_model(model: type[BaseModel]) -> Fields:
    """Returns the fields of a task whose answers are instances of ``model``.

    Supported are ``str`` with ``max_length``, ``Literal`` of strings, ``bool``, ``int`` and
    ``float`` with ``ge`` and ``le`` (``gt`` and ``lt`` for ``int``), ``list`` with ``max_length``,
    and nested models. A field with a default is optional. A field node in the annotation decides by
    itself, for what a type cannot say: ``Annotated[list[float], box()]``,
    ``Annotated[str, text(40, unicode=True)]``. The fields are stricter than the model where a
    grammar has to be: extra keys and conversions are errors, numbers have four decimals at most.

    Args:
        model: The model; of its annotations nothing else may decide what is valid.

    Raises:
        FieldError: If the model cannot be bounded or expressed.
    """
    return _members(model, _Place(path=model.__name__))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where in the model we are, and which models we are inside of."""

    path: str
    inside: tuple[type[BaseModel], ...] = ()

    def refuse(self, reason: str, hint: str = "") -> NoReturn:
        raise FieldError(f"{self.path}: {reason}", hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Constraints:
    """What the metadata of one annotation says."""

    bounds: Mapping[str, Any] = field(default_factory=dict)
    node: Node | None = None


def _members(model: type[BaseModel], place: _Place) -> dict[str, Node]:
    if model in place.inside:
        place.refuse(f"{model.__name__} contains itself", "write its levels out as models")
    if issubclass(model, RootModel):
        place.refuse("a root model is no object", "put its value into a field of a model")
    decorators = model.__pydantic_decorators__
    validators = (
        *decorators.field_validators,
        *decorators.model_validators,
        *decorators.validators,
        *decorators.root_validators,
    )
    if validators:
        place.refuse(
            f"the validator {validators[0]} is code, which no grammar can hold",
            "check it in the task's scorer",
        )
    members: dict[str, Node] = {}
    for key, info in model.model_fields.items():
        inner = _Place(path=f"{place.path}.{key}", inside=(*place.inside, model))
        members[key] = _member(info, inner, first=not members)
    if not members:
        place.refuse("expected at least one field")
    return members


def _member(info: FieldInfo, place: _Place, *, first: bool) -> Node:
    names = {info.alias, info.validation_alias, info.serialization_alias} - {None}
    if names:
        place.refuse(f"the alias {min(map(str, names))!r} is another key", "rename the field to it")
    optional = not info.is_required()
    if optional and first:
        place.refuse("the first field may not be optional", "move a field without default first")
    return replace(_node(info.annotation, info.metadata, place), optional=optional)


def _node(annotation: Any, metadata: Iterable[Any], place: _Place) -> Node:
    if get_origin(annotation) is Annotated:
        annotation, *inner = get_args(annotation)
        metadata = (*inner, *metadata)
    found = _constraints(metadata, place)
    if found.node is not None:
        return found.node
    build = _BUILDERS.get(get_origin(annotation) or annotation)
    if build is None and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        build = _object
    if build is None:
        place.refuse(
            f"there is no field for {_name(annotation)}",
            "use str, Literal, bool, int, float, list[...] or a model",
        )
    try:
        return build(annotation, found.bounds, place)
    except FieldError as error:
        if str(error).startswith(place.path):
            raise
        raise FieldError(f"{place.path}: {error.args[0]}", hint=error.hint) from error


def _constraints(metadata: Iterable[Any], place: _Place) -> _Constraints:
    bounds: dict[str, Any] = {}
    node = None
    for item in _flat(metadata):
        if isinstance(item, Node):
            node = item
        elif type(item) in _BOUNDS:
            name = _BOUNDS[type(item)]
            bounds[name] = getattr(item, name)
        elif isinstance(item, Strict) or _is_ours(item):
            continue
        else:
            said = vars(item) if hasattr(item, "__dict__") else {}
            extra = {k: v for k, v in said.items() if k not in _HARMLESS and v not in (None, False)}
            if extra or not said:
                what = ", ".join(f"{k}={v!r}" for k, v in extra.items()) or repr(item)
                place.refuse(f"no grammar of ours can hold {what}", "check it in the task's scorer")
    return _Constraints(bounds=bounds, node=node)


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from _flat(item.metadata)
        elif isinstance(item, GroupedMetadata):
            yield from _flat(item)
        else:
            yield item


def _is_ours(item: Any) -> bool:
    """Whether it is the rule on decimals, which every number field has anyway."""
    return isinstance(item, AfterValidator) and item.func is few_decimals


def _name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _length(bounds: Mapping[str, Any], place: _Place, what: str) -> tuple[int, int]:
    if bounds.keys() - {"min_length", "max_length"}:
        place.refuse(f"{', '.join(bounds)} on a {what}", "a length has min_length and max_length")
    if "max_length" not in bounds:
        place.refuse(f"a {what} without max_length is not bounded", "Field(max_length=...)")
    return bounds.get("min_length", 0), bounds["max_length"]


def _text(annotation: Any, bounds: Mapping[str, Any], place: _Place) -> Node:
    at_least, at_most = _length(bounds, place, "str")
    return Text(at_least=at_least, at_most=at_most)


def _choice(annotation: Any, bounds: Mapping[str, Any], place: _Place) -> Node:
    values = get_args(annotation)
    if bounds or not all(isinstance(value, str) for value in values):
        place.refuse(f"expected a Literal of strings alone, got {annotation}", _ABSENT)
    return Choice(values=values)


def _boolean(annotation: Any, bounds: Mapping[str, Any], place: _Place) -> Node:
    if bounds:
        place.refuse(f"{', '.join(bounds)} on a bool")
    return Boolean()


def _number(annotation: Any, bounds: Mapping[str, Any], place: _Place) -> Node:
    whole = annotation is int
    odd = bounds.keys() - ({"ge", "le", "gt", "lt"} if whole else {"ge", "le"})
    if odd:
        place.refuse(f"{', '.join(sorted(odd))} on a {_name(annotation)}", "use ge and le")
    lows = [bounds["ge"]] if "ge" in bounds else []
    highs = [bounds["le"]] if "le" in bounds else []
    lows += [bounds["gt"] + 1] if "gt" in bounds else []
    highs += [bounds["lt"] - 1] if "lt" in bounds else []
    if not lows or not highs:
        place.refuse(
            f"a {_name(annotation)} needs a lower and an upper bound", "Field(ge=..., le=...)"
        )
    low, high = max(lows), min(highs)
    if not (float(low).is_integer() and float(high).is_integer()):
        place.refuse(f"expected whole bounds, got {low} and {high}", "widen them to whole numbers")
    return Number(low=int(low), high=int(high), whole=whole)


def _list(annotation: Any, bounds: Mapping[str, Any], place: _Place) -> Node:
    at_least, at_most = _length(bounds, place, "list")
    items = get_args(annotation)
    if not items:
        place.refuse("expected the type of the list's items, got none", "list[str], list[Model]")
    item = _node(items[0], (), replace(place, path=f"{place.path}[]"))
    return ListOf(item=item, at_least=at_least, at_most=at_most)


def _object(annotation: Any, bounds: Mapping[str, Any], place: _Place) -> Node:
    if bounds:
        place.refuse(f"{', '.join(bounds)} on a model")
    return fields_object(_members(annotation, place))


def _union(annotation: Any, bounds: Mapping[str, Any], place: _Place) -> Node:
    if type(None) in get_args(annotation):
        place.refuse("an answer has no null", f"drop None; {_ABSENT}")
    place.refuse(f"{annotation} is more than one type", "make it two fields")


_Builder: TypeAlias = Callable[[Any, Mapping[str, Any], _Place], Node]
_BUILDERS: Mapping[Any, _Builder] = {
    str: _text,
    Literal: _choice,
    bool: _boolean,
    int: _number,
    float: _number,
    list: _list,
    Union: _union,
    types.UnionType: _union,
}

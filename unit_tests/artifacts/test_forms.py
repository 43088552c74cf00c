"""The printed forms say the same as the artifacts that a run uses."""

from __future__ import annotations

import json
from typing import Any, cast

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError

from unit_tests.artifacts.cases import built, dump, example, truths
from unit_tests.artifacts.mutations import mutations
from vlmbench_plugin.artifact_forms import FORMS, render
from vlmbench_plugin.categories import CATEGORIES
from vlmbench_plugin.core import Vocabulary
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.errors import FieldError, UnknownNameError
from vlmbench_plugin.fields import Fields, artifacts, boolean, list_of, text
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

each_task = pytest.mark.parametrize("category", CATEGORIES)
NESTED: Fields = {
    "a": list_of({"b_c": text(3), "deep": list_of(list_of({"x": boolean()}, 2), 2)}, 2),
    "b": list_of({"deep": list_of({"x": text(2, unicode=True)}, 1)}, 2, optional=True),
}


def vocabulary_of(category: str) -> Vocabulary:
    return load_cases(TASKS[category], Settings(n=1))[0].vocabulary


def printed(category: str, form: str) -> str:
    return render(TASKS[category].fields, vocabulary_of(category), "norm_0_1000", "closed", form)


def model_of(source: str) -> type[BaseModel]:
    # As anybody would use it: in a module of its own, with nothing of ours in reach.
    assert "vlmbench" not in source
    namespace: dict[str, Any] = {"__name__": "printed_model"}
    code = compile(source, "printed_model.py", "exec", dont_inherit=True)
    exec(code, namespace)  # our own text
    return cast("type[BaseModel]", namespace["Answer"])


def is_valid(model: type[BaseModel], text: str) -> bool:
    try:
        model.model_validate(json.loads(text))
    except (ValidationError, ValueError):
        return False
    return True


@each_task
def test_the_printed_model_validates_as_ours(category: str) -> None:
    ours = built(category, "closed")
    theirs = model_of(printed(category, "pydantic"))
    value = example(ours.root)
    texts = [dump(value), *truths(category, 3), *(t for _, t in mutations(ours.root, value))]
    verdicts = [is_valid(theirs, text) for text in texts]
    assert verdicts == [is_valid(ours.model, text) for text in texts]
    assert all(verdicts[:4])
    assert not all(verdicts)


def test_classes_of_one_name_stay_apart() -> None:
    ours = artifacts(NESTED, {}, "pixel", "open")
    theirs = model_of(render(NESTED, {}, "pixel", "open", "pydantic"))
    value = example(ours.root)
    for _, spoilt in [("", dump(value)), *mutations(ours.root, value)]:
        assert is_valid(theirs, spoilt) == is_valid(ours.model, spoilt), spoilt


@each_task
def test_the_tool_holds_the_schema(category: str) -> None:
    schema = json.loads(printed(category, "json-schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema == built(category, "closed").json_schema
    tool = json.loads(printed(category, "tool"))
    assert tool["type"] == "function"
    assert tool["function"]["name"].isidentifier()
    assert tool["function"]["parameters"] == schema


@each_task
def test_the_grammar_is_the_one_of_a_run(category: str) -> None:
    assert printed(category, "gbnf") == built(category, "closed").gbnf


def test_an_unknown_form_lists_the_known() -> None:
    with pytest.raises(UnknownNameError, match=", ".join(FORMS)):
        printed("ocr_text", "xml")


@pytest.mark.parametrize("key", ["two words", "class", "model_config", "1st"])
def test_keys_that_are_no_python_names(key: str) -> None:
    fields = {key: boolean()}
    with pytest.raises(FieldError, match="Python names"):
        render(fields, {}, "pixel", "open", "pydantic")
    assert json.dumps(key) in render(fields, {}, "pixel", "open", "json-schema")

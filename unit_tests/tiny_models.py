"""What the tests of the vlm runner share: a small grammar, a request, a spec of a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from PIL import Image

from vlmbench_plugin.core import Mode, ModelSpec, Request

ASSET = Path(__file__).parents[1] / "vlmbench_plugin" / "assets" / "tiny-qwen3vl"
GRAMMAR = r'root ::= "{\"label\": \"" [a-z ]{1,12} "\"}"'
LEGAL = r'\{"label": "[a-z ]{1,12}"\}'
ENOUGH = len('{"label": "123456789012"}') + 1
QUESTION = "Label it."


def folder_spec(folder: Path | str, name: str = "tiny") -> ModelSpec:
    """A model in a local folder."""
    return ModelSpec(name=name, hub_id=str(folder), frame="norm_0_1000")


def ask(
    mode: Mode,
    *,
    budget: int = ENOUGH,
    grammar: str = GRAMMAR,
    colour: str = "red",
    size: tuple[int, int] = (96, 64),
    question: str = QUESTION,
) -> Request:
    """A request about one image of one colour."""
    content: list[Mapping[str, str]] = [{"type": "image"}, {"type": "text", "text": question}]
    return Request(
        id=f"tiny-{mode}",
        image=lambda: Image.new("RGB", size, colour),
        messages=({"role": "user", "content": content},),
        mode=mode,
        grammar=grammar,
        json_schema=MappingProxyType({}),
        budget=budget,
    )

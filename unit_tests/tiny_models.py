"""What the tests of the vlm runner share: a small grammar, a request, a spec of a folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from PIL import Image

from vlmbench_plugin.core import Mode, ModelSpec, Request
from vlmbench_plugin.thinking import Thinking

ASSET = Path(__file__).parents[1] / "fixtures" / "tiny-random-qwen3vl"
"""Its weights are random: what the runners promise they promise for whatever a model says."""
GRAMMAR = r'root ::= "{\"label\": \"" [a-z ]{1,12} "\"}"'
LEGAL = r'\{"label": "[a-z ]{1,12}"\}'
ENOUGH = len('{"label": "123456789012"}') + 1
QUESTION = "Label it."
SAMPLING = {
    "temperature": 1.0,
    "top_p": 0.95,
    "top_k": 20,
    "presence_penalty": 0.0,
    "repetition_penalty": 1.0,
}


def folder_spec(folder: Path | str, name: str = "tiny") -> ModelSpec:
    """A model in a local folder."""
    return ModelSpec(name=name, hub_id=str(folder), frame="norm_0_1000")


def thinking_spec(folder: Path | str) -> ModelSpec:
    """A model in a local folder that thinks where it shall, by a card of its own."""
    return replace(folder_spec(folder, "tiny-thinker"), thinking=True, sampling=SAMPLING)


def think(request: Request, *, budget: int = 40, seed: int = 0) -> Request:
    """The same request, with thinking before the answer."""
    return replace(request, thinking=Thinking(budget=budget, seed=seed, sampling=SAMPLING))


def thinking_asset(folder: Path) -> Path:
    """A copy of the random checkpoint that thinks where it shall; all else is as it was."""
    shutil.copytree(ASSET, folder)
    teach_thinking(folder)
    return folder


def teach_thinking(folder: Path) -> None:
    """Makes the template of a checkpoint that never thinks open a thought where it is told to."""
    template = folder / "chat_template.jinja"
    opened = "{%- if add_generation_prompt and enable_thinking -%}{{ '<think>\\n' }}{%- endif -%}"
    template.write_text(template.read_text().removesuffix("\n") + opened)


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

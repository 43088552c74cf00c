"""Shipping a run: its model with a card that says what it is."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tools.training.checkpoint import MERGE, WEIGHTS, write_weights
from tools.training.loop import FRONT, RECIPE, read_average
from tools.training.recipe import DIFFICULTIES, FENCED, POOLS, SHARES, Recipe, read_recipe
from tools.training.samples import POINTED_AT

CARD = "README.md"
SCORES = "scores.json"
"""Within a run: what ``evaluate`` found last."""

_TEXT = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
---

# {name}

A toy: a {architecture} of {parameters:.2f} million parameters, trained from random weights by this
project on its own drawn scenes, so that a first run offline and on a CPU shows a model that gets
some tasks right and some wrong. It knows nothing but these scenes and these prompts.

| | |
|---|---|
| text | {layers} layers of width {hidden}; {tokens} tokens, some are whole sentences of prompts |
| vision | {vision_layers} layers of width {vision_hidden}; patches of {patch} pixels merged 2 x 2 |
| images | shrunk to at most {pixels} pixels, about {visual} visual tokens |
| data | {samples} drawn scenes of seeds from 1,000,000,000: none that a smaller seed shows |
| difficulty | {difficulties} |
| training | {steps} steps of {batch} scenes, Muon and AdamW, peak rate {rate}, weights averaged |
| positions | learnt in steps of 10 thousandths of the image |
| pointing | a map of the middle layer, not kept, learns where named objects are ({pointed}) |
| licence | Apache-2.0; it contains no weights, vocabulary or text of any other model |

{pooled}
{fenced}

## Scores

{scores}

## Tasks

{shares}

`python -m tools.train_tiny train --run RUN{arguments}` trains it again;
with the same versions and thread count the same seed gives the same weights.
"""


def export(run: Path, into: Path) -> None:
    """Copies a run's model, its weights averaged up to the last checkpoint, and writes its card.

    Args:
        run: Folder of the run.
        into: Folder of the model; files of the same names are replaced.
    """
    into.mkdir(parents=True, exist_ok=True)
    for file in sorted((run / FRONT).iterdir()):
        if file.name not in (WEIGHTS, CARD):
            shutil.copyfile(file, into / file.name)
    step, average = read_average(run)
    write_weights(into, average)
    parameters = sum(tensor.numel() for tensor in average.values()) / 1e6
    (into / CARD).write_text(card(run, into.name, step, parameters), encoding="utf-8")


def card(run: Path, name: str, step: int, parameters: float) -> str:
    """The model card of a run after some steps, in Markdown."""
    recipe, folder = read_recipe(run / RECIPE), run / FRONT
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    processor = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    sizes, pixels = recipe.sizes, processor["size"]["longest_edge"]
    return _TEXT.format(
        name=name,
        architecture=f"`{config['architectures'][0]}`",
        parameters=parameters,
        layers=sizes.layers,
        hidden=sizes.hidden,
        tokens=config["text_config"]["vocab_size"],
        vision_layers=sizes.vision_layers,
        vision_hidden=sizes.vision_hidden,
        patch=sizes.patch,
        pixels=f"{pixels:,}",
        visual=pixels // (MERGE * sizes.patch) ** 2,
        samples=f"{step * recipe.batch:,}",
        difficulties=", ".join(f"{share:.0%} {name}" for name, share in DIFFICULTIES.items()),
        steps=f"{step:,}",
        batch=recipe.batch,
        rate=recipe.rate,
        pointed=POINTED_AT,
        pooled=_listed("Scenes that were shown several times", POOLS, ",d"),
        fenced=_listed("Share of answers taught within a code fence", FENCED, ".0%"),
        scores=scores_table(run),
        shares=_listed("Share of the training", _shares(), ".1%"),
        arguments=_arguments(recipe),
    )


def _arguments(recipe: Recipe) -> str:
    """What the command line says of a recipe that is not the default one."""
    usual, given = ({**asdict(one), **asdict(one.sizes)} for one in (Recipe(), recipe))
    return "".join(
        f" --{name.replace('_', '-')} {value}"
        for name, value in given.items()
        if name != "sizes" and value != usual[name]
    )


def _shares() -> dict[str, float]:
    total = sum(SHARES.values())
    return {name: share / total for name, share in SHARES.items()}


def _listed(title: str, values: Any, form: str) -> str:
    return (
        f"{title}: " + ", ".join(f"{name} {value:{form}}" for name, value in values.items()) + "."
    )


def scores_table(run: Path) -> str:
    """What ``evaluate`` found, in Markdown."""
    path = run / SCORES
    if not path.exists():
        return "Not evaluated yet: `python -m tools.train_tiny evaluate --run RUN --seed 0`."
    found = json.loads(path.read_text(encoding="utf-8"))
    lines = [
        (
            f"{found['n']} easy scenes of each task at 128 x 128 pixels, seed {found['seed']}, "
            f"`{found['mode']}`, after {found['step']:,} steps: yields with 95 % intervals. "
            "Floor: what the best blind answer earns. Blind: what this model earns with grey "
            "images."
        ),
        "",
        "| task | yield | floor | blind | valid | mean IoU |",
        "|---|---|---|---|---|---|",
    ]
    for task, one in found["tasks"].items():
        low, high = one["interval"]
        figures = ("floor", "blind", "valid", "iou")
        shown = ("-" if one[name] is None else f"{one[name]:.2f}" for name in figures)
        lines.append(
            f"| {task} | {one['yield']:.2f} [{low:.2f}, {high:.2f}] | {' | '.join(shown)} |"
        )
    return "\n".join(lines)

"""Trains the tiny models that the package carries, on the benchmark's own drawn scenes.

A run lives in a folder and continues where it was interrupted::

    python -m tools.train_tiny train --run RUN
    python -m tools.train_tiny evaluate --run RUN --n 200 --seed 0
    python -m tools.train_tiny export --run RUN --into vlmbench_plugin/assets/tiny-qwen3vl
"""

from __future__ import annotations

import argparse
import json
from dataclasses import fields, replace
from pathlib import Path

from tools.make_tiny import ARCHITECTURES
from tools.training.card import SCORES, export, scores_table
from tools.training.checkpoint import write_weights
from tools.training.loop import FRONT, RECIPE, Trainer, note, read_average
from tools.training.recipe import SHARES, VALIDATION_SEED, Recipe, Sizes, read_recipe
from tools.training.watching import scores

WHOLE = ("seed", "batch", "warmup", "focus_from", "threads")
"""Numbers of a recipe that the command line may give; its length may change later, too."""
WATCHED = tuple(SHARES)[:10]
"""Tasks with short answers."""


def main() -> None:
    """Runs one of the three commands."""
    arguments = _arguments()
    if arguments.command == "train":
        _train(arguments)
    elif arguments.command == "evaluate":
        _evaluate(arguments)
    else:
        export(arguments.run, arguments.into)


def _train(arguments: argparse.Namespace) -> None:
    run: Path = arguments.run
    run.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(_recipe(arguments), run)

    def watch(step: int) -> None:
        if step % arguments.watch_every == 0:
            write_weights(trainer.front, trainer.average)
            found = scores(trainer.front, WATCHED, arguments.n)
            note(run, {"step": step, "yield": {k: row.effective_yield for k, row in found.items()}})

    trainer.run(
        until=min(trainer.recipe.steps, arguments.until or trainer.recipe.steps),
        workers=arguments.workers,
        save_every=arguments.save_every,
        watch=watch,
    )
    write_weights(trainer.front, trainer.average)


def _evaluate(arguments: argparse.Namespace) -> None:
    run: Path = arguments.run
    step, average = read_average(run)
    write_weights(run / FRONT, average)
    asked = {"n": arguments.n, "seed": arguments.seed, "mode": arguments.mode}
    rows = scores(run / FRONT, tuple(SHARES), **asked)
    unseen = scores(run / FRONT, tuple(SHARES), **asked, blind=True)
    found = {
        category: {
            "yield": row.effective_yield,
            "interval": row.effective_yield_interval,
            "floor": row.floor,
            "blind": unseen[category].effective_yield,
            "valid": row.schema_valid_rate,
            "iou": row.secondary.get("iou"),
        }
        for category, row in rows.items()
    }
    text = json.dumps({"step": step, **asked, "tasks": found}, indent=2)
    (run / SCORES).write_text(text + "\n", encoding="utf-8")
    print(scores_table(run))


def _recipe(arguments: argparse.Namespace) -> Recipe:
    """The run's own recipe where it has begun; then only its length may change."""
    known: Path = arguments.run / RECIPE
    steps = {} if arguments.steps is None else {"steps": arguments.steps}
    if known.exists():
        return replace(read_recipe(known), **steps)
    given = {
        name: getattr(arguments, name)
        for name in ("start", "architecture", *WHOLE, "rate")
        if getattr(arguments, name) is not None
    }
    sizes = {
        one.name: getattr(arguments, one.name)
        for one in fields(Sizes)
        if getattr(arguments, one.name) is not None
    }
    return Recipe(sizes=Sizes(**sizes), **given, **steps)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="begin or continue a run")
    train.add_argument("--architecture", choices=ARCHITECTURES)
    train.add_argument("--start", help="folder of a model whose weights it begins with")
    for name in ("steps", *WHOLE, *(one.name for one in fields(Sizes))):
        train.add_argument(f"--{name.replace('_', '-')}", type=int)
    train.add_argument("--rate", type=float)
    train.add_argument("--until", type=int, help="stop before this step (default: the last)")
    train.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    train.add_argument("--save-every", type=float, default=600, help="seconds")
    train.add_argument("--watch-every", type=int, default=500, help="steps between evaluations")
    train.add_argument("--n", type=int, default=32, help="scenes of each task then")
    evaluate = commands.add_parser("evaluate", help="score a run's model on easy scenes")
    evaluate.add_argument("--n", type=int, default=200)
    evaluate.add_argument("--seed", type=int, default=VALIDATION_SEED)
    evaluate.add_argument("--mode", choices=("json_mode", "constrained"), default="json_mode")
    exporting = commands.add_parser("export", help="write the model as it ships, with its card")
    exporting.add_argument("--into", type=Path, required=True)
    for command in (train, evaluate, exporting):
        command.add_argument("--run", type=Path, required=True, help="folder of the run")
    return parser.parse_args()


if __name__ == "__main__":
    main()

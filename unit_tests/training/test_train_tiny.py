"""The training of the packaged models: what it learns from, and that it can be done again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tools.training import loop
from tools.training.card import SCORES, export, scores_table
from tools.training.checkpoint import WEIGHTS, write_front, write_weights
from tools.training.loop import LOG, POINTING, STATE, Trainer
from tools.training.pointing import new_pointer, squared_distances
from tools.training.recipe import (
    POOLS,
    SHARES,
    TRAINING_SEEDS,
    VALIDATION_SEED,
    Recipe,
    Sizes,
    read_recipe,
)
from tools.training.samples import (
    POINTED_AT,
    Drawing,
    Row,
    drawings,
    encode,
    pooled,
    sample,
    step_parts,
)
from tools.training.watching import scores
from vlmbench_plugin.core import Case
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.scenes.spatial import asked_pairs
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

SMALL = Recipe(
    sizes=Sizes(
        hidden=64, layers=2, intermediate=64, heads=2, vision_hidden=64, vision_layers=2, patch=16
    ),
    steps=20,
    batch=6,
    parts=2,
    warmup=4,
    rate=1e-2,
)


def no_watch(step: int) -> None:
    """Looks at nothing."""


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("front")
    write_front(folder, SMALL)
    return folder


@pytest.fixture
def begin(front: Path, tmp_path: Path) -> Callable[[str], Trainer]:
    """Begins a run, or continues it."""

    def begin(name: str) -> Trainer:
        out = tmp_path / name
        if not out.exists():
            (out / loop.FRONT).mkdir(parents=True)
            for file in front.iterdir():
                (out / loop.FRONT / file.name).write_bytes(file.read_bytes())
        return Trainer(SMALL, out)

    return begin


def train(trainer: Trainer, until: int, workers: int = 0) -> bytes:
    trainer.run(until=until, workers=workers, save_every=1e9, watch=no_watch)
    return (trainer.out / STATE).read_bytes()


@pytest.mark.slow
def test_twenty_steps_learn_and_can_be_repeated(begin: Callable[[str], Trainer]) -> None:
    first = train(begin("first"), 20)
    lines = (begin("first").out / LOG).read_text(encoding="utf-8").splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert len(losses) == 20
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert train(begin("second"), 20) == first


@pytest.mark.slow
def test_an_interrupted_run_ends_in_the_same_bytes(begin: Callable[[str], Trainer]) -> None:
    whole = train(begin("whole"), 4, workers=1)
    train(begin("parts"), 2)
    continued = begin("parts")
    assert continued.step == 2
    assert train(continued, 4) == whole


@pytest.mark.slow
def test_a_run_may_begin_with_the_weights_of_a_model(
    begin: Callable[[str], Trainer], tmp_path: Path
) -> None:
    import torch

    trainer = begin("first")
    train(trainer, 2)
    write_weights(trainer.front, trainer.weights)
    later = Trainer(replace(SMALL, start=str(trainer.front), seed=1), tmp_path / "later")
    for name, weight in trainer.weights.items():
        assert torch.equal(later.weights[name], weight.to(torch.bfloat16).float())


@pytest.mark.slow
def test_a_linear_attention_model_learns(tmp_path: Path) -> None:
    trainer = Trainer(replace(SMALL, architecture="qwen3_5"), tmp_path)
    losses = [loop_loss(trainer) for _ in range(6)]
    assert losses[-1] < losses[0]
    config = json.loads((trainer.front / "config.json").read_text(encoding="utf-8"))
    assert config["text_config"]["linear_key_head_dim"] == 128


def loop_loss(trainer: Trainer) -> float:
    found = trainer.learn(step_parts(processor(trainer.front), trainer.recipe, 0))
    every = [loss for name, losses in found.items() for loss in losses if name != POINTING]
    return sum(every) / len(every)


def processor(folder: Path) -> Any:
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(folder)


def test_no_scene_of_training_is_one_of_a_benchmark_run() -> None:
    trained = {
        (one.category, one.case.image_id) for step in range(30) for one in drawings(Recipe(), step)
    }
    pools = {(name, pooled(name, 0).case.image_id) for name in POOLS}
    seeds = {one.seed for step in (0, 10_000, 99_999) for one in drawings(Recipe(), step)}
    assert min(seeds) >= TRAINING_SEEDS > Settings().seed
    assert max(seeds) < VALIDATION_SEED

    def shown(category: str, seed: int) -> set[tuple[str, str]]:
        cases = load_cases(TASKS[category], Settings(seed=seed, n=60))
        return {(category, cases[index].image_id) for index in range(60)}

    for category in SHARES:
        for seed in (0, 1, 12_345, TRAINING_SEEDS - 2, VALIDATION_SEED):
            assert not (trained | pools) & shown(category, seed)


def test_a_step_is_drawn_the_same_again() -> None:
    assert drawings(Recipe(), 7) == drawings(Recipe(), 7)
    assert drawings(Recipe(), 7) != drawings(Recipe(seed=1), 7)


def test_right_answers_are_valid_and_nearly_right() -> None:
    seen = set()
    for step in range(4):
        for one in drawings(Recipe(), step):
            case: Case = one.case
            text = sample(one).answer.removeprefix("```json\n").removesuffix("\n```")
            stated = json.loads(text)
            answer = one.task.pixel_answer(case.truth)
            assert stated.keys() == answer.keys()
            seen.add(one.category)
            if one.category == "subject_fixation":
                width, height = case.size
                limits = (width, height, width, height)
                for told, true, limit in zip(stated["box"], answer["box"], limits, strict=True):
                    assert told % 10 == 0
                    assert abs(told - true * 1000 / limit) <= 5.5
            if one.category == "bbox_grounding":
                left = [detection["box"][0] for detection in stated["detections"]]
                assert left == sorted(left)
    assert len(seen) > 10


def test_prompts_are_short_and_answers_come_back(front: Path) -> None:
    both = processor(front)
    for one in drawings(Recipe(), 3):
        made = sample(one)
        row = encode(both, made)
        ids = row.inputs["input_ids"][0].tolist()
        answer = both.tokenizer.decode(ids[-row.length : -1])
        assert answer == made.answer
        assert row.inputs["attention_mask"].shape == row.inputs["input_ids"].shape
        visual = row.inputs["image_grid_thw"].prod() // 4
        assert len(ids) - row.length - visual < 140


def spatial_row(front: Path, index: int) -> tuple[Case, list[int], Row]:
    drawing = Drawing(
        category=POINTED_AT, seed=7, index=index, difficulty="easy", max_pixels=128 * 128
    )
    row = encode(processor(front), sample(drawing))
    return drawing.case, row.inputs["input_ids"][0].tolist(), row


def test_every_name_in_a_spatial_question_has_its_place(front: Path) -> None:
    tokenizer = processor(front).tokenizer
    for index in range(5):
        case, ids, row = spatial_row(front, index)
        named = [label for pair in asked_pairs(case.question or "") for label in pair]
        told: dict[str, tuple[float, float]] = {}
        read = []
        for mention in row.mentions:
            end = len(ids) - mention.back + 1
            read.append(tokenizer.decode(ids[end - 2 : end]))
            assert told.setdefault(read[-1], mention.place) == mention.place
        assert sorted(read) == sorted(named)
        for relation in case.truth["relations"]:
            (x, y), (other_x, other_y) = told[relation["subject"]], told[relation["object"]]
            holds = {
                "left_of": x < other_x,
                "right_of": x > other_x,
                "above": y < other_y,
                "below": y > other_y,
            }
            assert holds[relation["relation"]]


def test_a_map_that_points_right_is_at_no_distance(front: Path) -> None:
    import torch

    _, ids, row = spatial_row(front, 0)
    padding = 3
    hidden = torch.zeros(2, padding + len(ids), 2)
    for mention in row.mentions:
        hidden[1, padding + len(ids) - mention.back] = torch.tensor(mention.place)
    pointer = new_pointer(2)
    with torch.no_grad():
        pointer.weight.copy_(torch.eye(2))
        pointer.bias.zero_()
    without = replace(row, mentions=())
    assert squared_distances(pointer, hidden, (without, row)).tolist() == pytest.approx([0, 0])
    at_the_middle = squared_distances(new_pointer(2), hidden, (without, row)).tolist()
    squares = [(m.place[0] - 0.5) ** 2 + (m.place[1] - 0.5) ** 2 for m in row.mentions]
    assert at_the_middle == pytest.approx([0, sum(squares) / len(squares)])


def test_recipes_are_kept(tmp_path: Path) -> None:
    SMALL.write(tmp_path / "recipe.json")
    assert read_recipe(tmp_path / "recipe.json") == SMALL


def test_the_learning_rate_rises_stays_and_falls() -> None:
    recipe = Recipe(steps=1000, warmup=100, rate=1.0, decay=0.25)
    assert [recipe.rate_at(step) for step in (0, 49, 99, 500, 750, 875, 999)] == pytest.approx(
        [0.01, 0.5, 1, 1, 1, 0.5, 0.004]
    )


@pytest.mark.slow
def test_an_export_is_a_model_with_a_card(begin: Callable[[str], Trainer], tmp_path: Path) -> None:
    trainer = begin("run")
    train(trainer, 1)
    export(trainer.out, tmp_path / "shipped")
    names = {file.name for file in (tmp_path / "shipped").iterdir()}
    assert {"README.md", "config.json", "tokenizer.json", "chat_template.jinja", WEIGHTS} <= names
    card = (tmp_path / "shipped" / "README.md").read_text(encoding="utf-8")
    assert "| training | 1 steps of 6 scenes" in card
    assert "Not evaluated yet" in card
    assert "train --run RUN --steps 20 --batch 6" in card
    assert "--hidden 64 --layers 2" in card


def test_a_card_has_the_scores_that_were_found(tmp_path: Path) -> None:
    one = {
        "yield": 0.5,
        "interval": [0.4, 0.6],
        "floor": None,
        "blind": 0.0,
        "valid": 1.0,
        "iou": 0.25,
    }
    found = {"step": 1200, "n": 20, "seed": 3, "mode": "json_mode", "tasks": {"ocr_text": one}}
    (tmp_path / SCORES).write_text(json.dumps(found), encoding="utf-8")
    table = scores_table(tmp_path)
    assert "20 easy scenes" in table
    assert "after 1,200 steps" in table
    assert "| ocr_text | 0.50 [0.40, 0.60] | - | 0.00 | 1.00 | 0.25 |" in table


def test_a_run_is_watched_with_the_benchmarks_own_figures() -> None:
    packaged = Path(MODELS["tiny-qwen3vl"].hub_id)
    category = "image_classification"
    seen, unseen = (scores(packaged, (category,), 12, blind=blind) for blind in (False, True))
    yields = seen[category].effective_yield, unseen[category].effective_yield
    assert yields[0] is not None
    assert yields[1] is not None
    assert yields[0] > yields[1] + 0.5
    assert seen[category].floor is not None
    assert seen[category].n == 12

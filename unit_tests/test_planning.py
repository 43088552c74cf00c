"""Figures of a plan: hand tables, and what holds for every plan."""

from __future__ import annotations

import dataclasses
import json
import math
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unit_tests.records import failed_record, make_record
from vlmbench_plugin.coords import capped_size
from vlmbench_plugin.core import ModelSpec
from vlmbench_plugin.errors import DataError, StoreError, UnknownNameError, UsageError
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.planning import (
    CLEARED,
    KEPT,
    Asked,
    Figure,
    Plan,
    Row,
    at_most,
    known,
    largest,
    total,
    unknown,
    weights,
)
from vlmbench_plugin.record import Record
from vlmbench_plugin.run_plan import plan_from_run
from vlmbench_plugin.spec_plan import plan_from_spec
from vlmbench_plugin.store import Store
from vlmbench_plugin.tasks import TASKS
from vlmbench_plugin.visual_tokens import QWEN3, QWEN25, Spread, look_at, processor_of

CAP = 1_310_720
TURNED = 6  # an EXIF orientation that swaps width and height


def make(image_id: str, **changes: Any) -> Record:
    """Fabricates a record of 100 tokens in 0.5 s: a prompt of 400, of them 64 of the image."""
    facts: dict[str, Any] = {
        "model": "qwen3vl-4b",
        "image_size": [256, 256],
        "sent_size": [256, 256],
        "prompt_tokens": 400,
        "output_tokens": 100,
        "busy_s": 0.5,
        "batch_size": 8,
    }
    return make_record(image_id, "k", **(facts | changes))


def error(image_id: str, **changes: Any) -> Record:
    return failed_record(image_id, "k", **({"model": "qwen3vl-4b"} | changes))


def write(folder: Path, *records: Record, manifest: bool = True) -> Path:
    with closing(Store.open(folder)) as store:
        for record in records:
            store.append(record)
        if manifest:
            spec = dataclasses.asdict(MODELS["qwen3vl-4b"])
            content = {
                "models": {"qwen3vl-4b": spec},
                "runner": {"qwen3vl-4b": {"device": "cuda:0"}},
                "machine": {"cores": 16},
            }
            store.write("manifest.json", json.dumps(content))
    return folder


def only(rows: tuple[Row, ...]) -> dict[str, Figure]:
    (row,) = rows
    return dict(row.figures)


def value(figure: Figure) -> float:
    assert figure.low is not None
    assert figure.low == figure.high
    return figure.low


def save(path: Path, size: tuple[int, int], orientation: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.new("RGB", size).save(path, exif=exif)


# Figures


def test_sums_keep_what_is_known() -> None:
    two, three, most, none = known(2, "a"), known(3, "a"), at_most(5, "b"), unknown("c")
    assert total([two, three]) == Figure(low=5, high=5, source="a")
    assert total([two, most]) == Figure(low=2, high=7, source="a; b")
    assert total([two, none]) == Figure(low=2, high=None, source="a; c")
    assert total([none, none]) == Figure(low=None, high=None, source="c")
    assert total([two, none], "all") == Figure(low=2, high=None, source="all; c")
    assert total([none], "all") == Figure(low=None, high=None, source="c")
    assert largest([two, three]) == Figure(low=3, high=3, source="a")
    assert largest([two, none]) == Figure(low=2, high=None, source="a; c")
    assert most.times(2) == Figure(low=0, high=10, source="b")
    assert none.times(2) == none


def test_a_known_zero_is_not_unknown() -> None:
    assert total([known(0, "a"), known(0, "a")]) == known(0, "a")


def test_spread() -> None:
    assert Spread.of([3]) == Spread(mean=3, p5=3, p95=3)
    spread = Spread.of(range(101))
    assert (spread.mean, spread.p5, spread.p95) == pytest.approx((50, 5, 95))


@pytest.mark.parametrize("changes", [{"images": 0}, {"images": 1, "tokens_per_second": 0.0}])
def test_nothing_is_planned_for_nothing(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="got"):
        Asked(**changes)


# Tokens of an image


@pytest.mark.parametrize(
    ("size", "qwen3", "qwen25"),
    [
        ((1024, 1024), 32 * 32, 37 * 37),  # 1024 / 28 = 36.57
        ((640, 480), 20 * 15, 23 * 17),
        ((100, 100), 8 * 8, 4 * 4),  # below 256 x 256: Qwen3-VL enlarges it; 100 / 28 = 3.57
        ((64, 3200), 2 * 100, 2 * 114),
    ],
)
def test_visual_tokens_by_hand(size: tuple[int, int], qwen3: int, qwen25: int) -> None:
    assert (QWEN3.tokens(size), QWEN25.tokens(size)) == (qwen3, qwen25)


def test_a_larger_image_than_the_cap_costs_what_the_cap_allows() -> None:
    # 1,310,720 pixels are 1,280 squares of 32 x 32; 4000 x 3000 becomes 1321 x 991, so 41 x 31.
    assert capped_size((4000, 3000), CAP) == (1321, 991)
    assert QWEN3.tokens(capped_size((4000, 3000), CAP)) == 41 * 31


def test_the_processor_is_the_models_own() -> None:
    assert processor_of(MODELS["qwen3.5-9b"]) == QWEN3
    assert processor_of(MODELS["qwen2.5vl-7b"]) == QWEN25
    toy = processor_of(MODELS["tiny-qwen3vl"])
    # Its preprocessor_config.json: patches of 12 merged by 2, from 576 to 17,280 pixels.
    assert (toy.factor, toy.min_pixels, toy.max_pixels) == (24, 576, 17280)
    assert toy.tokens((1000, 1000)) == 5 * 5


def test_a_folder_with_the_newer_configuration(tmp_path: Path) -> None:
    spec = ModelSpec(name="m", hub_id=str(tmp_path), frame="norm_0_1000")
    path = tmp_path / "processor_config.json"
    inner = {"patch_size": 8, "merge_size": 2, "min_pixels": 256, "max_pixels": 1024}
    path.write_text(json.dumps({"image_processor": inner}))
    assert processor_of(spec).tokens((1000, 1000)) == 4
    path.write_text("[]")
    with pytest.raises(DataError, match="image processor"):
        processor_of(spec)


# A folder of images


def test_headers_of_a_folder(tmp_path: Path) -> None:
    save(tmp_path / "a.png", (640, 480))
    save(tmp_path / "deep" / "b.JPG", (640, 480), TURNED)
    save(tmp_path / "thin.png", (4000, 10))
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "labels.json").write_text("{}")
    found = look_at(tmp_path, CAP)
    assert (found.images, found.others, found.looked_at) == (5, 1, 5)
    assert sorted(found.sent) == [(480, 640), (640, 480)]
    reasons = dict(found.unreadable)
    assert list(reasons) == ["broken.jpg", "folder.png", "thin.png"]
    assert "aspect ratio" in reasons["thin.png"]


def test_a_large_folder_is_sampled_the_same_way_each_time(tmp_path: Path) -> None:
    for number in range(30):
        save(tmp_path / f"{number}.png", (300 + number, 300))
    first, again = (look_at(tmp_path, CAP, most=10) for _ in range(2))
    assert first == again
    assert (first.images, first.looked_at, len(set(first.sent))) == (30, 10, 10)
    assert look_at(tmp_path, CAP, most=10, seed=1).sent != first.sent


def test_folders_without_an_image(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        look_at(tmp_path / "none", CAP)
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(DataError, match="among 0 files with an image's ending and 1 without"):
        look_at(tmp_path, CAP)
    (tmp_path / "a.png").write_text("")
    with pytest.raises(DataError, match=r"got a\.png"):
        look_at(tmp_path, CAP)


# From a run


def test_a_run_by_hand(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "r",
        make("a"),
        make("b", output_tokens=300, busy_s=1.5, batch_size=4, prompt_tokens=420),
        error("c"),
    )
    images = folder / "images" / "ocr_text"
    images.mkdir(parents=True)
    (images / "a.png").write_bytes(b"x" * 1000)
    (images / "b.png").write_bytes(b"x" * 3000)
    plan = plan_from_run(folder, Asked(images=3600))
    measured, planned = only(plan.measured), only(plan.rows)
    source = f"from {folder}: 2 items at 1 items/s on cuda:0 of a machine of 16 cores, "
    source += "batches of 4 to 8"
    assert value(measured["items"]) == 2
    assert value(measured["errors"]) == 1
    assert (measured["batch"].low, measured["batch"].high) == (4, 8)
    assert value(measured["output_tokens_per_item"]) == 200
    assert value(measured["tokens_per_second"]) == 200  # 400 tokens in 2 s
    assert value(measured["items_per_second"]) == 1
    spread = measured["output_tokens_per_item_5_95"]
    assert (spread.low, spread.high) == pytest.approx((110, 290))
    assert value(planned["items"]) == 3600
    assert value(planned["image_tokens"]) == 3600 * 64
    assert value(planned["prompt_tokens"]) == 3600 * 410
    assert value(planned["output_tokens"]) == 3600 * 200
    assert value(planned["hours"]) == pytest.approx(1)
    assert planned["hours"].source == source
    line = (folder / "results.jsonl").stat().st_size / 3
    assert value(plan.disk["results.jsonl"]) == pytest.approx(3600 * line)
    assert value(plan.disk["small images"]) == 200 * 2000
    assert value(plan.disk[KEPT]) == 8_900_000_000
    assert any(note.startswith("1 errors") for note in plan.notes)


def test_other_image_sizes_bound_the_hours(tmp_path: Path) -> None:
    folder = write(tmp_path / "r", make("a"), make("b"))
    save(tmp_path / "my" / "1.png", (640, 640))  # 20 x 20 tokens for 8 x 8
    asked = Asked(images=7200, sizes=look_at(tmp_path / "my", CAP))
    planned = only(plan_from_run(folder, asked).rows)
    assert value(planned["image_tokens"]) == 7200 * 400
    assert value(planned["prompt_tokens"]) == 7200 * (400 - 64 + 400)
    # One hour at the run's sizes; 736 prompt tokens for 400.
    assert planned["hours"].low == pytest.approx(1)
    assert planned["hours"].high == pytest.approx(1.84)
    assert "as if all time grew with the prompt" in planned["hours"].source


def test_smaller_images_bound_the_hours_from_below(tmp_path: Path) -> None:
    folder = write(tmp_path / "r", make("a", sent_size=[640, 640], prompt_tokens=736))
    save(tmp_path / "my" / "1.png", (256, 256))
    asked = Asked(images=7200, sizes=look_at(tmp_path / "my", CAP))
    hours = only(plan_from_run(folder, asked).rows)["hours"]
    assert (hours.low, hours.high) == pytest.approx((400 / 736, 1))


def test_prompts_shorter_than_their_image_are_not_explained_away(tmp_path: Path) -> None:
    folder = write(tmp_path / "r", make("a", prompt_tokens=60))
    save(tmp_path / "my" / "1.png", (256, 256))
    asked = Asked(images=1, sizes=look_at(tmp_path / "my", CAP))
    planned = only(plan_from_run(folder, asked).rows)
    for name in ("image_tokens", "prompt_tokens"):
        assert planned[name].low is None
        assert "other rules" in planned[name].source
    assert value(planned["hours"]) == pytest.approx(0.5 / 3600)


def test_what_a_runner_does_not_tell_is_unknown(tmp_path: Path) -> None:
    folder = write(tmp_path / "r", make("a", prompt_tokens=None, output_tokens=None))
    plan = plan_from_run(folder, Asked(images=10))
    planned = only(plan.rows)
    assert planned["output_tokens"].low is planned["prompt_tokens"].low is None
    assert "tells its output tokens" in planned["output_tokens"].source
    assert "does not tell" in planned["prompt_tokens"].source
    assert only(plan.measured)["tokens_per_second"].low is None
    assert value(planned["hours"]) == pytest.approx(10 * 0.5 / 3600)


def test_a_cell_of_errors_alone_makes_the_sum_a_lower_bound(tmp_path: Path) -> None:
    folder = write(tmp_path / "r", make("a"), error("a", category="depth_analysis"))
    plan = plan_from_run(folder, Asked(images=7200))
    good, bad = plan.rows
    assert value(good.figures["hours"]) == pytest.approx(1)
    assert bad.figures["hours"].low is bad.figures["output_tokens"].low is None
    assert "1 of them errors" in bad.figures["hours"].source
    hours = plan.totals[-1].figures["hours"]
    assert hours.low == pytest.approx(1)
    assert hours.high is None
    assert "1 of them errors" in hours.source


def test_a_stated_throughput_takes_the_place_of_the_measured_one(tmp_path: Path) -> None:
    folder = write(tmp_path / "r", make("a"))
    plan = plan_from_run(folder, Asked(images=36_000, tokens_per_second=1000.0))
    hours = only(plan.rows)["hours"]
    assert value(hours) == pytest.approx(1)  # 3,600,000 tokens
    assert hours.source.startswith("assumed: 1,000 output tokens/s")


def test_a_stated_throughput_makes_no_hours_of_unknown_tokens(tmp_path: Path) -> None:
    folder = write(tmp_path / "r", make("a", output_tokens=None, busy_s=0.0))
    plan = plan_from_run(folder, Asked(images=1, tokens_per_second=1000.0))
    hours = only(plan.rows)["hours"]
    assert hours.low is None
    assert "tells its output tokens" in hours.source


def test_totals_are_by_model_and_mode(tmp_path: Path) -> None:
    records = [
        make("a", mode=mode, category=category, model=model)
        for model in ("qwen3vl-4b", "qwen3vl-8b")
        for mode in ("json_mode", "constrained")
        for category in ("ocr_text", "depth_analysis")
    ]
    plan = plan_from_run(write(tmp_path / "r", *records), Asked(images=5))
    assert [(row.model, row.mode, value(row.figures["items"])) for row in plan.totals] == [
        ("qwen3vl-4b", "json_mode", 10),
        ("qwen3vl-4b", "constrained", 10),
        ("qwen3vl-8b", "json_mode", 10),
        ("qwen3vl-8b", "constrained", 10),
        (None, None, 40),
    ]
    assert value(plan.disk[KEPT]) == 8_900_000_000 + 17_500_000_000
    assert value(plan.disk[CLEARED]) == 17_500_000_000
    # The manifest names the machine of one of the two.
    assert "does not tell" in plan.totals[2].figures["hours"].source
    chosen = Asked(
        images=5, models=("qwen3vl-8b",), modes=("constrained",), categories=("ocr_text",)
    )
    (row,) = plan_from_run(tmp_path / "r", chosen).rows
    assert (row.model, row.mode, row.category) == ("qwen3vl-8b", "constrained", "ocr_text")


def test_a_server_holds_the_weights(tmp_path: Path) -> None:
    folder = write(tmp_path / "r", make("a", runner="openai"))
    plan = plan_from_run(folder, Asked(images=5))
    assert plan.disk[KEPT] == known(0, "qwen3vl-4b: a server holds it")


def test_a_model_without_a_manifest(tmp_path: Path) -> None:
    folder = write(tmp_path / "r", make("a", model="mine"), manifest=False)
    plan = plan_from_run(folder, Asked(images=5))
    assert plan.disk[KEPT].low is None
    assert "no size" in plan.disk[KEPT].source
    assert "does not tell" in only(plan.rows)["hours"].source


def test_runs_that_tell_nothing(tmp_path: Path) -> None:
    asked = Asked(images=5)
    with pytest.raises(StoreError, match="no such folder"):
        plan_from_run(tmp_path / "none", asked)
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="no record"):
        plan_from_run(tmp_path / "empty", asked)
    stub = write(tmp_path / "stub", make("a", runner="stub"), make("b", runner="replay"))
    with pytest.raises(UsageError, match="no model ran: there is no throughput to go by"):
        plan_from_run(stub, asked)
    folder = write(
        tmp_path / "r", make("a"), make("b", mode="constrained", category="segmentation")
    )
    with pytest.raises(UsageError, match=r"category(?s:.*)it has ocr_text, segmentation"):
        plan_from_run(folder, Asked(images=5, categories=("depth_analysis",)))
    with pytest.raises(UsageError, match="not together"):
        plan_from_run(folder, Asked(images=5, categories=("ocr_text",), modes=("constrained",)))
    (folder / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match="manifest"):
        plan_from_run(folder, asked)


# Without a run


def test_a_spec_by_hand() -> None:
    asked = Asked(
        images=100,
        models=("qwen3vl-4b", "qwen3.5-9b"),
        categories=("ocr_text",),
        tokens_per_second=500.0,
    )
    plan = plan_from_spec(asked, CAP)
    assert len(plan.rows) == 4
    free, held = (row.figures for row in plan.rows[:2])
    tokens = TASKS["ocr_text"].answer_tokens
    assert free["output_tokens_right"] == Figure(
        low=0, high=100 * tokens, source=free["output_tokens_right"].source
    )
    assert free["output_tokens"].high == 100 * 512  # twice the longest truth, a power of two
    assert held["output_tokens"].high is not None
    assert held["output_tokens"].high > 51_200
    assert free["hours"].high == pytest.approx(51_200 / 500 / 3600)
    assert free["hours"].source == "assumed: 500 output tokens/s, as stated"
    assert value(plan.totals[-1].figures["items"]) == 400
    assert value(plan.disk[KEPT]) == 28_200_000_000
    assert value(plan.disk[CLEARED]) == 19_300_000_000
    assert value(plan.disk["results.jsonl"]) > 400 * 500


def test_without_a_throughput_the_hours_are_unknown() -> None:
    plan = plan_from_spec(Asked(images=1, models=("qwen2.5vl-7b",), categories=("ocr_text",)), CAP)
    for row in plan.rows:
        assert row.figures["hours"].low is None
        assert "--tokens-per-second" in row.figures["hours"].source
    assert plan.disk[KEPT].low is None  # no published size


def test_a_spec_takes_the_users_sizes(tmp_path: Path) -> None:
    save(tmp_path / "1.png", (640, 640))
    asked = Asked(
        images=10,
        models=("qwen3vl-4b",),
        categories=("image_classification",),
        modes=("json_mode",),
        sizes=look_at(tmp_path, CAP),
    )
    plan = plan_from_spec(asked, CAP)
    figures = only(plan.rows)
    assert value(figures["image_tokens"]) == 4000
    assert figures["prompt_tokens"].low == 4000
    assert value(plan.visual["qwen3vl-4b"]["mean"]) == 400
    small = plan.disk["small images"]
    assert small.low == 0
    assert small.high == pytest.approx(10 * 512 * 512 * 3, rel=0.02)


def test_the_size_of_the_issue() -> None:
    """Twelve models, fifteen tasks, two modes, two hundred images: 72,000 items."""
    names = tuple(name for name in MODELS if name.startswith(("qwen3vl-", "qwen3.5-")))
    names = tuple(name for name in names if not name.endswith(("-fp8", "-thinking")))
    assert len(names) == 12
    plan = plan_from_spec(Asked(images=200, models=names), CAP)
    assert value(plan.totals[-1].figures["items"]) == 72_000
    assert len(plan.rows) == 360
    weighed = plan.disk[KEPT]
    assert weighed.high is None  # the captioner's size is not published
    published = (4.3, 8.9, 17.5, 67, 62, 1.7, 4.5, 9, 19.3, 55.6, 70)
    assert weighed.low == pytest.approx(sum(published) * 1e9)
    assert plan.disk[CLEARED].low == 70e9


def test_unknown_models_and_categories() -> None:
    with pytest.raises(UnknownNameError, match="nonsense"):
        plan_from_spec(Asked(images=1, models=("nonsense",)), CAP)
    with pytest.raises(UnknownNameError, match="nonsense"):
        plan_from_spec(Asked(images=1, models=("qwen3vl-4b",), categories=("nonsense",)), CAP)


def test_weights_in_a_folder() -> None:
    toy = MODELS["tiny-qwen3vl"]
    expected = Path(toy.hub_id, "model.safetensors").stat().st_size
    assert value(weights([toy])[KEPT]) == expected
    assert weights([toy], {"tiny-qwen3vl"})[KEPT].low == 0


# What holds for every plan


def linear(one: Plan, many: Plan, factor: int) -> None:
    for row, larger in zip(one.totals, many.totals, strict=True):
        for name, figure in row.figures.items():
            for end in ("low", "high"):
                before, after = getattr(figure, end), getattr(larger.figures[name], end)
                assert (before is None) == (after is None)
                assert before is None or math.isclose(before * factor, after, rel_tol=1e-9)


@given(images=st.integers(1, 10**6), factor=st.integers(1, 1000))
def test_a_plan_from_a_run_is_linear_in_images(
    tmp_path_factory: pytest.TempPathFactory, images: int, factor: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "linear"
    if not folder.exists():
        write(
            folder, make("a"), make("b", output_tokens=7, busy_s=0.1), error("c", mode="json_mode")
        )
    one, many = (plan_from_run(folder, Asked(images=n)) for n in (images, images * factor))
    linear(one, many, factor)
    line, lines = (value(plan.disk["results.jsonl"]) for plan in (one, many))
    assert math.isclose(line * factor, lines, rel_tol=1e-9)


def test_a_plan_from_a_spec_is_linear_in_images() -> None:
    # From sixteen images on the same scenes are looked at.
    asked = Asked(images=16, models=("qwen3vl-4b",), categories=("ocr_text",), tokens_per_second=9)
    linear(
        plan_from_spec(asked, CAP),
        plan_from_spec(dataclasses.replace(asked, images=160_000), CAP),
        10_000,
    )


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(0, 10**6)), st.one_of(st.none(), st.integers(0, 10**6))
        ),
        min_size=1,
    )
)
def test_a_sum_is_never_surer_than_its_parts(ends: list[tuple[int | None, int | None]]) -> None:
    figures = [
        Figure(low=low, high=None if low is None or high is None else low + high, source="s")
        for low, high in ends
    ]
    added = total(figures)
    assert (added.low is None) == all(figure.low is None for figure in figures)
    assert (added.high is None) == any(figure.high is None for figure in figures)
    assert largest(figures).low == (
        max((f.low for f in figures if f.low is not None), default=None)
    )

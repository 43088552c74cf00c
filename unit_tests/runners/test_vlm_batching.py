"""Answers generated together: the same as alone, in order, and never lost with another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoConfig

from tools.make_tiny import ARCHITECTURES, Architecture, build
from unit_tests.tiny_models import ASSET, ask, folder_spec
from vlmbench_plugin.asking import build_request
from vlmbench_plugin.categories import CATEGORIES
from vlmbench_plugin.core import MODES, Generation, Mode, Request
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.errors import DataError, ModelLoadError, RunnerError
from vlmbench_plugin.runners import vlm
from vlmbench_plugin.runners._batching import collate, grouped
from vlmbench_plugin.runners._cache import GROWTH, batch_cache, join
from vlmbench_plugin.runners._decoding import Limits, Row, charge
from vlmbench_plugin.runners.vlm import Job, VlmRunner
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

CPU = Settings(device="cpu", runner_args={"stop_loops": "off"})
NEAR = 1e-3


class Recording(VlmRunner):
    """A runner that keeps the tokens of each answer."""

    ids: dict[str, list[int]]

    def _generation(self, job: Job, batch_size: int) -> Generation:
        self.ids[job.prepared.request.id] = list(job.row.ids)
        return super()._generation(job, batch_size)

    def tokens(self, requests: Sequence[Request], batch_size: int) -> dict[str, list[int]]:
        self.ids = {}
        self._size._asked = batch_size
        outcomes = list(self.generate(requests))
        assert all(isinstance(outcome, Generation) for outcome in outcomes)
        return self.ids

    def margin(self, request: Request, before: list[int], one: int, other: int) -> float:
        """How far apart two tokens' logits are after some tokens of an answer, read at once."""
        inputs = dict(self._preparing._inputs(request))
        for name, value in (("input_ids", before), ("attention_mask", [1] * len(before))):
            inputs[name] = torch.cat([inputs[name], torch.tensor([value]).long()], dim=1)
        kinds = inputs["mm_token_type_ids"]
        inputs["mm_token_type_ids"] = torch.cat([kinds, kinds.new_zeros((1, len(before)))], dim=1)
        with torch.inference_mode():
            logits = self._model(**inputs, logits_to_keep=1).logits[0, -1]
        return float((logits[one] - logits[other]).abs())


@pytest.fixture(scope="module", params=ARCHITECTURES)
def runner(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recording]:
    architecture: Architecture = request.param
    folder = tmp_path_factory.mktemp("models") / architecture
    build(folder, architecture)
    opened = Recording(folder_spec(folder), CPU)
    yield opened
    opened.close()


@pytest.fixture
def asset() -> Iterator[VlmRunner]:
    opened = VlmRunner(folder_spec(ASSET), CPU)
    yield opened
    opened.close()


def of_all_tasks(mode: Mode) -> list[Request]:
    """Two requests of each task, of different sizes and lengths."""
    found: list[Request] = []
    for category in CATEGORIES:
        task = TASKS[category]
        cases = load_cases(task, Settings(n=2))
        for number in range(len(cases)):
            request = build_request(task, cases[number], folder_spec(ASSET), mode, CPU)
            size = 64 + 40 * number, 96 + 8 * len(found)
            image = Image.effect_noise(size, 90).convert("RGB")
            found.append(replace(request, image=image.copy, budget=16 + len(found)))
    return found


@pytest.mark.parametrize("read_at_once", [1, 4096])
@pytest.mark.parametrize("mode", MODES)
def test_answers_are_the_same_as_alone(
    runner: Recording, mode: Mode, read_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vlm, "READ_AT_ONCE_ON_CPU", read_at_once)
    requests = of_all_tasks(mode)
    alone, together = runner.tokens(requests, 1), runner.tokens(requests, 16)
    different = [request for request in requests if alone[request.id] != together[request.id]]
    for request in different:
        one, other = alone[request.id], together[request.id]
        at = next(i for i, pair in enumerate(zip(one, other, strict=False)) if len(set(pair)) > 1)
        assert runner.margin(request, one[:at], one[at], other[at]) < NEAR, request.id
    assert len(different) <= len(requests) // 10
    # As fixtures go, an answer that never varies would show nothing.
    assert len({tuple(ids[:8]) for ids in alone.values()}) > 3


def several(*budgets: int, mode: Mode = "json_mode") -> list[Request]:
    """Requests that differ in image and length, by number."""
    return [
        replace(
            ask(
                mode,
                budget=budget,
                size=(64 + 32 * (number % 3), 96),
                question="Label it. " * (1 + number),
            ),
            id=f"item-{number}",
        )
        for number, budget in enumerate(budgets)
    ]


def texts(outcomes: Sequence[Generation | RunnerError]) -> list[str]:
    return [one.text if isinstance(one, Generation) else str(one) for one in outcomes]


def sized(runner: VlmRunner, size: int) -> VlmRunner:
    runner._size._asked = size
    return runner


def alone(runner: VlmRunner, requests: Sequence[Request]) -> list[str]:
    return texts(list(sized(runner, 1).generate(requests)))


def watch(runner: VlmRunner, before: Callable[[dict[str, Any]], None]) -> None:
    """Calls a function with the inputs of each pass, which may fail it."""
    model = runner._model

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(model, name)

        def __call__(self, **inputs: Any) -> Any:
            before(inputs)
            return model(**inputs)

    runner._model = Watched()


def test_outcomes_come_in_order_and_as_soon_as_they_are_known(asset: VlmRunner) -> None:
    passes: list[int] = []
    requests = several(2, 30, 4)
    expected = alone(asset, requests)
    watch(asset, lambda inputs: passes.append(len(inputs["input_ids"])))
    outcomes = sized(asset, 3).generate(requests)
    first = next(outcomes)
    assert passes == [3, 3]
    assert texts([first, *outcomes]) == expected
    assert len(passes) == 1 + 29
    assert passes[-1] == 1


def test_a_batch_is_no_larger_than_asked_and_says_its_size(asset: VlmRunner) -> None:
    outcomes = list(sized(asset, 3).generate(iter(several(3, 4, 5, 6, 7))))
    sizes = [one.batch_size for one in outcomes if isinstance(one, Generation)]
    assert sizes == [3, 3, 3, 2, 2]


def fail_above(most: int) -> Callable[[dict[str, Any]], None]:
    def check(inputs: dict[str, Any]) -> None:
        if len(inputs["input_ids"]) > most:
            raise torch.OutOfMemoryError(f"more than {most} rows")

    return check


@pytest.mark.parametrize("mode", MODES)
def test_out_of_memory_halves_the_batch_and_is_remembered(asset: VlmRunner, mode: Mode) -> None:
    requests = several(*range(5, 13), mode=mode)
    expected = alone(asset, requests)
    watch(asset, fail_above(3))
    outcomes = list(sized(asset, 8).generate(requests))
    assert texts(outcomes) == expected
    assert {one.batch_size for one in outcomes if isinstance(one, Generation)} == {2}
    assert asset._size.limit == 2
    again = list(asset.generate(requests))
    assert texts(again) == expected
    assert asset._size.limit == 2


def test_out_of_memory_in_the_middle_keeps_what_had_ended(asset: VlmRunner) -> None:
    steps = 0

    def check(inputs: dict[str, Any]) -> None:
        nonlocal steps
        step = "pixel_values" not in inputs
        steps += step
        if step and steps == 6:
            raise torch.OutOfMemoryError("no more room")

    requests = several(3, 20, 4, 20, 20)
    expected = alone(asset, requests)
    watch(asset, check)
    outcomes = list(sized(asset, 5).generate(requests))
    assert texts(outcomes) == expected
    sizes = [one.batch_size for one in outcomes if isinstance(one, Generation)]
    assert sizes == [5, 2, 5, 2, 1]


def test_too_little_memory_for_one_row_is_that_items_error(asset: VlmRunner) -> None:
    watch(asset, fail_above(0))
    outcomes = list(sized(asset, 2).generate(several(3, 3)))
    assert all(isinstance(one, RunnerError) for one in outcomes)
    assert ["item-0 failed: OutOfMemoryError" in str(one) for one in outcomes] == [True, False]


def test_an_item_that_the_model_fails_on_is_alone(asset: VlmRunner) -> None:
    requests = several(*range(5, 12))
    expected = alone(asset, requests)
    (bad,) = (len(asset._preparing._inputs(requests[4])["input_ids"][0]),)

    def check(inputs: dict[str, Any]) -> None:
        reads = inputs["input_ids"].shape[1] > 1
        if reads and bad in inputs["attention_mask"].sum(dim=1).tolist():
            raise RuntimeError("a kernel failed")

    watch(asset, check)
    outcomes = list(sized(asset, 8).generate(requests))
    assert "item-4 failed: RuntimeError: a kernel failed" in str(outcomes[4])
    assert texts(outcomes)[:4] + texts(outcomes)[5:] == expected[:4] + expected[5:]
    assert asset._size.limit is None


def broken() -> Image.Image:
    raise DataError("the file is gone")


def test_an_image_that_cannot_be_had_fails_its_item_alone(asset: VlmRunner) -> None:
    requests = several(5, 6, 7)
    expected = alone(asset, requests)
    requests[1] = replace(requests[1], image=broken)
    outcomes = list(sized(asset, 3).generate(requests))
    assert isinstance(outcomes[1], RunnerError)
    assert "item-1 failed: DataError: the file is gone" in str(outcomes[1])
    assert texts([outcomes[0], outcomes[2]]) == [expected[0], expected[2]]


def test_the_next_images_are_drawn_while_a_batch_generates(asset: VlmRunner) -> None:
    drawn = threading.Event()
    where: list[str] = []

    def later() -> Image.Image:
        where.append(threading.current_thread().name)
        drawn.set()
        return Image.new("RGB", (64, 64))

    requests = several(3, 4, 5)
    requests[2] = replace(requests[2], image=later)
    outcomes = sized(asset, 2).generate(requests)
    next(outcomes)
    assert drawn.wait(10)
    assert len(list(outcomes)) == 2
    assert where == ["images_0"]


def test_requests_are_read_one_batch_ahead_and_no_more(asset: VlmRunner) -> None:
    read: list[str] = []

    def coming() -> Iterator[Request]:
        for request in several(2, 2, 2, 2, 2, 2):
            read.append(request.id)
            yield request

    outcomes = sized(asset, 2).generate(coming())
    next(outcomes)
    assert len(read) == 4
    outcomes.close()  # type: ignore[attr-defined]  # it is a generator


def test_grammars_are_compiled_ahead_where_the_run_needs_them() -> None:
    for modes, compiled in ((MODES, 1), (("json_mode",), 0)):
        runner = VlmRunner(folder_spec(ASSET), replace(CPU, modes=modes))
        list(runner.generate([ask("json_mode", budget=2)]))
        assert len(runner._masks._compiled) == compiled
        runner.close()


def row(tokens: int, ids: int) -> Row:
    limits = Limits(budget=9, stop_ids=())
    return Row(prompt_tokens=tokens, limits=limits, ids=[1] * ids, steps=ids)


def test_seconds_are_shared_by_tokens_and_add_up() -> None:
    first, second = row(10, 1), row(30, 1)
    charge([first, second], 4.0)  # the prefill, which gave each its first token
    assert (first.busy_s, second.busy_s) == (1.0, 3.0)
    first.steps, second.steps = 2, 2
    charge([first, second], 1.0)
    charge([second], 0.5)
    assert (first.busy_s, first.latency_s) == (1.5, 5.0)
    assert (second.busy_s, second.latency_s) == (4.0, 5.5)


def test_a_batchs_seconds_are_those_of_its_longest_wait(asset: VlmRunner) -> None:
    outcomes = [
        one
        for one in sized(asset, 4).generate(several(5, 30, 9, 16))
        if isinstance(one, Generation)
    ]
    busy = [one.busy_s or 0.0 for one in outcomes]
    waits = [one.latency_s or 0.0 for one in outcomes]
    assert sum(busy) == pytest.approx(max(waits))
    assert sorted(waits) == [waits[0], waits[2], waits[3], waits[1]]


def test_value_logprobs_come_with_whole_answers_alone(asset: VlmRunner) -> None:
    (whole, cut) = sized(asset, 2).generate([ask("constrained"), ask("constrained", budget=3)])
    assert isinstance(whole, Generation)
    assert isinstance(cut, Generation)
    assert cut.value_logprob is None
    assert whole.value_logprob is not None
    assert whole.value_logprob["min"] <= whole.value_logprob["mean"] < 0


def test_rows_of_different_length_are_padded_on_the_left() -> None:
    def one(*ids: int, patches: int) -> dict[str, torch.Tensor]:
        row = torch.tensor([ids])
        return {
            "input_ids": row,
            "attention_mask": torch.ones_like(row),
            "pixel_values": torch.full((patches, 2), float(patches)),
        }

    rows = [one(5, patches=1), one(6, 7, 8, patches=3)]
    batch = collate(rows, 9, torch.device("cpu"))
    assert batch["input_ids"].tolist() == [[9, 9, 5], [6, 7, 8]]
    assert batch["attention_mask"].tolist() == [[0, 0, 1], [1, 1, 1]]
    assert batch["pixel_values"][:, 0].tolist() == [1, 3, 3, 3]
    rows = [one(*[1] * length, patches=1) for length in (3, 4, 1, 1, 2, 9)]
    groups = grouped(rows, 8, 9, torch.device("cpu"))
    shapes = [tuple(group["input_ids"].shape) for group in groups]
    assert shapes == [(2, 4), (3, 2), (1, 9)]


@pytest.mark.parametrize("lengths", [(3,), (3, 5), (GROWTH, 2)])
def test_a_cache_grows_joins_and_drops_rows(lengths: tuple[int, ...]) -> None:
    config = AutoConfig.from_pretrained(ASSET).get_text_config()
    parts = []
    for number, length in enumerate(lengths):
        part = batch_cache(config)
        states = torch.full((1, 1, length, 4), number + 1.0)
        for layer in range(config.num_hidden_layers):
            part.update(states, -states, layer)
        parts.append(part)
    whole = join(parts)
    longest = max(lengths)
    assert whole.get_seq_length() == longest
    keys = values = torch.empty(0)
    for step in range(GROWTH + 2):
        new = torch.full((len(lengths), 1, 1, 4), 100.0 + step)
        keys, values = whole.update(new, -new, 0)
    assert torch.equal(keys, -values)
    for number, length in enumerate(lengths):
        expected = [0.0] * (longest - length) + [number + 1.0] * length
        expected += [100.0 + step for step in range(GROWTH + 2)]
        assert keys[number, 0, :, 0].tolist() == expected
    whole.reorder_cache(torch.tensor([len(lengths) - 1]))
    kept, _ = whole.update(torch.zeros((1, 1, 1, 4)), torch.zeros((1, 1, 1, 4)), 0)
    assert kept[0, 0, :-1].tolist() == keys[-1, 0].tolist()


def test_states_of_linear_attention_are_joined_by_row() -> None:
    def part(value: float) -> SimpleNamespace:
        layer = SimpleNamespace(
            conv_states={0: torch.full((1, 2), value)},
            recurrent_states={0: torch.full((1, 3), value)},
        )
        return SimpleNamespace(layers=[layer], get_seq_length=lambda: 4)

    (layer,) = join([part(1.0), part(2.0)]).layers
    assert layer.conv_states[0].tolist() == [[1.0] * 2, [2.0] * 2]
    assert layer.recurrent_states[0].tolist() == [[1.0] * 3, [2.0] * 3]


def test_a_model_that_does_not_load_leaves_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    build(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelLoadError):
        VlmRunner(folder_spec(tmp_path), CPU)
    assert threading.active_count() == before

"""Who may think, how long, and with which seed; what a record and a fingerprint say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from vlmbench_plugin.asking import build_request
from vlmbench_plugin.core import Generation
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.errors import UsageError
from vlmbench_plugin.evaluate import evaluate
from vlmbench_plugin.fingerprints import Fingerprints
from vlmbench_plugin.models import MODELS, resolve_models
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import get_task
from vlmbench_plugin.thinking import THINKING_BUDGET, check_thinking

TASK = get_task("image_classification")
CASES = load_cases(TASK, Settings(n=2))
SPEC = MODELS["qwen3.5-4b"]
ON = Settings(reasoning="on")


@pytest.mark.parametrize(
    ("models", "settings", "said"),
    [
        (["qwen3.5-4b", "qwen3vl-2b", "tiny-qwen3vl"], ON, "got qwen3vl-2b, tiny-qwen3vl"),
        (["qwen2.5vl-3b"], ON, "qwen3vl-4b-thinking"),
        (["qwen3.5-4b", "qwen3vl-2b-thinking"], Settings(), "got qwen3vl-2b-thinking\n"),
        (["me/Qwen3-VL-8B-Thinking-AWQ"], Settings(), "--reasoning on"),
        (["qwen3.5-4b"], Settings(thinking_budget=9), "add --reasoning on"),
    ],
)
def test_what_cannot_be_asked_so_is_told(
    models: Sequence[str], settings: Settings, said: str
) -> None:
    with pytest.raises(UsageError) as told:
        check_thinking(resolve_models(models, None), settings)
    assert said in str(told.value)


def test_what_can_be_asked_so_passes() -> None:
    check_thinking(resolve_models(["qwen3.5-4b", "qwen3vl-2b-thinking"], None), ON)
    check_thinking(resolve_models(["qwen3.5-4b", "qwen3vl-2b", "qwen2.5vl-3b"], None), Settings())


def test_without_thinking_a_request_asks_for_none() -> None:
    assert build_request(TASK, CASES[0], SPEC, "json_mode", Settings()).thinking is None


def test_a_request_says_how_to_think() -> None:
    thinking = build_request(TASK, CASES[0], SPEC, "json_mode", ON).thinking
    assert thinking is not None
    assert (thinking.budget, thinking.sampling) == (THINKING_BUDGET, SPEC.sampling)
    few = build_request(TASK, CASES[0], SPEC, "json_mode", replace(ON, thinking_budget=7)).thinking
    assert few == replace(thinking, budget=7)


def test_the_seed_is_the_images_in_both_modes_and_for_every_model() -> None:
    def seed(case: int, **changes: Any) -> int:
        asked: dict[str, Any] = {"spec": SPEC, "mode": "json_mode", "settings": ON, **changes}
        thinking = build_request(TASK, CASES[case], **asked).thinking
        assert thinking is not None
        assert 0 <= thinking.seed < 2**32
        return thinking.seed

    same = {
        seed(0),
        seed(0, mode="constrained"),
        seed(0, spec=MODELS["qwen3.5-9b"]),
        seed(0, settings=replace(ON, thinking_budget=9)),
    }
    other = {seed(1), seed(0, settings=replace(ON, seed=1))}
    assert len(same) == 1
    assert len(same | other) == 3


def test_fingerprints_tell_thinking_its_budget_and_its_sampling_apart() -> None:
    def parts(settings: Settings, **changes: Any) -> tuple[str, dict[str, str]]:
        made = Fingerprints(replace(SPEC, **changes), settings)
        found = made.of(TASK, CASES[0].identity, "json_mode")
        return found.key, dict(found.parts)

    hot = {**SPEC.sampling, "temperature": 2.0}
    found = [
        parts(Settings()),
        parts(ON),
        parts(replace(ON, thinking_budget=9)),
        parts(ON, sampling=hot),
    ]
    assert len({key for key, _ in found}) == 4
    assert len({each["reasoning"] for _, each in found}) == 4
    assert len({tuple(sorted((each | {"reasoning": ""}).items())) for _, each in found}) == 1
    assert parts(replace(ON, thinking_budget=THINKING_BUDGET)) == parts(ON)
    # Without thinking its sampling decides nothing.
    assert parts(Settings(), sampling=hot) == parts(Settings())


@pytest.mark.parametrize("forced", [True, False])
def test_a_record_counts_thinking_and_reads_what_follows_it(forced: bool) -> None:
    case = CASES[0]
    request = build_request(TASK, case, SPEC, "json_mode", ON)
    told = Fingerprints(SPEC, ON).of(TASK, case.identity, "json_mode")
    label = case.truth["label"]
    generation = Generation(
        text=f'Is it {{"label": "no"}}?</think>\n\n{{"label": "{label}"}}',
        finish_reason="stop",
        constraint="none",
        output_tokens=20,
        thinking_tokens=12,
        thinking_forced=forced,
        busy_s=2.0,
    )
    record = evaluate(TASK, case, SPEC, request, generation, ON, told)
    assert (record.reasoning, record.status, record.parse_status) == ("on", "passed", "clean")
    assert (record.thinking_tokens, record.thinking_forced) == (12, forced)
    assert record.tokens_per_sec == 10.0

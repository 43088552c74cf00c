"""The sentences at the top of the page, word by word: they must follow from the figures."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from unit_tests.report.conftest import NOTHING
from vlmbench_plugin.findings import Findings, Recommendation
from vlmbench_plugin.report.decision import decision, listed


def with_choice(findings: Findings, **changes: Any) -> Findings:
    one: Recommendation = dataclasses.replace(findings.recommendations[0], **changes)
    return dataclasses.replace(findings, recommendations=(one,))


def test_a_cheaper_choice_that_is_shown_to_be_as_good(make_run: Any, findings: Findings) -> None:
    board, rows, _ = make_run()
    headline, *rest = decision(board, rows, findings)
    assert headline == (
        "Take qwen3vl-4b (constrained): the cheapest by seconds per item of those shown to lose at "
        "most 0.03 of clean yield against the best, qwen3.5-35b-a3b (constrained). Its loss is at "
        "most 0.027 (95 %)."
    )
    assert rest[:3] == [
        "qwen3.5-35b-a3b and qwen3vl-4b cannot be told apart on 12 images a task.",
        "This run could have shown a difference of 0.11 (80 %); 0.05 would take 58 images a task.",
        (
            "On images that did not choose it the best earns 0.595 [0.50, 0.69], on those that did "
            "0.640."
        ),
    ]
    assert (
        "A grammar changes the yield of qwen3vl-4b by +0.060, tasks weighed alike. Of 24 answers "
        "invalid without it, 15 became right and 9 wrong without notice."
    ) in rest
    assert rest[-1] == (
        "Sending each task to the better of qwen3vl-4b and qwen3.5-35b-a3b is worth it: +0.021 "
        "[0.00, 0.04] above the best single model, on images that did not choose them."
    )


def test_where_nothing_cheaper_is_shown_the_leader_is_taken(
    make_run: Any, findings: Findings
) -> None:
    board, rows, _ = make_run()
    leader = findings.recommendations[0].leader
    found = with_choice(findings, shown=False, choice=leader, loss_bound=None, images_needed=140)
    assert decision(board, rows, found)[0] == (
        "Take qwen3.5-35b-a3b (constrained): it has the highest clean yield, 0.640, and no cheaper "
        "choice is shown to be within 0.03 of it. About 140 images a task would show it of "
        "a cheaper one."
    )


def test_wrong_labels_are_those_of_the_choice(make_run: Any, findings: Findings) -> None:
    board, rows, _ = make_run()
    own = [r for r in rows if (r.model, r.mode) == ("qwen3vl-4b", "constrained")]
    silent, right = (sum(getattr(r, name) for r in own) for name in ("silent", "right"))
    said = f"Of 100 valid answers about {100 * silent / (silent + right):.0f} would be wrong labels"
    assert any(line.startswith(said) for line in decision(board, rows, findings))


def test_one_model_above_all_others(make_run: Any, findings: Findings) -> None:
    board, rows, _ = make_run()
    first, second = findings.rankings[0].standings
    apart = dataclasses.replace(
        findings.rankings[0], standings=(first, dataclasses.replace(second, tied=False))
    )
    found = decision(board, rows, dataclasses.replace(findings, rankings=(apart,)))
    assert (
        "qwen3.5-35b-a3b is shown to be better than every other model on 12 images a task." in found
    )
    assert not any("cannot be told apart" in line for line in found)


def ranked(findings: Findings, beaten: int = 0, **changes: Any) -> Findings:
    """Three models over all tasks, the last ``beaten`` of which the first is shown to beat."""
    first = findings.rankings[0].standings[0]
    standings = tuple(
        dataclasses.replace(
            first,
            choice=dataclasses.replace(first.choice, model=name),
            best=1 + (at >= 3 - beaten),
            tied=at < 3 - beaten,
        )
        for at, name in enumerate("abc")
    )
    better = tuple((standings[0].choice, one.choice) for one in standings if not one.tied)
    ranking = dataclasses.replace(
        findings.rankings[0], standings=standings, better=better, **changes
    )
    return dataclasses.replace(findings, rankings=(ranking,))


@pytest.mark.parametrize(
    ("beaten", "changes", "said"),
    [
        (
            0,
            {"images": {"x": 5}, "smallest_difference": None, "images_needed": {0.05: 900}},
            [
                (
                    "Too few images to rank: on 5 images a task no difference, however large, "
                    "could have been shown."
                ),
                "A difference of 0.05 would take 900 images a task.",
            ],
        ),
        (
            0,
            {"images": {"x": 1}, "smallest_difference": None, "images_needed": {}},
            [
                (
                    "Too few images to rank: on 1 image a task no difference, however large, could "
                    "have been shown."
                )
            ],
        ),
        (
            0,
            {"images": {"x": 7, "y": 9}, "smallest_difference": 0.6},
            [
                (
                    "Too few images to rank: none of the 3 models can be told apart on 7 to 9 "
                    "images a task."
                ),
                (
                    "This run could have shown a difference of 0.60 (80 %); 0.05 would take 58 "
                    "images a task."
                ),
            ],
        ),
        (
            1,
            {"smallest_difference": 0.02},
            [
                "a and b cannot be told apart on 12 images a task; 1 other is shown to be worse.",
                "This run could have shown a difference of 0.02 (80 %).",
            ],
        ),
        (2, {}, ["a is shown to be better than every other model on 12 images a task."]),
    ],
)
def test_what_a_ranking_comes_to(
    make_run: Any, findings: Findings, beaten: int, changes: dict[str, Any], said: list[str]
) -> None:
    board, rows, _ = make_run()
    found = decision(board, rows, ranked(findings, beaten, **changes))
    assert found[1 : 1 + len(said)] == said
    assert found[1 + len(said)].startswith("On images that did not choose it ")


def test_where_others_are_beaten_they_are_counted(make_run: Any, findings: Findings) -> None:
    board, rows, _ = make_run()
    pair = ranked(findings, 1).rankings[0]
    more = dataclasses.replace(
        pair, standings=(*pair.standings, dataclasses.replace(pair.standings[2], best=3))
    )
    found = decision(board, rows, dataclasses.replace(findings, rankings=(more,)))
    assert found[1].endswith("on 12 images a task; 2 others are shown to be worse.")


def test_a_single_model_has_no_sentence_of_ranks(make_run: Any, findings: Findings) -> None:
    board, rows, _ = make_run()
    found = decision(board, rows, dataclasses.replace(findings, rankings=()))
    assert found[1].startswith("On images that did not choose it ")


def test_a_router_that_is_not_worth_it(make_run: Any, findings: Findings) -> None:
    board, rows, _ = make_run()
    weak = tuple(dataclasses.replace(one, recommended=False) for one in findings.routers)
    said = decision(board, rows, dataclasses.replace(findings, routers=weak))
    assert said[-1] == "Sending tasks to different models is not shown to be worth it."


def test_tasks_no_better_than_blind_are_named(make_run: Any, findings: Findings) -> None:
    board, rows, _ = make_run()
    blind = [dataclasses.replace(row, lift_interval=(-0.1, 0.1)) for row in rows]
    text = " ".join(decision(board, blind, findings))
    assert (
        "It is not shown to be better than a blind answer on image_classification, "
        "structural_spatial_awareness and segmentation." in text
    )


def test_where_nothing_can_be_recommended_the_first_is_named(make_run: Any) -> None:
    board, rows, _ = make_run()
    first = board[0]
    assert decision(board, rows, NOTHING) == [
        f"{first.model} ranks first by labeler score, {first.labeler_score:.3f} in json_mode."
    ]


def test_without_a_score_there_is_nothing_to_decide() -> None:
    assert decision((), (), NOTHING) == ["No item has been scored, so there is nothing to decide."]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c", "d", "e"], "a, b, c, d and e"),
        (["a", "b", "c", "d", "e", "f"], "a, b, c, d and 2 more"),
    ],
)
def test_names_in_a_sentence(names: list[str], said: str) -> None:
    assert listed(names) == said

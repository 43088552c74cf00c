"""A run beside the write-up's figures, as a page."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from vlmbench_plugin.aggregate import LeaderboardRow, aggregate, leaderboard
from vlmbench_plugin.categories import CATEGORIES
from vlmbench_plugin.comparing import FORMAT_VERSION, Page, Table, signed
from vlmbench_plugin.core import Json
from vlmbench_plugin.errors import UnknownNameError, UsageError
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.published import Beside, Published, beside_published
from vlmbench_plugin.report.tables import NONE, percent, score, speed, title
from vlmbench_plugin.sides import Side

_FIGURES = ("labeler_score", "native_valid", "constrained_valid", "tokens_per_sec")


def compare_published(side: Side, model: str | None) -> Page:
    """Sets a run beside the published figures of the models of the same name.

    Args:
        side: The run.
        model: The published model that its only model is set beside, whatever its name; None for
            the ones of the same names.

    Raises:
        UnknownNameError: If no figures of such a model were published.
        UsageError: If the run has no model that was published, or several for the one named.
    """
    published = Published.load()
    names = _names(side, model, published)
    rows = aggregate(side.records, categories=CATEGORIES, models=tuple(MODELS))
    beside = beside_published(rows, published, lambda name: names.get(name, ""))
    board = [
        row
        for row in leaderboard(rows, MODELS)
        if names.get(row.model, "") in published.ranking and not row.incomplete
    ]
    whole = [row for row in board if {r.category for r in rows} == set(published.yields)]
    return Page(
        above=(
            side.sentence("Run"),
            f"Published: {published.source}",
            (
                f"Other images, {published.images} per task, so nothing is paired: the interval "
                "takes each published score for 0 or 1, at worst. The grid does not state its "
                "mode; both of the run's are shown."
            ),
        ),
        tables=tuple(_tables(beside, whole, names, published)),
        below=(*_below(beside, whole, side), *side.notes),
        content={
            "format_version": FORMAT_VERSION,
            "run": {"name": side.name, "model": side.model},
            "published": published.source,
            "yields": [dataclasses.asdict(one) for one in beside],
            "figures": [_figures(row, names, published) for row in whole],
            "notes": list(side.notes),
        },
    )


def _names(side: Side, model: str | None, published: Published) -> dict[str, str]:
    """Returns the run's models, each with the published name that it is set beside."""
    if model is not None:
        if model not in published.ranking:
            raise UnknownNameError("published model", model, tuple(published.ranking))
        if len(side.models) != 1:
            raise UsageError(
                f"expected one model to set beside {model}, got {', '.join(side.models)}",
                hint="FOLDER:MODEL chooses one",
            )
        return {side.models[0]: model}
    found = {name: name for name in side.models if name in published.ranking}
    if not found:
        raise UsageError(
            f"expected a model of the write-up, got {', '.join(side.models) or 'no record'}; it "
            f"has {', '.join(published.ranking)}",
            hint="published:MODEL sets a model of another name beside one of those",
        )
    return found


def _tables(
    beside: tuple[Beside, ...],
    whole: list[LeaderboardRow],
    names: dict[str, str],
    published: Published,
) -> list[Table]:
    header = ("model", "category", "mode", "n", "published", "run", "run - published", "differs")
    parts = (
        ("Mean over tasks", [one for one in beside if one.category is None]),
        ("By task", [one for one in beside if one.category is not None]),
    )
    tables = [
        Table(title=name, header=header, lines=tuple(map(_line, found)), names=3)
        for name, found in parts
        if found
    ]
    if whole:
        head = ("model", "", "labeler", "native valid", "constr valid", "tok/s", "bucket")
        lines = []
        for row in whole:
            there = published.ranking[names[row.model]]
            lines.append(_figure_line(title(row.model, row.reasoning), "run", _of(row), row.bucket))
            lines.append(_figure_line("", "published", there, there["bucket"]))
        tables.append(Table(title="All tasks", header=head, lines=tuple(lines), names=2))
    return tables


def _line(one: Beside) -> tuple[str, ...]:
    apart = one.interval[0] > 0 or one.interval[1] < 0
    return (
        title(one.model, one.reasoning),
        one.category or f"{one.tasks} tasks",
        one.mode,
        str(one.n),
        score(one.published),
        score(one.reached),
        signed(one.difference, one.interval),
        ("higher" if one.difference > 0 else "lower") if apart else NONE,
    )


def _of(row: LeaderboardRow) -> dict[str, Json]:
    return {name: getattr(row, name) for name in _FIGURES}


def _figure_line(
    name: str, whose: str, found: Mapping[str, Json], bucket: str | None
) -> tuple[str, ...]:
    return (
        name,
        whose,
        score(found["labeler_score"]),
        percent(found["native_valid"]),
        percent(found["constrained_valid"]),
        speed(found["tokens_per_sec"]),
        bucket or NONE,
    )


def _figures(row: LeaderboardRow, names: dict[str, str], published: Published) -> dict[str, Json]:
    there = published.ranking[names[row.model]]
    return {
        "model": row.model,
        "reasoning": row.reasoning,
        "run": _of(row),
        "published_model": names[row.model],
        "published": {name: there[name] for name in _FIGURES},
    }


def _below(beside: tuple[Beside, ...], whole: list[LeaderboardRow], side: Side) -> list[str]:
    found = [
        (
            "differs = the run's yield is shown to be higher or lower: the interval leaves 0 out. "
            "Prompts, bounds and scorers are others too: docs/differences.md lists them."
        )
    ]
    if not beside:
        found.append("No yields by task were published of these models.")
    if not whole:
        found.append(
            "Labeler score, validity and speed are published over all fifteen tasks; this run has "
            "no published model that is complete in them, so they are not set beside it."
        )
    odd = sorted(set(side.models) - {one.model for one in beside})
    if odd and beside:
        found.append(f"Without published yields: {', '.join(odd)}.")
    return found

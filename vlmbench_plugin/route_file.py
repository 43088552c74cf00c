"""``route.json``: all that one needs to label as the best models of a run do.

``docs/results-format.md`` defines each field and labels with it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vlmbench_plugin import __version__
from vlmbench_plugin.core import Json, ModelSpec, VisionTask
from vlmbench_plugin.findings import Router
from vlmbench_plugin.models import GB
from vlmbench_plugin.record import Record
from vlmbench_plugin.report.heading import NO_MODEL
from vlmbench_plugin.route_entries import labeler_name, labelers
from vlmbench_plugin.routing import routers
from vlmbench_plugin.settings import OWN, Settings

ROUTE = "route.json"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked of a route.

    Attributes:
        max_models: The most models of a router.
        max_vram: GB that the weights of one model may take; None for any.
        price_per_hour: Of the machine; None for no money.
    """

    max_models: int = 2
    max_vram: float | None = None
    price_per_hour: float | None = None


def route_document(
    records: Iterable[Record],
    tasks: Mapping[str, VisionTask],
    specs: Mapping[str, ModelSpec],
    settings: Settings,
    wanted: Wanted,
) -> dict[str, Json]:
    """Returns the content of ``route.json``: plain values.

    Args:
        records: All records of a folder.
        tasks: Category -> task; a category without one is left out, and named.
        specs: Model name -> its entry.
        settings: Those of the run: pixel cap and budgets.
        wanted: What is asked of the route.
    """
    records = tuple(records)
    left_out = _left_out(records, tasks, specs, wanted.max_vram)
    kept = [r for r in records if r.model not in left_out and r.category not in left_out]
    found = routers(kept, max_models=wanted.max_models)
    best = [
        one
        for category in sorted({record.category for record in kept})
        for one in routers([r for r in kept if r.category == category], max_models=1)
    ]
    used = {(choice, name) for one in (*found, *best) for name, choice in one.tasks.items()}
    return {
        "format_version": FORMAT_VERSION,
        "package": {"name": "qwen-vlmbench", "version": __version__},
        "datasets": sorted({record.dataset for record in kept}),
        "runners": sorted({record.runner for record in kept}),
        "illustration": any(record.source != OWN for record in kept),
        "asked": dataclasses.asdict(wanted),
        "left_out": left_out,
        "tasks": {
            name: {
                "labeler": labeler_name(choice, name),
                "yield": one.naive,
                "held_out": one.held_out,
                "held_out_interval": _plain(one.held_out_interval),
            }
            for one in best
            for name, choice in one.tasks.items()
        },
        "routers": [_router(one) for one in found],
        "labelers": labelers(
            kept, used, tasks, specs, settings, price_per_hour=wanted.price_per_hour
        ),
    }


def as_json(document: Mapping[str, Json]) -> str:
    """Returns the text of ``route.json``."""
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def route_lines(document: Mapping[str, Json]) -> list[str]:
    """Returns a route in words: the routers, then each task's best labeler."""
    without = [name for name in document["runners"] if name in NO_MODEL]
    lines = [f"No model ran for answers of: {', '.join(without)}"] if without else []
    lines += [_router_line(router) for router in document["routers"]]
    lines += ["", "Best labeler of each task"]
    for category, best in document["tasks"].items():
        labeler = document["labelers"][best["labeler"]]
        held_out = _yield(best["held_out"], best["held_out_interval"])
        lines.append(f"  {category}: {best['labeler']}, held-out yield {held_out}")
        lines += [f"    by {one['order']}: {one['said']}" for one in labeler["acceptance"]]
        if labeler["differs"]:
            lines.append(f"    not as it was measured: {', '.join(labeler['differs'])}")
    lines += [f"Left out: {name}: {why}" for name, why in document["left_out"].items()]
    return lines


def _router_line(router: Mapping[str, Json]) -> str:
    names, most = " + ".join(router["models"]), router["max_models"]
    line = f"At most {most}: {names}, held-out yield "
    line += _yield(router["held_out"], router["held_out_interval"])
    if most == 1:
        return line.replace("At most 1", "Best single model")
    if router["gain"] is None:
        return f"{line}; its gain is not known: not recommended"
    low, high = router["gain_interval"]
    said = "recommended" if router["recommended"] else "not recommended, it may gain nothing"
    return f"{line}; gain {router['gain']:+.3f} ({low:+.3f} to {high:+.3f}): {said}"


def _yield(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None or interval is None:
        return "unknown (too few images)"
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


def _plain(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _router(router: Router) -> dict[str, Json]:
    return {
        "max_models": router.max_models,
        "models": list(router.models),
        "tasks": {name: labeler_name(choice, name) for name, choice in router.tasks.items()},
        "yield": router.naive,
        "held_out": router.held_out,
        "held_out_interval": _plain(router.held_out_interval),
        "gain": router.gain,
        "gain_interval": _plain(router.gain_interval),
        "recommended": router.recommended,
    }


def _left_out(
    records: Iterable[Record],
    tasks: Mapping[str, VisionTask],
    specs: Mapping[str, ModelSpec],
    max_vram: float | None,
) -> dict[str, str]:
    """Returns the models and categories that no route can use, and why."""
    reasons = {}
    for record in records:
        if record.category not in tasks:
            reasons[record.category] = "its task is not known here"
        weights = specs[record.model].weight_bytes if record.model in specs else None
        if max_vram is not None and weights is None:
            reasons[record.model] = "the size of its weights is not known"
        elif max_vram is not None and weights is not None and weights > max_vram * GB:
            reasons[record.model] = f"its weights take {weights / GB:.3g} GB"
    return dict(sorted(reasons.items()))

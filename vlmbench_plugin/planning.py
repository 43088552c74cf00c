"""What a labeling job would take, as figures that tell where they come from.

Nothing here is guessed: a figure that cannot be known is unknown and says why, one that is known
from one side only is a bound. ``run_plan`` and ``spec_plan`` make plans.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from vlmbench_plugin.core import Json, ModelSpec
from vlmbench_plugin.errors import UsageError
from vlmbench_plugin.models import WEIGHTS
from vlmbench_plugin.visual_tokens import Sizes, Spread, processor_of

HOUR = 3600
NAMED = 5
"""Unreadable files that the text names."""
KEPT = "weights, all models"
CLEARED = "weights, one model at a time (--clear-cache-after-model)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number, or what is known of it.

    Attributes:
        low: It is at least this; None where nothing is known.
        high: It is at most this; None where no bound is known.
        source: Where it is from, or why it is not known.
    """

    low: float | None
    high: float | None
    source: str

    def times(self, factor: float) -> Figure:
        """Returns so many times this figure; ``factor`` is not negative."""
        low = None if self.low is None else self.low * factor
        high = None if self.high is None else self.high * factor
        return Figure(low=low, high=high, source=self.source)


def known(value: float, source: str) -> Figure:
    """Returns a figure that is one number."""
    return Figure(low=value, high=value, source=source)


def at_most(value: float, source: str) -> Figure:
    """Returns a figure of which a bound is known."""
    return Figure(low=0, high=value, source=source)


def unknown(reason: str) -> Figure:
    """Returns a figure of which nothing is known."""
    return Figure(low=None, high=None, source=reason)


def total(figures: Iterable[Figure], source: str | None = None) -> Figure:
    """Adds figures of things that cannot be negative.

    Returns:
        The sum; ``at least`` the known ones where some are unknown, unknown where all are.

    Args:
        figures: At least one.
        source: Of the known ones, in place of their own; reasons for what is unknown join it.
    """
    figures = tuple(figures)
    lows = [figure.low for figure in figures if figure.low is not None]
    highs = [figure.high for figure in figures if figure.high is not None]
    told = [f.source for f in figures if source is None or f.low is None]
    if source is not None and lows:
        told = [source, *told]
    return Figure(
        low=sum(lows) if lows else None,
        high=sum(highs) if len(highs) == len(figures) else None,
        source="; ".join(dict.fromkeys(told)),
    )


def largest(figures: Iterable[Figure]) -> Figure:
    """Returns the largest of several figures; at least the largest known where some are unknown."""
    figures = tuple(figures)
    lows = [figure.low for figure in figures if figure.low is not None]
    highs = [figure.high for figure in figures if figure.high is not None]
    return Figure(
        low=max(lows) if lows else None,
        high=max(highs) if len(highs) == len(figures) else None,
        source="; ".join(dict.fromkeys(figure.source for figure in figures)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Figures of one (model, reasoning, category, mode), or of several: None stands for all."""

    figures: Mapping[str, Figure]
    model: str | None = None
    reasoning: str | None = None
    category: str | None = None
    mode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a plan is asked for.

    Attributes:
        images: To be labeled by each model, category and mode.
        models: Empty for all of a run.
        categories: Empty for all.
        modes: Empty for all.
        tokens_per_second: Output tokens of all answers together, as the user states it.
        sizes: The user's images.
    """

    images: int
    models: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    tokens_per_second: float | None = None
    sizes: Sizes | None = None

    def __post_init__(self) -> None:
        if self.images < 1:
            raise UsageError(f"expected at least one image, got --images {self.images}")
        if self.tokens_per_second is not None and self.tokens_per_second <= 0:
            raise UsageError(
                f"expected more than 0 tokens a second, got {self.tokens_per_second:g}"
            )

    def stated(self) -> str:
        """Returns the source of hours that follow from a stated throughput."""
        return f"assumed: {self.tokens_per_second:,g} output tokens/s, as stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a job would take.

    Attributes:
        basis: What the plan is made from.
        measured: What a run took, a row per (model, reasoning, category, mode); empty without.
        rows: What the job would take, of the same kind.
        totals: The sum of each model and mode, and of all.
        disk: Bytes, by what they are for.
        visual: Tokens of one of the user's images, by model; mean and 95th percentile.
        sizes: The user's images.
        notes: What else must be known, a sentence each.
    """

    basis: str
    rows: tuple[Row, ...]
    disk: Mapping[str, Figure]
    notes: tuple[str, ...]
    totals: tuple[Row, ...] = ()
    measured: tuple[Row, ...] = ()
    visual: Mapping[str, Mapping[str, Figure]]
    sizes: Sizes | None = None

    def to_json(self) -> dict[str, Json]:
        """Returns plain values: all figures, unrounded."""
        plain = asdict(self)
        if self.sizes is not None:
            del plain["sizes"]["sent"]
            plain["sizes"]["looked_at"] = self.sizes.looked_at
        return plain


def sums(
    rows: Sequence[Row], sources: Mapping[str, Mapping[str, str]] = MappingProxyType({})
) -> tuple[Row, ...]:
    """Returns a row per (model, reasoning, mode) in order of appearance, and one of all.

    Args:
        rows: At least one, all with the same figures.
        sources: Model -> figure -> the source of what is known of it; where there is none, those
            of the rows.
    """
    groups: dict[tuple[str | None, str | None, str | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.model, row.reasoning, row.mode), []).append(row)
    found = [
        Row(
            model=model,
            reasoning=reasoning,
            mode=mode,
            figures=_added(group, sources.get(model or "", {})),
        )
        for (model, reasoning, mode), group in groups.items()
    ]
    return (*found, Row(figures=_added(found, {})))


def _added(rows: Sequence[Row], sources: Mapping[str, str]) -> dict[str, Figure]:
    return {
        name: total((row.figures[name] for row in rows), sources.get(name))
        for name in rows[0].figures
    }


def visual_figures(
    specs: Iterable[ModelSpec], sizes: Sizes | None
) -> dict[str, Mapping[str, Figure]]:
    """Returns the tokens of one of the user's images, by model."""
    if sizes is None:
        return {}
    found: dict[str, Mapping[str, Figure]] = {}
    for spec in specs:
        processor = processor_of(spec)
        spread = Spread.of([processor.tokens(sent) for sent in sizes.sent])
        source = f"{len(sizes.sent)} images of {sizes.folder}; {processor.source}"
        found[spec.name] = {"mean": known(spread.mean, source), "p95": known(spread.p95, source)}
    return found


def weights(specs: Iterable[ModelSpec], served: Container[str] = ()) -> dict[str, Figure]:
    """Returns the bytes of the weights: all kept, and with one model at a time.

    Args:
        specs: At least one model.
        served: Names of those that a server holds.
    """
    found = [
        known(0, f"{spec.name}: a server holds it") if spec.name in served else _weights_of(spec)
        for spec in specs
    ]
    return {KEPT: total(found), CLEARED: largest(found)}


def with_peak(disk: Mapping[str, Figure]) -> dict[str, Figure]:
    """Adds what the disk must hold at once where each model's weights are deleted after it."""
    needed = [figure for name, figure in disk.items() if name != KEPT]
    return {
        **disk,
        "all, one model at a time": total(
            needed, "the results, the small images and the largest model"
        ),
    }


def _weights_of(spec: ModelSpec) -> Figure:
    if spec.weight_bytes is not None:
        return known(spec.weight_bytes, f"{spec.name}: size of its checkpoint")
    folder = Path(spec.hub_id)
    files = [path for pattern in WEIGHTS for path in folder.glob(pattern)]
    if not files:
        return unknown(f"{spec.name}: no size of its checkpoint is known")
    return known(sum(path.stat().st_size for path in files), f"{spec.name}: files of {folder}")


def size_notes(sizes: Sizes | None) -> list[str]:
    """Says what was seen of the user's images."""
    if sizes is None:
        return []
    noun = "all" if sizes.looked_at == sizes.images else f"a seeded sample of {sizes.looked_at:,}"
    seen = f"{sizes.images:,} files with an image's ending, {sizes.others:,} without"
    how = f"looked at the headers of {noun}, EXIF rotation and the pixel cap applied"
    notes = [f"{sizes.folder}: {seen}; {how}."]
    if sizes.unreadable:
        named = "; ".join(f"{name} ({reason})" for name, reason in sizes.unreadable[:NAMED])
        more = len(sizes.unreadable) - NAMED
        rest = f"; and {more} more, which --json names" if more > 0 else ""
        count = f"{len(sizes.unreadable)} of {sizes.looked_at}"
        notes.append(f"Left out of the sizes, {count} that cannot be asked about: {named}{rest}.")
    return notes

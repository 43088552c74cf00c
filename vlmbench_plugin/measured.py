"""What a run's items took, and what as many more would take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vlmbench_plugin.core import ModelSpec
from vlmbench_plugin.planning import HOUR, Asked, Figure, Row, known, total, unknown
from vlmbench_plugin.record import Record
from vlmbench_plugin.visual_tokens import Spread, processor_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """Tokens of one prompt.

    Attributes:
        image: Those of its image.
        whole: All, of the images to come.
        measured: All, mean of the run's own; None where it does not tell.
    """

    image: Figure
    whole: Figure
    measured: float | None


def _between(spread: Spread, source: str) -> Figure:
    return Figure(low=spread.p5, high=spread.p95, source=source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What a run did for one (model, reasoning, category, mode).

    Attributes:
        folder: The run's.
        machine: Where the model ran, as a source names it.
        spec: The model.
        records: At least one, errors included.
    """

    folder: Path
    machine: str
    spec: ModelSpec
    records: tuple[Record, ...]

    def tokens(self) -> list[int]:
        """Returns the output tokens of each item that tells them."""
        return [one.output_tokens for one in self.records if one.output_tokens is not None]

    def seconds(self) -> list[float]:
        """Returns the busy seconds of each item that tells them; no answer takes none."""
        return [one.busy_s for one in self.records if one.busy_s]

    def errors(self) -> int:
        """Returns how many items the harness failed on."""
        return sum(record.status == "error" for record in self.records)

    def row(self, figures: Mapping[str, Figure]) -> Row:
        """Returns figures as those of this cell."""
        one = self.records[0]
        return Row(
            model=one.model,
            reasoning=one.reasoning,
            category=one.category,
            mode=one.mode,
            figures=figures,
        )

    def source(self) -> str:
        """Returns the sentence that stands behind the cell's figures."""
        seconds = self.seconds()
        if not seconds:
            return self._lacks("seconds")
        rate = len(seconds) / math.fsum(seconds)
        return (
            f"from {self.folder}: {len(seconds):,} items at {rate:.3g} items/s on {self.machine}, "
            f"{self._batch()}"
        )

    def _lacks(self, what: str) -> str:
        return (
            f"unknown: none of {len(self.records)} items in {self.folder}, {self.errors()} of them "
            f"errors, tells its {what}"
        )

    def _batch(self) -> str:
        low, high = self._batches()
        if low is None:
            return "batch size not told"
        return f"batch {low}" if low == high else f"batches of {low} to {high}"

    def _batches(self) -> tuple[int | None, int | None]:
        sizes = [record.batch_size for record in self.records if record.batch_size is not None]
        return (min(sizes), max(sizes)) if sizes else (None, None)

    def measured(self) -> dict[str, Figure]:
        """Returns what the items took."""
        source, tokens, seconds = self.source(), self.tokens(), self.seconds()
        low, high = self._batches()
        both = [
            (one.output_tokens, one.busy_s)
            for one in self.records
            if one.output_tokens is not None and one.busy_s
        ]
        busy = math.fsum(taken for _, taken in both)
        mean = sum(count for count, _ in both) / busy if both else None
        rate = Spread.of([count / taken for count, taken in both]) if both else None
        count = Spread.of(tokens) if tokens else None
        no_tokens = unknown(self._lacks("output tokens"))
        no_rate = unknown(self._lacks("output tokens and seconds"))
        return {
            "items": known(len(self.records) - self.errors(), f"from {self.folder}"),
            "errors": known(self.errors(), f"from {self.folder}"),
            "batch": Figure(low=low, high=high, source=source),
            "output_tokens_per_item": known(count.mean, source) if count else no_tokens,
            "output_tokens_per_item_5_95": _between(count, source) if count else no_tokens,
            "tokens_per_second": no_rate if mean is None else known(mean, source),
            "tokens_per_second_5_95": _between(rate, source) if rate else no_rate,
            "items_per_second": (
                known(len(seconds) / math.fsum(seconds), source) if seconds else unknown(source)
            ),
        }

    def planned(self, asked: Asked, visual: Mapping[str, Figure] | None) -> dict[str, Figure]:
        """Returns what so many images would take.

        Args:
            asked: What is to be planned.
            visual: Tokens of one of the user's images; None for images like the run's own.
        """
        prompts, tokens = self._prompts(visual), self.tokens()
        output = unknown(self._lacks("output tokens"))
        if tokens:
            output = known(sum(tokens) / len(tokens), self.source())
        per_item = {
            "items": known(1, "as asked"),
            "image_tokens": prompts.image,
            "prompt_tokens": prompts.whole,
            "output_tokens": output,
            "hours": self._hours(asked, output, prompts),
        }
        return {name: figure.times(asked.images) for name, figure in per_item.items()}

    def _prompts(self, visual: Mapping[str, Figure] | None) -> Prompts:
        processor = processor_of(self.spec)
        scored = [record for record in self.records if record.status != "error"]
        if not scored:
            nothing = unknown(self._lacks("prompt tokens"))
            image = nothing if visual is None else visual["mean"]
            return Prompts(image=image, whole=nothing, measured=None)
        own = [processor.tokens((r.sent_size[0], r.sent_size[1])) for r in scored]
        image = (
            known(sum(own) / len(own), f"the images of {self.folder}; {processor.source}")
            if visual is None
            else visual["mean"]
        )
        told = [
            (record.prompt_tokens, seen)
            for record, seen in zip(scored, own, strict=True)
            if record.prompt_tokens is not None
        ]
        if not told:
            reason = f"the runner of {self.folder} does not tell the tokens of a prompt"
            return Prompts(image=image, whole=unknown(reason), measured=None)
        mean = sum(count for count, _ in told) / len(told)
        if visual is None:
            return Prompts(image=image, whole=known(mean, self.source()), measured=mean)
        if any(seen >= count for count, seen in told):
            reason = (
                f"prompts of {self.folder} are shorter than their images as {processor.source}: "
                "the model scales images by other rules"
            )
            return Prompts(image=unknown(reason), whole=unknown(reason), measured=mean)
        text = sum(count - seen for count, seen in told) / len(told)
        source = f"text: {self.source()}; images: {image.source}"
        return Prompts(image=image, whole=total((known(text, ""), image), source), measured=mean)

    def _hours(self, asked: Asked, output: Figure, prompts: Prompts) -> Figure:
        """Returns the hours of one image."""
        if asked.tokens_per_second is not None:
            hours_each = output.times(1 / asked.tokens_per_second / HOUR)
            return hours_each if output.low is None else replace(hours_each, source=asked.stated())
        seconds = self.seconds()
        if not seconds:
            return unknown(self.source())
        hours = math.fsum(seconds) / len(seconds) / HOUR
        if asked.sizes is None:
            return known(hours, self.source())
        if prompts.whole.low is None or prompts.measured is None:
            return known(hours, f"at the run's own image sizes: {self.source()}")
        scaled = hours * prompts.whole.low / prompts.measured
        return Figure(
            low=min(hours, scaled),
            high=max(hours, scaled),
            source=f"between as long as at the run's own image sizes and as if all time grew with "
            f"the prompt; {self.source()}",
        )

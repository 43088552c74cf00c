"""What must be read before a table and below it: where the figures come from, and their limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vlmbench_plugin.aggregate import LeaderboardRow, MetricsRow
from vlmbench_plugin.cells import JOINT, SHIP_LABELER, SHIP_ROBUSTNESS
from vlmbench_plugin.core import Mode
from vlmbench_plugin.report.tables import title
from vlmbench_plugin.settings import BLIND_SUFFIX, OWN
from vlmbench_plugin.stats import half_width

FEW = 30
"""Below this many images per task the heading warns: a yield is then known to +-0.18 at best."""

_DATASETS = {
    "synthetic": "drawn scenes, not your images",
    "smoke": "a few packaged cases per task: a check of the installation, not a measurement",
    "full": "public photographs for classification, grounding, OCR and questions, drawn scenes for "
    "the rest; models may have been trained on public sets",
    "real": "public photographs for every task that has them; models may have been trained on them",
}
NO_MODEL = {"stub": "stub answers", "replay": "answers replayed from an earlier run"}
"""Runner -> what it gives instead of a model's answers."""
_RULES = {
    "closed": "closed (the prompt lists the names)",
    "open": "open (free names, matched tolerantly)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The facts that a reader needs before the first number.

    Attributes:
        datasets: As asked for, by name.
        sources: Where the images come from.
        runners: What answered.
        vocabularies: The rules for labels; empty where no task has names.
        toys: Models that are toys.
        n: The smallest and the largest number of scored items in a cell that has any; None where
            nothing has been scored.
        ranking_mode: The mode that ranks; None without rows.
        left_out: Records of images that not all models have, which no table counts.
    """

    datasets: tuple[str, ...]
    sources: tuple[str, ...]
    runners: tuple[str, ...]
    vocabularies: tuple[str, ...]
    toys: tuple[str, ...]
    n: tuple[int, int] | None
    ranking_mode: Mode | None
    left_out: int = 0

    @classmethod
    def of(
        cls, board: Sequence[LeaderboardRow], rows: Sequence[MetricsRow], *, left_out: int = 0
    ) -> Heading:
        """Returns the facts that the rows themselves tell, so that a whole folder is covered."""
        sizes = [row.n for row in rows if row.n]
        return cls(
            datasets=_parts(row.dataset for row in rows),
            sources=_parts(row.source for row in rows),
            runners=_parts(row.runner for row in rows),
            vocabularies=_parts(row.vocabulary for row in rows),
            toys=tuple(title(row.model, row.reasoning) for row in board if row.toy),
            n=(min(sizes), max(sizes)) if sizes else None,
            ranking_mode=board[0].ranking_mode if board else None,
            left_out=left_out,
        )

    def sentences(self) -> list[str]:
        """Returns what stands above the table, the gravest first."""
        found = [
            f"No model ran: {NO_MODEL[runner]}."
            if len(self.runners) == 1
            else f"For some figures no model ran: {NO_MODEL[runner]}."
            for runner in self.runners
            if runner in NO_MODEL
        ]
        found += [_dataset(name) for name in self.datasets]
        plain = tuple(name.removesuffix(BLIND_SUFFIX) for name in self.datasets)
        if self.sources and self.sources != plain:
            found.append(f"Image sources: {', '.join(self.sources)}.")
        if OWN in self.sources:
            found.append("These are your images and labels: the folder holds copies of both.")
        if self.toys:
            found.append(f"Toys, far too small for these tasks: {', '.join(self.toys)}.")
        rules = [_RULES.get(rule, rule) for rule in self.vocabularies]
        if rules:
            found.append(f"Vocabulary: {' and '.join(rules)}.")
        if self.left_out:
            found.append(
                "Models are compared on the images that all of them have: "
                f"{self.left_out} records of other images are left out (metrics.jsonl has them)."
            )
        return found + self._sizes()

    def _sizes(self) -> list[str]:
        if self.n is None:
            return ["No item has been scored."]
        low, high = self.n
        said = f"n = {low}" if low == high else f"n = {low} to {high}"
        found = [f"{said} per task: one yield is known to about +-{half_width(low):.2f}."]
        if low < FEW:
            found.append(
                "Few images: do not call one model better than another on one task by these."
            )
        return found


def _dataset(name: str) -> str:
    plain = name.removesuffix(BLIND_SUFFIX)
    what = _DATASETS.get(plain)
    said = f"Data set {plain}: {what}." if what else f"Data set {plain}."
    if plain == name:
        return said
    return f"BLIND: every image was replaced by a grey one, nothing here was seen. {said}"


def legend(board: Sequence[LeaderboardRow]) -> list[str]:
    """Returns what stands below the table: what the words mean, and who is not ranked."""
    if not board:
        return []
    mode = board[0].ranking_mode
    found = [
        f"Ranked by labeler = accuracy x validity x robustness in {mode}"
        + ("." if mode == "json_mode" else ": this run has no json_mode."),
        (
            "Yield = accuracy x validity: the mean score over all images, 0 where the answer is "
            "invalid. The share of passed items is not the yield. [low, high] = 95 % interval "
            "over images."
        ),
        (
            "rank (first-last) = the ranks that this run allows the model, from one paired test of "
            "all pairs by clean yield: yield in which JSON with text around it earns 0. r/s/c = of "
            "100 items: right; silent, valid and wrong, so that nobody notices; caught, invalid, "
            "so that it can be asked again."
        ),
        (
            "n/a = not one valid answer; it counts as 0 in the mean. Floor = what the best blind "
            "answer earns; ~ = not shown to be better than that. json = json_mode, constr = "
            "constrained; best = the mode of the higher yield; native -> constr = valid answers "
            "in each. tok/s = throughput: tokens of answers that were generated together, over the "
            "model's seconds; only with --batch-size 1 it is the speed of a single stream."
        ),
        (
            f"ship = robust JSON (>= {SHIP_ROBUSTNESS:.0%}) in every category and labeler >= "
            f"{SHIP_LABELER:.2f}. It is about form: labels can still be wrong."
        ),
    ]
    found += _wrong(board)
    found += [
        f"Incomplete, not ranked: {title(row.model, row.reasoning)} ({'; '.join(row.incomplete)})."
        for row in board
        if row.incomplete
    ]
    return found


def _wrong(board: Sequence[LeaderboardRow]) -> list[str]:
    """Says how many delivered labels are wrong: of each ``ship``, else of the first model."""
    named = [row for row in board if row.bucket == "ship"] or list(board[:1])
    return [
        f"Of 100 valid answers of {title(row.model, row.reasoning)}, about "
        f"{100 * row.wrong_labels:.0f} would be wrong labels that nobody notices."
        for row in named
        if row.wrong_labels is not None
    ]


def _parts(joined: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({name for names in joined if names for name in names.split(JOINT)}))

"""The nouns of the benchmark as frozen values. Start reading here.

A *case* (one image with its truth) becomes a *request* (what a runner may see), the runner returns
a *generation* (raw text), reading it gives *parsed*, scoring gives a *score*, and all of it ends as
one *record*: one line of ``results.jsonl`` (``record.py``). What the user asked for is
``settings.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from PIL.Image import Image

    from vlmbench_plugin.nodes import Node
    from vlmbench_plugin.sources import Source
    from vlmbench_plugin.thinking import Thinking

Json: TypeAlias = Any
"""A value that ``json.dumps`` takes: dict, list, str, int, float, bool, None."""

Answer: TypeAlias = Mapping[str, Json]
Truth: TypeAlias = Mapping[str, Json]
Vocabulary: TypeAlias = Mapping[str, tuple[str, ...]]
"""Vocabulary key (as named by a label or choice node) -> the names that a source declares."""

Mode = Literal["json_mode", "constrained"]
MODES: tuple[Mode, ...] = get_args(Mode)

Frame = Literal["norm_0_1000", "pixel_resized", "norm_0_1", "pixel"]
FRAMES: tuple[Frame, ...] = get_args(Frame)

Status = Literal["passed", "missed", "error"]
ParseStatus = Literal["clean", "fenced", "prose", "none"]
FinishReason = Literal["stop", "length", "loop"]
Constraint = Literal["none", "grammar", "json_schema"]
VocabularyRule = Literal["closed", "open"]
Difficulty = Literal["easy", "medium", "hard"]
DIFFICULTIES: tuple[Difficulty, ...] = get_args(Difficulty)

Failure = Literal[
    "empty", "looping", "truncated", "not_json", "bare_array", "native_schema", "missing_field",
    "extra_field", "wrong_type", "out_of_range", "wrong_frame", "wrong_answer",
]  # fmt: skip
FAILURES: tuple[Failure, ...] = get_args(Failure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One image with its ground truth.

    Attributes:
        category: The task's name.
        image_id: Unique within (source, category).
        source: Where the image comes from, such as "synthetic" or "photo".
        index: Position in the case list.
        size: Width and height in pixels, EXIF rotation applied.
        truth: The task's fields, and extras; coordinates in pixels, boxes x1 y1 x2 y2.
        image: Draws or decodes the RGB image on demand.
        question: The per-image part of the prompt, or None.
        vocabulary: The names that the source declares, by vocabulary key.
        difficulty: Of a drawn scene; None for a photograph.
        revision: The commit of a public data set, the hash of one's own image and its label; None
            where the package decides.
    """

    category: str
    image_id: str
    source: str
    index: int
    size: tuple[int, int]
    truth: Truth
    image: Callable[[], Image]
    question: str | None = None
    vocabulary: Vocabulary = field(default_factory=dict)
    difficulty: Difficulty | None = None
    revision: str | None = None

    @property
    def identity(self) -> Identity:
        """What tells this case from every other one that a stored answer may belong to."""
        drawn = self.difficulty is not None
        return Identity(
            source=self.source,
            image_id=self.image_id,
            vocabulary=self.vocabulary,
            revision=self.revision,
            asked=None if drawn else (self.question, self.size),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What decides a case, which a source can tell without building it.

    Attributes:
        source: As in ``Case``.
        image_id: As in ``Case``.
        vocabulary: As in ``Case``.
        revision: As in ``Case``.
        asked: Question and size; None where the image's id and the task's version decide both, as
            in a drawn scene.
    """

    source: str
    image_id: str
    vocabulary: Vocabulary
    revision: str | None
    asked: tuple[str | None, tuple[int, int]] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """All that a runner gets to see: never the task, never the truth.

    Attributes:
        id: Unique within the run: model, category, mode, and case.
        image: The RGB image, already capped at the run's pixel limit.
        messages: Chat messages; an image part is ``{"type": "image"}``, a text part
            ``{"type": "text", "text": ...}``.
        mode: ``json_mode`` generates freely; ``constrained`` must obey ``grammar``.
        grammar: The GBNF grammar of a legal answer.
        json_schema: The JSON Schema of a legal answer.
        budget: The most tokens of the answer, the stop token included.
        thinking: How to think before it; None to answer at once.
    """

    id: str
    image: Callable[[], Image]
    messages: tuple[Mapping[str, Json], ...]
    mode: Mode
    grammar: str
    json_schema: Mapping[str, Json]
    budget: int
    thinking: Thinking | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What a runner gives back for one request; None is unknown.

    Attributes:
        text: The raw text without the stop token.
        finish_reason: The model (``stop``), the budget, or the runner ended it (``loop``).
        constraint: What really held the answer, which may be less than was asked.
        prompt_tokens: Tokens of the prompt, image tokens included.
        output_tokens: Tokens generated, the stop token and thinking included.
        thinking_tokens: Those of them spent before the answer.
        thinking_forced: Whether the end of thinking was written for the model.
        busy_s: This item's share of the model's seconds; adds up to wall time over all items.
        latency_s: Seconds that this one item waited.
        batch_size: Items generated together.
        value_logprob: Mean and minimum log probability of leaf values' tokens, before any mask.
    """

    text: str
    finish_reason: FinishReason
    constraint: Constraint
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    thinking_tokens: int | None = None
    thinking_forced: bool | None = None
    busy_s: float | None = None
    latency_s: float | None = None
    batch_size: int | None = None
    value_logprob: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """The outcome of reading raw text: how a JSON value was reached, or why there is none.

    ``value`` is None where ``status`` is ``none``; a JSON null is told apart by its status.
    """

    status: ParseStatus
    value: Json
    failure: Failure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One item's score.

    Attributes:
        primary: In [0, 1].
        secondary: Named further numbers; None where this item has no such truth.
        label_rule: The label-matching rule that made the labels equal, where one was needed.
    """

    primary: float
    secondary: Mapping[str, float | None] = field(default_factory=dict)
    label_rule: str | None = None


Scorer: TypeAlias = "Callable[[Answer, Truth, Vocabulary], Score]"
"""(answer in pixels, truth, vocabulary) -> score. Pure: a score is recomputed from a record."""

BlindAnswers: TypeAlias = "Callable[[str | None, tuple[int, int], Vocabulary], Sequence[Answer]]"
"""(question, image size, vocabulary) -> answers in pixels that see nothing but the request: the
same strategies in the same order for every case."""

CategoryScorer: TypeAlias = (
    "Callable[[Sequence[tuple[Answer | None, Truth, Vocabulary]]], Mapping[str, float | None]]"
)
"""(answer in pixels, None where invalid; truth; vocabulary) of all images -> named numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionTask:
    """One image-to-JSON job. Nothing outside its module names its fields.

    Attributes:
        category: Its name, also the pytest marker.
        title: One line for tables and documents.
        fields: Field name -> node; the order is the order of the answer's keys.
        prompt: Template with ``{schema}`` and, where they apply, ``{coordinates}``, ``{question}``
            and ``{vocabulary}``.
        score: The scorer.
        ground_truth: Data set name -> source; empty for a task that has one's own data alone.
        answer: Truth -> the right answer in pixels; None where the truth holds the fields as is.
        complete: One's own label, an answer in pixels in which fields that follow from others may
            be missing -> truth. None where the label is the truth.
        extras: What one's own label may hold beside the fields, such as ``ignore`` regions.
        question: Truth -> the question, for one's own data without one; None where none follows.
        confidence: Name of the field, a number, in which a model says how sure it is, or None.
        over_category: Secondary numbers over all images at once, or None.
        blind: Blind answers of the task's own for the floor, or None.
        answer_tokens: Upper bound on the tokens of the longest truth of any source; the free-text
            budget is twice this. A test holds it against the sources.
        right_at: Scores at least this high pass.
        version: Raised whenever prompt, fields or truth change.
        scorer_version: Raised whenever the same answer would score differently.
        overlap: Whether the score is a continuous overlap, which rounding to a frame lowers.
    """

    category: str
    title: str
    fields: Mapping[str, Node]
    prompt: str
    score: Scorer
    answer_tokens: int
    ground_truth: Mapping[str, Source] = field(default_factory=dict)
    answer: Callable[[Truth], Answer] | None = None
    complete: Callable[[Answer], Truth] | None = None
    extras: Mapping[str, Node] = field(default_factory=dict)
    question: Callable[[Truth], str] | None = None
    confidence: str | None = None
    over_category: CategoryScorer | None = None
    blind: BlindAnswers | None = None
    right_at: float = 0.5
    version: int = 1
    scorer_version: int = 1
    overlap: bool = False

    def pixel_answer(self, truth: Truth) -> Answer:
        """Returns the right answer with pixel coordinates."""
        if self.answer is not None:
            return self.answer(truth)
        return {key: truth[key] for key in self.fields if truth.get(key) is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model.

    Attributes:
        name: The name used in options, ids and tables.
        hub_id: Hub id or local folder.
        total_params: Parameters in billions, None where unknown.
        active_params: Those used per token, in billions.
        weight_bytes: Size of the weights, None where unknown.
        frame: In which it states positions.
        revision: Hub revision, None for the default branch.
        thinking: Whether it can think before it answers.
        always_thinks: Whether it cannot do otherwise.
        served_name: A server's name for it, None for ``hub_id``.
        sampling: The model card's sampling for thinking mode.
        toy: Whether tables must call it a toy.
    """

    name: str
    hub_id: str
    frame: Frame
    total_params: float | None = None
    active_params: float | None = None
    weight_bytes: int | None = None
    revision: str | None = None
    thinking: bool = False
    always_thinks: bool = False
    served_name: str | None = None
    sampling: Mapping[str, float] = field(default_factory=dict)
    toy: bool = False

"""What a gate judges: a figure, its 95 % interval, and the images that would decide about a bar.

The images that would decide are those at which the interval leaves the bar outside if the mean and
the spread stay what they are. In one cell the bootstrap distribution of the mean is taken to be a
beta distribution of the same mean and variance (for scores of 0 and 1 it is that one, Jeffreys's).
With mean m and mean square q of n scores in [0, 1], and the two pseudo-images of weight 1/2,

    mean = (n m + 1/2) / (n + 1)        variance = ((n q + 1/2) / (n + 1) - mean^2) / (n + 2)

and n is raised until at most 2.5 % of it lie beyond the bar. Elsewhere the interval's half towards
the bar is taken to shrink with the square root of n.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scipy.special import betainc

from vlmbench_plugin.cells import ImageKey
from vlmbench_plugin.stats import (
    Interval,
    TaskScores,
    cell_interval,
    mean_intervals,
    paired_interval,
)

MOST_IMAGES = 1_000_000
"""A bar that so many images would not decide is as good as equal to the figure."""
RUN_TO_RUN = 0.05
"""Relative standard error of a ratio of speeds that no number of images removes. Ours: two runs of
one command differ by more than the spread of their items tells."""
MIN_TIMED = 8
"""Below so many timed images their spread tells too little of a speed."""
_TAIL = 0.025
_Z = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure.

    Attributes:
        value: The figure.
        interval: Its 95 % interval.
        n: Images that it rests on.
        needed: Bar inside the interval -> images that would decide; None where none would.
    """

    value: float
    interval: Interval
    n: int
    needed: Callable[[float], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Output tokens and seconds of one image in two runs; all above 0."""

    tokens: int
    seconds: float
    old_tokens: int
    old_seconds: float


def share_figure(scores: Sequence[float]) -> Figure | None:
    """Returns the mean of scores in [0, 1], one per image; None of none."""
    interval = cell_interval(scores)
    if interval is None:
        return None
    return Figure(
        value=_mean(scores),
        interval=interval,
        n=len(scores),
        needed=lambda bar: images_needed(scores, bar),
    )


def change_figure(differences: Sequence[float]) -> Figure | None:
    """Returns the mean of paired differences in [-1, 1], one per image; None of none."""
    interval = paired_interval(differences)
    if interval is None:
        return None
    # Halved and moved to [0, 1], where the pseudo-images at -1 and +1 are those at 0 and 1.
    scores = [(difference + 1) / 2 for difference in differences]
    return Figure(
        value=_mean(differences),
        interval=interval,
        n=len(differences),
        needed=lambda bar: images_needed(scores, (bar + 1) / 2),
    )


def mean_figure(per_task: Sequence[Mapping[ImageKey, float]]) -> Figure | None:
    """Returns the mean over tasks, each counting the same; None where a task has no score.

    Args:
        per_task: For each task, image -> its score in [0, 1].
    """
    if not all(per_task):
        return None
    images = sorted({image for scores in per_task for image in scores})
    at = {image: position for position, image in enumerate(images)}
    (interval,) = mean_intervals([TaskScores.of([scores], at) for scores in per_task], len(at))
    value = _mean([_mean(list(scores.values())) for scores in per_task])
    return _by_width(value, interval, sum(map(len, per_task)))


def unpaired_figure(scores: Sequence[float], old: float, old_interval: Interval) -> Figure | None:
    """Returns a yield less an earlier one of which only mean and interval are known.

    Args:
        scores: One score in [0, 1] per image of this run.
        old: The earlier mean.
        old_interval: Its 95 % interval.
    """
    interval = cell_interval(scores)
    if interval is None:
        return None
    new = _mean(scores)
    change = difference_interval(new, interval, old, old_interval)
    return _by_width(new - old, change, len(scores))


def difference_interval(
    new: float, new_interval: Interval, old: float, old_interval: Interval
) -> Interval:
    """Returns the interval of ``new - old`` for independent images.

    Newcombe (1998), method 10: the distances of the ends from the means, added as squares. On the
    same images it is too wide wherever what is hard once is hard again.
    """
    low = math.hypot(new - new_interval[0], old_interval[1] - old)
    high = math.hypot(new_interval[1] - new, old - old_interval[0])
    return new - old - low, new - old + high


def speed_figure(images: Sequence[Timed]) -> Figure | None:
    """Returns tokens per second over the earlier ones; None of fewer than ``MIN_TIMED`` images.

    The interval is that of a ratio of sums, by the delta method on its logarithm, paired by image,
    and widened by ``RUN_TO_RUN``.
    """
    n = len(images)
    if n < MIN_TIMED:
        return None
    tokens, seconds = sum(i.tokens for i in images), math.fsum(i.seconds for i in images)
    old_tokens, old_seconds = (
        sum(i.old_tokens for i in images),
        math.fsum(i.old_seconds for i in images),
    )
    log_ratio = math.log(tokens / seconds * old_seconds / old_tokens)
    pulls = [
        (i.tokens / tokens - i.seconds / seconds)
        - (i.old_tokens / old_tokens - i.old_seconds / old_seconds)
        for i in images
    ]
    variance = math.fsum(pull**2 for pull in pulls) * n / (n - 1)
    half = _Z * math.sqrt(variance + RUN_TO_RUN**2)

    def needed(bar: float) -> int | None:
        room = ((log_ratio - math.log(bar)) / _Z) ** 2 - RUN_TO_RUN**2
        count = n * variance / room if room > 0 else math.inf
        return math.ceil(count) if count <= MOST_IMAGES else None

    return Figure(
        value=math.exp(log_ratio),
        interval=(math.exp(log_ratio - half), math.exp(log_ratio + half)),
        n=n,
        needed=needed,
    )


def images_needed(scores: Sequence[float], bar: float) -> int | None:
    """Returns how many images like these would put the bar outside of the mean's interval.

    Args:
        scores: One score in [0, 1] per image, at least one.
        bar: Inside the interval of their mean.

    Returns:
        More than there are; None where ``MOST_IMAGES`` would not be enough.
    """
    low, high = len(scores) + 1, MOST_IMAGES
    mean, square = _mean(scores), _mean([score * score for score in scores])
    if low > high or not _decided(mean, square, high, bar):
        return None
    while low < high:
        middle = (low + high) // 2
        if _decided(mean, square, middle, bar):
            high = middle
        else:
            low = middle + 1
    return high


def _decided(mean: float, square: float, n: int, bar: float) -> bool:
    """Whether n scores of this mean and mean square leave the bar outside of the interval."""
    centre = (n * mean + 0.5) / (n + 1)
    variance = ((n * square + 0.5) / (n + 1) - centre**2) / (n + 2)
    weight = centre * (1 - centre) / variance - 1
    below = float(betainc(centre * weight, (1 - centre) * weight, bar))
    return below <= _TAIL if mean > bar else mean < bar and below >= 1 - _TAIL


def _by_width(value: float, interval: Interval, n: int) -> Figure:
    """Returns a figure whose interval is taken to shrink with the square root of n."""

    def needed(bar: float) -> int | None:
        half = value - interval[0] if bar < value else interval[1] - value
        count = n * (half / (value - bar)) ** 2 if bar != value else math.inf
        return max(math.ceil(count), n + 1) if count <= MOST_IMAGES else None

    return Figure(value=value, interval=interval, n=n, needed=needed)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)

"""Dealing images into folds, so that what is chosen on some is reported on others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from vlmbench_plugin.stats import Key


def folds(images: Mapping[Key, Iterable[str]], k: int = 5, *, seed: int = 0) -> dict[Key, int]:
    """Deals images into k folds of nearly equal size, in total and in each task.

    What is chosen on the other folds is reported on this one, so that no image reports on a choice
    that it took part in. The images that serve the same tasks are shuffled and dealt in turn.

    Args:
        images: Image -> the tasks that it serves; the order does not matter.
        k: Number of folds.
        seed: Of the shuffles.

    Returns:
        Image -> fold, from 0 to k - 1.
    """
    groups: dict[tuple[str, ...], list[Key]] = {}
    for image in sorted(images):
        groups.setdefault(tuple(sorted(set(images[image]))), []).append(image)
    generator = np.random.default_rng(seed)
    dealt = [
        groups[served][position]
        for served in sorted(groups)
        for position in generator.permutation(len(groups[served]))
    ]
    return {image: position % k for position, image in enumerate(dealt)}

"""Seeded drawn scenes as cases."""

from __future__ import annotations

import random
from collections.abc import Mapping

from vlmbench_plugin.core import Case, Difficulty, Identity, Json
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.sources import Drawn

SOURCE = "synthetic"


def scene_rng(seed: int, category: str, difficulty: Difficulty, index: int) -> random.Random:
    """Returns what a scene is drawn with: the same numbers in every process and version."""
    return random.Random(f"{seed}/{category}/{difficulty}/{index}")  # hashed with SHA-512


class DrawnCases:
    """The cases of one drawn source, built one at a time when asked for.

    Case k has the difficulty k mod the number of difficulties asked for, so that every n is
    balanced.

    Args:
        category: The task's name, which is part of the seed.
        drawn: The scene generator and its vocabulary.
        settings: ``n``, ``seed`` and ``difficulty`` are read.
    """

    def __init__(self, category: str, drawn: Drawn, settings: Settings) -> None:
        self._category = category
        self._drawn = drawn
        self._settings = settings

    def __len__(self) -> int:
        return self._settings.n

    def describe(self) -> Mapping[str, Json]:
        """Returns what the manifest says of these cases."""
        return {"source": SOURCE}

    def identity(self, index: int, /) -> Identity:
        """Returns what decides a case; the scene is not built for it."""
        difficulty = self._difficulty(index)
        return Identity(
            source=SOURCE,
            image_id=f"drawn-{self._settings.seed}-{difficulty}-{index:05d}",
            vocabulary=self._drawn.vocabulary,
            revision=None,
            asked=None,
        )

    def __getitem__(self, index: int, /) -> Case:
        identity, difficulty = self.identity(index), self._difficulty(index)
        rng = scene_rng(self._settings.seed, self._category, difficulty, index)
        scene = self._drawn.scene(rng, difficulty)
        return Case(
            category=self._category,
            image_id=identity.image_id,
            source=identity.source,
            index=index,
            size=scene.size,
            truth=scene.truth,
            image=scene.draw,
            question=scene.question,
            vocabulary=identity.vocabulary,
            difficulty=difficulty,
        )

    def _difficulty(self, index: int) -> Difficulty:
        if not 0 <= index < len(self):
            raise IndexError(f"expected a case from 0 to {len(self) - 1}, got {index}")
        return self._settings.difficulty[index % len(self._settings.difficulty)]

"""Seeded drawn scenes as cases."""

from __future__ import annotations

import random
from collections.abc import Mapping

from vlmbench_plugin.core import Case, Json
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.sources import Drawn


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
        return {"source": "synthetic"}

    def __getitem__(self, index: int, /) -> Case:
        if not 0 <= index < len(self):
            raise IndexError(f"expected a case from 0 to {len(self) - 1}, got {index}")
        seed, difficulties = self._settings.seed, self._settings.difficulty
        difficulty = difficulties[index % len(difficulties)]
        # A string seed is hashed with SHA-512: the same numbers in every process and version.
        rng = random.Random(f"{seed}/{self._category}/{difficulty}/{index}")
        scene = self._drawn.scene(rng, difficulty)
        return Case(
            category=self._category,
            image_id=f"drawn-{seed}-{difficulty}-{index:05d}",
            source="synthetic",
            index=index,
            size=scene.size,
            truth=scene.truth,
            image=scene.draw,
            question=scene.question,
            vocabulary=self._drawn.vocabulary,
            difficulty=difficulty,
        )

"""What decides the raw text of an item, as a hash: a re-run repeats only items that it differs for.

The scorer is not part of it: a stored text is scored again, not generated again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from vlmbench_plugin import coords
from vlmbench_plugin.asking import answer_budget
from vlmbench_plugin.core import Identity, Json, Mode, ModelSpec, VisionTask, Vocabulary
from vlmbench_plugin.fields import artifacts
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.thinking import thinking_budget

SHOWN = 8
_ANY_SIZE = (1000, 1000)
"""The size that the coordinates' description is hashed for; an image's own is part of its data."""

Shared: TypeAlias = tuple[Vocabulary, bytes, Mapping[str, str]]
"""What items share: their vocabulary, the hashes of the parts one after the other, the parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Of one item.

    Attributes:
        key: The hash of everything, 32 hexadecimal digits.
        parts: The first eight digits of the hash of each part that the items of one (task,
            vocabulary, mode) share, so that it can be told which part of two fingerprints differs;
            where none does, the case itself differs.
    """

    key: str
    parts: Mapping[str, str]


UNSTORED = Fingerprint(key="", parts={})
"""Of an answer that is scored and not stored: no run can meet it again."""


class Fingerprints:
    """Fingerprints of the items that one model is asked.

    What the items of one (task, vocabulary, mode) share is hashed once; the rest is the case.

    Args:
        spec: The model.
        settings: Of the run.
    """

    def __init__(self, spec: ModelSpec, settings: Settings) -> None:
        self._spec = spec
        self._settings = settings
        self._shared: dict[tuple[str, Mode], Shared] = {}

    def of(self, task: VisionTask, identity: Identity, mode: Mode) -> Fingerprint:
        """Returns the fingerprint of one item.

        Raises:
            FieldError: If the vocabulary does not fit the task's fields.
        """
        known = self._shared.get((task.category, mode))
        if known is None or known[0] is not identity.vocabulary:
            known = self._shared[task.category, mode] = self._share(task, identity, mode)
        _, digests, parts = known
        data = [
            self._settings.dataset_name,
            identity.source,
            identity.image_id,
            identity.revision,
            identity.asked,
        ]
        key = hashlib.sha256(digests + _digest(data)).hexdigest()[:32]
        return Fingerprint(key=key, parts=parts)

    def _share(self, task: VisionTask, identity: Identity, mode: Mode) -> Shared:
        spec, settings, rule = self._spec, self._settings, self._settings.vocabulary
        built = artifacts(task.fields, identity.vocabulary, spec.frame, rule)
        facts: dict[str, Json] = {
            "task": [task.category, task.version],
            "prompt": [
                task.prompt,
                built.description,
                coords.describe(spec.frame, _ANY_SIZE),
                rule,
                [[key, *names] for key, names in identity.vocabulary.items()],
            ],
            "schema": built.json_schema,
            "grammar": built.gbnf if mode == "constrained" else None,
            "mode": mode,
            "budget": answer_budget(task, built, mode, settings),
            "model": [spec.name, spec.hub_id, spec.served_name],
            "revision": spec.revision,
            "pixels": settings.max_pixels,
            "runner": [settings.runner, sorted(settings.runner_args.items()), settings.replay],
            "dtype": settings.dtype,
            "reasoning": _thinking(spec, settings),
            "seed": settings.seed,
        }
        digests = {name: _digest(value) for name, value in facts.items()}
        parts = {name: digest.hex()[:SHOWN] for name, digest in digests.items()}
        return identity.vocabulary, b"".join(digests.values()), parts


def _thinking(spec: ModelSpec, settings: Settings) -> Json:
    if settings.reasoning == "off":
        return "off"
    return ["on", thinking_budget(settings), spec.sampling]


def _digest(value: Json) -> bytes:
    text = json.dumps(value, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).digest()

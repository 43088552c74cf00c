"""Which values does the document hold, and under which keys? Key/value F1 over a multiset."""

from __future__ import annotations

from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.fields import choice, list_of, text
from vlmbench_plugin.metrics.text import key_f1, pair_f1
from vlmbench_plugin.scenes.documents import utilization_scene
from vlmbench_plugin.scenes.formats import FORMATS, PATH_RULE
from vlmbench_plugin.sources import Drawn, Packaged
from vlmbench_plugin.tasks._prompts import prompt

_DRAWN = Drawn(scene=utilization_scene)


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """F1 of (key path, value) pairs; numbers compare as numbers, other values as trimmed text."""
    given = [(entry["key"], entry["value"]) for entry in answer["entries"]]
    true = [(entry["key"], entry["value"]) for entry in truth["entries"]]
    return Score(
        primary=pair_f1(given, true),
        secondary={
            "key_f1": key_f1(given, true),
            "format_exact": float(answer["format"] == truth["format"]),
        },
    )


TASK = VisionTask(
    category="data_type_utilization",
    title="re-serialise a rendered document as key/value pairs",
    fields={
        "format": choice(*FORMATS),
        "entries": list_of(
            {"key": text(64, at_least=1), "value": text(64, at_least=0, escapes=True)},
            at_most=24,
        ),
    },
    prompt=prompt(
        "The image shows a document that holds data. Name its format and list every value with "
        f"its key, in the order of the document. {PATH_RULE}"
    ),
    score=score,
    ground_truth={
        "synthetic": _DRAWN,
        "smoke": Packaged(drawn=_DRAWN),
        "full": _DRAWN,
    },
    version=2,
    answer_tokens=450,
)

"""What is written in the image? The accepted text as whole words in order."""

from __future__ import annotations

from vlmbench_plugin.adapters.textvqa import TEXTVQA, readable_text
from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.fields import integer, list_of, text
from vlmbench_plugin.metrics.text import anls, character_error_rate, ocr_containment, words
from vlmbench_plugin.scenes.text import ocr_scene
from vlmbench_plugin.sources import Drawn, Packaged, Public
from vlmbench_plugin.tasks._compose import ACCEPTED
from vlmbench_plugin.tasks._prompts import prompt

_DRAWN = Drawn(scene=ocr_scene)
_TEXTVQA = Public(table=TEXTVQA, adapt=readable_text)


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """1 where an accepted answer stands in the lines; error rates where the full text is known."""
    lines = [line["text"] for line in answer["lines"]]
    full = truth.get("lines")
    joined = " ".join(lines)
    return Score(
        primary=ocr_containment(lines, truth["answers"], truth["words"]),
        secondary={
            "character_error_rate": character_error_rate(joined, " ".join(full)) if full else None,
            "anls": anls(joined, [" ".join(full)]) if full else None,
        },
    )


def right_answer(truth: Truth) -> Answer:
    """The full text line by line, or where it is unknown an accepted answer as one line."""
    return {"lines": [{"text": line} for line in truth.get("lines") or truth["answers"][:1]]}


def complete(label: Answer) -> Truth:
    """The whole text is the accepted answer where no other is named.

    Raises:
        DataError: If neither the lines are known, nor accepted answers and the number of words.
    """
    if label.get("lines") is None:
        if not label.get("answers") or label.get("words") is None:
            raise DataError(
                "expected all lines of the image, or answers and the number of words in it",
                hint='"lines": [{"text": "..."}], or "answers": ["..."] and "words": 7',
            )
        return label
    lines = [line["text"] for line in label["lines"]]
    joined = " ".join(lines)
    return {"answers": [joined], "words": len(words(joined)), **label, "lines": lines}


TASK = VisionTask(
    category="ocr_text",
    title="transcribe all text, line by line",
    fields={
        "lines": list_of(
            {"text": text(80, at_least=0, unicode=True, escapes=True)},
            at_most=16,
        )
    },
    prompt=prompt(
        "Transcribe all text in the image exactly as it is written, one entry per line, in reading "
        "order from top to bottom."
    ),
    score=score,
    answer=right_answer,
    complete=complete,
    extras={"answers": ACCEPTED, "words": integer(1, 9999)},
    ground_truth={
        "synthetic": _DRAWN,
        "smoke": Packaged(drawn=_DRAWN),
        "full": _TEXTVQA,
        "real": _TEXTVQA,
    },
    answer_tokens=250,
)

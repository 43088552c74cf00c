"""A question about the image. VQA accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vlmbench_plugin.adapters.vqav2 import VQAV2, answered
from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.fields import number, text
from vlmbench_plugin.metrics.text import vqa_accuracy
from vlmbench_plugin.scenes.questions import vqa_scene
from vlmbench_plugin.sources import Drawn, Packaged, Public
from vlmbench_plugin.tasks._compose import ACCEPTED
from vlmbench_plugin.tasks._prompts import prompt

_DRAWN = Drawn(scene=vqa_scene)
_VQAV2 = Public(table=VQAV2, adapt=answered)
_ANNOTATORS = 10


def score(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    """VQA accuracy over ten annotators' answers; exact after normalisation with fewer."""
    return Score(primary=vqa_accuracy(answer["answer"], truth["answers"]))


def right_answer(truth: Truth) -> Answer:
    """The most frequent answer, the first of those."""
    return {"answer": Counter(truth["answers"]).most_common(1)[0][0]}


def complete(label: Answer) -> Truth:
    """One accepted answer, or several under ``answers``.

    Raises:
        DataError: If there are ten different answers, which would be scored as annotators' votes,
            or an answer that is none of the answers.
    """
    if "answers" not in label:
        return {"answers": [label["answer"]]}
    answers = label["answers"]
    if len(set(answers)) == len(answers) == _ANNOTATORS:
        raise DataError(
            f"expected another number of answers than {_ANNOTATORS}, or those of {_ANNOTATORS} "
            f"annotators, got {_ANNOTATORS} different ones, of which each would score 0.3",
            hint="repeat an answer as often as annotators gave it, or list fewer or more",
        )
    if "answer" in label and not vqa_accuracy(label["answer"], answers):
        raise DataError(
            f"expected an answer that is one of the answers, got {label['answer']!r} and "
            f"{', '.join(map(repr, answers))}",
            hint="state one of the two fields",
        )
    return label


def blind(question: str | None, size: tuple[int, int], vocabulary: Vocabulary) -> Sequence[Answer]:
    """What is most often right for a question of this kind."""
    asked = (question or "").lower()
    if asked.startswith("how many"):
        guesses = ("1", "2", "3")
    elif "colo" in asked:
        guesses = ("red", "blue", "white")
    elif "shape" in asked:
        guesses = ("circle", "square", "triangle")
    else:
        guesses = ("yes", "no", "yes")
    return [{"answer": guess} for guess in guesses]


TASK = VisionTask(
    category="vit_accuracy_to_prompt",
    title="answer a question about the image",
    fields={
        "answer": text(64, at_least=1, unicode=True),
        "confidence": number(0, 1, optional=True),
    },
    prompt=prompt(
        "Answer the question with a single word, number or short phrase. The confidence is how "
        "sure you are, from 0 to 1.\nQuestion: {question}"
    ),
    score=score,
    confidence="confidence",
    blind=blind,
    answer=right_answer,
    complete=complete,
    extras={"answers": ACCEPTED},
    ground_truth={
        "synthetic": _DRAWN,
        "smoke": Packaged(drawn=_DRAWN),
        "full": _VQAV2,
        "real": _VQAV2,
    },
    version=2,
    answer_tokens=48,
)

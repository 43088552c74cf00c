"""Text: words, edit distance, VQA accuracy, key/value pairs."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from decimal import Decimal
from typing import TypeAlias

from vlmbench_plugin.metrics.matching import f1

Pair: TypeAlias = tuple[str, str]
"""Key, value."""

_ANLS_FLOOR = 0.5
_SIGNS = frozenset("%#&@")

_VQA_ARTICLES = frozenset({"a", "an", "the"})
_VQA_NUMBERS = {
    word: str(value)
    for value, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    )
} | {"none": "0"}
# Only forms that are no other word without their apostrophe (not "we're", "he'll", "it's").
_CONTRACTED = (
    "ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hasn't "
    "haven't how's i'm i've isn't might've mightn't must've mustn't needn't o'clock "
    "she's should've shouldn't shouldn't've somebody's someone's something's that'll that's "
    "there'd there're there's they'd they'll they're they've wasn't we've weren't what'll "
    "what're what's what've when's where'd where's where've who'd who's who've why're why's "
    "won't would've wouldn't wouldn't've y'all you'd you'll you're you've"
)
_VQA_CONTRACTIONS = {form.replace("'", ""): form for form in _CONTRACTED.split()}
_VQA_PUNCTUATION = str.maketrans(dict.fromkeys(set(string.punctuation) - set("':."), " "))
_DIGIT_COMMA = re.compile(r"(?<=[0-9]),(?=[0-9])")
_NO_DECIMAL = re.compile(r"\.(?![0-9])")

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def words(text: str) -> list[str]:
    """The words of a text: NFKC, casefold, white space, outer punctuation of each word off.

    Inner punctuation stays, so that 4.99 is not 499.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [word for word in map(_bare, folded.split()) if word]


def contains_words(haystack: str, needle: str) -> bool:
    """Whether the needle's words stand in the haystack, whole, in order and in a row.

    A needle without any word is contained in nothing.
    """
    wanted = words(needle)
    # No word holds a space, so that a padded substring is a run of whole words.
    return bool(wanted) and f" {' '.join(wanted)} " in f" {' '.join(words(haystack))} "


def ocr_containment(lines: Sequence[str], answers: Sequence[str], words: int) -> float:
    """1 where any accepted answer stands as whole words in the lines that were read, else 0.

    Args:
        lines: The lines read; joined by a space, so that an answer may run over a line's end.
        answers: The accepted answers.
        words: How many words the image has. More than three times that many and ten score 0:
            reading out everything that one can think of is not reading.
    """
    joined = " ".join(lines)
    if len(joined.split()) > 3 * words + 10:
        return 0.0
    return float(any(contains_words(joined, answer) for answer in answers))


def edit_distance(a: str, b: str) -> int:
    """Levenshtein distance in code points.

    Bit-parallel (Hyyrö 2003, after Myers 1999): a column of the table is two integers, the places
    where it steps up and where it steps down. 2 ms for 2,400 against 320 characters.
    """
    if a == b:
        return 0
    if not a or not b:
        return len(a) + len(b)
    places: dict[str, int] = {}
    for i, char in enumerate(a):
        places[char] = places.get(char, 0) | 1 << i
    full, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    up, down, distance = full, 0, len(a)
    for char in b:
        equal = places.get(char, 0)
        diagonal = (((equal & up) + up) ^ up) | equal | down
        right_up = down | (full & ~(diagonal | up))
        right_down = up & diagonal
        distance += bool(right_up & last) - bool(right_down & last)
        right_up = right_up << 1 | 1
        up = full & (right_down << 1 | ~(diagonal | right_up))
        down = full & right_up & diagonal
    return distance


def character_error_rate(prediction: str, truth: str) -> float | None:
    """Edit distance over the length of the truth, at most 1: as bad as reading nothing.

    White space is squeezed; letter case counts. Without the cap one runaway answer would outweigh a
    hundred good ones in a mean. None where the truth is empty.
    """
    read, true = " ".join(prediction.split()), " ".join(truth.split())
    return min(1.0, edit_distance(read, true) / len(true)) if true else None


def anls(prediction: str, answers: Sequence[str]) -> float | None:
    """Average normalised Levenshtein similarity of one item: the best over the answers.

    Biten et al. 2019, "Scene Text Visual Question Answering": 1 less the distance over the longer
    length, 0 where that is below 0.5; exactly 0.5 is kept, as in common evaluation code. Lower
    case, white space squeezed. None where there is no answer.
    """
    read = " ".join(prediction.lower().split())
    scores = []
    for answer in answers:
        true = " ".join(answer.lower().split())
        longer = max(len(read), len(true))
        score = 1 - edit_distance(read, true) / longer if longer else 1.0
        scores.append(score if score >= _ANLS_FLOOR else 0.0)
    return max(scores, default=None)


def vqa_normalise(text: str) -> str:
    """An answer as VQA accuracy compares it (visualqa.org/evaluation.html).

    Lower case, number words to digits, articles off, missing apostrophes put in, punctuation to
    spaces but for apostrophe and colon, no comma between digits, no period that is not a decimal
    point. A text of which this would leave nothing (the letter "a") stays as it is.
    """
    lowered = text.replace("\u2019", "'").lower().strip()
    plain = _NO_DECIMAL.sub("", _DIGIT_COMMA.sub("", lowered)).translate(_VQA_PUNCTUATION)
    numbered = (_VQA_NUMBERS.get(word, word) for word in plain.split())
    kept = [_VQA_CONTRACTIONS.get(word, word) for word in numbered if word not in _VQA_ARTICLES]
    return " ".join(kept) or lowered


def vqa_accuracy(answer: str, answers: Sequence[str]) -> float:
    """VQA accuracy of one answer, in [0, 1].

    With ten annotators' answers it is the mean over the ten ways to leave one of them out of
    min(1, agreeing / 3), which is min(1, 0.3 k) where k of the ten agree. With another number of
    answers, 1 where any agrees, else 0.
    """
    wanted = vqa_normalise(answer)
    agreeing = sum(vqa_normalise(other) == wanted for other in answers)
    return min(10, 3 * agreeing) / 10 if len(answers) == 10 else float(agreeing > 0)


def pair_f1(predicted: Iterable[Pair], true: Iterable[Pair]) -> float:
    """F1 of key/value pairs as multisets; none where none is true is 1.

    Keys and values are trimmed; values that are numbers compare as numbers (1.50 is 1.5).
    """
    return _multiset_f1(
        ((key.strip(), _value(value)) for key, value in predicted),
        ((key.strip(), _value(value)) for key, value in true),
    )


def key_f1(predicted: Iterable[Pair], true: Iterable[Pair]) -> float:
    """``pair_f1`` of the keys alone."""
    return _multiset_f1((key.strip() for key, _ in predicted), (key.strip() for key, _ in true))


def _bare(word: str) -> str:
    """A word without the punctuation around it; 45% and #7 keep the signs that they mean."""
    inner = [i for i, c in enumerate(word) if c in _SIGNS or unicodedata.category(c)[0] != "P"]
    return word[inner[0] : inner[-1] + 1] if inner else ""


def _value(text: str) -> Decimal | str:
    trimmed = text.strip()
    return Decimal(trimmed) if _NUMBER.fullmatch(trimmed) else trimmed


def _multiset_f1(predicted: Iterable[Hashable], true: Iterable[Hashable]) -> float:
    given, wanted = Counter(predicted), Counter(true)
    return f1((given & wanted).total(), given.total(), wanted.total())

"""What is wrong with one's own data, before a model spends hours on them.

Beside all that a run checks as it starts, every image is decoded, every position is held against
the image's size, and the right answer of each line is asked, read and scored as a model's would be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vlmbench_plugin.asking import build_request, right_answer
from vlmbench_plugin.core import Case, Generation, ModelSpec, VisionTask
from vlmbench_plugin.data.local import case_of, own_categories
from vlmbench_plugin.data.manifests import MANIFEST, Entry, Problem, read_manifest
from vlmbench_plugin.data.own_checks import did_you_mean, outside
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.evaluate import evaluate
from vlmbench_plugin.fingerprints import UNSTORED
from vlmbench_plugin.settings import OWN, Settings

LEAST_SCORE = 0.9
"""What the right answer must score: whole numbers of a model's frame cost an overlap a little."""

_SPEC = ModelSpec(name="oracle", hub_id="none", frame="norm_0_1000")
_LETTERS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The outcome of a check.

    Attributes:
        categories: How many sub-folders have a manifest.
        lines: How many lines they hold.
        problems: All problems, by category and line.
    """

    categories: int
    lines: int
    problems: tuple[Problem, ...]

    def summary(self) -> str:
        """Returns one line such as ``15 lines in 2 categories, 3 problems``."""
        parts = (self.lines, "line"), (self.categories, "category"), (len(self.problems), "problem")
        lines, categories, problems = (_counted(number, noun) for number, noun in parts)
        return f"{lines} in {categories}, {problems}"


def check(folder: Path, tasks: Mapping[str, VisionTask]) -> Checked:
    """Checks every line of every manifest, with closed vocabularies and default settings.

    Args:
        folder: The data folder.
        tasks: Category -> task, one's own among them.

    Raises:
        DataError: If the folder cannot be read.
    """
    names = own_categories(folder)
    problems = list(_misplaced(folder, names, tasks))
    lines = 0
    for name in names:
        path = str(folder / name)
        if name not in tasks:
            hint = did_you_mean(name, tuple(tasks))
            problems.append(_problem(path, f"{name!r} is no task", hint))
            continue
        manifest = read_manifest(tasks[name], folder, Settings().vocabulary)
        lines += manifest.lines
        deeper = [
            Problem.of(fault, manifest.path, entry.line)
            for index, entry in enumerate(manifest.entries)
            for fault in _faults(tasks[name], entry, manifest.path, index)
        ]
        problems += sorted((*manifest.problems, *deeper), key=lambda problem: problem.line or 0)
    return Checked(categories=len(names), lines=lines, problems=tuple(problems))


def _counted(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def _problem(path: str, message: str, hint: str) -> Problem:
    return Problem.of(DataError(message, hint=hint), path, None)


def _misplaced(
    folder: Path, names: tuple[str, ...], tasks: Mapping[str, VisionTask]
) -> Iterator[Problem]:
    """Yields what a run would not even see."""
    if (folder / MANIFEST).exists():
        hint = f"move it into {folder / '<category>'}, or name the folder above"
        yield _problem(str(folder / MANIFEST), "expected a manifest in a folder per task", hint)
    for name in sorted(tasks.keys() - set(names)):
        if (folder / name).is_dir():
            yield _problem(
                str(folder / name), f"expected a {MANIFEST}, got none", "one line an image"
            )
    if not names:
        hint = f"categories: {', '.join(tasks)}"
        yield _problem(str(folder), f"expected <category>/{MANIFEST}, got none", hint)


def _faults(task: VisionTask, entry: Entry, path: str, index: int) -> Iterator[DataError]:
    """Yields what only the image, or the task as a whole, can tell of a line."""
    try:
        case = case_of(task, entry, path, index)
        case.image()
    except DataError as error:
        yield error
        return
    far = list(outside(entry.found, case.size))
    yield from far or _wrong_answer(task, case)


def _wrong_answer(task: VisionTask, case: Case) -> Iterator[DataError]:
    """Yields why a model that knows the truth would not pass."""
    settings = Settings(dataset=OWN)
    try:
        request = build_request(task, case, _SPEC, "json_mode", settings)
        text = json.dumps(right_answer(task, case, _SPEC, settings))
        generation = Generation(text=text, finish_reason="stop", constraint="none")
        record = evaluate(task, case, _SPEC, request, generation, settings, UNSTORED)
    except Exception as error:  # a scorer of one's own may raise anything; a run would stop on it
        yield DataError(
            f"truth: expected a score of the right answer, got {type(error).__name__}: {error}",
            hint="the task cannot score this truth: mend the task's scorer, or the label",
        )
        return
    if record.primary_score is None:
        yield DataError(
            f"truth: expected a right answer that is valid, got one that is {record.failure}",
            hint=f"a model would have to answer {text}",
        )
    elif record.primary_score < max(LEAST_SCORE, task.right_at):
        yield DataError(
            f"truth: a model that answers exactly this could not pass: it scores "
            f"{record.primary_score:.2f}",
            hint="two labels of one object, a name that means two of the vocabulary, or an object "
            "too small to be stated in thousandths of the image",
        )
    need = tokens(text)
    if need > request.budget:
        yield DataError(
            f"truth: expected an answer of at most {request.budget} tokens, got up to {need}",
            hint=f"run with --max-new-tokens {need}; json_mode would be cut off",
        )


def tokens(text: str) -> int:
    """Returns how many tokens of a Qwen model a JSON text takes, estimated too high.

    A digit or a sign is one; a word is one for every five letters begun; a letter beyond ASCII is
    two.
    """
    count = word = 0
    for char in json.dumps(json.loads(text), ensure_ascii=False):
        word = word + 1 if char.isascii() and char.isalpha() else 0
        if word:
            count += word % _LETTERS == 1
        elif char != " ":
            count += 1 if char.isascii() else 2
    return count

"""``data_check``: every kind of problem by hand, none that is not there, and never an exception."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from unit_tests.strategies import answers
from vlmbench_plugin import pictures
from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.data.manifests import Problem
from vlmbench_plugin.data_check import Checked, check, tokens
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.fields import artifacts, box, choice, integer, label, list_of, polygon, text
from vlmbench_plugin.sources import Drawn
from vlmbench_plugin.tasks import TASKS

SIZE = (100, 80)
DOC = (Path(__file__).parents[2] / "docs" / "own-data.md").read_text(encoding="utf-8")


def equal(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    return Score(primary=1.0)


def task_of(category: str, fields: Mapping[str, Any], **more: Any) -> VisionTask:
    facts: dict[str, Any] = {"title": "a task", "prompt": "{schema}", "score": equal}
    return VisionTask(category=category, fields=fields, **({"answer_tokens": 32} | facts | more))


DOTS = task_of("dots", {"dots": integer(0, 99)})
SHAPE = task_of("shape", {"name": label("name", at_most=12), "ring": polygon(5)})
BOXED = task_of("boxed", {"box": box()})
WORDS = task_of("words", {"any": text(20, escapes=True), "plain": text(8, optional=True)})
STYLE = task_of("style", {"style": choice(vocabulary="style")})
ASKED = task_of("asked", {"dots": integer(0, 99)}, prompt="{question} {schema}")


def checked(folder: Path, task: VisionTask, content: bytes) -> Checked:
    here = folder / task.category
    here.mkdir(parents=True, exist_ok=True)
    (here / "manifest.jsonl").write_bytes(content)
    for name in ("1.png", "2.png", "a b.png"):
        if not (here / name).exists():
            Image.new("RGB", SIZE).save(here / name)
    return check(folder, {task.category: task})


def told(folder: Path, task: VisionTask, *lines: Mapping[str, Any]) -> list[str]:
    """Returns what is said of these lines, without the path."""
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    found = checked(folder, task, content)
    assert found.lines == len(lines)
    assert all(problem.path.endswith("manifest.jsonl") for problem in found.problems)
    return [f"{problem.line}: {problem.message} | {problem.hint}" for problem in found.problems]


def line(truth: Any, **more: Any) -> dict[str, Any]:
    return {"image": "1.png", "truth": truth, **more}


def test_nothing_is_wrong_with_what_is_right(tmp_path: Path) -> None:
    assert told(tmp_path, DOTS, line({"dots": 3}), line({"dots": 4}, image="2.png")) == []


def test_an_image_may_be_asked_about_twice(tmp_path: Path) -> None:
    both = [line({"dots": 3}, question=q, id=q[0]) for q in ("Red?", "Blue?")]
    assert told(tmp_path, ASKED, *both) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"expected one line per image, got an empty file"),
        (b"\n \r\n", r"expected one line per image, got an empty file"),
        ('{"image": 1}'.encode("utf-16"), r"expected UTF-8, got UTF-16"),
        (b'{"image": "\xff.png"}\n', r"expected UTF-8, got the byte 0xff at 12"),
        (b"image: 1.png\n", r"expected one JSON object, .* at column 1"),
        (b'{"image": "1.png", "truth": {"do', r"expected one JSON object, .*Unterminated"),
        (b'{"image": "1.png", "truth": {"dots": 1}', r"expected one JSON object, got a line"),
        (b'{"image": "1.png", "truth": {"dots": 1},}\n', r"expected one JSON object, got a line"),
        (b'{"image": "1.png"} {"image": "2.png"}\n', r"Extra data"),
        (b"[1, 2]\n", r"expected one JSON object, got \[1, 2\]"),
        (b'{"image": "1.png", "image": "2.png"}\n', r"the key 'image' stands in it twice"),
        (b'{"image": "1.png", "truth": {"dots": NaN}}\n', r"NaN is no finite number"),
        (b'{"image": "1.png", "truth": {"dots": 1e999}}\n', r"1e999 is no finite number"),
        (b'{"image": "1.png", "truth": {"dots": ' + b"9" * 5000 + b"}}\n", r"cannot be read"),
        (b'{"image": "\\ud800.png"}\n', r"cannot be read: .*surrogates"),
        (b"[" * 100_000 + b"\n", r"expected one JSON object"),
    ],
)
def test_a_line_that_is_none(tmp_path: Path, content: bytes, message: str) -> None:
    problems = checked(tmp_path, DOTS, content).problems
    assert len(problems) == 1
    assert re.search(message, problems[0].message), problems[0].message
    assert problems[0].hint or "empty" in message


def test_a_torn_last_line_is_called_so(tmp_path: Path) -> None:
    good = b'{"image": "1.png", "truth": {"dots": 1}}\n'
    for torn in (b'{"image": "2.p', b'{"image": "2.png", "truth": {"dots": 1', b'{"image":'):
        (problem,) = checked(tmp_path, DOTS, good + torn).problems
        assert problem.line == 2
        assert "cut off" in problem.hint


def test_a_byte_order_mark_crlf_and_blank_lines_are_accepted(tmp_path: Path) -> None:
    one, two = (json.dumps(line({"dots": 1}, image=f"{k}.png")).encode() for k in (1, 2))
    found = checked(tmp_path, DOTS, b"\xef\xbb\xbf" + one + b"\r\n\r\n" + two + b"\r\n")
    assert (found.lines, found.problems) == (2, ())
    late = checked(tmp_path, DOTS, one + b"\r\n\r\n{}\r\n")
    assert {problem.line for problem in late.problems} == {3}


GROUNDING = TASKS["bbox_grounding"]


def one_cat(*, ignore: Sequence[list[float]] = (), name: str = "cat") -> dict[str, Any]:
    return {
        "detections": [{"label": "cat", "box": [5, 5, 40, 40]}],
        "ignore": [{"label": name, "box": box} for box in ignore],
    }


BY_HAND: list[tuple[VisionTask, dict[str, Any], str]] = [
    (DOTS, line({"dots": 1}, imgae="x"), "a line has no key 'imgae' | did you mean 'image'?"),
    (
        DOTS,
        {"truth": {"dots": 1}},
        """expected "image", the path of a file, got None | paths are""",
    ),
    (DOTS, line({"dots": 1}, image=7, id="x"), 'expected "image", the path of a file, got 7'),
    (DOTS, line({"dots": 1}, image="3.png"), "expected a file, got nothing at"),
    (DOTS, line({"dots": 1}, image="a\0b", id="x"), "expected a file, got nothing at"),
    (DOTS, line({"dots": 1}, image="x" * 300, id="x"), "expected a file, got nothing at"),
    (DOTS, line({"dots": 1}, image="/1.png", id="x"), "got the absolute path '/1.png'"),
    (DOTS, line({"dots": 1}, image="C:1.png", id="x"), "got the absolute path 'C:1.png'"),
    (DOTS, line({"dots": 1}, image="../dots/1.png", id="x"), "'..' is not followed"),
    (DOTS, line({"dots": 1}, image=".", id="x"), "which is no file"),
    (DOTS, line({"dots": 1}, image="."), "expected an id of 1 to 100 letters, digits"),
    (DOTS, line({"dots": 1}, image="/"), "got the absolute path '/'"),
    (DOTS, line({"dots": 1}, id="a/b"), "expected an id of 1 to 100 letters, digits"),
    (DOTS, line({"dots": 1}, id=".a"), "expected an id of 1 to 100 letters, digits"),
    (DOTS, line({"dots": 1}, id=5), "expected an id of 1 to 100 letters, digits"),
    (DOTS, line({"dots": 1}, id="x" * 101), "expected an id of 1 to 100 letters, digits"),
    (DOTS, line({"dots": 1}, id="語" * 67), "at most 200 bytes in UTF-8, got '語"),
    (DOTS, {"image": "1.png"}, "truth: expected an object with fields of dots, got null"),
    (DOTS, line([1]), "truth: expected an object with fields of dots, got [1] | fields: dots"),
    (DOTS, line({}), "truth.dots: expected a value, got none"),
    (DOTS, line({"dots": None}), "truth.dots: expected a value, got none"),
    (DOTS, line({"dots": 1, "dot": 2}), "dots has no such field | did you mean 'dots'?"),
    (DOTS, line({"dots": "3"}), 'expected <integer from 0 to 99>, got "3"'),
    (DOTS, line({"dots": 3.5}), "expected <integer from 0 to 99>, got 3.5"),
    (DOTS, line({"dots": 100}), "less than or equal to 99) | that is a bound of the task"),
    (DOTS, line({"dots": 1}, question="How many?"), "dots asks the same of every image"),
    (ASKED, line({"dots": 1}), "expected what asked asks about this image, got none"),
    (ASKED, line({"dots": 1}, question=" "), "question: expected a text, got ' '"),
    (DOTS, line({"dots": 1}, vocabulary={"dots": ["a"]}), "dots has no key 'dots' | valid: none"),
    (SHAPE, line({}, vocabulary=["a"]), "vocabulary: expected an object of lists of names"),
    (SHAPE, line({}, vocabulary={"nmae": ["a"]}), "did you mean 'name'?"),
    (SHAPE, line({}, vocabulary={"name": []}), "vocabulary.name: expected a list of names"),
    (SHAPE, line({}, vocabulary={"name": ["thirteen char"]}), "expected ASCII names of 1 to 12"),
    *(
        (task, line({}, vocabulary={key: ["a", name]}), "names of 1 to 64 printable ASCII")
        for task, key in ((SHAPE, "name"), (STYLE, "style"))
        for name in (" a", "", "é", "a\nb", "a\x1bb", "x" * 65, "a, b", "a; b", "a - b", 7, None)
    ),
    (STYLE, line({"style": "oil"}), """add "vocabulary": {"style": [...]} with all possible"""),
    (
        STYLE,
        line({"style": "oil"}, vocabulary={"style": ["ink", "lead"]}),
        'truth.style: expected <one of "ink", "lead">, got "oil"',
    ),
    (BOXED, line({"box": [10, 10, 5, 50]}), "the box is [10, 10, 15, 60], and every other"),
    (BOXED, line({"box": [0.1, 0.1, 0.6, 0.9]}), "not shares of it"),
    (BOXED, line({"box": [10, 10, 60]}), "truth.box: expected [x1, y1, x2, y2], got [10, 10, 60]"),
    (BOXED, line({"box": [10, 10, 60, "50"]}), 'truth.box[3]: expected [x1, y1, x2, y2], got "50"'),
    (BOXED, line({"box": [10, 10, 101, 50]}), "which is 100 wide and 80 high as shown, got (101"),
    (BOXED, line({"box": [-1, 10, 60, 50]}), "got (-1, 10)"),
    (BOXED, line({"box": [10, 10, 60, 95]}), "was the label made before EXIF rotation"),
    (
        SHAPE,
        line({"name": "x", "ring": [[9, 9], [40, 9], [9, 9]]}),
        "expected a polygon of at least 3 different points, got 2",
    ),
    (
        SHAPE,
        line({"name": "x", "ring": [[9, 9], [40, 40], [40, 9], [9, 40]]}),
        "expected a polygon that does not cross itself",
    ),
    (
        SHAPE,
        line({"name": "x", "ring": [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]}),
        "expected a polygon of at least 1 square pixel",
    ),
    (
        SHAPE,
        line({"name": "x", "ring": [[9 + k, 9 + k * k] for k in range(6)]}),
        "6 long (list should have at most 5 items after validation, not 6) | that is a bound",
    ),
    (
        SHAPE,
        line({"name": "thirteen chars", "ring": [[9, 9], [40, 9], [9, 40]]}),
        "14 long (string should have at most 12 characters) | that is a bound",
    ),
    (
        SHAPE,
        line(
            {"name": "cats", "ring": [[9, 9], [40, 9], [9, 40]]}, vocabulary={"name": ["cat", "ox"]}
        ),
        "truth.name: expected a name of the line's vocabulary, got 'cats' | did you mean 'cat'?",
    ),
    (
        SHAPE,
        line({"name": "café", "ring": [[9, 9], [40, 9], [9, 40]]}),
        "expected printable ASCII that a constrained answer can hold, got 'é'",
    ),
    (GROUNDING, line(one_cat(ignore=[[50, 50, 5, 60]])), "truth.ignore[0].box: expected x1, y1"),
    (
        GROUNDING,
        line(one_cat(ignore=[[0.1, 0.1, 0.6, 0.6]])),
        "truth.ignore[0].box: expected a box",
    ),
    (GROUNDING, line(one_cat(ignore=[[50, 50, 60, 9999]])), "truth.ignore[0].box: expected pixels"),
    (
        GROUNDING,
        line(one_cat(ignore=[[50, 50, 60, 60]], name="cats"), vocabulary={"label": ["cat", "ox"]}),
        "truth.ignore[0].label: expected a name of the line's vocabulary, got 'cats'",
    ),
    (GROUNDING, line({**one_cat(), "count": 5}), "got 1 and a count of 5"),
    (DOTS, line({"dots": 1}, image="\x1b[31mx.png"), r"dots/\x1b[31mx.png | paths are"),
    (DOTS, line({"dots": 1, "\u202e": 1}), "truth.\\u202e: dots has no such field"),
    (WORDS, line({"plain": 'a"b', "any": "x"}), "truth.plain: expected printable ASCII"),
    (WORDS, line({"any": 'a"b"c"'}), "at most 2 quotes, backslashes or line ends, got 3"),
    (WORDS, line({"any": '"' + "x" * 11}), "at most 10 characters after the first '\"', got 11"),
]


@pytest.mark.parametrize(("task", "given_line", "expected"), BY_HAND)
def test_each_problem_is_named(
    tmp_path: Path, task: VisionTask, given_line: dict[str, Any], expected: str
) -> None:
    found = told(tmp_path, task, given_line)
    assert any(expected in problem for problem in found), found


@pytest.mark.parametrize(
    ("category", "truth"),
    [
        ("bbox_grounding", {**one_cat(), "ignore": None, "count": None}),
        ("bbox_grounding", {**one_cat(ignore=[[50, 50, 99, 79]]), "count": 3}),
        ("ocr_text", {"lines": [{"text": "Exit 7"}], "answers": None, "words": None}),
        ("ocr_text", {"lines": None, "answers": ['the "exit"', "exit"], "words": 2}),
        ("image_classification", {"label": "cat", "confidence": None}),
        ("camera_rotational_offset", {"roll": 5, "yaw": None}),
        ("vit_accuracy_to_prompt", {"answer": "green", "answers": None}),
        ("vit_accuracy_to_prompt", {"answer": None, "answers": ["green"], "confidence": None}),
    ],
)
def test_what_is_null_is_as_if_left_out(
    tmp_path: Path, category: str, truth: dict[str, Any]
) -> None:
    asked = {"question": "What?"} if category == "vit_accuracy_to_prompt" else {}
    assert told(tmp_path, TASKS[category], line(truth, **asked)) == []


def test_a_null_that_is_needed_is_told(tmp_path: Path) -> None:
    truth = {"lines": None, "answers": ["exit"], "words": None}
    (found,) = told(tmp_path, TASKS["ocr_text"], line(truth))
    assert "the number of words" in found


def test_nothing_that_a_terminal_would_obey_is_told(tmp_path: Path) -> None:
    odd = "\x1b[31m\x07\r\n\u202e"
    wrong = [line({"dots": odd, odd: 1}, **{odd: 1, "image": odd, "id": odd}), {odd: odd}]
    checked(tmp_path / odd.replace("\n", ""), DOTS, b"{}")
    problems = checked(tmp_path, DOTS, "\n".join(map(json.dumps, wrong)).encode()).problems
    problems += check(tmp_path, {}).problems
    problems += check(tmp_path / odd.replace("\n", ""), {"dots": DOTS}).problems
    assert len(problems) > 5
    assert all(f"{problem}{problem.hint}".isprintable() for problem in problems)


def test_a_task_whose_fields_are_illegal_is_told(tmp_path: Path) -> None:
    wrong = task_of("wrong", {"dots": integer(0, 9, optional=True)})
    assert told(tmp_path, wrong, line({"dots": 1})) == [
        "1: expected an object whose first field is required | "
    ]


def test_escapes_within_the_grammar_are_no_problem(tmp_path: Path) -> None:
    assert told(tmp_path, WORDS, line({"plain": "ab", "any": 'say "' + "x" * 9 + "\n"})) == []


def test_all_problems_of_a_line_are_told_at_once(tmp_path: Path) -> None:
    found = told(
        tmp_path,
        TASKS["bbox_grounding"],
        line({"detections": [{"label": "cat"}, {"lable": "x", "box": [1]}], "count": 100}, id="/"),
    )
    assert [problem.split(": ")[1].partition(" of 1 to")[0] for problem in found] == [
        "expected an id",
        "truth.detections[0].box",
        "truth.detections[1].label",
        "truth.detections[1].box",
        "truth.detections[1].lable",
        "truth.count",
    ]


def test_ids_are_unique_whatever_their_case(tmp_path: Path) -> None:
    lines = [
        line({"dots": 1}, id="A"),
        line({"dots": 2}, image="2.png", id="a"),
        line({"dots": 2}, image="a b.png", id="1"),
    ]
    (found,) = told(tmp_path, DOTS, *lines)
    assert found.startswith("2: expected an id of its own, got 'a', which line 1 has | ")


def test_two_paths_of_one_default_id_are_told(tmp_path: Path) -> None:
    (tmp_path / "dots" / "a").mkdir(parents=True)
    for name in ("a/b.png", "a-b.png"):
        Image.new("RGB", SIZE).save(tmp_path / "dots" / name)
    lines = [line({"dots": 1}, image=name) for name in ("a/b.png", "a-b.png")]
    assert [problem[:40] for problem in told(tmp_path, DOTS, *lines)] == [
        "2: expected an id of its own, got 'a-b',"
    ]


def test_an_image_that_stands_there_twice(tmp_path: Path) -> None:
    (again,) = told(tmp_path, DOTS, line({"dots": 1}), line({"dots": 1}, id="x"))
    assert again.startswith("2: expected an image or a question of its own, got those of line 1")
    (other,) = told(tmp_path, DOTS, line({"dots": 1}), line({"dots": 2}, id="x"))
    assert other.startswith("2: line 1 has the same image and question, but another truth")


@pytest.mark.parametrize("content", [b"no image", b"", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_image(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dots").mkdir()
    (tmp_path / "dots" / "1.png").write_bytes(content)
    (found,) = told(tmp_path, DOTS, line({"dots": 1}))
    assert found.startswith("1: expected an image that can be decoded, got ")


def test_a_damaged_image(tmp_path: Path) -> None:
    (tmp_path / "dots").mkdir()
    Image.radial_gradient("L").save(tmp_path / "dots" / "1.png")
    content = (tmp_path / "dots" / "1.png").read_bytes()
    (tmp_path / "dots" / "1.png").write_bytes(content[: len(content) // 2])
    (found,) = told(tmp_path, DOTS, line({"dots": 1}))
    assert found.startswith("1: expected an image that can be decoded, got ")


def test_an_image_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_IMAGE_PIXELS", 7999)
    (found,) = told(tmp_path, DOTS, line({"dots": 1}))
    assert "of at most 7,999 pixels" in found


def test_a_vocabulary_stands_in_for_the_fallback_of_a_choice(tmp_path: Path) -> None:
    task = task_of("kind", {"kind": choice("a", "b", vocabulary="kind")})
    assert told(tmp_path, task, line({"kind": "a"})) == []
    assert told(tmp_path, task, line({"kind": "c"}, vocabulary={"kind": ["c"]})) == []
    assert (
        'expected <one of "c">'
        in told(tmp_path, task, line({"kind": "a"}, vocabulary={"kind": ["c"]}))[0]
    )


def test_a_right_answer_that_could_not_pass(tmp_path: Path) -> None:
    low = task_of("low", {"dots": integer(0, 9)}, score=lambda a, t, v: Score(primary=0.85))
    (found,) = told(tmp_path / "low", low, line({"dots": 1}))
    assert "a model that answers exactly this could not pass: it scores 0.85" in found
    strict = task_of(
        "strict", {"dots": integer(0, 9)}, score=lambda a, t, v: Score(primary=0.95), right_at=0.99
    )
    assert "it scores 0.95" in told(tmp_path / "strict", strict, line({"dots": 1}))[0]


def test_a_box_too_small_for_whole_thousandths_is_told(tmp_path: Path) -> None:
    (tmp_path / "subject_fixation").mkdir()
    Image.new("RGB", (4000, 300)).save(tmp_path / "subject_fixation" / "1.png")
    truth = {"subject": "ant", "box": [1001.9, 100, 1004.5, 105]}
    (found,) = told(tmp_path, TASKS["subject_fixation"], line(truth))
    assert "could not pass" in found


def test_functions_of_a_task_may_raise(tmp_path: Path) -> None:
    def broken(*given: Any) -> Any:
        raise KeyError("nothing")

    fields = {"dots": integer(0, 9)}
    for more in ({"complete": broken}, {"answer": broken}, {"score": broken}):
        (found,) = told(tmp_path, task_of("broken", fields, **more), line({"dots": 1}))
        assert "KeyError: 'nothing'" in found
    asks = task_of("broken", fields, question=broken, prompt="{question} {schema}")
    assert "question: KeyError: 'nothing'" in told(tmp_path, asks, line({"dots": 1}))[0]
    told_so = task_of("broken", fields, complete=lambda _: _raise())
    assert told(tmp_path, told_so, line({"dots": 1})) == ["1: truth: no dots | draw some"]


def _raise() -> Truth:
    raise DataError("no dots", hint="draw some")


def test_an_answer_too_long_for_its_budget(tmp_path: Path) -> None:
    fields = {"lines": list_of(text(80), at_most=99)}
    long = task_of("long", fields, answer_tokens=16)
    truth = {"lines": ["word " * 16] * 20}  # 320 words and 20 times ten signs, against 256
    (found,) = told(tmp_path, long, line(truth))
    assert "expected an answer of at most 256 tokens, got up to " in found
    assert "--max-new-tokens" in found
    assert told(tmp_path, task_of("long", fields, answer_tokens=400), line(truth)) == []


def test_tokens_are_counted_by_hand() -> None:
    assert tokens('{"a": 1}') == 7  # { " a " : 1 }
    assert tokens('"abcde fghijk"') == 2 + 1 + 2
    assert tokens('"12.50"') == 2 + 5
    assert tokens('"\\u00e9x"') == 2 + 2 + 1


def test_folders_that_are_no_task(tmp_path: Path) -> None:
    checked(tmp_path, task_of("dotz", {"dots": integer(0, 9)}), b"{}\n")
    (tmp_path / "asked").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "manifest.jsonl").touch()
    found = check(tmp_path, {"dots": DOTS, "asked": ASKED})
    assert [(problem.path, problem.message) for problem in found.problems] == [
        (str(tmp_path / "manifest.jsonl"), "expected a manifest in a folder per task"),
        (str(tmp_path / "asked"), "expected a manifest.jsonl, got none"),
        (str(tmp_path / "dotz"), "'dotz' is no task"),
    ]
    assert found.problems[-1].hint == "did you mean 'dots'?"
    assert found.summary() == "0 lines in 1 category, 3 problems"


def test_an_empty_folder(tmp_path: Path) -> None:
    (problem,) = check(tmp_path, {"dots": DOTS}).problems
    assert str(problem) == f"{tmp_path}: expected <category>/manifest.jsonl, got none"
    assert problem.hint == "categories: dots"
    with pytest.raises(DataError, match="expected a folder of data"):
        check(tmp_path / "nowhere", {"dots": DOTS})


def test_problems_come_by_category_and_line(tmp_path: Path) -> None:
    for task in (DOTS, ASKED):
        here = tmp_path / task.category
        here.mkdir()
        (here / "1.png").write_bytes(b"none")  # found late, after the manifest has been read
        lines = [line({"dots": 1}, question="?"), line({"dots": "x"}, id="x")]
        (here / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = check(tmp_path, {"dots": DOTS, "asked": ASKED}).problems
    places = [(Path(problem.path).parent.name, problem.line) for problem in found]
    assert places == sorted(places)
    assert {place for place, _ in places} == {"asked", "dots"}
    assert isinstance(found[0], Problem)


def documented() -> dict[str, list[dict[str, Any]]]:
    """Category -> the example lines of docs/own-data.md."""
    parts = re.split(r"^### ", DOC, flags=re.MULTILINE)[1:]
    return {
        part.partition("\n")[0]: [
            json.loads(text)
            for block in re.findall(r"^```json\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
            for text in block.splitlines()
        ]
        for part in parts
    }


def test_every_task_has_an_example_in_the_documents() -> None:
    assert list(documented()) == list(TASKS)
    assert all(documented().values())


@pytest.mark.parametrize("category", TASKS)
def test_the_documented_examples_pass(tmp_path: Path, category: str) -> None:
    here = tmp_path / category
    here.mkdir()
    lines = documented()[category]
    for example in lines:
        Image.new("RGB", (640, 480)).save(here / example["image"])
    (here / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = check(tmp_path, TASKS)
    assert [str(problem) for problem in found.problems] == []
    assert found.lines == len(lines)


@pytest.mark.parametrize("category", TASKS)
def test_the_fields_of_every_task_are_documented(category: str) -> None:
    part = DOC.partition(f"### {category}\n")[2].partition("###")[0]
    for name in TASKS[category].fields:
        assert f"`{name}`" in part or f"`{name}?`" in part


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_legal_answer_is_accepted_or_told_to_be_wrong(
    task: VisionTask, data: st.DataObject
) -> None:
    source = task.ground_truth["synthetic"]
    assert isinstance(source, Drawn)
    built = artifacts(task.fields, source.vocabulary, "pixel", "closed")
    truth = data.draw(answers(built.root, "norm_0_1000"))
    dropped = data.draw(st.sets(st.sampled_from([*task.fields])))
    own = {
        "image": "1.png",
        "question": "What is it?" if "{question}" in task.prompt else None,
        "vocabulary": {key: list(names) for key, names in source.vocabulary.items()} or None,
        "truth": {key: value for key, value in truth.items() if key not in dropped},
    }
    folder = Path(tempfile.mkdtemp())
    try:
        here = folder / task.category
        here.mkdir()
        Image.new("L", (1000, 1000)).save(here / "1.png")
        (here / "manifest.jsonl").write_text(json.dumps(own), encoding="utf-8")
        found = check(folder, TASKS)
    finally:
        shutil.rmtree(folder)
    assert found.lines == 1
    assert all(problem.message and problem.line == 1 for problem in found.problems)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    truth=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["detections", "label", "box", "count", "ignore", "x"]), inner
            )
        ),
        max_leaves=8,
    )
)
def test_any_json_at_all_is_accepted_or_told_to_be_wrong(truth: Any) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        checked(folder, TASKS["bbox_grounding"], json.dumps(line(truth)).encode())
    finally:
        shutil.rmtree(folder)

"""One's own data as cases: what a run gets, and what keeps it from starting."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vlmbench_plugin.core import Answer, Score, Truth, VisionTask, Vocabulary
from vlmbench_plugin.data.local import LocalCases, own_categories, strangers
from vlmbench_plugin.errors import DataError
from vlmbench_plugin.fields import box, integer, label
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.tasks import TASKS

SIZE = (100, 80)
ROTATED = 6
"""EXIF orientation: turned by a quarter."""


def same(answer: Answer, truth: Truth, vocabulary: Vocabulary) -> Score:
    return Score(primary=float(answer["dots"] == truth["dots"]))


DOTS = VisionTask(
    category="dots",
    title="count the dots",
    fields={"dots": integer(0, 99)},
    prompt="How many dots are there? {schema}",
    score=same,
    answer_tokens=16,
)
ASKED = VisionTask(
    category="asked",
    title="find what is asked for",
    fields={"name": label("name"), "box": box()},
    prompt="{question} {schema}",
    score=same,
    answer_tokens=32,
    question=lambda truth: f"Where is the {truth['name']}?",
)


def put(folder: Path, category: str, *lines: Mapping[str, Any], image: bool = True) -> Path:
    """Writes a manifest, and one grey image for every name in it."""
    here = folder / category
    here.mkdir(parents=True, exist_ok=True)
    (here / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for line in lines if image else ():
        path = here / line["image"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE, (128, 128, 128)).save(path)
    return folder


def dots(count: int, *, first: int = 0) -> list[dict[str, Any]]:
    return [{"image": f"{k}.png", "truth": {"dots": k}} for k in range(first, first + count)]


def cases(task: VisionTask, folder: Path, **chosen: Any) -> LocalCases:
    return LocalCases(task, Settings(dataset="own", data_dir=str(folder), **chosen), folder)


def test_a_line_is_a_case(tmp_path: Path) -> None:
    put(
        tmp_path / "my",
        "asked",
        {
            "image": "scans/page 1.png",
            "vocabulary": {"name": ["cat", "dog"]},
            "truth": {"name": "cat", "box": [10, 20.00000000000001, 60, 70]},
        },
    )
    (found,) = (cases(ASKED, tmp_path / "my")[0],)
    assert found.category == "asked"
    assert found.image_id == "scans-page-1"
    assert (found.source, found.index, found.size) == ("own", 0, SIZE)
    assert found.truth == {"name": "cat", "box": [10, 20.0, 60, 70]}
    assert found.question == "Where is the cat?"
    assert found.vocabulary == {"name": ("cat", "dog")}
    assert found.difficulty is None
    assert found.image().size == SIZE
    assert found.image().mode == "RGB"


def test_the_lines_own_question_comes_first(tmp_path: Path) -> None:
    truth = {"name": "cat", "box": [10, 20, 60, 70]}
    put(tmp_path, "asked", {"image": "1.png", "id": "one", "question": "Where?", "truth": truth})
    found = cases(ASKED, tmp_path)[0]
    assert (found.question, found.image_id) == ("Where?", "one")


def test_the_task_completes_the_label(tmp_path: Path) -> None:
    line = {"image": "1.png", "truth": {"detections": [{"label": "cat", "box": [1, 2, 30, 40]}]}}
    put(tmp_path, "bbox_grounding", line)
    assert cases(TASKS["bbox_grounding"], tmp_path)[0].truth["count"] == 1


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    truth = {"name": "cat", "box": [10, 20, 80, 100]}
    put(tmp_path, "asked", {"image": "1.jpg", "truth": truth})
    image = Image.new("RGB", SIZE)
    exif = image.getexif()
    exif[0x0112] = ROTATED
    image.save(tmp_path / "asked" / "1.jpg", exif=exif)
    found = cases(ASKED, tmp_path)[0]
    assert found.size == found.image().size == (80, 100)


def test_case_k_does_not_depend_on_n(tmp_path: Path) -> None:
    put(tmp_path, "dots", *dots(20))
    every = cases(DOTS, tmp_path)
    few = cases(DOTS, tmp_path, n=5)
    assert (len(every), len(few)) == (20, 5)
    assert [few[k].image_id for k in range(5)] == [every[k].image_id for k in range(5)]
    assert {every[k].image_id for k in range(20)} == {str(k) for k in range(20)}
    assert [every[k].index for k in range(20)] == list(range(20))


def test_the_choice_is_seeded_and_unbiased(tmp_path: Path) -> None:
    put(tmp_path, "dots", *dots(10))
    chosen = [
        cases(DOTS, tmp_path, n=5, seed=seed)[k].truth["dots"] for seed in range(40) for k in (0, 1)
    ]
    # 80 draws out of ten: each about eight times, and none of the first lines more than others.
    assert set(chosen) == set(range(10))
    assert max(map(chosen.count, range(10))) <= 20
    again = cases(DOTS, tmp_path, n=5, seed=3)
    assert again[0].image_id == cases(DOTS, tmp_path, n=5, seed=3)[0].image_id


def test_another_line_takes_the_place_of_one_at_most(tmp_path: Path) -> None:
    put(tmp_path, "dots", *dots(20))
    before = cases(DOTS, tmp_path, n=10)
    put(tmp_path, "dots", *dots(1, first=20), *dots(20))
    after = cases(DOTS, tmp_path, n=10)
    ids = [{found[k].image_id for k in range(10)} for found in (before, after)]
    assert len(ids[0] & ids[1]) >= 9


def test_the_revision_follows_label_and_image_alone(tmp_path: Path) -> None:
    def revision(text: str) -> str | None:
        (tmp_path / "dots" / "manifest.jsonl").write_text(text)
        return cases(DOTS, tmp_path)[0].revision

    put(tmp_path, "dots", *dots(1))
    first = revision('{"image": "0.png", "truth": {"dots": 1}}\n')
    assert first is not None
    assert len(first) == 16
    assert revision('\n{ "truth": {"dots":1},"image":"0.png" }\r\n') == first
    assert revision('{"image": "0.png", "truth": {"dots": 2}}\n') != first
    Image.new("RGB", SIZE, (0, 0, 0)).save(tmp_path / "dots" / "0.png")
    assert revision('{"image": "0.png", "truth": {"dots": 1}}\n') != first


def test_pixels_are_read_only_when_looked_at(tmp_path: Path) -> None:
    put(tmp_path, "dots", *dots(3))
    for path in (tmp_path / "dots").glob("*.png"):
        content = path.read_bytes()
        path.write_bytes(content[:60] + b"\0" * 20)  # the header is whole
    found = cases(DOTS, tmp_path)[0]
    assert found.size == SIZE
    with pytest.raises(DataError, match=rf"dots/manifest\.jsonl:{found.truth['dots'] + 1}"):
        found.image()


def test_it_describes_itself(tmp_path: Path) -> None:
    put(tmp_path, "dots", *dots(3))
    assert cases(DOTS, tmp_path, n=2).describe() == {
        "source": "own",
        "path": str(tmp_path / "dots" / "manifest.jsonl"),
        "lines": 3,
    }


def test_an_index_outside_is_an_index_error(tmp_path: Path) -> None:
    put(tmp_path, "dots", *dots(2))
    for index in (2, -1):
        with pytest.raises(IndexError):
            cases(DOTS, tmp_path)[index]


def test_a_broken_line_keeps_a_run_from_starting(tmp_path: Path) -> None:
    lines = dots(5)
    lines[2]["truth"] = {"dots": 100}
    lines[3]["truth"] = {"dogs": 1}
    put(tmp_path, "dots", *lines)
    with pytest.raises(DataError) as caught:
        cases(DOTS, tmp_path)
    told = str(caught.value)
    assert "dots/manifest.jsonl:3: truth.dots: expected <integer from 0 to 99>, got 100" in told
    assert "(and 1 more)" in told
    assert f"qwen-vlmbench data check {tmp_path}" in told


def test_a_missing_image_does_too(tmp_path: Path) -> None:
    put(tmp_path, "dots", *dots(1), image=False)
    with pytest.raises(DataError, match=r"manifest\.jsonl:1: expected a file, got nothing at"):
        cases(DOTS, tmp_path)


def test_a_box_beyond_the_image_is_told_when_the_case_is_asked_for(tmp_path: Path) -> None:
    put(tmp_path, "asked", {"image": "1.png", "truth": {"name": "cat", "box": [1, 1, 101, 70]}})
    found = cases(ASKED, tmp_path)
    with pytest.raises(DataError, match=r"manifest\.jsonl:1: truth\.box: .*100 wide and 80 high"):
        found[0]


def test_a_task_without_a_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dots/manifest\.jsonl"):
        cases(DOTS, tmp_path)


def test_categories_are_the_folders_with_a_manifest(tmp_path: Path) -> None:
    put(put(tmp_path, "ocr_text"), "dots", *dots(1))
    (tmp_path / "images").mkdir()
    (tmp_path / "notes.txt").touch()
    assert own_categories(tmp_path) == ("dots", "ocr_text")
    with pytest.raises(DataError, match="expected a folder of data"):
        own_categories(tmp_path / "nowhere")


def test_a_folder_with_a_manifest_that_is_no_task_is_a_stranger(tmp_path: Path) -> None:
    for category in ("bbox_groundin", "dots", "ocr_txt"):
        put(tmp_path, category)
    (tmp_path / "images").mkdir()
    assert strangers(tmp_path, {"dots": DOTS}) == ("bbox_groundin", "ocr_txt")
    assert strangers(tmp_path, {"dots", "bbox_groundin", "ocr_txt"}) == ()


def test_an_error_tells_nothing_that_a_terminal_would_obey(tmp_path: Path) -> None:
    name = "\x1b[31mx.png"
    odd = {"image": name, "id": "x", "truth": {"dots": 1}}
    put(tmp_path, "dots", odd, image=False)
    with pytest.raises(DataError, match=r"got nothing at .*\\x1b\[31mx\.png"):
        cases(DOTS, tmp_path)
    put(tmp_path, "dots", odd)
    (tmp_path / "dots" / name).write_bytes(b"no image")
    with pytest.raises(DataError, match=r"\\x1b\[31mx\.png") as caught:
        cases(DOTS, tmp_path)[0]
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("name", ["../dots/0.png", "a/../../dots/0.png", "/etc/hosts", "..\\0.png"])
def test_nothing_outside_is_read(tmp_path: Path, name: str) -> None:
    put(tmp_path, "dots", *dots(1))
    put(tmp_path, "dots", {"image": name, "id": "x", "truth": {"dots": 1}}, image=False)
    with pytest.raises(DataError, match="expected an image inside"):
        cases(DOTS, tmp_path)


def test_links_are_followed_inside_the_folder_alone(tmp_path: Path) -> None:
    folder = put(tmp_path / "my", "dots", *dots(1))
    here = folder / "dots" / "0.png"
    shared, beyond = folder / "shared.png", tmp_path / "beyond.png"
    here.rename(shared)
    here.symlink_to(shared)
    assert cases(DOTS, folder)[0].size == SIZE
    shared.rename(beyond)
    here.unlink()
    here.symlink_to(beyond)
    with pytest.raises(DataError, match="a link that leads out of it"):
        cases(DOTS, folder)
    here.unlink()
    here.symlink_to(here)
    with pytest.raises(DataError, match="got nothing at"):
        cases(DOTS, folder)


def test_a_manifest_or_a_category_may_not_lead_out_either(tmp_path: Path) -> None:
    outer = put(tmp_path / "outer", "dots", *dots(1))
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "dots").symlink_to(outer / "dots", target_is_directory=True)
    with pytest.raises(DataError, match="a link that leads out of it"):
        cases(DOTS, tmp_path / "my")
    inner = put(tmp_path / "inner", "dots", *dots(1))
    (inner / "dots" / "manifest.jsonl").unlink()
    (inner / "dots" / "manifest.jsonl").symlink_to(outer / "dots" / "manifest.jsonl")
    with pytest.raises(DataError, match="a link that leads out of it"):
        cases(DOTS, inner)


def test_the_data_folder_itself_may_be_a_link_or_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "real", "dots", *dots(1))
    (tmp_path / "my").symlink_to(tmp_path / "real", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    assert len(cases(DOTS, Path("my"))) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    put(tmp_path, "dots", *dots(1), image=False)
    os.mkfifo(tmp_path / "dots" / "0.png")
    with pytest.raises(DataError, match="which is no file"):
        cases(DOTS, tmp_path)

"""One's own data and a mirror of public data through real pytest, in one process and in two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from unit_tests.plugin.conftest import Finished, Inside, run

HUB = Path(__file__).parents[2] / "fixtures" / "hub"
EXECUTIONS = ((), ("xdist", "-n", "0"), ("xdist", "-n", "2"))
LABELS = ("cat", "dog", "bird")


def own_data(folder: Path) -> Path:
    """Three images to classify, and one to find boxes in, under ``folder/mine``."""
    for category in ("image_classification", "bbox_grounding"):
        (folder / "mine" / category).mkdir(parents=True)
    lines = []
    for index, name in enumerate(LABELS):
        Image.new("RGB", (80, 60), (index * 40, 90, 30)).save(
            folder / "mine" / "image_classification" / f"{name}.png"
        )
        lines.append({"image": f"{name}.png", "truth": {"label": name}})
    write(folder, "image_classification", lines)
    Image.new("RGB", (80, 60)).save(folder / "mine" / "bbox_grounding" / "a.png")
    box = {"label": "cat", "box": [10, 10, 40, 50]}
    write(folder, "bbox_grounding", [{"image": "a.png", "truth": {"detections": [box]}}])
    return folder / "mine"


def write(folder: Path, category: str, lines: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "mine" / category / "manifest.jsonl").write_text(text)


def ask(folder: Path, *arguments: str, execution: tuple[str, ...] = ()) -> Finished:
    plugins, options = execution[:1], execution[1:]
    own = ("--runner", "stub", "--report-dir", "out", *arguments)
    return run(folder, *own, *options, plugins=plugins)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    own_data(tmp_path)
    return tmp_path


def test_own_data_give_the_same_records_however_they_run(tmp_path: Path) -> None:
    found = []
    for number, execution in enumerate(EXECUTIONS):
        folder = tmp_path / str(number)
        own_data(folder)
        done = ask(folder, "--data-dir", "mine", execution=execution)
        assert done.exit == 0, done.output
        assert "Data set mine." in done.output
        assert "These are your images and labels" in done.output
        assert "Left out, no <category>/manifest.jsonl in" in done.output
        keep = ("category", "mode", "image_id", "truth", "raw_text", "dataset", "source", "key")
        found.append([{name: record[name] for name in keep} for record in done.records()])
        manifest = json.loads(done.text("manifest.json"))
        assert manifest["data"]["image_classification"]["lines"] == 3
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 8
    assert {(record["dataset"], record["source"]) for record in found[0]} == {("mine", "own")}
    assert {r["image_id"] for r in found[0] if r["category"] == "image_classification"} == {*LABELS}
    grounded = next(r for r in found[0] if r["category"] == "bbox_grounding")
    assert grounded["truth"]["count"] == 1


def test_an_edited_label_is_asked_again_and_nothing_else(mine: Path) -> None:
    only = ("--data-dir", "mine", "--category", "image_classification", "--mode", "json_mode")
    ask(mine, *only)
    assert "Replayed 3 of 3" in ask(mine, *only).output
    lines = [{"image": f"{name}.png", "truth": {"label": name}} for name in LABELS]
    lines[1]["truth"] = {"label": "wolf"}
    write(mine, "image_classification", lines)
    again = ask(mine, *only)
    assert "Replayed 2 of 3" in again.output
    assert {record["truth"]["label"] for record in again.records()} == {"cat", "wolf", "bird"}
    Image.new("RGB", (81, 60)).save(mine / "mine" / "image_classification" / "cat.png")
    assert "Replayed 2 of 3" in ask(mine, *only).output


def test_a_category_without_a_manifest_is_refused_where_it_was_asked_for(mine: Path) -> None:
    done = ask(mine, "--data-dir", "mine", "--category", "segmentation")
    assert done.exit == pytest.ExitCode.INTERRUPTED
    assert "Traceback" not in done.output
    assert "bench.py" not in done.output.replace("test_bench.py", "")
    assert "segmentation: no <category>/manifest.jsonl in" in done.output


def test_a_wrong_line_stops_the_run_before_anything_is_asked(mine: Path) -> None:
    write(mine, "bbox_grounding", [{"image": "a.png", "truth": {"detections": [{"label": "x"}]}}])
    done = ask(mine, "--data-dir", "mine")
    assert done.exit == pytest.ExitCode.INTERRUPTED
    assert "mine/bbox_grounding/manifest.jsonl:1" in done.output
    assert "qwen-vlmbench data check" in done.output
    assert not (mine / "out" / "results.jsonl").exists()


@pytest.mark.parametrize("execution", EXECUTIONS, ids=["plain", "n0", "n2"])
def test_a_mirror_serves_the_real_data_set(tmp_path: Path, execution: tuple[str, ...]) -> None:
    done = ask(
        tmp_path, "--dataset", "real", "--data-dir", str(HUB), "--n", "4", execution=execution
    )
    assert done.exit == 0, done.output
    records = done.records()
    assert {record["source"] for record in records} >= {"coco", "nyu", "psg", "wikiart"}
    assert {record["dataset"] for record in records} == {"real"}
    assert "Left out, no real images: data_type_differentiation, data_type_utilization" in (
        done.output
    )
    assert "models may have been trained on them" in " ".join(done.output.split())
    found = json.loads(done.text("manifest.json"))["data"]["segmentation"]
    assert found["hub_id"] == "detection-datasets/coco"
    assert found["left_out"]


def test_only_what_m_selects_is_read(tmp_path: Path) -> None:
    """An empty mirror has nothing but is asked for nothing."""
    (tmp_path / "mirror").mkdir()
    full = ("--dataset", "full", "--data-dir", "mirror", "--n", "1")
    assert ask(tmp_path, *full, "-m", "segmentation").exit == 0
    refused = ask(tmp_path, *full, "-m", "ocr_text")
    assert refused.exit == pytest.ExitCode.INTERRUPTED
    assert "hf download --repo-type dataset" in refused.output


def test_a_task_of_ones_own_may_have_own_data_alone(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest("""
        from vlmbench_plugin.core import VisionTask
        from vlmbench_plugin.fields import integer
        from vlmbench_plugin.generic import field_score

        FIELDS = {"dots": integer(0, 99)}

        def pytest_vlmbench_tasks():
            return [
                VisionTask(
                    category="dot_counting", title="count the dots", fields=FIELDS,
                    prompt="How many dots? {schema}", score=field_score(FIELDS), answer_tokens=16,
                )
            ]
    """)
    folder = pytester.path / "mine" / "dot_counting"
    folder.mkdir(parents=True)
    Image.new("RGB", (30, 30)).save(folder / "a.png")
    line = {"image": "a.png", "truth": {"dots": 3}}
    (folder / "manifest.jsonl").write_text(json.dumps(line) + "\n")
    stub = ("--runner", "stub", "--report-dir", "out", "--runner-arg", "faults=none")
    inside(*stub, "--data-dir", "mine").assert_outcomes(passed=2)
    drawn = inside(*stub, "--n", "1", "--category", "ocr_text,dot_counting")
    drawn.stdout.fnmatch_lines(["*dot_counting: no synthetic images*"])
    rest = inside(*stub, "--n", "1", "--report-dir", "out2", "--mode", "json_mode")
    rest.stdout.fnmatch_lines(["*Left out, no synthetic images: dot_counting.*"])

"""``route.json``: what it holds of a run, and that labelling with it asks what the run asked."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image

from unit_tests.gbnf_regex import accepts
from unit_tests.plugin.conftest import run
from unit_tests.runners.fake_server import Fake, asked_in, running
from unit_tests.test_aggregate import error, item
from vlmbench_plugin.asking import build_request
from vlmbench_plugin.cli import main
from vlmbench_plugin.core import Case, Generation, Json, ModelSpec, VisionTask
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.record import Record
from vlmbench_plugin.route_entries import GREEDY
from vlmbench_plugin.route_file import Wanted, route_document, route_lines
from vlmbench_plugin.routing import routers
from vlmbench_plugin.runners import openai
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.store import Store
from vlmbench_plugin.tasks import TASKS

FORMAT = (Path(__file__).parents[1] / "docs" / "results-format.md").read_text(encoding="utf-8")
CATEGORIES = "image_classification,bbox_grounding,vit_accuracy_to_prompt"
MINE = "mine=Qwen/Qwen3-VL-4B-Instruct@v7"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of three models, one of another frame, with a pixel cap of its own."""
    folder = tmp_path_factory.mktemp("run")
    models = f"qwen3vl-8b,{MINE},qwen2.5vl-7b"
    arguments = ("--runner", "stub", "--category", CATEGORIES, "--n", "6", "--report-dir", "out")
    done = run(folder, *arguments, "--models", models, "--max-pixels", "90000")
    assert done.exit == 0, done.output
    return folder / "out"


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "copied")
    return tmp_path / "copied"


def routed(folder: Path, *arguments: str) -> Any:
    assert main(["route", str(folder), *arguments]) == 0
    return json.loads((folder / "route.json").read_text(encoding="utf-8"))


def case_of(record: Record) -> tuple[VisionTask, Case]:
    task = TASKS[record.category]
    return task, load_cases(task, Settings(n=6))[record.case_index]


def test_every_name_leads_to_a_labeler_and_the_routers_are_those_of_the_records(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    route = routed(copied)
    out = capsys.readouterr().out
    best = {one["labeler"] for one in route["tasks"].values()}
    names = {name for router in route["routers"] for name in router["tasks"].values()}
    assert best | names == route["labelers"].keys()
    assert route["tasks"].keys() == set(CATEGORIES.split(","))
    found = routers(Store.read(copied))
    assert [one["held_out"] for one in route["routers"]] == [one.held_out for one in found]
    assert [one["models"] for one in route["routers"]] == [list(one.models) for one in found]
    assert route["left_out"] == {}
    assert (route["runners"], route["datasets"]) == (["stub"], ["synthetic"])
    assert route["illustration"] is True
    for text in ("No model ran", "Best single model: ", "At most 2: ", *best, "Written to "):
        assert text in out


def test_a_labeler_is_asked_as_the_run_asked(copied: Path) -> None:
    route = routed(copied, "--max-models", "3")
    for entry in route["labelers"].values():
        assert entry["differs"] == []
        assert entry["max_pixels"] == 90000
        assert entry["decoding"] == GREEDY
        assert entry["thinking"] == {"enable_thinking": False}
        records = [
            record
            for record in Store.read(copied)
            if (record.model, record.category, record.mode)
            == (entry["model"]["name"], entry["category"], entry["mode"])
        ]
        assert entry["figures"]["n"] == len(records) == 6
        for record in records:
            task, case = case_of(record)
            spec = dataclasses.replace(MODELS["qwen3vl-8b"], frame=entry["frame"])
            request = build_request(task, case, spec, record.mode, Settings(max_pixels=90000))
            assert entry["budget"] == request.budget
            assert entry["gbnf"] == request.grammar
            assert entry["json_schema"] == json.loads(json.dumps(request.json_schema))
            width, height = record.sent_size
            text = entry["messages"][0]["content"][1]["text"]
            if entry["frame"] == "pixel_resized":
                width, height = _resized(request.messages[0]["content"][1]["text"])
            filled = text.replace("{question}", record.question or "")
            filled = filled.replace("{width}", str(width)).replace("{height}", str(height))
            assert filled == request.messages[0]["content"][1]["text"]
            if record.schema_valid and record.finish_reason == "stop" and record.json_robust:
                answer = json.loads(re.sub(r"^```(?:json)?|```$", "", record.raw_text or ""))
                jsonschema.validate(answer, entry["json_schema"])
                assert accepts(entry["gbnf"], json.dumps(answer)) or record.mode == "json_mode"
    mine = [one["model"] for one in route["labelers"].values() if one["model"]["name"] == "mine"]
    assert all(one["revision"] == "v7" for one in mine)


def _resized(text: str) -> tuple[int, int]:
    found = re.search(r"which is (\d+) wide and (\d+) high", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def test_a_frame_in_pixels_leaves_the_size_open() -> None:
    records = [
        item(index, 1.0, model="q", category="bbox_grounding", frame="pixel_resized")
        for index in range(2)
    ]
    document = route_document(records, TASKS, {}, Settings(), Wanted())
    (entry,) = document["labelers"].values()
    assert "which is {width} wide and {height} high" in entry["messages"][0]["content"][1]["text"]
    assert entry["model"]["hub_id"] == "q"  # nothing is known of it but its name


def test_models_that_do_not_fit_are_left_out(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "qwen3vl-8b" not in routed(copied, "--max-vram", "17.5")["left_out"]
    route = routed(copied, "--max-vram", "17.4")
    assert route["left_out"]["qwen3vl-8b"] == "its weights take 17.5 GB"
    assert "qwen3vl-8b" not in {one["model"]["name"] for one in route["labelers"].values()}
    assert "Left out: qwen3vl-8b: its weights take 17.5 GB" in capsys.readouterr().out
    assert main(["route", str(copied), "--max-vram", "1"]) == 4
    assert "qwen3vl-8b: its weights take 17.5 GB" in capsys.readouterr().err


def test_a_model_of_unknown_size_fits_nowhere() -> None:
    records = [item(i, 1.0, frame="norm_0_1") for i in range(6)]
    document = route_document(records, TASKS, {}, Settings(), Wanted(max_vram=1000.0))
    assert document["left_out"] == {"m": "the size of its weights is not known"}
    assert not document["routers"]
    assert not document["labelers"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--max-models", "0"), "expected --max-models to be at least 1, got 0"),
        (("--max-vram", "nan"), "expected --max-vram to be at least 0, got nan"),
        (("--price-per-hour", "-1"), "expected --price-per-hour to be at least 0, got -1.0"),
        (("--max-models", "two"), "invalid int value"),
    ],
)
def test_a_wrong_option_is_told(
    finished: Path,
    arguments: tuple[str, ...],
    expected: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["route", str(finished), *arguments]) == 4
    assert expected in capsys.readouterr().err


def test_a_folder_without_results_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["route", str(tmp_path)]) == 4
    assert "it has no results.jsonl with a record" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "manifest", ["[]", '{"settings": {}}', '{"settings": {"max_pixels": "1", "max_new_tokens": 2}}']
)
def test_a_damaged_manifest_is_told(
    copied: Path, manifest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (copied / "manifest.json").write_text(manifest)
    assert main(["route", str(copied)]) == 4
    assert "manifest.json" in capsys.readouterr().err


def test_the_output_can_go_elsewhere(copied: Path, tmp_path: Path) -> None:
    of_the_run = (copied / "route.json").read_bytes()
    arguments = ("--max-models", "1", "--output", str(tmp_path / "mine.json"))
    assert main(["route", str(copied), *arguments]) == 0
    assert (copied / "route.json").read_bytes() == of_the_run
    assert len(json.loads((tmp_path / "mine.json").read_text())["routers"]) == 1
    assert json.loads((tmp_path / "mine.json").read_text())["format_version"] == 1


def test_what_is_no_longer_asked_as_it_was_measured_is_named(copied: Path) -> None:
    settings = Settings(max_pixels=80000, max_new_tokens=7)
    specs = {**MODELS, "mine": ModelSpec(name="mine", hub_id="other", frame="norm_0_1000")}
    document = route_document(Store.read(copied), TASKS, specs, settings, Wanted())
    for entry in document["labelers"].values():
        expected = ["budget"] if entry["mode"] == "json_mode" else []
        expected += ["model", "revision"] if entry["model"]["name"] == "mine" else []
        assert entry["differs"] == [*expected, "pixels"]
    assert any("not as it was measured: " in line for line in route_lines(document))


def test_the_best_of_a_task_and_its_money_by_hand() -> None:
    records = [
        *(item(i, 1.0, model="slow", busy_s=2.0, frame="norm_0_1") for i in range(6)),
        *(item(i, 0.5, model="fast", busy_s=0.5, frame="norm_0_1") for i in range(6)),
        error(0, model="x", category="no_such_task"),
    ]
    wanted = Wanted(price_per_hour=1.8)
    document = route_document(records, TASKS, {}, Settings(), wanted)
    assert document["tasks"] == {
        "ocr_text": {
            "labeler": "slow-ocr_text-json_mode",
            "yield": 1.0,
            "held_out": 1.0,
            "held_out_interval": document["routers"][0]["held_out_interval"],
        }
    }
    assert document["left_out"] == {"no_such_task": "its task is not known here"}
    assert document["labelers"].keys() == {"slow-ocr_text-json_mode"}
    figures = document["labelers"]["slow-ocr_text-json_mode"]["figures"]
    assert figures["money_per_million"] == pytest.approx(1000)
    assert figures["seconds_per_right"] == 2
    assert [one["models"] for one in document["routers"]] == [["slow"], ["slow"]]


def test_an_acceptance_stands_with_its_labeler() -> None:
    records = [
        item(i, 1.0, source="own", frame="norm_0_1", value_logprob={"mean": -0.01 * i, "min": -9.0})
        for i in range(60)
    ]
    document = route_document(records, TASKS, {}, Settings(), Wanted())
    (entry,) = document["labelers"].values()
    (found,) = entry["acceptance"]
    assert (found["threshold"], found["coverage"], found["illustration"]) == (-0.59, 1.0, False)
    assert f"    by value_logprob: {found['said']}" in route_lines(document)
    assert document["illustration"] is False


def test_the_order_of_the_records_does_not_matter(finished: Path) -> None:
    records = Store.read(finished)
    one = route_document(records, TASKS, MODELS, Settings(), Wanted())
    assert route_document(records[::-1], TASKS, MODELS, Settings(), Wanted()) == one


def fields_of(heading: str) -> set[str]:
    """The first column of the table that follows a sentence."""
    table = FORMAT.split("## `route.json`")[1].split(heading, 1)[1].split("\n\n")[1]
    return set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE))


def test_the_page_names_every_field(finished: Path) -> None:
    document = route_document(Store.read(finished), TASKS, MODELS, Settings(), Wanted())
    assert fields_of("`--output FILE`") == document.keys()
    assert fields_of("A *router*") == document["routers"][0].keys()
    for entry in document["labelers"].values():
        assert fields_of("A *labeler*") == entry.keys()


@pytest.fixture
def server() -> Iterator[Fake]:
    with running(Fake()) as fake:
        yield fake


Label = Callable[..., Json]


@pytest.fixture
def example(copied: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Label, str]:
    """The function that the page shows, and the lines below it that call it."""
    code = FORMAT.split("To label with it")[1].split("```python\n")[1].split("```")[0]
    defined, called = code.split("\nroute = ")
    namespace: dict[str, Any] = {}
    exec(defined, namespace)  # our own page
    monkeypatch.setenv("no_proxy", "*")
    return namespace["label"], f"route = {called}"


def test_the_example_asks_a_server_what_the_run_asked(
    copied: Path, server: Fake, tmp_path: Path, example: tuple[Label, str]
) -> None:
    route = routed(copied)
    label, called = example
    for entry in route["labelers"].values():
        if entry["frame"] == "pixel_resized":
            continue  # the page says what is to be done
        task = TASKS[entry["category"]]
        case = load_cases(task, Settings(n=1))[0]
        case.image().save(tmp_path / "photo.png")
        server.chats.clear()
        server.obeys = ("grammar",)
        spec = ModelSpec(
            name=entry["model"]["name"],
            hub_id=entry["model"]["hub_id"],
            frame=entry["frame"],
        )
        server.served = (spec.hub_id,)
        settings = Settings(runner="openai", server_url=server.url, max_pixels=90000)
        request = build_request(task, case, spec, entry["mode"], settings)
        runner = openai.OpenaiRunner(spec, settings)
        (generation,) = runner.generate([request])
        runner.close()
        assert isinstance(generation, Generation)
        expected = server.chats[-1]
        if entry["mode"] == "json_mode":
            with pytest.raises(json.JSONDecodeError):  # the small server answers in prose
                label(entry, tmp_path / "photo.png", case.question or "", f"{server.url}/v1")
        else:
            answer = label(entry, tmp_path / "photo.png", case.question or "", f"{server.url}/v1")
            assert answer == {"label": "red"}
        sent = server.chats[-1]
        assert sent is not expected
        assert asked_in(sent) == asked_in(expected)
        assert _pixels(sent) == _pixels(expected)
        # The server's own context caps the budget; added tokens and their spaces are for records.
        assert sent["max_tokens"] == entry["budget"]
        for name in ("model", "chat_template_kwargs", "structured_outputs", *GREEDY):
            assert sent.get(name) == expected.get(name), name
    assert 'route["labelers"][route["tasks"]["image_classification"]["labeler"]]' in called


def _pixels(body: Any) -> tuple[tuple[int, int], bytes]:
    data = body["messages"][0]["content"][0]["image_url"]["url"].partition(",")[2]
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    return image.size, image.tobytes()

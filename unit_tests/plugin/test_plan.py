"""``qwen-vlmbench plan`` as it is typed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from unit_tests.test_planning import error, make, save, write
from vlmbench_plugin.plan_command import HEADERS, MOST_ROWS, number, plan_command, size
from vlmbench_plugin.planning import Figure, at_most, known, unknown

DOCS = Path(__file__).parents[2] / "docs"
SCALING = (DOCS / "scaling.md").read_text(encoding="utf-8")
Told = tuple[int, str, str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a run of two modes and a folder of images."""
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path / "reports" / "r",
        make("a"),
        make("b", output_tokens=260, busy_s=0.75),
        make("a", mode="constrained", prompt_tokens=None),
        error("a", category="depth_analysis"),
    )
    save(tmp_path / "my" / "1.png", (640, 480))
    save(tmp_path / "my" / "2.jpg", (1280, 960))
    (tmp_path / "my" / "broken.png").write_bytes(b"no image")
    return tmp_path


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Any:
    """Returns exit status, output and errors of a command."""

    def call(*arguments: str) -> Told:
        status = plan_command(arguments)
        out = capsys.readouterr()
        return status, out.out, out.err

    return call


RUN = ("reports/r", "--images", "1000000", "--sizes", "my")
SPEC = ("--models", "qwen3vl-4b,qwen2.5vl-7b", "--n", "100", "--tokens-per-second", "1500")


@pytest.mark.parametrize("arguments", [RUN, SPEC, (*SPEC, "--categories", "ocr_text")])
def test_json_and_text_say_the_same(folder: Path, told: Any, arguments: tuple[str, ...]) -> None:
    status, text, _ = told(*arguments)
    assert status == 0
    status, out, _ = told(*arguments, "--json")
    assert status == 0
    plan = json.loads(out)
    expected: list[list[str]] = []
    for part in ("measured", "rows", "totals"):
        if len(plan[part]) <= MOST_ROWS:
            expected += [cells(row) for row in plan[part]]
    for name, figures in plan["visual"].items():
        expected.append([name, *(number(Figure(**figures[key])) for key in ("mean", "p95"))])
    expected += [[name, size(Figure(**figure))] for name, figure in plan["disk"].items()]
    shown = [re.split(r" {2,}", line.strip()) for line in text.splitlines()]
    for line in expected:
        assert line in shown
    whole = " ".join(text.split())
    for note in plan["notes"]:
        assert note in whole
    for row in plan["totals"][:-1]:
        for name, figure in row["figures"].items():
            assert f"{figure['source']}." in whole
            assert HEADERS[name] in whole


def cells(row: dict[str, Any]) -> list[str]:
    """What the table shows of a row, empty cells left out."""
    names = [row["model"] or "all", row["category"], row["mode"]]
    return [
        *(name for name in names if name),
        *(number(Figure(**figure)) for figure in row["figures"].values()),
    ]


def test_every_figure_has_a_source(folder: Path, told: Any) -> None:
    for arguments in (RUN, SPEC):
        plan = json.loads(told(*arguments, "--json")[1])
        figures = [f for part in ("measured", "rows", "totals") for f in rows(plan[part])]
        figures += list(plan["disk"].values())
        assert figures
        for figure in figures:
            assert figure["source"].strip()
            assert (
                figure["low"] is None or figure["high"] is None or figure["low"] <= figure["high"]
            )


def rows(part: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [figure for row in part for figure in row["figures"].values()]


def test_a_run_in_words(folder: Path, told: Any) -> None:
    text = " ".join(told(*RUN)[1].split())
    assert "from reports/r: 3 items at 1.71 items/s on cuda:0 of a machine of 16 cores" in text
    assert "Throughput holds for that machine and batch size" in text
    assert "my: 3 files with an image's ending, 0 without; looked at the headers of all" in text
    assert "1 of 3 that cannot be asked about: broken.png (expected an image" in text
    assert "depth_analysis json_mode 0 1 unknown" in text


def test_long_tables_are_left_to_json(folder: Path, told: Any) -> None:
    text = told("--models", "qwen3vl-2b", "qwen3vl-4b", "qwen3vl-8b", "--n", "1")[1]
    assert "Planned: 90 lines, which --json prints" in text
    assert "structural_spatial_awareness" not in text


def test_lists_by_spaces_or_commas(folder: Path, told: Any) -> None:
    options = ("--n", "1", "--json", "--mode", "constrained", "--models")
    category = ("--category", "ocr_text", "--category", "depth_analysis,segmentation")
    by_commas = told(*options, "qwen3vl-2b,qwen3vl-4b", *category)[1]
    assert by_commas == told(*options, "qwen3vl-2b", "qwen3vl-4b", *category)[1]
    assert len(json.loads(by_commas)["rows"]) == 6


def test_the_pixel_cap_is_the_runs_own(folder: Path, told: Any) -> None:
    path = folder / "reports" / "r" / "manifest.json"
    content = json.loads(path.read_text()) | {"settings": {"max_pixels": 65536}}
    path.write_text(json.dumps(content))
    capped = json.loads(told(*RUN, "--json")[1])["visual"]["qwen3vl-4b"]
    # Both become 295 x 221, whose 9 x 7 squares are less than 65,536 pixels: enlarged to 10 x 7.
    assert capped["mean"]["low"] == capped["p95"]["low"] == 70
    free = json.loads(told(*RUN, "--max-pixels", "1310720", "--json")[1])["visual"]["qwen3vl-4b"]
    assert free["mean"]["low"] == (20 * 15 + 40 * 30) / 2


def documented() -> list[tuple[str, list[str]]]:
    """The commands of docs/scaling.md whose output is shown, and that output."""
    blocks = re.findall(r"^```console\n\$ (.*)\n((?:.*\n)*?)```$", SCALING, flags=re.MULTILINE)
    return [(command, shown.splitlines()) for command, shown in blocks]


@pytest.mark.parametrize(("command", "shown"), documented())
def test_the_page_shows_what_is_printed(told: Any, command: str, shown: list[str]) -> None:
    program, name, *arguments = command.split()
    assert (program, name) == ("qwen-vlmbench", "plan")
    printed = told(*arguments)[1].splitlines()
    for line in shown:
        if line.startswith("results.jsonl"):
            # The length of a line changes with every field and prompt: to a tenth is enough.
            (real,) = (one for one in printed if one.startswith("results.jsonl  "))
            assert real.split()[2] == line.split()[2]
            assert float(real.split()[1]) == pytest.approx(float(line.split()[1]), rel=0.1)
        elif not line.startswith(("...", "all, one")):
            assert line in printed


def test_the_page_has_its_examples() -> None:
    assert len(documented()) == 2
    for target in re.findall(r"\]\(([\w./-]+)\)", SCALING):
        assert (DOCS / target).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none", "--n", "1"), "none: there is no such folder"),
        (("my", "--n", "1"), "no record in results.jsonl"),
        (("--n", "1"), "expected the folder of a run or --models"),
        (("reports/r",), "--images"),
        (("reports/r", "--n", "0"), "at least one image"),
        (("reports/r", "--n", "x"), "invalid int"),
        (("reports/r", "--n", "1", "--mode", "free"), "json_mode or constrained, got free"),
        (("reports/r", "--n", "1", "--model", "x"), "it has qwen3vl-4b"),
        (("reports/r", "--n", "1", "--sizes", "none"), "no such folder"),
        (("reports/r", "--n", "1", "--max-pixels", "0"), "at least one pixel"),
        (("reports/r", "--n", "1", "--tokens-per-second", "0"), "more than 0 tokens"),
        (("--n", "1", "--models", "nonsense"), "unknown model"),
    ],
)
def test_errors(folder: Path, told: Any, arguments: tuple[str, ...], message: str) -> None:
    status, out, err = told(*arguments)
    assert (status, out) == (4, "")
    assert message in err
    assert "Traceback" not in err


def test_a_stub_run_is_refused(folder: Path, told: Any) -> None:
    write(folder / "stub", make("a", runner="stub"))
    status, _, err = told("stub", "--n", "1")
    assert status == 4
    assert "no model ran: there is no throughput to go by" in err
    assert "hint: " in err


def test_help(folder: Path, told: Any) -> None:
    status, out, _ = told("--help")
    assert status == 0
    assert "--sizes FOLDER" in out


@pytest.mark.parametrize(
    ("figure", "shown"),
    [
        (known(0, "s"), "0"),
        (known(0.00463, "s"), "0.00463"),
        (known(12.34, "s"), "12.3"),
        (known(1234.5, "s"), "1,234"),
        (known(1_234_567, "s"), "1.235 M"),
        (known(72_000_000_000, "s"), "72 B"),
        (at_most(5, "s"), "<= 5"),
        (Figure(low=2, high=None, source="s"), ">= 2"),
        (Figure(low=2, high=3, source="s"), "2 - 3"),
        (unknown("s"), "unknown"),
    ],
)
def test_numbers(figure: Figure, shown: str) -> None:
    assert number(figure) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (8.9e9, "8.9 GB"), (2e12, "2 TB")],
)
def test_bytes(count: float, shown: str) -> None:
    assert size(known(count, "s")) == shown

"""The page in a real browser: what it asks for, what it shows, and what hostile answers can do.

Needs the distribution's Chromium (``apt-get install chromium``), which Playwright drives.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from unit_tests.plugin.conftest import run
from vlmbench_plugin import thumbnails
from vlmbench_plugin.folder_tables import tables
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.record import Record
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.store import Store
from vlmbench_plugin.tasks import TASKS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CATEGORIES = "bbox_grounding,segmentation,geometric_3d_object_id,camera_rotational_offset,ocr_text"
HOSTILE = (
    '{"lines": [{"text": "</script><script>window.hacked = 1</script>"}]}'
    "</textarea><img src=x onerror=\"window.hacked = 1\"><svg onload='window.hacked = 1'>"
)
CONTRAST = """() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const cells = [];
  for (let shade = 0; shade < 10; shade += 1) {
    const cell = document.querySelector("#grid tbody").insertRow().insertCell();
    cell.className = `h${shade}`;
    cells.push(cell);
  }
  const texts = document.querySelectorAll(".about, .badge, nav a, .reasons li");
  return [...cells, ...texts].map((one) => {
    let behind = one;
    while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") {
      behind = behind.parentElement;
    }
    const pair = [getComputedStyle(one).color, getComputedStyle(behind).backgroundColor].map(light);
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  });
}"""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a stub run with pictures, one of whose answers is hostile."""
    folder = tmp_path_factory.mktemp("run")
    arguments = ("--runner", "stub", "--category", CATEGORIES, "--models", "qwen3vl-4b,qwen3vl-8b")
    done = run(folder, *arguments, "--n", "12", "--thumbnails", "on", "--report-dir", "out")
    assert done.exit == 0, done.output
    records = [measured(at, record) for at, record in enumerate(Store.read(folder / "out"))]
    at = next(i for i, r in enumerate(records) if r.category == "ocr_text" and r.status == "missed")
    records[at] = hostile(records[at])
    read = thumbnails.reader(folder / "out")
    found = tables(records, TASKS, MODELS, Settings(), pictures=read)
    path = folder / "report.html"
    path.write_text(found.files["report.html"], encoding="utf-8")
    return path


def measured(at: int, record: Record) -> Record:
    """Gives an answer of the stub what only a model has, so that every chart has something."""
    logprob = {"mean": -(at % 10) / 10, "min": -3.0}
    return dataclasses.replace(record, busy_s=0.5 + at % 7 / 10, value_logprob=logprob)


def hostile(record: Record) -> Record:
    return dataclasses.replace(record, raw_text=HOSTILE, image_id=HOSTILE, question=HOSTILE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@dataclass
class Opened:
    """A page that is open, and what it said and asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def cards(self) -> list[str]:
        return self.page.locator("#cards h3").all_inner_texts()


def open_page(browser: Browser, report: Path, *, width: int = 1280, **options: Any) -> Opened:
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    opened = Opened(context.new_page())
    opened.page.on("console", lambda message: opened.said.append(message.text))
    opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    opened.page.goto(report.as_uri())
    return opened


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Opened]:
    found = open_page(browser, report)
    yield found
    found.page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_without_an_error_or_a_request(
    browser: Browser, report: Path, scheme: Any, width: int
) -> None:
    found = open_page(browser, report, width=width, color_scheme=scheme)
    page = found.page
    for name in ("ranking", "cost", "tax", "went", "risk", "failure"):
        chart = page.locator(f"#{name}-chart svg[role=img]")
        expect(chart).to_have_count(1)
        assert page.locator(f"#{name}-chart svg text").count() > 3
        assert chart.get_attribute("aria-labelledby") == f"{name}-chart-title"
    assert page.evaluate("document.documentElement.scrollWidth") == width
    shown = page.locator("#cards image").first
    assert str(shown.get_attribute("href")).startswith("data:image/webp")
    assert found.said == []
    assert [url for url in found.requests if not url.startswith("data:")] == [report.as_uri()]
    assert min(page.evaluate(CONTRAST)) >= 4.5
    page.context.close()


def test_the_filters_work_together(opened: Opened) -> None:
    page = opened.page
    page.locator("#by-task").select_option("segmentation")
    page.locator("#by-mode").select_option("constrained")
    page.locator("#by-model").select_option("qwen3vl-8b")
    assert set(opened.cards()) == {"segmentation · qwen3vl-8b · constrained"}
    page.locator("#by-status").select_option("passed")
    assert set(page.locator("#cards .badge").all_inner_texts()) == {"passed"}
    page.locator("#by-failure").select_option("wrong_answer")
    assert opened.cards() == []
    expect(page.locator("#count")).to_have_text("No case fits these filters.")
    page.locator("#by-status").select_option("missed")
    assert set(page.locator("#cards .badge").all_inner_texts()) == {"missed: wrong_answer"}


def test_layers_can_be_hidden(opened: Opened) -> None:
    page = opened.page
    page.locator("#by-task").select_option("bbox_grounding")
    page.locator("#by-status").select_option("passed")
    for name, part in (("truth", ".truth"), ("prediction", ".answer"), ("picture", "image")):
        layer = page.locator(f"#cards svg {part}").first
        shown = f"getComputedStyle(document.querySelector('#cards svg {part}')).display"
        assert page.evaluate(shown) != "none"
        assert layer.count() == 1
        box = page.get_by_role("checkbox", name=name)
        box.focus()
        page.keyboard.press("Space")
        assert page.evaluate(shown) == "none"
        page.keyboard.press("Space")
        assert page.evaluate(shown) != "none"
    assert page.locator("#cards svg .truth path.line").count() > 0
    assert page.locator("#cards svg .answer path.line").count() > 0


@pytest.mark.parametrize("category", ["geometric_3d_object_id", "camera_rotational_offset"])
def test_solids_and_horizons_are_drawn(opened: Opened, category: str) -> None:
    page = opened.page
    page.locator("#by-task").select_option(category)
    page.locator("#by-status").select_option("passed")
    paths = page.locator("#cards article").first.locator("path.line")
    least = 12 if category.startswith("geo") else 1
    path = str(paths.first.get_attribute("d"))
    assert path.count("M") >= least


def test_hostile_answers_stay_text(opened: Opened) -> None:
    page = opened.page
    page.locator("#by-task").select_option("ocr_text")
    while page.locator("#more").is_visible():
        page.locator("#more").click()
    pre = page.locator("#cards pre", has_text="hacked")
    assert HOSTILE in pre.all_text_contents()
    assert page.locator("#cards img, #cards script, #cards textarea").count() == 0
    assert page.evaluate("window.hacked") is None
    assert opened.said == []


def test_more_cases_come_on_demand(opened: Opened) -> None:
    page = opened.page
    assert len(opened.cards()) == 12
    page.locator("#more").press("Enter")
    assert len(opened.cards()) == 24
    assert page.evaluate("document.activeElement.id") == "case-12"


def test_the_grid_sorts(opened: Opened) -> None:
    page = opened.page
    names = page.locator("#grid tbody th")
    head = page.locator("#grid thead tr:last-child th").nth(2)
    original = names.all_text_contents()

    def values() -> list[float]:
        cells = page.locator("#grid tbody tr td:nth-child(3)")
        return [float(one.get_attribute("data-sort") or -1) for one in cells.all()]

    for order, expected in (
        ("descending", sorted(values(), reverse=True)),
        ("ascending", sorted(values())),
    ):
        head.get_by_role("button").press("Enter")
        assert head.get_attribute("aria-sort") == order
        assert values() == expected
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "none"
    assert names.all_text_contents() == original


def test_a_chart_follows_its_select(opened: Opened) -> None:
    page = opened.page
    before = page.locator("#ranking-chart svg").inner_html()
    page.locator("#ranking-chart-pick").select_option("segmentation")
    expect(page.locator("#ranking-chart svg")).to_have_count(1)
    assert page.locator("#ranking-chart svg").inner_html() != before


def test_the_keyboard_reaches_everything(opened: Opened) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"theme", "ranking-chart-pick", "BUTTON", "SUMMARY"} <= reached
    assert {f"by-{name}" for name in ("task", "model", "mode", "status", "failure")} <= reached


def test_the_theme_can_be_chosen(opened: Opened) -> None:
    page = opened.page
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.locator("#theme").click()
    assert page.locator("#theme").get_attribute("aria-label") == "Use light colours"
    dark = page.evaluate(colour)
    page.locator("#theme").click()
    assert page.evaluate(colour) == light != dark


def test_without_scripts_the_figures_can_be_read(browser: Browser, report: Path) -> None:
    found = open_page(browser, report, java_script_enabled=False)
    expect(found.page.locator("#grid tbody tr")).to_have_count(5)
    expect(found.page.get_by_role("table", name="Leaderboard")).to_be_visible()
    # Nothing that needs a script is offered.
    for name in ("#theme", "#filters", "#more", "#ranking-chart-pick"):
        expect(found.page.locator(name)).to_be_hidden()
    found.page.context.close()

"""Writes the generated parts of the documentation, or checks that they are up to date.

usage: python -m tools.make_docs [--check]

``docs/tasks.md`` is generated whole; of ``README.md`` and ``docs/scoring.md`` it is what stands
between the markers ``<!-- begin NAME -->`` and ``<!-- end NAME -->``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.failure_table import failure_table
from vlmbench_plugin.asking import build_request
from vlmbench_plugin.contact_sheets import example_image
from vlmbench_plugin.core import ModelSpec, VisionTask
from vlmbench_plugin.data import load_cases
from vlmbench_plugin.evaluate import error_record
from vlmbench_plugin.fingerprints import UNSTORED
from vlmbench_plugin.floors import floor
from vlmbench_plugin.models import MODELS
from vlmbench_plugin.report.tables import parameters
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.sources import Joined, Packaged, Public, Table
from vlmbench_plugin.tasks import TASKS

ROOT = Path(__file__).parent.parent
FLOOR_CASES = 100
SPEC = ModelSpec(name="any", hub_id="any", frame="norm_0_1000")


def first_line(text: str | None) -> str:
    """Returns a docstring's first line."""
    return (text or "").strip().splitlines()[0]


def tasks_table() -> str:
    """Returns the README's table of tasks."""
    lines = ["| task and marker | what is asked | fields | score |", "|---|---|---|---|"]
    for task in TASKS.values():
        fields = ", ".join(f"{k}?" if node.optional else k for k, node in task.fields.items())
        score = first_line(task.score.__doc__).rstrip(".")
        lines.append(f"| `{task.category}` | {task.title} | {fields} | {score} |")
    return "\n".join(lines)


def models_table() -> str:
    """Returns the README's table of models."""
    lines = ["| name | hub id | parameters (active) | frame |", "|---|---|---|---|"]
    for spec in MODELS.values():
        if spec.toy:
            continue
        size = parameters(spec.total_params, spec.active_params)
        lines.append(f"| `{spec.name}` | {spec.hub_id} | {size} | {spec.frame} |")
    return "\n".join(lines)


def _sources(task: VisionTask) -> str:
    """Returns the table of where a task's images come from."""
    named: dict[str, list[str]] = {}
    for name, source in task.ground_truth.items():
        if isinstance(source, Public):
            images = _public(source)
        elif isinstance(source, Packaged):
            images = (
                "the package's photographs, where it has labels for them, then drawn scenes | CC0, "
                "CC-BY or public domain: `assets/smoke/LICENSES.md` | -"
            )
        else:
            images = f"drawn scenes: {first_line(source.scene.__doc__)} | ours | -"
        named.setdefault(images, []).append(f"`{name}`")
    rows = [f"| {', '.join(names)} | {images} |" for images, names in named.items()]
    return "\n".join(["| data set | images | licence | commit |", "|---|---|---|---|", *rows])


def _public(source: Public) -> str:
    table, what = source.table, first_line(source.adapt.__doc__)
    tables: list[Table | Joined] = [table, *([table.joined] if table.joined else [])]
    ids = " with ".join(
        f"`{part.hub_ids[0]}`{f' ({part.config})' if part.config else ''}, split {part.splits[0]}"
        for part in tables
    )
    pinned = ", ".join(f"`{part.revision[:12]}`" if part.revision else "newest" for part in tables)
    lacks = f" The hub's own copy cannot serve: {table.lacks}." if table.lacks else ""
    return f"{table.title}: {ids}. {what}{lacks} | {table.licence} | {pinned}"


def _floor(task: VisionTask) -> str:
    """Returns what the best blind answer earns on the drawn scenes of all difficulties."""
    settings = Settings(n=FLOOR_CASES)
    source = load_cases(task, settings)
    records = []
    for case in (source[index] for index in range(FLOOR_CASES)):
        request = build_request(task, case, SPEC, "json_mode", settings)
        records.append(error_record(task, case, SPEC, request, settings, UNSTORED, "nobody asked"))
    found = floor(records, task.score, task.pixel_answer, task.blind)
    return "none" if found is None else f"{found.value:.2f}"


def _task_section(task: VisionTask) -> str:
    case = load_cases(task, Settings(n=3))[2]
    free, bound = (
        build_request(task, case, SPEC, mode, Settings()) for mode in ("json_mode", "constrained")
    )
    prompt = free.messages[0]["content"][1]["text"]
    question = f"{task.title[0].upper()}{task.title[1:]}. {first_line(task.score.__doc__)}"
    facts = [
        f"An item passes from {task.right_at:g}.",
        f"Token budget: {free.budget} in `json_mode`, {bound.budget} in `constrained` (the longest",
        "legal answer, so that it never binds).",
        f"The best blind answer earns {_floor(task)} on {FLOOR_CASES} drawn scenes.",
        f"Task version {task.version}, scorer version {task.scorer_version}.",
    ]
    shown = f"The prompt of one drawn scene, closed vocabulary, frame `{SPEC.frame}`:"
    schema = json.dumps(bound.json_schema, indent=1)
    parts = [
        f"## {task.category}",
        f"{question}\n{' '.join(facts)}",
        f"![one case with its truth](images/{task.category}.jpg)",
        _sources(task),
        shown,
        f"```text\n{prompt}\n```",
        f"<details><summary>JSON Schema</summary>\n\n```json\n{schema}\n```\n\n</details>\n",
    ]
    return "\n\n".join(parts)


def tasks_page() -> str:
    """Returns ``docs/tasks.md``."""
    head = """# The tasks

Generated by `make docs` from the entries in `vlmbench_plugin/tasks/`. Both modes send the same
messages; only the mask differs. `qwen-vlmbench schema CATEGORY` prints what a legal answer is
(`--format gbnf|json-schema|pydantic|tool`).
"""
    return "\n".join([head, *(_task_section(task) for task in TASKS.values())])


def speed_table() -> str:
    """Returns what the last ``make perf`` found of what has a target, the grammars left out."""
    folder = ROOT / "reports"
    page = (folder / "perf.md").read_text(encoding="utf-8")
    figures = json.loads((folder / "perf.json").read_text(encoding="utf-8"))["figures"]
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]
    head, rule, *lines = rows
    shown = [head.index(name) for name in ("what", "median", "spread", "target", "held")]
    wanted = [
        line
        for line, figure in zip(lines, figures, strict=True)
        if figure["target"] and not figure["script"].startswith("grammars")
    ]
    return "\n".join(
        "| " + " | ".join(row[i] for i in shown) + " |" for row in (head, rule, *wanted)
    )


PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "README.md": {"tasks": tasks_table, "models": models_table, "speed": speed_table},
    "docs/scoring.md": {"failures": failure_table},
}


def renewed(name: str) -> str:
    """Returns a page with its generated parts renewed."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for part, build in PARTS[name].items():
        begin, end = f"<!-- begin {part} -->\n", f"<!-- end {part} -->"
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"{name}: expected the markers {begin.strip()} and {end}")
        text = f"{head}{begin}{build().rstrip()}\n{end}{tail}"
    return text


def main() -> int:
    """Writes or checks; returns 1 where a checked file is stale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="Write nothing; fail if stale")
    check = parser.parse_args().check
    wanted = {ROOT / "docs" / "tasks.md": tasks_page()}
    wanted |= {ROOT / name: renewed(name) for name in PARTS}
    if not check:  # their pixels depend on Pillow's version: a test holds them, with a tolerance
        for name, task in TASKS.items():
            example_image(task).save(ROOT / "docs" / "images" / f"{name}.jpg", quality=85)
    stale = [p for p, t in wanted.items() if not p.exists() or p.read_text(encoding="utf-8") != t]
    for path in stale:
        if check:
            print(f"stale: {path.relative_to(ROOT)}; run `make docs`")
        else:
            path.write_text(wanted[path], encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())

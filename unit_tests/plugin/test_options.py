from __future__ import annotations

from dataclasses import fields
from importlib import metadata
from pathlib import Path

import pytest

from unit_tests.plugin.conftest import CATEGORIES, Inside, plugin_arguments
from vlmbench_plugin.option_table import OPTIONS
from vlmbench_plugin.options import read_settings, selection
from vlmbench_plugin.settings import Settings

STUB = ("--runner", "stub", "--category", CATEGORIES)


@pytest.fixture(autouse=True)
def _no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest-playwright has a ``--device`` of its own, see test_neighbours.py."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def parsed(pytester: pytest.Pytester, *arguments: str) -> Settings:
    config = pytester.parseconfig(*plugin_arguments(), *arguments)
    return read_settings(config)


def test_every_setting_has_exactly_one_option() -> None:
    assert sorted(option.field for option in OPTIONS) == sorted(f.name for f in fields(Settings))


def test_help_starts_with_a_capital_and_says_the_default() -> None:
    silent = {"baseline", "data_dir", "replay", "runner_args"}  # without a value there is nothing
    for option in OPTIONS:
        assert option.help[0].isupper(), option.field
        assert ("(default: " in option.help) != (option.field in silent), option.field


def test_nothing_given_is_the_defaults(pytester: pytest.Pytester) -> None:
    assert parsed(pytester) == Settings()


def test_long_and_short_names_mean_the_same(pytester: pytest.Pytester) -> None:
    values = {
        "model": "qwen3vl-4b,qwen3.5-2b",
        "mode": "constrained",
        "category": "ocr_text,segmentation",
        "runner": "openai",
        "dataset": "full",
        "data-dir": ".",
        "n": "7",
        "seed": "3",
        "vocabulary": "open",
        "difficulty": "hard,easy",
        "max-new-tokens": "99",
        "max-pixels": "1000",
        "batch-size": "16",
        "server-url": "http://here:8000/v1",
        "right-at": "0.75",
        "frame": "pixel",
        "report-dir": "here",
        "replay": ".",
        "on-miss": "fail",
        "min-yield": "0.25,ocr_text=0.5,all=0.125",
        "min-valid": "segmentation=0.75",
        "max-regression": "0.0625",
        "min-speed-ratio": "1.5",
        "baseline": "old",
        "margin": "0.0625",
        "price-per-hour": "2.5",
        "thumbnails": "off",
        "device": "cpu,cpu",
        "dtype": "float32",
        "runner-arg": "a=1=2",
    }
    flags = ("fresh", "clear-cache-after-model", "blind", "strict-gates")

    old = pytester.mkdir("old")
    (old / "results.jsonl").touch()

    def spelled(prefix: str) -> list[str]:
        given = [f"{prefix}{name}={value}" for name, value in values.items()]
        return given + [f"{prefix}{name}" for name in flags]

    long = parsed(pytester, *spelled("--vlm-"))
    assert long == parsed(pytester, *spelled("--"))
    assert long == Settings(
        models=("qwen3vl-4b", "qwen3.5-2b"),
        modes=("constrained",),
        categories=("ocr_text", "segmentation"),
        runner="openai",
        dataset="full",
        data_dir=str(pytester.path),
        n=7,
        seed=3,
        vocabulary="open",
        difficulty=("hard", "easy"),
        max_new_tokens=99,
        max_pixels=1000,
        batch_size=16,
        server_url="http://here:8000/v1",
        right_at=0.75,
        frame="pixel",
        report_dir="here",
        fresh=True,
        blind=True,
        replay=".",
        on_miss="fail",
        min_yield=((None, 0.25), ("ocr_text", 0.5), ("all", 0.125)),
        min_valid=(("segmentation", 0.75),),
        max_regression=((None, 0.0625),),
        min_speed_ratio=1.5,
        baseline="old",
        strict_gates=True,
        margin=0.0625,
        price_per_hour=2.5,
        thumbnails=False,
        clear_cache_after_model=True,
        device="cpu,cpu",
        dtype="float32",
        runner_args={"a": "1=2"},
    )


def test_lists_repeat_and_take_commas_and_drop_doubles(pytester: pytest.Pytester) -> None:
    settings = parsed(
        pytester,
        "--models",
        "qwen3vl-4b, qwen3vl-2b",
        "--vlm-model=qwen3vl-4b",
        "--model=qwen3vl-8b",
    )
    assert settings.models == ("qwen3vl-4b", "qwen3vl-2b", "qwen3vl-8b")


def test_ini_twins_give_way_to_options(pytester: pytest.Pytester) -> None:
    pytester.makeini(
        "[pytest]\nvlm_model = qwen3vl-4b,qwen3vl-2b\nvlm_mode = constrained\nvlm_dataset = smoke\n"
        "vlm_report_dir = there\n"
    )
    settings = parsed(pytester, "--dataset", "synthetic")
    assert settings.models == ("qwen3vl-4b", "qwen3vl-2b")
    assert settings.modes == ("constrained",)
    assert settings.dataset == "synthetic"


def test_a_data_folder_alone_is_ones_own_data(pytester: pytest.Pytester) -> None:
    (pytester.path / "mine").mkdir()
    own = parsed(pytester, "--data-dir", "mine")
    assert (own.dataset, own.dataset_name) == ("own", "mine")
    assert own.data_dir == str(pytester.path / "mine")
    assert parsed(pytester, "--data-dir", "mine", "--blind").dataset_name == "mine-blind"
    mirror = parsed(pytester, "--data-dir", "mine", "--dataset", "real")
    assert (mirror.dataset_name, mirror.data_dir) == ("real", own.data_dir)
    pytester.makeini("[pytest]\nvlm_data_dir = mine\n")
    assert parsed(pytester) == own


def test_a_data_folder_has_a_name_however_it_is_spelled(pytester: pytest.Pytester) -> None:
    (pytester.path / "mine" / "within").mkdir(parents=True)
    for spelled in ("mine/", "mine/within/..", "./mine/."):
        own = parsed(pytester, "--data-dir", spelled)
        assert (own.dataset_name, own.data_dir) == ("mine", str(pytester.path / "mine"))


def test_a_data_folder_that_is_called_like_a_data_set_is_refused(inside: Inside) -> None:
    Path("full").mkdir()
    result = inside(*STUB, "--data-dir", "full")
    result.stderr.fnmatch_lines(["*your data would be called 'full' in tables*rename*"])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("", {"ocr_text", "segmentation", "invoices"}),
        ("segmentation", {"segmentation"}),
        ("segmentation or ocr_text", {"segmentation", "ocr_text"}),
        ("vlmbench and not ocr_text", {"segmentation", "invoices"}),
        ("not vlmbench", set()),
        ("segmentation and ocr_text", set()),
        ("invoices", {"ocr_text", "segmentation", "invoices"}),  # a marker that may be anywhere
        ("not (slow or ocr_text)", {"segmentation", "invoices"}),
        ("segmentation and slow(why=1)", {"segmentation"}),
        ("segmentation and", {"ocr_text", "segmentation", "invoices"}),  # pytest tells
    ],
)
def test_no_data_are_read_for_what_m_drops(
    pytester: pytest.Pytester, expression: str, expected: set[str]
) -> None:
    config = pytester.parseconfig(*plugin_arguments(), "-m", expression)
    holds = selection(config)
    assert {c for c in ("ocr_text", "segmentation", "invoices") if holds(c)} == expected


def test_a_category_option_is_a_selection_too(pytester: pytest.Pytester) -> None:
    config = pytester.parseconfig(*plugin_arguments(), "--category", "ocr_text")
    holds = selection(config)
    assert (holds("ocr_text"), holds("segmentation")) == (True, False)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--model", "qwen9"), "*unknown model*qwen9*"),
        (("--mode", "json"), "*--mode: unknown 'json'; valid: json_mode, constrained*"),
        (("--category", "cats"), "*unknown category 'cats'; valid: image_classification, *"),
        (
            ("--dataset", "imagenet"),
            "*unknown dataset 'imagenet'; valid: smoke, synthetic, full, real*",
        ),
        (("--data-dir", "nowhere"), "*--data-dir *nowhere: there is no such folder*"),
        (("--data-dir", ".", "--dataset", "smoke"), "*--dataset smoke reads no folder*"),
        (("--dataset", "own"), "*your own data need --data-dir DIR*"),
        (("--runner", "gpt"), "*unknown runner 'gpt'; valid: openai, replay, stub, vllm, vlm*"),
        (("--runner", "openai"), "*runner openai needs the address of a server*"),
        (("--runner", "openai", "--server-url", "http://me:secret@here"), "*ERROR*"),
        (("--server-url", "http://here:8000/v1"), "*--server-url is for --runner openai*"),
        (("--n", "0"), "*--n takes a whole number of at least 1, got '0'*"),
        (("--batch-size", "some"), "*--batch-size takes a whole number of at least 1, got 'some'*"),
        (("--n", "twelve"), "*--n takes a whole number of at least 1, got 'twelve'*"),
        (("--seed", "-1"), "*--seed takes a whole number of at least 0, got '-1'*"),
        (("--right-at", "50"), "*--right-at takes a number from 0 to 1, got '50'*"),
        (("--min-yield", "nan"), "*--min-yield takes a number from 0 to 1, or *, got 'nan'*"),
        (("--min-yield", "1.5"), "*--min-yield takes a number from 0 to 1, or *, got '1.5'*"),
        (("--min-yield", "ocr_text=60"), "*, got 'ocr_text=60'; did you mean 0.6[?]"),
        (("--min-valid", "x="), "*--min-valid takes a number *or CATEGORY=NUMBER, got 'x='*"),
        (("--min-valid", "=0.5"), "*--min-valid takes *, got '=0.5'*"),
        (("--min-yield", "segmentatoin=0.5"), "*did you mean segmentation=0.5[?]"),
        (("--min-yield", "cats=0.5"), "*unknown category of --min-yield 'cats'; valid: all, *"),
        (("--min-yield", "0.5,0.6"), "*--min-yield gives two bars for every category*"),
        (("--min-valid", "ocr_text=1,ocr_text=0"), "*--min-valid gives two bars for ocr_text*"),
        (("--max-regression", "0.05"), "*--max-regression needs --baseline PATH*"),
        (("--min-speed-ratio", "0.9"), "*--min-speed-ratio needs --baseline PATH*"),
        (("--min-speed-ratio", "0"), "*--min-speed-ratio takes a number above 0*, got '0'"),
        (("--baseline", "."), "*--baseline needs --max-regression or --min-speed-ratio*"),
        (
            ("--baseline", "nowhere", "--max-regression", "0.05"),
            "*--baseline nowhere: there is no results.jsonl and no metrics.jsonl*",
        ),
        (
            ("--baseline", ".", "--max-regression", "all=0.05"),
            "*compares category by category, got all=0.05*",
        ),
        (("--margin", "3"), "*--margin takes a number from 0 to 1, got '3'*"),
        (("--margin", "-0.01"), "*--margin takes a number from 0 to 1, got '-0.01'*"),
        (("--margin", "nan"), "*--margin takes a number from 0 to 1, got 'nan'*"),
        (("--price-per-hour", "inf"), "*--price-per-hour takes a number of at least 0, got 'inf'*"),
        (("--price-per-hour", "2 EUR"), "*--price-per-hour takes a number of at least 0, got '2*"),
        (("--on-miss", "xfail"), "*--on-miss: unknown 'xfail'; valid: miss, fail*"),
        (("--frame", "px"), "*--frame: unknown 'px'; valid: norm_0_1000, *"),
        (("--difficulty", "easy,brutal"), "*--difficulty: unknown 'brutal'; valid: easy, *"),
        (("--thumbnails", "yes"), "*--thumbnails: unknown 'yes'; valid: on, off*"),
        (("--runner-arg", "timeout"), "*--runner-arg takes key=value, got 'timeout'*"),
        (("--model", "a,,b"), "*--model was given an empty name*"),
        (("--runner", "replay"), "*--runner replay needs --replay FILE*"),
        (("--replay", "nowhere"), "*--replay nowhere: there is no such file or folder*"),
    ],
)
def test_wrong_values_are_told(inside: Inside, arguments: tuple[str, ...], expected: str) -> None:
    result = inside(*STUB, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *"])
    result.stderr.fnmatch_lines([expected])


def test_a_wrong_ini_value_stops_the_collection(inside: Inside, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nvlm_mode = json\n")
    result = inside()
    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*--mode: unknown 'json'; valid: json_mode, constrained*"])


def test_a_wrong_ini_value_does_not_stop_other_tests(
    inside: Inside, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nvlm_mode = json\n")
    pytester.makepyfile(test_other="def test_other(): pass")
    inside("test_other.py").assert_outcomes(passed=1)


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_more_workers_than_devices_is_a_slip_of_the_keyboard(inside: Inside, device: str) -> None:
    if device == "auto":  # like numpy, torch cannot be imported a second time after pytester
        pytest.importorskip("torch")
    result = inside("-n", "12", "--runner", "vlm", "--device", device, plugins=["xdist"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: -n 12 starts 12 workers *did you mean --n 12[?]"])
    assert "gw0" not in result.stdout.str()


def test_workers_are_not_counted_where_no_model_is_loaded(inside: Inside) -> None:
    result = inside("-n", "2", "--collect-only", *STUB, plugins=["xdist"])
    assert result.ret == pytest.ExitCode.OK


def test_a_missing_extra_is_told_once(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    found = metadata.version

    def version(name: str) -> str:
        if name == "xgrammar":
            raise metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(metadata, "version", version)
    result = inside("--runner", "vlm", "--n", "1", "--category", "ocr_text")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: runner vlm needs a package *xgrammar*"])
    result.stderr.fnmatch_lines(["*hint: pip install 'qwen-vlmbench[[]vlm]'"])


def test_each_device_of_the_list_is_one_worker(inside: Inside) -> None:
    result = inside(
        *("-n", "3", "--runner", "vlm", "--device", "cpu,cpu", "--n", "1"), plugins=["xdist"]
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: -n 3 *there are 2 devices (cpu, cpu)*"])

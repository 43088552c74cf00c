"""The options of who is asked what, and how."""

from __future__ import annotations

from vlmbench_plugin.option_kinds import (
    Option,
    one_of,
    one_of_core,
    pair,
    share,
    whole,
    whole_or_auto,
)

ASKING: tuple[Option, ...] = (
    Option(
        field="models",
        names=("model", "models"),
        metavar="NAME",
        listed=True,
        ini="vlm_model",
        help="Model to ask: a name of `qwen-vlmbench models`, a folder, a hub id, or name=either; "
        "repeatable, or a comma list (default: tiny-qwen3vl, a toy)",
    ),
    Option(
        field="modes",
        names=("mode", "modes"),
        metavar="MODE",
        listed=True,
        ini="vlm_mode",
        read=one_of_core("MODES"),
        help="How to ask: json_mode (prompt alone) or constrained (grammar); repeatable, or a "
        "comma list (default: json_mode,constrained)",
    ),
    Option(
        field="categories",
        names=("category", "categories"),
        metavar="NAME",
        listed=True,
        help="Category to run, as -m does; repeatable, or a comma list (default: all fifteen)",
    ),
    Option(
        field="runner",
        names=("runner",),
        metavar="NAME",
        help="What answers: vlm (transformers), vllm (vLLM in this process), openai (a server, see "
        "--server-url), stub (answers made from the truth, no model), or replay (default: vlm)",
    ),
    Option(
        field="dataset",
        names=("dataset",),
        metavar="NAME",
        ini="vlm_dataset",
        help="Where images come from: smoke (a few per category, offline), synthetic (drawn "
        "scenes), full (public photographs for four categories, drawn scenes for the others) or "
        "real (public photographs alone) (default: synthetic; with --data-dir: your own data)",
    ),
    Option(
        field="data_dir",
        names=("data-dir",),
        metavar="DIR",
        ini="vlm_data_dir",
        help="Folder of your own images and labels, DIR/<category>/manifest.jsonl; or, with "
        "--dataset full or real, of a local mirror of the public data sets",
    ),
    Option(
        field="n",
        names=("n",),
        metavar="N",
        read=whole(1),
        help="Images per category, at most (default: 50)",
    ),
    Option(
        field="seed",
        names=("seed",),
        metavar="N",
        read=whole(0),
        help="Seed of the drawn scenes and of the stub's faults (default: 0)",
    ),
    Option(
        field="vocabulary",
        names=("vocabulary",),
        metavar="RULE",
        read=one_of("closed", "open"),
        help="Whether a prompt lists the names that the source declares: closed or open "
        "(default: closed)",
    ),
    Option(
        field="blind",
        names=("blind",),
        help="Replace every image by a grey one of the same size, to see what a model earns "
        "without looking (default: off)",
    ),
    Option(
        field="difficulty",
        names=("difficulty",),
        metavar="LEVEL",
        listed=True,
        read=one_of_core("DIFFICULTIES"),
        help="Difficulty of drawn scenes: easy, medium, hard; repeatable, or a comma list "
        "(default: all three)",
    ),
    Option(
        field="reasoning",
        names=("reasoning",),
        metavar="on|off",
        read=one_of("on", "off"),
        help="Whether models think before they answer; what cannot think is refused (default: off)",
    ),
    Option(
        field="thinking_budget",
        names=("thinking-budget",),
        metavar="N",
        read=whole(1),
        help="Most tokens of thinking; then its end is written for the model (default: 4096)",
    ),
    Option(
        field="max_new_tokens",
        names=("max-new-tokens",),
        metavar="N",
        read=whole(1),
        help="Most tokens of a json_mode answer (default: twice the longest truth of the task)",
    ),
    Option(
        field="max_pixels",
        names=("max-pixels",),
        metavar="N",
        read=whole(1),
        help="Larger images are scaled down to this many pixels (default: 1310720)",
    ),
    Option(
        field="batch_size",
        names=("batch-size",),
        metavar="N|auto",
        read=whole_or_auto(1),
        help="Images that the vlm runner generates together (default: auto, as many as pay)",
    ),
    Option(
        field="server_url",
        names=("server-url",),
        metavar="URL",
        help="Address of the server that --runner openai asks, such as http://localhost:8000/v1; "
        "its key comes from the environment variable OPENAI_API_KEY (default: none)",
    ),
    Option(
        field="right_at",
        names=("right-at",),
        metavar="SCORE",
        read=share,
        help="Least score of an answer that passes, for all tasks (default: the task's own)",
    ),
    Option(
        field="frame",
        names=("frame",),
        metavar="FRAME",
        read=one_of_core("FRAMES"),
        help="Coordinate frame of the models: norm_0_1000, pixel_resized, norm_0_1 or pixel "
        "(default: the model's own)",
    ),
    Option(
        field="replay",
        names=("replay",),
        metavar="FILE",
        help="The results.jsonl, or its folder, that --runner replay answers from",
    ),
    Option(
        field="clear_cache_after_model",
        names=("clear-cache-after-model",),
        help="Delete the weights that this run downloaded, as soon as their model is done "
        "(default: keep them)",
    ),
    Option(
        field="device",
        names=("device",),
        metavar="DEVICE",
        help="Device of the model; a comma list gives each xdist worker its own (default: auto)",
    ),
    Option(
        field="dtype",
        names=("dtype",),
        metavar="DTYPE",
        help="Number format of the weights (default: auto: bfloat16 on a GPU, float32 on a CPU)",
    ),
    Option(
        field="runner_args",
        names=("runner-arg",),
        metavar="KEY=VALUE",
        listed=True,
        commas=False,
        read=pair,
        help="Setting that one runner alone knows; repeatable",
    ),
)

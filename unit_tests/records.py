"""Records that no run made, and that a results folder takes all the same."""

from __future__ import annotations

import dataclasses
from typing import Any

from vlmbench_plugin.record import FORMAT_VERSION, Record

_OF_AN_ANSWER = {
    *("primary_score", "schema_valid", "json_robust", "passed", "raw_text", "parse_status"),
    *("secondary", "prediction", "finish_reason", "constraint", "repairable", "looped"),
}


def make_record(image_id: str = "a", key: str = "k1", **changes: Any) -> Record:
    """Fabricates a passed answer; text beyond ASCII is what makes bytes differ from characters."""
    values: dict[str, Any] = {field.name: None for field in dataclasses.fields(Record)}
    values |= {
        "model": "m",
        "reasoning": "off",
        "category": "ocr_text",
        "mode": "json_mode",
        "image_id": image_id,
        "key": key,
        "key_parts": {"task": "00", "prompt": "11"},
        "format_version": FORMAT_VERSION,
        "status": "passed",
        "runner": "vlm",
        "dataset": "synthetic",
        "source": "synthetic",
        "case_index": 0,
        "vocabulary": {"rule": "closed", "names": {}},
        "frame": "norm_0_1000",
        "raw_text": '{"lines": ["Zürich \u2028 \U0001f600"]}\n',
        "primary_score": 0.1 + 0.2,
        "schema_valid": True,
        "json_robust": True,
        "passed": True,
        "repairable": True,
        "looped": False,
        "parse_status": "clean",
        "finish_reason": "stop",
        "constraint": "none",
        "prediction": {"lines": [{"text": "Zürich \u2028 \U0001f600"}]},
        "truth": {"lines": ["Zürich"]},
        "right_at": 0.25,
        "image_size": [640, 480],
        "sent_size": [640, 480],
        "secondary": {"cer": None},
        "scorer_version": 1,
    }
    return Record(**(values | changes))


def failed_record(image_id: str = "a", key: str = "k1", **changes: Any) -> Record:
    """Fabricates the record of an item that the harness failed on."""
    nothing: dict[str, Any] = dict.fromkeys(_OF_AN_ANSWER)
    error: dict[str, Any] = {"status": "error", "error": "out of memory"}
    return make_record(image_id, key, **(nothing | error | changes))

"""Small parquet tables with the shapes of the hub's, and one adapter that reads them all."""

from __future__ import annotations

import io
import json
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from vlmbench_plugin.core import Case
from vlmbench_plugin.data.parquet import ParquetRows
from vlmbench_plugin.data.public import PublicCases
from vlmbench_plugin.errors import VlmBenchError
from vlmbench_plugin.settings import Settings
from vlmbench_plugin.sources import Labelled, LeftOut, Public, Row, Table

SHARD = "data/val-{:05d}-of-{:05d}-c0ffee.parquet"
RUN = 100
"""Rows in a row belong to one class: 0..99 to the first, and so on."""

SPARE = 1000
"""Bytes per row in a column that nobody wants; they cannot be compressed."""


def jpeg(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (8 + number % 5, 6), number % 256).save(file, "JPEG")
    return file.getvalue()


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "image": {"bytes": jpeg(number), "path": None},
            "label": number // RUN % 4,
            "objects": {"category": [0, 1], "bbox": [[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 4.0]]},
            "parts": [{"name": 1, "rle": b"\x00\xff"}],
            "spare": random.Random(number).randbytes(SPARE),
        }
        for number in range(count)
    ]


def features() -> Any:
    from datasets import ClassLabel, Features, Image, List, Sequence, Value

    return Features(
        {
            "id": Value("int64"),
            "image": Image(),
            "label": ClassLabel(names=["ant", "bee", "cat", "dog"]),
            "objects": Sequence(
                {
                    "category": ClassLabel(names=["cup", "hat"]),
                    "bbox": List(Value("float32"), length=4),
                }
            ),
            "parts": List({"name": ClassLabel(names=["no", "yes"]), "rle": Value("binary")}),
            "spare": Value("binary"),
        }
    )


def write(
    folder: Path,
    content: list[dict[str, Any]],
    *,
    shards: int = 2,
    shard: str = SHARD,
    group: int = 20,
) -> None:
    """Writes rows as several files of several row groups, as ``push_to_hub`` lays them out."""
    from datasets import Dataset

    each = -(-len(content) // shards)
    for number in range(shards):
        path = folder / shard.format(number, shards)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Dataset.from_list(content[number * each : (number + 1) * each], features=features())
        part.to_parquet(path, batch_size=group)


def table(**changes: Any) -> Table:
    stated: dict[str, Any] = {
        "name": "pets",
        "title": "Pets",
        "hub_ids": ("new/pets", "org/pets"),
        "columns": ("id", "image", "label", "objects", "parts"),
        "splits": ("validation", "val"),
        "licence": "CC0",
    }
    return Table(**{**stated, **changes})


def adapt(row: Row, rng: random.Random) -> Labelled | LeftOut:
    rest = {name: value for name, value in row.items() if name != "image"}
    return Labelled(
        image_id=str(row["id"]),
        image=row["image"],
        size=row["image"].size(),
        truth={**rest, "drawn": rng.random()},
    )


def cases(of: Table, **settings: Any) -> PublicCases:
    return PublicCases("naming", Public(table=of, adapt=adapt), Settings(**settings))


def listed(found: PublicCases) -> list[Case]:
    return [found[index] for index in range(len(found))]


def counted_rows() -> list[int]:
    """Returns a list to which every later read of a row group adds its number of rows."""
    taken: list[int] = []
    take = ParquetRows.take

    def counted(self: ParquetRows, positions: Sequence[int]) -> list[dict[str, Any]]:
        taken.append(len(positions))
        return take(self, positions)

    ParquetRows.take = counted  # type: ignore[method-assign]
    return taken


def outcome(changes: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what became of it, as JSON, for tests that need a process of its own."""
    taken = counted_rows()
    lists = {name: tuple(v) if isinstance(v, list) else v for name, v in changes.items()}
    try:
        found = cases(table(**lists), **settings)
    except VlmBenchError as error:
        return {"error": type(error).__name__, "message": str(error)}
    return {
        "ids": [case.image_id for case in listed(found)],
        "drawn": [case.truth["drawn"] for case in listed(found)],
        "labels": [case.truth["label"] for case in listed(found)],
        "described": found.describe(),
        "read": sum(taken),
        "imported": sorted({"datasets", "pyarrow", "huggingface_hub"} & set(sys.modules)),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(outcome(*json.loads(sys.argv[1]))))

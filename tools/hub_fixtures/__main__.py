"""Writes ``fixtures/hub``: the tables and files of every module of this package."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from tools import hub_fixtures

FOLDER = Path(__file__).parents[2] / "fixtures" / "hub"


def main() -> None:
    """Writes every table as parquet and every file as text, and prints their sizes."""
    for info in pkgutil.iter_modules(hub_fixtures.__path__):
        if info.name == "__main__":
            continue
        module = importlib.import_module(f"tools.hub_fixtures.{info.name}")
        for name, build in getattr(module, "TABLES", {}).items():
            path = _make_room(name)
            build().to_parquet(path)
            print(f"{path.stat().st_size:8d}  {name}")
        for name, text in getattr(module, "FILES", {}).items():
            path = _make_room(name)
            path.write_text(text, encoding="utf-8")
            print(f"{path.stat().st_size:8d}  {name}")


def _make_room(name: str) -> Path:
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


if __name__ == "__main__":
    main()

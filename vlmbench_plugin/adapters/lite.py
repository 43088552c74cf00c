"""LMMs-Eval-Lite: one repository of small forms of public sets, 500 rows each."""

from __future__ import annotations

HUB_IDS = ("lmms-lab-encoder/LMMs-Eval-Lite", "lmms-lab/LMMs-Eval-Lite")
SPLITS = ("lite",)
REVISION = "07fc750730e654d2801cf1d76c2cde9dca5f9e5b"

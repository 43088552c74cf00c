"""The frame that all prompts share, so that tasks differ in their question alone."""

from __future__ import annotations

_OPENING = (
    "Look at the image and answer with one JSON object and nothing else: "
    "no code fence, no comment, no text before or after it."
)
_FORM = "The answer has exactly this form:\n{schema}"


def prompt(question: str, *, coordinates: bool = False) -> str:
    """Returns a prompt template around a task's question.

    Args:
        question: What to find; may hold ``{question}``, the per-image part.
        coordinates: Whether the answer holds positions, so that the frame must be stated.
    """
    parts = [_OPENING, question, "{vocabulary}", "{coordinates}" if coordinates else "", _FORM]
    return "\n".join(part for part in parts if part)

"""The error tree: every error says what was expected, what came, and what to do about it."""

from __future__ import annotations


class VlmBenchError(Exception):
    """Base of all errors that the harness itself raises.

    Args:
        message: What was expected and what came.
        hint: What the user can do about it, shown on a line of its own.

    Attributes:
        hint: As given.
        retryable: Whether the same call may succeed later without any change.
    """

    retryable = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n  hint: {self.hint}" if self.hint else message


class UsageError(VlmBenchError):
    """The user asked for something that does not exist or does not fit together."""


class UnknownNameError(UsageError):
    """A name that is in no registry; the message lists the valid ones."""

    def __init__(self, kind: str, name: str, valid: tuple[str, ...], *, hint: str = "") -> None:
        super().__init__(f"unknown {kind} {name!r}; valid: {', '.join(valid)}", hint=hint)


class MissingExtraError(UsageError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str, cause: ImportError) -> None:
        super().__init__(
            f"{what} needs a package that is not installed ({cause})",
            hint=f"pip install 'qwen-vlmbench[{extra}]'",
        )


class ModelLoadError(VlmBenchError):
    """A model could not be found or loaded."""


class RunnerError(VlmBenchError):
    """A runner failed on one item; the item ends as an error, not as a miss."""


class DataError(VlmBenchError):
    """Ground truth is missing, malformed, or beyond a bound of its task."""


class ScoreError(VlmBenchError):
    """A scorer returned what is no score, such as NaN or 1.5."""


class StoreError(VlmBenchError):
    """The results folder cannot be read or written."""


class FieldError(VlmBenchError):
    """A field tree that cannot be bounded, or a vocabulary that it needs and was not given."""

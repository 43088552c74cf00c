"""What an OpenAI-compatible server answers, as far as it is read."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ServedModel(BaseModel):
    """One model as ``/v1/models`` lists it; the context length is vLLM's."""

    id: str
    max_model_len: int | None = None


class ModelList(BaseModel):
    """The answer of ``/v1/models``."""

    data: list[ServedModel]


class Message(BaseModel):
    """What the model said; a server that reads thoughts itself keeps them apart."""

    content: str | None
    reasoning: str | None = None
    reasoning_content: str | None = None

    @property
    def whole(self) -> str:
        """All of it, wherever the server put it."""
        return (self.reasoning or self.reasoning_content or "") + (self.content or "")


class Choice(BaseModel):
    """One answer and why it ended; what stopped it is vLLM's word for it."""

    message: Message
    finish_reason: str | None
    stop_reason: int | str | None = None


class UsageDetails(BaseModel):
    """Tokens spent before the answer."""

    reasoning_tokens: int | None = None


class Usage(BaseModel):
    """Counted tokens."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    completion_tokens_details: UsageDetails | None = None


class Completion(BaseModel):
    """The answer of ``/v1/chat/completions``."""

    choices: list[Choice] = Field(min_length=1)
    usage: Usage | None = None
    system_fingerprint: str | None = None


class Tokens(BaseModel):
    """The answer of vLLM's ``/tokenize``."""

    tokens: list[int]

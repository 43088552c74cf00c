"""Requests to batches of model inputs: the next batch is made while the last one generates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from vlmbench_plugin.core import Request
from vlmbench_plugin.errors import RunnerError
from vlmbench_plugin.runners._grammar import GrammarMasks
from vlmbench_plugin.runners._loading import chat_prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One request as the model takes it.

    Attributes:
        request: As asked.
        inputs: What the processor made of its prompt and image, a batch of one, on the CPU.
        grammar: The compiled grammar; None in ``json_mode``.
    """

    request: Request
    inputs: Mapping[str, Any]
    grammar: Any


class Preparing:
    """Draws or decodes images and turns them into inputs, in a thread beside the model.

    Args:
        processor: The model's.
        masks: Compile the grammars.
        ahead: Whether grammars are compiled while requests of ``json_mode`` run, for later ones.
    """

    def __init__(self, processor: Any, masks: GrammarMasks, *, ahead: bool) -> None:
        self._processor = processor
        self._masks = masks
        self._ahead = ahead
        self._thread = ThreadPoolExecutor(1, "images")

    def batches(
        self, requests: Iterable[Request], size: Callable[[Request], int]
    ) -> Iterator[list[Prepared | RunnerError]]:
        """Yields batches in order; while one is used, the next is made.

        Args:
            requests: Read one batch ahead, in the caller's thread.
            size: The most rows of a batch that begins with a request.

        Yields:
            For each request its inputs, or why it has none: that is the item's error alone.
        """
        coming = iter(requests)
        pending = self._submit(coming, size)
        try:
            while pending:
                batch = [future.result() for future in pending]
                pending = self._submit(coming, size)
                yield batch
        finally:
            for future in pending:
                future.cancel()

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _submit(
        self, coming: Iterator[Request], size: Callable[[Request], int]
    ) -> list[Future[Prepared | RunnerError]]:
        first = next(coming, None)
        if first is None:
            return []
        batch = [first, *islice(coming, size(first) - 1)]
        for request in batch:
            if self._ahead or request.mode == "constrained":
                self._masks.prepare(request.grammar)
        return [self._thread.submit(self._prepare, request) for request in batch]

    def _prepare(self, request: Request) -> Prepared | RunnerError:
        try:
            return Prepared(
                request=request,
                inputs=self._inputs(request),
                grammar=(
                    self._masks.compile(request.grammar) if request.mode == "constrained" else None
                ),
            )
        except RunnerError as error:
            return error
        except Exception as error:  # a data source's own errors may be any
            return item_error(request, error)

    def _inputs(self, request: Request) -> Mapping[str, Any]:
        """One prompt and image as the model takes them."""
        image = request.image()
        prompt = chat_prompt(self._processor, request)
        made: Mapping[str, Any] = self._processor(
            text=[prompt], images=[image], return_tensors="pt"
        )
        return made


def item_error(request: Request, error: Exception) -> RunnerError:
    """What the item is told that failed alone."""
    # Frames hold tensors: the message is enough.
    failed = RunnerError(
        f"{request.id} failed: {type(error).__name__}: {error}",
        hint="an image can be too long and thin for the model, or memory too small",
    )
    failed.__cause__ = error.with_traceback(None)
    return failed


def grouped(
    inputs: Sequence[Mapping[str, Any]], most_tokens: int, pad_id: int, device: Any
) -> Iterator[dict[str, Any]]:
    """Yields batches of consecutive rows that are read in one pass.

    Args:
        inputs: Of each row.
        most_tokens: Of a batch, padding included; a row that alone has more is one of its own.
        pad_id: As for :func:`collate`.
        device: As for :func:`collate`.
    """
    group: list[Mapping[str, Any]] = []
    for one in inputs:
        longest = max(row["input_ids"].shape[1] for row in (*group, one))
        if group and (len(group) + 1) * longest > most_tokens:
            yield collate(group, pad_id, device)
            group = []
        group.append(one)
    yield collate(group, pad_id, device)


def collate(inputs: Sequence[Mapping[str, Any]], pad_id: int, device: Any) -> dict[str, Any]:
    """Joins inputs of one row each into those of one batch, padded on the left.

    Args:
        inputs: Of each row; what is shaped as its ``input_ids`` is by token, all else by image.
        pad_id: Token that stands where ``attention_mask`` is 0.
        device: Where the batch goes.
    """
    from torch import cat
    from torch.nn.functional import pad

    longest = max(one["input_ids"].shape[1] for one in inputs)

    def padded(name: str, one: Mapping[str, Any]) -> Any:
        if one[name].shape != one["input_ids"].shape:
            return one[name]
        value = pad_id if name == "input_ids" else 0
        return pad(one[name], (longest - one[name].shape[1], 0), value=value)

    return {
        name: cat([padded(name, one) for one in inputs]).to(device, non_blocking=True)
        for name in inputs[0]
    }

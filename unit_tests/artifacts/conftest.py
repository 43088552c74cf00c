"""The two real Qwen vocabularies, each built once in a session and only when a test wants it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import pytest
import torch

from unit_tests.artifacts.walks import RealVocabulary, real_vocabulary


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Walks add vectors of a vocabulary's width, which threads on a busy machine slow fourfold."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def vocabulary_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], RealVocabulary]:
    """Family name -> its vocabulary."""

    @functools.cache
    def built(name: str) -> RealVocabulary:
        return real_vocabulary(name, tmp_path_factory.mktemp(name))

    return built

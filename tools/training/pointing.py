"""A second thing to learn on the way: where the objects are that a question names.

A linear map of a middle layer, which does not ship, is to point from the last token of a name to
the middle of the object. A comparison of two objects can begin only when both are found, and
answers alone say too little of where: see ``POINTED_AT``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tools.training.samples import Row


def new_pointer(width: int) -> Any:
    """A linear map from hidden states of a width to x and y, at first the middle of the image."""
    import torch

    pointer = torch.nn.Linear(width, 2)
    torch.nn.init.zeros_(pointer.weight)
    torch.nn.init.constant_(pointer.bias, 0.5)
    return pointer


def squared_distances(pointer: Any, hidden: Any, rows: Sequence[Row]) -> Any:
    """How far off a map points from the names in each row.

    Args:
        pointer: Made by :func:`new_pointer`.
        hidden: Hidden states of shape (rows, tokens, width), padded on the left.
        rows: What they are of.

    Returns:
        Mean over a row's mentions of the squared distance, in squared image sides, of shape
        (rows,); 0 where there are none, as there is nothing to learn.
    """
    import torch

    found = [(index, one) for index, row in enumerate(rows) for one in row.mentions]
    if not found:
        return torch.zeros(len(rows))
    where = torch.tensor([index for index, _ in found])
    columns = hidden.shape[1] - torch.tensor([one.back for _, one in found])
    places = torch.tensor([one.place for _, one in found])
    squares = (pointer(hidden[where, columns]) - places).square().sum(dim=1)
    counts = torch.bincount(where, minlength=len(rows)).clamp(min=1)
    return torch.zeros(len(rows)).index_add(0, where, squares) / counts

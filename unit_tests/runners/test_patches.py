"""Patch convolutions as matrix products: the same numbers, and only where it is the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import Conv3d, Sequential

from unit_tests.tiny_models import ASSET, folder_spec
from vlmbench_plugin.runners._loading import load_model
from vlmbench_plugin.runners._patches import multiply_patches

PATCH = (2, 4, 4)


def changed(**given: Any) -> tuple[Any, Any]:
    """A convolution of three channels, and the same one after the change."""
    torch.manual_seed(0)
    conv = Conv3d(3, 5, **{"kernel_size": PATCH, "stride": PATCH, **given})
    same = Conv3d(3, 5, **{"kernel_size": PATCH, "stride": PATCH, **given})
    same.load_state_dict(conv.state_dict())
    multiply_patches(Sequential(same))
    return conv, same


@pytest.mark.parametrize("bias", [True, False])
def test_a_patch_gives_the_same_numbers(bias: bool) -> None:
    conv, same = changed(bias=bias)
    assert type(same) is not Conv3d
    patches = torch.randn(7, 3, *PATCH)
    torch.testing.assert_close(same(patches), conv(patches))
    assert same(patches).shape == (7, 5, 1, 1, 1)
    assert same.state_dict().keys() == conv.state_dict().keys()


def test_more_than_one_patch_is_still_a_convolution() -> None:
    conv, same = changed()
    video = torch.randn(2, 3, 4, 8, 8)
    torch.testing.assert_close(same(video), conv(video))


@pytest.mark.parametrize("given", [{"stride": (1, 4, 4)}, {"padding": 1}, {"dilation": (1, 2, 1)}])
def test_another_convolution_stays_as_it_is(given: dict[str, Any]) -> None:
    _, same = changed(**given)
    assert type(same) is Conv3d


def test_a_loaded_model_multiplies_its_patches() -> None:
    model = load_model(folder_spec(ASSET), torch.device("cpu"), torch.float32)
    assert not [module for module in model.modules() if type(module) is Conv3d]
    assert [module for module in model.modules() if isinstance(module, Conv3d)]

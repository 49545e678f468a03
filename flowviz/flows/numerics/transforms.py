"""What the engine has to know of ``torch.func``: that it is at work, and the numbers it wraps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad


def transformed() -> bool:
    """Whether a transform of ``torch.func``, or forward-mode differentiation, is under way.

    Autograd functions with a gradient of their own give way to plain operations then, which torch
    can batch and differentiate in both modes.
    """
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def numbers(x: Tensor) -> Tensor:
    """The numbers in ``x``, those of all points together where it is one of many to ``vmap``.

    For decisions that they share, as to go on or to stop: a tensor that ``vmap`` maps over has no
    truth value.
    """
    while torch._C._functorch.is_functorch_wrapped_tensor(x):
        x = torch._C._functorch.get_unwrapped(x)
    return x

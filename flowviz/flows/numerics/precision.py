"""Autocast, in which a flow takes no part.

``torch.autocast`` has matrix products computed in 8 or 11 bits. A log-density is a sum of
logarithms that cancel, and an inverse undoes what the map did: neither has a digit to spare, and
the few that are left would differ from layer to layer. A flow computes in its parameters' dtype,
whatever region it is called in; what goes in and what comes out may be part of one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor

Backward = TypeVar("Backward", bound=Callable[..., Any])

_AS_IT_IS = nullcontext()


def without_autocast(x: Tensor) -> AbstractContextManager[Any]:
    """A region without autocast on the device of ``x``, within one or not."""
    return torch.autocast(x.device.type, enabled=False) if _is_cast(x) else _AS_IT_IS


def uncast(x: Tensor, like: Tensor) -> Tensor:
    """``x`` in the dtype of ``like``, where autocast may have made it another."""
    if _is_cast(x) and x.dtype == torch.get_autocast_dtype(x.device.type):
        return x.to(like.dtype)
    return x


def uncast_backward(backward: Backward) -> Backward:
    """The ``backward`` of an autograd function, when it is called from within a region."""

    @functools.wraps(backward)
    def without(*arguments: Any) -> Any:
        with without_autocast(arguments[-1]):
            return backward(*arguments)

    return without  # type: ignore[return-value]


def _is_cast(x: Tensor) -> bool:
    """Whether an autocast region is open for the device of ``x``."""
    # To ask for any at all is ten times as quick as to ask for that of a device.
    if not torch._C._is_any_autocast_enabled():
        return False
    return x.device.type != "meta" and torch.is_autocast_enabled(x.device.type)

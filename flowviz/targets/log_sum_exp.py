"""log Σ_m exp t_m(x), for as many points and components as a picture needs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_AT_ONCE = {"cpu": 65_536}
"""Points times components: what a CPU's cache holds."""
_MOST_AT_ONCE = 1_000_000
"""On other devices, where few large steps are quicker."""
_NOTHING = -80.0
"""A term this far below the largest adds nothing to a sum of doubles."""


def log_sum_exp(terms: Callable[[Tensor], Tensor], x: Tensor, components: int) -> Tensor:
    """log Σ_m exp t_m(x): ``x [..., 2]`` to ``[...]``, differentiable.

    Args:
        terms: t, from ``[n, 2]`` to ``[n, M]``; called on a part of the points at a time.
        x: the points.
        components: M.
    """
    at_once = max(1, _AT_ONCE.get(x.device.type, _MOST_AT_ONCE) // components)
    parts = x.reshape(-1, 2).split(at_once)
    return torch.cat([_reduced(terms(part)) for part in parts]).reshape(x.shape[:-1])


def _reduced(terms: Tensor) -> Tensor:
    """``torch.logsumexp(terms, -1)``, which takes ten times as long where exp underflows."""
    most = terms.detach().amax(-1, keepdim=True)
    total = (terms - most).clamp(min=_NOTHING).exp().sum(-1).log() + most.squeeze(-1)
    return torch.where(most.squeeze(-1).isneginf(), -torch.inf, total)

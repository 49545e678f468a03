"""The random vectors of Hutchinson's trace estimator."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Generator, Tensor

Noise = Literal["rademacher", "gaussian"]
NOISES = ("rademacher", "gaussian")


def probe(like: Tensor, noise: Noise, generator: Generator | None) -> Tensor:
    """v with E[vvᵀ] = I, of the shape, dtype and device of ``like``.

    Random signs, ``"rademacher"``, have the least variance of all such v.
    """
    device = like.device if generator is None else generator.device
    draw = torch.randn(like.shape, dtype=like.dtype, device=device, generator=generator)
    return (draw.sign() if noise == "rademacher" else draw).to(like.device)

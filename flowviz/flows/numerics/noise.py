"""The random vectors of Hutchinson's trace estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Generator, Tensor

from flowviz.flows.numerics.transforms import transformed

Noise = Literal["rademacher", "gaussian"]
NOISES = ("rademacher", "gaussian")


def probe(like: Tensor, noise: Noise, generator: Generator | None) -> Tensor:
    """v with E[vvᵀ] = I, of the shape, dtype and device of ``like``.

    Random signs, ``"rademacher"``, have the least variance of all such v.
    """
    device = like.device if generator is None else generator.device
    draw = drawn(
        lambda: torch.randn(like.shape, dtype=like.dtype, device=device, generator=generator)
    )
    return (draw.sign() if noise == "rademacher" else draw).to(like.device)


def drawn(draw: Callable[[], Tensor]) -> Tensor:
    """``draw()``.

    Raises:
        RuntimeError: ``torch.func.vmap`` has not been told how to draw.
    """
    try:
        return draw()
    except RuntimeError as error:
        if not transformed():
            raise
        raise RuntimeError(
            "an estimated log-determinant draws random numbers, and torch.func wants to be told "
            "how: vmap(f, randomness='same') gives all points the same draw, and 'different', "
            "where each point may have its own, others; a Hessian is "
            "jacfwd(jacrev(f), randomness='same'). A flow whose log-determinant is exact draws none"
        ) from error

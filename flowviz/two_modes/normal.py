"""The standard normal, in logarithms."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def log_phi(u: Tensor) -> Tensor:
    """log φ(u) of the standard normal."""
    return -(u**2) / 2 - math.log(2 * math.pi) / 2


def log_tail_phi(u: Tensor) -> Tensor:
    """log(1 − Φ(u))."""
    return torch.special.log_ndtr(-u)


def number(value: float | Tensor) -> Tensor:
    """In float64."""
    return torch.as_tensor(value, dtype=torch.float64)

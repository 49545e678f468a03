"""Where forward KL ends with a linear flow: at the Gaussian with the target's mean and covariance.

KL(p* ‖ N(μ, Σ)) = ½ [log|Σ| + tr(Σ⁻¹ Σ*) + (μ − μ*)ᵀ Σ⁻¹ (μ − μ*)] + const, least at μ = μ* and
Σ = Σ* (Bishop 2006, section 10.1.2), whatever p* is.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from flowviz.panels.parts.flow_choice import ENTRIES
from flowviz.widgets.stage import Lines

LINEAR = tuple(
    name for name, entry in ENTRIES.items() if entry.family == "Linear" and name != "permutation"
)
"""Flows that can be every Gaussian, and nothing else; a permutation keeps its covariance I."""
ROUND = 96
"""Points of an ellipse."""


def gaussian_ellipses(mean: Tensor, covariance: Tensor) -> Lines:
    """The 1- and the 2-σ ellipse of N(mean ``[2]``, covariance ``[2, 2]``), as lines."""
    angle = torch.linspace(0, 2 * math.pi, ROUND + 1, dtype=mean.dtype)
    circle = torch.stack([angle.cos(), angle.sin()], dim=-1)
    once = circle @ torch.linalg.cholesky(covariance).mT
    states: np.ndarray = torch.stack([mean + once, mean + 2 * once]).numpy()
    return Lines(states, palette="ink", dashed=True, width=1.5, label="moments of p*")

"""The least that a likelihood's loss can be: what is below it was not computed from a density."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor

from flowviz.objectives.estimate import SURE
from flowviz.objectives.pareto import FEWEST
from flowviz.training.data import Draws
from flowviz.training.objective import Loss, MaximumLikelihood, Objective

DRAWS = 4096
"""For the entropy of a target."""
ROUNDING = 1e-3
"""Nats that a loss may be below it without a word."""


class LeastLoss:
    """Of the targets that one trainer is given: their entropies, each estimated once."""

    def __init__(self) -> None:
        self._target: Any = None
        self._entropy: tuple[float, float] | None = None

    def broken(
        self, objective: Objective | Loss, like: Tensor, loss: float, error: float
    ) -> str | None:
        """Why a loss of maximum likelihood cannot be true, in words; None where it can.

        −E log p_x(x) = H(p*) + KL(p* ‖ p_x) ≥ H(p*), for every density p_x. It is looked at where
        the target has a normalised ``log_prob``.

        Args:
            objective: any; what is no maximum likelihood on draws of a target is not judged.
            like: a number of the flow's dtype on its device.
            loss: of a batch.
            error: its standard error.
        """
        # A few points tell nothing; and a normalisation by batches makes them likely.
        draws = objective.source if isinstance(objective, MaximumLikelihood) else None
        if not isinstance(draws, Draws) or draws.batch < FEWEST:
            return None
        if draws.target is not self._target:
            self._target, self._entropy = draws.target, _entropy(draws.target, like)
        if self._entropy is None:
            return None
        entropy, spread = self._entropy
        # The error of a batch is uncertain itself.
        error = max(error, spread / math.sqrt(draws.batch))
        if not loss + SURE * math.hypot(error, spread / math.sqrt(DRAWS)) < entropy - ROUNDING:
            return None
        return (
            f"the loss of {loss:.3g} ± {error:.1g} is below the target's entropy of {entropy:.3g}, "
            "which no density reaches. The flow's density does not integrate to 1, as where an ODE "
            "is solved in too few steps (or the target's log_prob does not)"
        )


@torch.no_grad()
def _entropy(target: Any, like: Tensor) -> tuple[float, float] | None:
    """H(p*), and the standard deviation of −log p*(x); None where they are not known."""
    if not getattr(target, "has_density", hasattr(target, "log_prob")):
        return None
    generator = Generator(device=like.device).manual_seed(0)
    information = -target.log_prob(target.sample(DRAWS, generator, like.device, like.dtype))
    entropy, spread = float(information.mean()), float(information.std())
    return (entropy, spread) if math.isfinite(entropy + spread) else None

"""A Monte Carlo estimate with its standard error."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Estimate:
    """A Monte Carlo mean of N terms.

    Attributes:
        value: the mean, a scalar in nats that carries the gradient.
        standard_error: of the mean, a scalar without gradient; NaN for fewer than two terms.
    """

    value: Tensor
    standard_error: Tensor

    @classmethod
    def of(cls, terms: Tensor) -> Estimate:
        """The mean of ``terms [N]``."""
        n, detached = len(terms), terms.detach()
        squares = (detached - detached.mean()).square().sum()
        return cls(terms.mean(), (squares / (n * (n - 1))).sqrt())

"""A Monte Carlo estimate with its standard error."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from flowviz import arguments

SURE = 5.0
"""So many standard errors are no chance."""
LIKELY = 2.0
"""So many seldom are."""


@dataclass(frozen=True)
class Estimate:
    """A Monte Carlo mean of N terms.

    Attributes:
        value: the mean, a scalar in nats that carries the gradient.
        standard_error: of the mean, a scalar without gradient; ∞ where the mean is, and where the
            terms show no variance; NaN for fewer than two terms.
    """

    value: Tensor
    standard_error: Tensor

    @classmethod
    def of(cls, terms: Tensor) -> Estimate:
        """The mean of ``terms [N]``.

        Raises:
            TypeError: ``terms`` is not a floating-point tensor.
            ValueError: it has another shape, or there is no term.
        """
        if not arguments.instance("terms", terms, Tensor).is_floating_point():
            raise TypeError(f"terms must be a floating-point tensor, got {terms.dtype}")
        if terms.ndim != 1 or len(terms) == 0:
            raise ValueError(f"terms must be [N], N ≥ 1; got {list(terms.shape)}")
        n, value = len(terms), terms.mean()
        detached, mean = terms.detach(), value.detach()
        squares = (detached - mean).square().sum()
        squares = torch.where(mean.isinf(), torch.inf, squares)  # not ∞ − ∞
        return cls(value, (squares / (n * (n - 1))).sqrt())

    def unless_nan(self, name: str, log_density: Tensor) -> Estimate:
        """The estimate, unless it is NaN by ``log_density [N]``, the values of ``name``.

        Raises:
            FloatingPointError: it is; the message counts where.
        """
        if self.value.is_meta or not bool(self.value.isnan()):
            return self
        nan, infinite = int(log_density.isnan().sum()), int(log_density.isinf().sum())
        raise FloatingPointError(
            f"the estimate is NaN: {name} is NaN at {nan} and infinite at {infinite} "
            f"of {len(log_density)} points"
        )

    def is_infinite(self) -> bool:
        """Whether the value is ±∞."""
        return not self.value.is_meta and bool(self.value.isinf())

    def without_error(self) -> Estimate:
        """The same value, of which nothing is known: its standard error is ∞."""
        unknown = torch.full_like(self.standard_error, torch.inf)
        return dataclasses.replace(self, standard_error=unknown)

    def is_below(self, bound: float, errors: float = SURE) -> bool:
        """Whether it is below ``bound`` by more than ``errors`` standard errors."""
        value = self.value.detach()
        return not value.is_meta and bool(value + errors * self.standard_error < bound)

"""Roots to rounding, brackets that hold them, and derivatives by the implicit function theorem."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from flowviz.flows.numerics.root import bisection, bracketed


def cubic(x: Tensor) -> tuple[Tensor, Tensor]:
    return x**3 + 1e-3 * x, 3 * x**2 + 1e-3


def step(x: Tensor) -> tuple[Tensor, Tensor]:
    """Flat, then steep, then flat: Newton's method alone diverges."""
    return torch.tanh(40 * x) + 1e-6 * x, 40 / torch.cosh((40 * x).clamp(-300, 300)) ** 2 + 1e-6


def stairs(x: Tensor) -> tuple[Tensor, Tensor]:
    return x + 0.999 * torch.sin(x), 1 + 0.999 * torch.cos(x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("function", [cubic, step, stairs])
def test_roots_to_rounding_wherever_they_are(function, dtype: torch.dtype) -> None:
    value = torch.tensor([0.0, 1e-6, 0.3, 0.999, 1.0, 1.5, 50.0, 1e3], dtype=dtype)
    value = torch.cat([value, -value])
    for start in (None, torch.full_like(value, 1e4), torch.full_like(value, -3.0)):
        x = bracketed(function, value, start)
        ulp = torch.finfo(dtype).eps * (1 + x.abs())
        low, high = function(x - 8 * ulp)[0], function(x + 8 * ulp)[0]
        noise = 4 * torch.finfo(dtype).eps * (1 + value.abs())
        assert (low - noise <= value).all() and (value <= high + noise).all()


def test_derivatives_of_the_root() -> None:
    value = torch.linspace(-3, 3, 7, dtype=torch.float64).requires_grad_()
    scale = torch.linspace(0.5, 2, 7, dtype=torch.float64).requires_grad_()

    def solve(value: Tensor, scale: Tensor) -> Tensor:
        def function(x: Tensor) -> tuple[Tensor, Tensor]:
            return scale * x + torch.tanh(x), scale + 1 - torch.tanh(x) ** 2

        return bracketed(function, value)

    assert torch.autograd.gradcheck(solve, (value, scale))
    assert torch.autograd.gradgradcheck(solve, (value, scale))


def test_what_is_not_finite_spoils_nothing_else() -> None:
    value = torch.tensor([1.0, torch.inf, -torch.inf, torch.nan, 2.0])
    x = bracketed(cubic, value)
    assert x[1:4].isnan().all()
    assert torch.equal(x[[0, 4]], bracketed(cubic, value[[0, 4]]))
    assert bracketed(cubic, torch.zeros(0)).shape == (0,)


def test_a_function_that_is_not_onto_is_refused() -> None:
    with pytest.raises(FloatingPointError, match="no bracket holds the root of value 2"):
        bracketed(lambda x: (torch.tanh(x), 1 - torch.tanh(x) ** 2), torch.tensor([0.1, 2.0]))


def test_bisection_halves_its_brackets() -> None:
    value = torch.tensor([0.2, -5.0], dtype=torch.float64)
    low, high = torch.full_like(value, -8), torch.full_like(value, 8)
    brackets = list(itertools.islice(bisection(lambda x: cubic(x)[0], value, low, high), 40))
    root = bracketed(cubic, value)
    for k, (low, high) in enumerate(brackets):
        assert ((low <= root) & (root <= high)).all()
        assert torch.allclose(high - low, torch.full_like(low, 16 / 2**k))

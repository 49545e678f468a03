"""Sums of many exponentials: the same numbers as torch's, near and far, value and gradient."""

from __future__ import annotations

import pytest
import torch

from flowviz.targets.log_sum_exp import log_sum_exp

CENTRES = torch.randn(300, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def terms(x: torch.Tensor) -> torch.Tensor:
    return -8 * (x.unsqueeze(-2) - CENTRES.to(x)).square().sum(-1)


# At 900 points, so that they go in several parts; the farthest are where exp underflows.
FAR = torch.linspace(-60, 60, 1800, dtype=torch.float64).reshape(30, 30, 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_logsumexp_near_and_far(dtype: torch.dtype) -> None:
    x = FAR.to(dtype)
    torch.testing.assert_close(log_sum_exp(terms, x, len(CENTRES)), terms(x).logsumexp(-1))


def test_its_gradient_is_that_of_logsumexp() -> None:
    x = FAR.clone().requires_grad_()
    sums = log_sum_exp(terms, x, len(CENTRES)), terms(x).logsumexp(-1)
    torch.testing.assert_close(*(torch.autograd.grad(one.sum(), x)[0] for one in sums))


def test_where_every_term_is_minus_infinity_so_is_the_sum() -> None:
    x = torch.tensor([[torch.inf, 0.0], [0.0, 0.0]])
    found = log_sum_exp(terms, x, len(CENTRES))
    assert found[0].isneginf() and found[1].isfinite()

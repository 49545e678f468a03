"""Base distributions against torch.distributions: densities, moments, fits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import distributions as D

from flowviz.flows.distributions import (
    Base,
    DiagonalNormal,
    FullNormal,
    GaussianMixture,
    StandardNormal,
    StudentT,
    UniformBox,
)

N = 40_000
BASES = [StandardNormal, DiagonalNormal, FullNormal, UniformBox, GaussianMixture, StudentT]


def random_base(kind: type[Base], dim: int) -> Base:
    torch.manual_seed(dim)
    base = kind(dim).double()
    for parameter in base.parameters():
        parameter.data.copy_(0.5 * torch.randn(parameter.shape))
    return base


def reference(base: Base) -> D.Distribution:
    dim = base.dim
    if isinstance(base, StandardNormal):
        normal = D.Normal(torch.zeros(dim).double(), 1.0)
    elif isinstance(base, DiagonalNormal):
        normal = D.Normal(base.loc, base.log_scale.exp())
    elif isinstance(base, FullNormal):
        return D.MultivariateNormal(base.loc, scale_tril=base.factor)
    elif isinstance(base, UniformBox):
        normal = D.Uniform(torch.full((dim,), base.low).double(), base.high, validate_args=False)
    elif isinstance(base, GaussianMixture):
        parts = D.Independent(D.Normal(base.loc, base.log_scale.exp()), 1)
        return D.MixtureSameFamily(D.Categorical(logits=base.logits), parts)
    else:
        normal = D.StudentT(torch.full((dim,), float(base.df)).double())
    return D.Independent(normal, 1, validate_args=False)


@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize("kind", BASES)
def test_log_prob(kind: type[Base], dim: int) -> None:
    base = random_base(kind, dim)
    u = 2 * torch.randn(200, dim, dtype=torch.float64)
    expected = reference(base).log_prob(u)
    assert torch.allclose(base.log_prob(u), expected, rtol=1e-12, atol=1e-12)
    assert base.log_prob(u[0]).shape == () and base.log_prob(u[:0]).shape == (0,)


@pytest.mark.parametrize("kind", BASES)
def test_draws_follow_the_density(kind: type[Base]) -> None:
    """Means and second moments within four standard errors (of tanh u: the t has heavy tails)."""
    base = random_base(kind, 2)
    u = base.sample(N, torch.Generator().manual_seed(0))
    torch.manual_seed(1)
    v = reference(base).sample((N,))
    assert u.shape == (N, 2) and u.dtype == torch.float64 and not u.requires_grad
    for ours, theirs in zip(moments(u), moments(v), strict=True):
        error = (ours.var(0) / N + theirs.var(0) / N).sqrt()
        assert ((ours.mean(0) - theirs.mean(0)).abs() < 4 * error).all()


def moments(u: torch.Tensor) -> list[torch.Tensor]:
    t = torch.tanh(u)
    return [t, t.square(), t.prod(-1)]


@pytest.mark.parametrize("kind", BASES)
def test_draws_are_reproducible_and_checked(kind: type[Base]) -> None:
    base = random_base(kind, 2)
    draws = [base.sample(5, torch.Generator().manual_seed(3)) for _ in range(2)]
    assert torch.equal(*draws)
    assert base.sample(0).shape == (0, 2)
    with pytest.raises(ValueError, match="≥ 0, got -1"):
        base.sample(-1)
    with pytest.raises(ValueError, match="dim must be a whole number ≥ 1, got 0"):
        kind(0)


@pytest.mark.parametrize("kind", [DiagonalNormal, FullNormal])
def test_maximum_likelihood_is_the_maximum(kind: type[DiagonalNormal | FullNormal]) -> None:
    torch.manual_seed(0)
    u = torch.randn(500, 3, dtype=torch.float64) @ torch.randn(3, 3, dtype=torch.float64) + 2
    base = kind(3).double()
    base.fit(u)
    base.log_prob(u).mean().backward()
    for parameter in base.parameters():
        gradient = parameter.grad.tril(-1) if parameter.ndim == 2 else parameter.grad
        assert gradient.abs().max() < 1e-9
    if kind is FullNormal:
        entropy = 0.5 * torch.logdet(torch.cov(u.mT, correction=0)) + 1.5 * math.log(2 * math.pi)
        assert math.isclose(float(-base.log_prob(u).mean().detach()), float(entropy) + 1.5)


@pytest.mark.parametrize("kind", [DiagonalNormal, FullNormal])
def test_fits_that_cannot_be_made(kind: type[DiagonalNormal | FullNormal]) -> None:
    with pytest.raises(ValueError, match="at least two points"):
        kind(2).fit(torch.randn(1, 2))
    with pytest.raises(ValueError, match="differ in every coordinate"):
        kind(2).fit(torch.ones(5, 2))
    with pytest.raises(ValueError, match=r"\[N, 2\], got shape \[5, 3\]"):
        kind(2).fit(torch.ones(5, 3))


def test_points_in_a_subspace_have_no_full_normal() -> None:
    line = torch.linspace(0, 1, 50)[:, None] * torch.tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="subspace"):
        FullNormal(2).fit(line)


def test_settings_out_of_range() -> None:
    with pytest.raises(ValueError, match="low < high, got low=1"):
        UniformBox(2, 1, 1)
    with pytest.raises(ValueError, match="at least one component, got 0"):
        GaussianMixture(2, 0)
    with pytest.raises(ValueError, match=r"df must be a whole number ≥ 1, got 2\.5"):
        StudentT(2, 2.5)

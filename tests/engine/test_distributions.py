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
    base = UniformBox(dim, -0.7, 2.0) if kind is UniformBox else kind(dim)
    base = base.double()
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
        low = torch.full((dim,), base.low, dtype=torch.float64)
        normal = D.Uniform(low, base.high, validate_args=False)
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


@pytest.mark.parametrize("kind", [DiagonalNormal, FullNormal])
def test_fits_to_what_are_no_points_leave_the_base_alone(
    kind: type[DiagonalNormal | FullNormal],
) -> None:
    base = kind(2)
    before = [parameter.clone() for parameter in base.parameters()]
    for bad in (torch.nan, torch.inf):
        u = torch.randn(5, 2)
        u[3, 1] = bad
        with pytest.raises(ValueError, match="fit takes finite points"):
            base.fit(u)
    with pytest.raises(TypeError, match="takes floating-point tensors, got str"):
        base.fit("a")  # type: ignore[arg-type]
    assert all(map(torch.equal, before, base.parameters()))


@pytest.mark.parametrize("kind", BASES)
def test_points_that_are_none(kind: type[Base]) -> None:
    base, name = kind(2), kind.__name__
    for shape in ([5, 3], [5, 1], [3], []):
        with pytest.raises(ValueError) as error:
            base.log_prob(torch.zeros(shape))
        assert str(error.value) == f"{name} takes points [..., 2], got shape {shape}"
    for u, got in (("a", "str"), (None, "NoneType"), (torch.zeros(5, 2).long(), "torch.int64")):
        with pytest.raises(TypeError, match=f"{name} takes floating-point tensors, got {got}"):
            base.log_prob(u)  # type: ignore[arg-type]
    u = torch.zeros(5, 2)
    u[3, 1] = torch.nan
    with pytest.raises(ValueError, match=rf"points given to {name} hold NaN .*\(row 3\)"):
        base.log_prob(u)
    if list(base.parameters()):
        with pytest.raises(
            TypeError, match=r"of torch\.float32 on cpu, got points of torch\.f.*64"
        ):
            base.log_prob(torch.zeros(5, 2).double())
    for name, parameter in base.named_parameters():
        whole = parameter.data.clone()
        parameter.data.fill_(torch.nan)
        with pytest.raises(ValueError, match=f"parameter {name!r} of {kind.__name__} holds NaN"):
            base.log_prob(torch.zeros(5, 2))
        parameter.data.copy_(whole)


@pytest.mark.parametrize("kind", BASES)
def test_draws_that_cannot_be_made(kind: type[Base]) -> None:
    for draw in (kind(2).sample, kind(2).rsample):
        for n in (-1, 2.5, True, "a", None):
            with pytest.raises(ValueError, match=f"must be a whole number ≥ 0, got {n!r}"):
                draw(n)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="generator must be a Generator or None, got str"):
            draw(2, "g")  # type: ignore[arg-type]
    for dim in (True, 2.0, "2", None):
        with pytest.raises(ValueError, match=f"dim must be a whole number ≥ 1, got {dim!r}"):
            kind(dim)  # type: ignore[arg-type]


def test_settings_out_of_range() -> None:
    with pytest.raises(ValueError, match="low < high, got low=1"):
        UniformBox(2, 1, 1)
    with pytest.raises(ValueError, match="components must be a whole number ≥ 1, got 0"):
        GaussianMixture(2, 0)
    with pytest.raises(ValueError, match=r"df must be a whole number ≥ 1, got 2\.5"):
        StudentT(2, 2.5)
    with pytest.raises(ValueError, match="df must be a whole number ≥ 1, got True"):
        StudentT(2, True)
    for low, high, words in (
        ("a", "b", "low must be a finite number, got 'a'"),
        (0, math.inf, "high must be a finite number, got inf"),
        (0, math.nan, "high must be a finite number, got nan"),
        (torch.zeros(2), torch.ones(2), r"low must be a finite number, got tensor"),
    ):
        with pytest.raises(ValueError, match=words):
            UniformBox(2, low, high)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="components must be a whole number ≥ 1, got '3'"):
        GaussianMixture(2, "3")  # type: ignore[arg-type]
    for radius in (math.nan, math.inf, "a"):
        with pytest.raises(ValueError, match=f"radius must be a finite number, got {radius!r}"):
            GaussianMixture(2, radius=radius)  # type: ignore[arg-type]

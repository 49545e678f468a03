"""Data of any scale: a fixed affine layer, whose log-det is part of the density."""

from __future__ import annotations

import math

import pytest
import torch

from flowviz.flows import catalog, check
from flowviz.flows.normalisation import Standardisation, StandardisedContext

MEAN, STD = torch.tensor([1000.0, -3e-3, 2e5]), torch.tensor([50.0, 1e-4, 3.0])
X = MEAN + STD * torch.randn(500, 3, generator=torch.Generator().manual_seed(0))


def test_the_density_is_in_the_units_of_the_data() -> None:
    x = X.double()
    flow = catalog.make("rq_spline_coupling", dim=3, seed=0).double()
    scaled = flow.standardised(x)
    z = (x - x.mean(0)) / x.std(0)
    expected = flow.log_prob(z) - x.std(0).log().sum()
    assert torch.allclose(scaled.log_prob(x), expected, rtol=1e-9)
    assert isinstance(scaled.bijections[-1], Standardisation)
    assert check(scaled.transform, torch.randn(5, 3).double()).worst() < 1e-6
    # The map is none of what is trained, the rest of the weights is shared.
    assert {id(p) for p in scaled.parameters()} == {id(p) for p in flow.parameters()}
    draws = scaled.sample(4000, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(draws.mean(0), x.mean(0), atol=0.1 * float(STD.max()))


def test_again_it_is_replaced() -> None:
    flow = catalog.make("maf", dim=3, context=1, seed=0)
    c = torch.randn(500, 1)
    twice = flow.standardised(X * 7, 40 + c).standardised(X, c)
    once = flow.standardised(X, c)
    assert torch.equal(twice.log_prob(X, c), once.log_prob(X, c)) and twice.recipe == once.recipe
    assert torch.equal(twice.standardised(X).log_prob(X, c), flow.standardised(X).log_prob(X, c))


def test_a_context_is_standardised_and_what_never_varies_in_it_not_seen() -> None:
    flow = catalog.make("maf", dim=3, context=2, seed=0)
    c = torch.stack([300 + 20 * torch.randn(500), torch.full((500,), 1234.567)], -1)
    scaled = flow.standardised(X, c)
    standard = (c[:, :1] - c[:, :1].mean()) / c[:, :1].std()
    standard = torch.cat([standard, torch.zeros(500, 1)], -1)
    assert torch.allclose(
        scaled.log_prob(X, c), flow.standardised(X).log_prob(X, standard), atol=1e-4
    )
    moved = c + torch.tensor([0.0, 5.0])
    assert torch.equal(scaled.log_prob(X, moved), scaled.log_prob(X, c))
    assert all(isinstance(layer, StandardisedContext) for layer in list(scaled.transform)[::2][:2])


def test_the_path_through_continuous_time_stays() -> None:
    flow = catalog.make("cnf", seed=0)
    u = torch.randn(4, 2)
    scaled = flow.standardised(X[:, :2])
    traced = scaled.unrolled(3).trace(u)
    assert len(traced.names) == 4
    assert torch.allclose(traced.states[-1], scaled(u)[0], rtol=1e-4)


def test_what_is_refused() -> None:
    flow = catalog.make("maf", dim=3, context=1, seed=0)
    for value in (0.1, 7.0, 1234.567):
        x = X.clone()
        x[:, 1] = value
        with pytest.raises(ValueError, match=f"column 2 of x is {value:g} in every row: it has no"):
            flow.standardised(x)
    with pytest.raises(ValueError, match=r"x must be \[\.\.\., 3\], got \[500, 2\]"):
        flow.standardised(X[:, :2])
    with pytest.raises(ValueError, match=r"N ≥ 2; got \[1, 3\]"):
        flow.standardised(X[:1])
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        flow.standardised(torch.full((3, 3), math.nan))
    with pytest.raises(ValueError, match=r"context must be \[\.\.\., 1\], got"):
        flow.standardised(X, X)
    with pytest.raises(ValueError, match="takes no context"):
        catalog.make("maf", dim=3).standardised(X, X)
    with pytest.raises(TypeError, match="floating-point tensor"):
        flow.standardised(X.numpy())

"""Random walks and HMC: the right distribution, and what a flow saves them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from flowviz import targets
from flowviz.flows import Flow, catalog
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.linear import PLU
from flowviz.inference import hmc, pulled_back, pushed_forward, random_walk
from flowviz.training import Trainer, maximum_likelihood

COVARIANCE = torch.tensor([[1.0, 0.9], [0.9, 4.0]], dtype=torch.float64)
PRECISION = torch.linalg.inv(COVARIANCE)


def correlated(x: Tensor) -> Tensor:
    return -0.5 * ((x @ PRECISION) * x).sum(-1)


SAMPLERS = {"random_walk": random_walk, "hmc": hmc}


@pytest.mark.parametrize("name", SAMPLERS)
def test_chains_have_the_moments_of_the_target(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    start = 3 * torch.randn(20, 2, generator=generator, dtype=torch.float64)
    chains = SAMPLERS[name](correlated, start, 1500, warmup=400, generator=generator)
    assert chains.x.shape == (1500, 20, 2)
    size = chains.effective_sample_size()
    assert (chains.r_hat() < 1.02).all() and (size > 500).all()
    x = chains.x.reshape(-1, 2)
    error = (COVARIANCE.diagonal() / size).sqrt()
    assert (x.mean(0).abs() < 4 * error).all()
    assert torch.allclose(x.mT.cov(), COVARIANCE, rtol=0.15)
    wanted = 0.35 if name == "random_walk" else 0.8
    assert chains.acceptance == pytest.approx(wanted, abs=0.12)


@pytest.mark.parametrize("name", SAMPLERS)
def test_evaluations_are_counted(name: str) -> None:
    calls = 0

    def counted(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return correlated(x)

    options = {"leapfrog": 4} if name == "hmc" else {}
    start = torch.zeros(3, 2, dtype=torch.float64)
    chains = SAMPLERS[name](counted, start, 10, warmup=5, **options)
    assert chains.evaluations == calls
    assert torch.allclose(
        chains.efficiency(), chains.effective_sample_size() / (3 * calls), equal_nan=True
    )


def test_leapfrog_is_reversible_and_of_second_order() -> None:
    """A tiny step accepts everything, and the energy's error falls with its square."""
    start = torch.ones(500, 2, dtype=torch.float64)
    tiny = hmc(correlated, start, 5, warmup=0, step_size=1e-3)
    assert tiny.acceptance > 0.9999
    rejected = []
    for ε in (0.4, 0.2):
        generator = torch.Generator().manual_seed(0)
        run = hmc(correlated, start, 50, warmup=0, step_size=ε, leapfrog=5, generator=generator)
        rejected.append(1 - run.acceptance)
    assert 2.5 < rejected[0] / rejected[1] < 8


def test_trajectories_that_leave_all_bounds_are_refused_and_end_nothing() -> None:
    """Through a flow, whose density refuses points that are not finite."""
    torch.manual_seed(0)
    flow = catalog.make("real_nvp", dim=2, layers=4, seed=0).eval()
    for parameter in flow.parameters():
        parameter.data.normal_(std=0.5)
    density = pulled_back(flow, targets.make("two_moons").log_density)
    start = torch.randn(8, 2)
    wild = hmc(density, start, 20, warmup=0, step_size=1e3)
    assert wild.acceptance == 0 and torch.equal(wild.x, start.expand(20, 8, 2))
    tamed = hmc(density, start, 20, warmup=200, step_size=1e3)
    assert tamed.acceptance > 0.3 and tamed.x.isfinite().all()


def test_a_linear_flow_that_fits_makes_the_target_standard() -> None:
    flow = Flow(StandardNormal(2), [PLU(2)]).double().eval()
    layer = flow.bijections[0]
    L = torch.linalg.cholesky(COVARIANCE)
    layer.lower.data.copy_(torch.tril(L / L.diagonal(), -1))
    layer.log_diagonal.data.copy_(L.diagonal().log())
    layer.permutation, layer.inverse_permutation = torch.arange(2), torch.arange(2)
    layer.sign.fill_(1)
    density = pulled_back(flow, correlated)
    u = torch.randn(50, 2, dtype=torch.float64)
    gap = density(u) + 0.5 * u.square().sum(-1)
    assert torch.allclose(gap, gap[0].expand(50))
    chains = pushed_forward(flow, random_walk(density, u, 600, warmup=300))
    assert torch.allclose(chains.x.reshape(-1, 2).mT.cov(), COVARIANCE, rtol=0.15)


def test_a_trained_flow_lets_a_random_walk_cross_between_modes() -> None:
    """In x the chains stay in the mode that they start in; in u there is one mode."""
    target = targets.make("eight_gaussians")
    flow = catalog.make("rq_spline_coupling", layers=4, hidden=(32, 32), seed=0)
    list(Trainer(flow, maximum_likelihood(target, 256), seed=0).run(800))
    generator = torch.Generator().manual_seed(0)
    u = torch.randn(16, 2, generator=generator)
    x = target.sample(16, generator)
    settings = {"steps": 400, "warmup": 200, "generator": generator}
    plain = random_walk(target.log_density, x, **settings)
    eased = pushed_forward(flow, random_walk(pulled_back(flow, target.log_density), u, **settings))
    assert (plain.r_hat() > 1.5).all()
    assert (eased.r_hat() < 1.2).all()
    assert (eased.efficiency() > 3 * plain.efficiency()).all()


def test_cancelling_and_bad_input() -> None:
    start = torch.zeros(3, 2, dtype=torch.float64)
    asked = iter([False] * 7 + [True])
    chains = random_walk(correlated, start, 100, warmup=4, cancelled=lambda: next(asked))
    assert chains.x.shape == (3, 3, 2)
    none = random_walk(correlated, start, 100, cancelled=lambda: True)
    assert none.x.shape == (0, 3, 2) and none.acceptance == 0
    with pytest.raises(ValueError, match=r"start must be \[C, D\], C ≥ 1; got \[2\]"):
        random_walk(correlated, torch.zeros(2), 5)
    with pytest.raises(ValueError, match="finite at the start"):
        hmc(lambda x: x.sum(-1) * 0 - math.inf, start, 5)
    with pytest.raises(ValueError, match="leapfrog must be"):
        hmc(correlated, start, 5, leapfrog=0)
    for setting in ({"warmup": -1}, {"step_size": 0.0}, {"step_size": math.nan}, {"steps": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(setting))} must be"):
            random_walk(correlated, start, **{"steps": 5, **setting})


def test_a_density_that_ends_is_respected() -> None:
    """−∞ outside the unit square: no chain leaves it."""

    def uniform(x: Tensor) -> Tensor:
        inside = (x.abs() < 1).all(-1)
        return torch.where(inside, 0.0 * x.sum(-1), -math.inf)

    start = torch.zeros(40, 2, dtype=torch.float64)
    chains = random_walk(uniform, start, 800, warmup=200)
    assert (chains.x.abs() < 1).all()
    assert torch.allclose(
        chains.x.reshape(-1, 2).var(0), torch.full((2,), 1 / 3).double(), rtol=0.1
    )

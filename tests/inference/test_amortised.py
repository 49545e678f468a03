"""The autoencoder and the simulators, each against a model whose posterior is known."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from flowviz.flows import catalog
from flowviz.inference import (
    VAE,
    NeuralPosterior,
    Simulator,
    straight_line_simulator,
    two_moons_simulator,
)
from flowviz.training import Trainer

# x = W z + s ε, z ~ N(0, I): p(x) = N(0, W Wᵀ + s² I), p(z | x) Gaussian and correlated.
W = torch.tensor([[1.0, 0.9], [0.9, 1.0], [0.5, -0.2]])
SCALE = 0.3


class LinearDecoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", W)

    def forward(self, z: Tensor) -> Tensor:
        return z @ self.weight.mT


def linear_vae(name: str, seed: int = 0, **options: object) -> VAE:
    torch.manual_seed(seed)
    posterior = catalog.make(name, dim=2, layers=2, context=16, seed=seed, hidden=(32,), **options)
    vae = VAE(posterior, 3, hidden=(32,), decoder=LinearDecoder())
    vae.log_scale.data.fill_(math.log(SCALE))
    vae.log_scale.requires_grad_(False)
    return vae


def data(n: int, generator: torch.Generator | None = None) -> Tensor:
    z = torch.randn(n, 2, generator=generator)
    return z @ W.mT + SCALE * torch.randn(n, 3, generator=generator)


def log_evidence(x: Tensor) -> Tensor:
    covariance = W @ W.mT + SCALE**2 * torch.eye(3)
    return torch.distributions.MultivariateNormal(torch.zeros(3), covariance).log_prob(x)


def test_the_bound_is_a_bound_and_a_flow_makes_it_tight() -> None:
    vae = linear_vae("iaf")
    trainer = Trainer(vae, lambda vae, generator: vae.loss(data(256, generator), generator), seed=0)
    list(trainer.run(900))
    x = data(4000, torch.Generator().manual_seed(1))
    bound = vae.elbo(x)
    evidence = float(log_evidence(x).mean())
    assert float(bound.value.detach()) < evidence + 4 * float(bound.standard_error)
    assert evidence - float(bound.value.detach()) < 0.12
    # More draws tighten it to the evidence itself, point by point.
    tighter = vae.log_likelihood(x[:500], 200)
    assert float((tighter - log_evidence(x[:500])).abs().mean()) < 0.02
    # The posterior is the known one, its correlation included.
    seen = x[0]
    precision = torch.eye(2) + W.mT @ W / SCALE**2
    covariance = torch.linalg.inv(precision)
    mean = covariance @ W.mT @ seen / SCALE**2
    z = vae.infer(seen, 20_000)
    assert torch.allclose(z.mean(0), mean, atol=0.1)
    assert torch.allclose(z.mT.cov(), covariance, rtol=0.35, atol=0.02)
    correlation = float(torch.corrcoef(z.mT)[0, 1])
    known = float(covariance[0, 1] / covariance.diagonal().prod().sqrt())
    assert correlation == pytest.approx(known, abs=0.1) and known < -0.7


def test_a_diagonal_posterior_cannot() -> None:
    """Mean field leaves a gap that it can compute: the flow's worth in nats."""
    precision = torch.eye(2) + W.mT @ W / SCALE**2
    covariance = torch.linalg.inv(precision)
    gap = 0.5 * float(precision.diagonal().log().sum() + covariance.logdet())
    assert gap > 0.3


def test_learning_the_decoder_generates_the_data() -> None:
    torch.manual_seed(0)
    posterior = catalog.make("real_nvp", dim=2, layers=2, context=8, hidden=(32,), seed=0)
    vae = VAE(posterior, 3, hidden=(32,))
    trainer = Trainer(vae, lambda vae, generator: vae.loss(data(256, generator), generator), seed=0)
    first, *_, last = trainer.run(1200)
    assert last.loss < first.loss - 1
    x = vae.generate(20_000)
    assert x.shape == (20_000, 3)
    expected = W @ W.mT + SCALE**2 * torch.eye(3)
    assert torch.allclose(x.mT.cov(), expected, atol=0.15)


@pytest.mark.parametrize("name", ["real_nvp", "iaf"])
def test_with_its_own_networks_no_latent_collapses(name: str) -> None:
    """Without the smaller of the two the data would be less likely by 0.2 nats."""
    torch.manual_seed(0)
    vae = VAE(catalog.make(name, dim=2, layers=2, context=8, seed=0), 3)
    list(Trainer(vae, lambda vae, g: vae.loss(data(256, g), g), seed=0).run(800))
    x = data(2000, torch.Generator().manual_seed(1))
    found = vae.log_likelihood(x, 100, torch.Generator().manual_seed(0))
    assert float((log_evidence(x) - found).mean()) < 0.08
    assert float(vae.log_scale.detach()) == pytest.approx(math.log(SCALE), abs=0.3)


def test_bad_input_to_the_autoencoder() -> None:
    with pytest.raises(ValueError, match="conditional flow"):
        VAE(catalog.make("iaf"), 3)
    vae = linear_vae("iaf")
    with pytest.raises(ValueError, match=r"\[N, X\], N ≥ 1; got \[3\]"):
        vae.elbo(torch.zeros(3))
    with pytest.raises(ValueError, match="draws must be a whole number ≥ 1"):
        vae.log_likelihood(torch.zeros(2, 3), 0)


# Simulators


def test_a_neural_posterior_is_the_known_posterior() -> None:
    torch.manual_seed(0)
    simulator = straight_line_simulator(points=4, noise=0.5)
    flow = catalog.make("maf", dim=2, layers=3, context=4, hidden=(32,), seed=0)
    posterior = NeuralPosterior(flow, simulator)
    list(Trainer(posterior, posterior.objective(256), seed=0).run(1200))
    design = torch.stack([torch.ones(4), torch.linspace(-1, 1, 4)], -1)
    covariance = torch.linalg.inv(torch.eye(2) + design.mT @ design / 0.25)
    for seed in range(3):
        _, x = simulator.draw(1, torch.Generator().manual_seed(seed))
        mean = covariance @ design.mT @ x[0] / 0.25
        exact = torch.distributions.MultivariateNormal(mean, covariance)
        θ = exact.sample((4000,))
        with torch.no_grad():
            gap = (exact.log_prob(θ) - posterior.log_prob(θ, x[0])).mean()
        assert float(gap) < 0.06
        draws = posterior.sample(4000, x[0])
        assert torch.allclose(draws.mean(0), mean, atol=0.1)


def test_calibration_sees_right_and_wrong() -> None:
    torch.manual_seed(0)
    simulator = two_moons_simulator()
    flow = catalog.make("rq_spline_coupling", dim=2, layers=4, context=2, hidden=(48,), seed=0)
    posterior = NeuralPosterior(flow, simulator)
    # The last steps' noise alone may cost the calibration that is asked for below.
    trainer = Trainer(posterior, posterior.objective(512), seed=0, average=80)
    list(trainer.run(1500))
    posterior = trainer.averaged
    ranks = posterior.ranks(300)
    assert ranks.shape == (300, 2) and ranks.min() >= 0 and ranks.max() <= 99

    def chi2(ranks: Tensor) -> float:
        counts = torch.stack([torch.histc(r.float(), 10, 0, 99) for r in ranks.mT])
        return float((counts - 30).square().sum() / 30)

    # 18 degrees of freedom: below 45 in 999 of 1000 cases.
    assert chi2(ranks) < 60
    # Two crescents: the posterior of the middle is symmetric in θ₁ + θ₂ and has two modes there.
    θ = posterior.sample(2000, torch.zeros(2))
    side = θ.sum(-1)
    assert 0.3 < float((side > 0).float().mean()) < 0.7
    assert float((side.abs() < 0.1).float().mean()) < 0.1
    posterior.scale.mul_(0.5)
    assert chi2(posterior.ranks(300)) > 200, "too sure of itself"


def test_bad_input_to_the_neural_posterior() -> None:
    with pytest.raises(ValueError, match=r"2 parameters and 2 observations.*context=3"):
        NeuralPosterior(catalog.make("maf", dim=2, context=3), two_moons_simulator())
    posterior = NeuralPosterior(catalog.make("maf", dim=2, context=2), two_moons_simulator())
    with pytest.raises(ValueError, match="batch must be a whole number ≥ 1"):
        posterior.objective(0)


def with_a_constant(value: float) -> Simulator:
    """θ seen with noise, beside a column that is the same in every draw."""

    def simulate(θ: Tensor, generator: torch.Generator | None) -> Tensor:
        noise = 0.1 * torch.randn(θ.shape, generator=generator)
        return torch.cat([θ + noise, torch.full((len(θ), 1), value)], 1)

    def prior(n: int, generator: torch.Generator | None) -> Tensor:
        return torch.randn(n, 2, generator=generator)

    return Simulator(prior, simulate, "a column that never varies")


@pytest.mark.parametrize("value", [0.0, 7.0, 1234.567])
def test_an_observation_that_never_varies_tells_nothing(value: float) -> None:
    flow = catalog.make("maf", dim=2, context=3, hidden=(16,), seed=0)
    posterior = NeuralPosterior(flow, with_a_constant(value), torch.Generator().manual_seed(0))
    trainer = Trainer(posterior, posterior.objective(128))
    assert all(snapshot.failure is None for snapshot in trainer.run(30))
    θ = torch.randn(8, 2)
    expected = posterior.log_prob(θ, torch.tensor([0.5, -0.5, value]))
    for other in (value * (1 + 2e-7), value + 1e-4, value + 10):
        seen = torch.tensor([0.5, -0.5, other])
        assert torch.equal(posterior.log_prob(θ, seen), expected)
    assert not torch.equal(posterior.log_prob(θ, torch.tensor([0.6, -0.5, value])), expected)


def test_a_parameter_that_never_varies_is_refused() -> None:
    simulator = with_a_constant(1.0)
    fixed = Simulator(
        lambda n, g: torch.cat([torch.randn(n, 1), torch.full((n, 1), 0.1)], 1),
        simulator.simulate,
        "",
    )
    words = r"column 2 of the simulator's θ is 0\.1 in every row: it has no density"
    with pytest.raises(ValueError, match=words):
        NeuralPosterior(catalog.make("maf", dim=2, context=3), fixed)


def test_a_copied_trainer_trains_the_copy() -> None:
    flow = catalog.make("maf", dim=2, context=2, layers=1, hidden=(8,), seed=0)
    posterior = NeuralPosterior(flow, two_moons_simulator())
    run = Trainer(posterior, posterior.objective(32))
    run.step()
    twin = copy.deepcopy(run)
    before = [p.clone() for p in flow.parameters()]
    expected = [snapshot.loss for snapshot in twin.run(5)]
    assert all(map(torch.equal, before, flow.parameters()))
    assert [snapshot.loss for snapshot in run.run(5)] == expected

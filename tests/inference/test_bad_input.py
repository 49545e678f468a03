"""What sampling and inference refuse, and the words they say it in."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from flowviz.flows import catalog
from flowviz.inference import (
    VAE,
    ImportanceSample,
    NeuralPosterior,
    Simulator,
    hmc,
    importance_sampling,
    pulled_back,
    rejection_sampling,
    straight_line_simulator,
    weight_variance,
)
from flowviz.training import flow_matching

FLOW = catalog.make("real_nvp", layers=2, seed=0)


def constant(value: float) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.full_like(x[:, 0], value)


# Weights


def test_values_that_would_broadcast() -> None:
    sample = importance_sampling(FLOW, constant(0.0), 10)
    for method in (sample.expectation, sample.running):
        with pytest.raises(ValueError, match=r"function must map .* \[10\], got \[10, 1\]"):
            method(lambda x: x[:, :1])
        with pytest.raises(TypeError, match="function must be a function"):
            method("mean")


def test_running_estimates_of_weights_far_below_the_largest() -> None:
    values = torch.tensor([[1.0], [2.0], [3.0], [-5.0]])
    sample = ImportanceSample(values, torch.tensor([-300.0, -290.0, 0.0, -math.inf]))
    mean, error = sample.running(lambda x: x[:, 0])
    second = 1 + 1 / (1 + math.exp(-10))
    assert mean.tolist() == pytest.approx([1, second, 3, 3])
    # √(w₁² (1 − m)² + w₂² (2 − m)²) of the two normalised weights.
    w = 1 / (1 + math.exp(10))
    expected = math.hypot(w * (1 - second), (1 - w) * (2 - second))
    assert error.tolist() == pytest.approx([0, expected, 0, 0], abs=1e-6)


def test_running_estimates_of_a_constant() -> None:
    sample = ImportanceSample(torch.zeros(3, 1), torch.tensor([-math.inf, 0.0, 2.0]))
    mean, error = sample.running(lambda x: x[:, 0] + 4)
    assert mean[0].isnan() and mean[1:].tolist() == [4, 4] and error[1:].tolist() == [0, 0]


@pytest.mark.parametrize("sampler", [importance_sampling, weight_variance, rejection_sampling])
def test_densities_that_give_no_weights(sampler: Callable[..., object]) -> None:
    def spike(x: Tensor) -> Tensor:
        return torch.where(x[:, 0] > 0, math.inf, 0.0)

    with pytest.raises(ValueError, match=r"log_density is \+∞ at \d+ of \d+ draws"):
        sampler(FLOW, spike, 100)
    with pytest.raises(ValueError, match=r"log_density is −∞ at all \d+ draws"):
        sampler(FLOW, constant(-math.inf), 100)


def test_an_envelope_does_not_hide_a_density_of_zero() -> None:
    options = {"log_envelope": 0.0, "batch": 10, "max_proposals": 20}
    with pytest.raises(ValueError, match="−∞ at all 20 draws"):
        rejection_sampling(FLOW, constant(-math.inf), 100, **options)


# Chains


def test_densities_that_no_chain_can_use() -> None:
    start = torch.zeros(3, 2)
    with pytest.raises(ValueError, match="hmc needs the gradient of log_density"):
        hmc(lambda x: -x.detach().square().sum(-1), start, 5)
    with pytest.raises(ValueError, match=r"log_density must map .* \[3\], got \[3, 2\]"):
        pulled_back(FLOW, lambda x: x)(start)


# Simulators


@pytest.fixture(scope="module")
def posterior() -> NeuralPosterior:
    flow = catalog.make("maf", dim=2, layers=1, context=5, hidden=(8,), seed=0)
    return NeuralPosterior(flow, straight_line_simulator())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: p.log_prob(torch.zeros(3, 1), torch.zeros(5)), r"θ must be \[..., 2\]"),
        (lambda p: p.log_prob(torch.zeros(3, 2), torch.zeros(1)), r"x must be \[..., 5\]"),
        (lambda p: p.sample(3, torch.zeros(1)), r"x must be \[..., 5\], got \[1\]"),
        (lambda p: p.sample(3, torch.zeros(4)), r"x must be \[..., 5\], got \[4\]"),
        (lambda p: p.sample(-1, torch.zeros(5)), "n must be a whole number ≥ 0"),
        (lambda p: p.ranks(0), "tests must be a whole number ≥ 1"),
        (lambda p: p.ranks(2, 0), "draws must be a whole number ≥ 1"),
        (lambda p: p.simulator.draw(-1), "n must be a whole number ≥ 0"),
    ],
)
def test_bad_input_to_a_posterior(
    posterior: NeuralPosterior, call: Callable[[NeuralPosterior], object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        call(posterior)


def test_tensors_that_are_none(posterior: NeuralPosterior) -> None:
    with pytest.raises(TypeError, match=r"x must be a floating-point tensor \[..., 5\], got list"):
        posterior.sample(3, [0.0] * 5)
    with pytest.raises(TypeError, match=r"θ must be a floating-point tensor .* got torch.int64"):
        posterior.log_prob(torch.zeros(3, 2, dtype=torch.long), torch.zeros(5))


def test_simulators_that_are_none() -> None:
    def prior(n: int, generator: torch.Generator | None) -> Tensor:
        return torch.zeros(n, 2)

    def simulate(θ: Tensor, generator: torch.Generator | None) -> Tensor:
        return θ[:, 0]

    for parts, words in (
        (("a", simulate, "words"), "prior must be a function, got str"),
        ((prior, "b", "words"), "simulate must be a function, got str"),
        ((prior, simulate, 3), "about must be a str, got int"),
    ):
        with pytest.raises(TypeError, match=words):
            Simulator(*parts)
    with pytest.raises(ValueError, match=r"the simulator's x must be \[n, X\].* got \[1000\]"):
        NeuralPosterior(catalog.make("maf", context=1), Simulator(prior, simulate, "flat"))


# The autoencoder


def vae(decoder: nn.Module | None = None) -> VAE:
    torch.manual_seed(0)
    flow = catalog.make("maf", dim=2, layers=1, context=3, hidden=(8,), seed=0)
    return VAE(flow, 4, hidden=(8,), decoder=decoder)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda v: v.elbo(torch.zeros(5, 3)), r"x must be \[..., 4\], got \[5, 3\]"),
        (lambda v: v.log_likelihood(torch.zeros(5, 3)), r"x must be \[..., 4\], got \[5, 3\]"),
        (lambda v: v.infer(torch.zeros(3), 2), r"x must be \[..., 4\], got \[3\]"),
        (lambda v: v.infer(torch.zeros(4), -2), "n must be a whole number ≥ 0"),
        (lambda v: v.log_joint(torch.zeros(5, 1), torch.zeros(5, 2)), r"x must be \[..., 4\]"),
        (lambda v: v.log_joint(torch.zeros(5, 4), torch.zeros(5, 1)), r"z must be \[..., 2\]"),
        (lambda v: v.generate(-1), "n must be a whole number ≥ 0"),
        (lambda v: VAE(v.posterior, 0), "data_dim must be a whole number ≥ 1"),
        (lambda v: vae(nn.Linear(2, 1)).elbo(torch.zeros(5, 4)), r"the decoder's output must be"),
    ],
)
def test_bad_input_to_an_autoencoder(call: Callable[[VAE], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call(vae())


def test_a_decoder_is_a_module() -> None:
    with pytest.raises(TypeError, match="decoder must be a Module, got str"):
        vae("a")  # type: ignore[arg-type]


# Flow matching


def test_targets_that_cannot_be_matched() -> None:
    with pytest.raises(TypeError, match=r"or a target with a method sample.* got str"):
        flow_matching("two_moons")  # type: ignore[arg-type]

    class Line:
        def sample(self, n: int, *_: object) -> Tensor:
            return torch.zeros(n, 1)

    objective = flow_matching(Line(), 8)
    with pytest.raises(ValueError, match=r"data must be \[8, 2\], got \[8, 1\]"):
        objective(catalog.make("cnf", seed=0), torch.Generator())

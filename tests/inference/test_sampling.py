"""Importance and rejection sampling with flows, against closed forms and exact draws."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from flowviz import targets
from flowviz.flows import Flow, catalog
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.linear import Diagonal
from flowviz.inference import importance_sampling, rejection_sampling, weight_variance
from flowviz.objectives import Estimate
from flowviz.training import Trainer, maximum_likelihood


def normal_flow(scale: float = 1.5, shift: float = 0.3, dim: int = 2) -> Flow:
    layer = Diagonal(dim)
    layer.log_scale.data.fill_(math.log(scale))
    layer.shift.data.fill_(shift)
    return Flow(StandardNormal(dim), [layer]).double().eval()


def log_density(x: Tensor) -> Tensor:
    """N(0, I) times 7: log Z = log 7."""
    dim = x.shape[-1]
    return -0.5 * x.square().sum(-1) - 0.5 * dim * math.log(2 * math.pi) + math.log(7)


def within(estimate: Estimate, value: float, errors: float = 4.0) -> None:
    distance = abs(float(estimate.value) - value)
    assert distance <= errors * float(estimate.standard_error), (estimate, value)


# Importance sampling


def test_estimates_within_their_errors() -> None:
    torch.manual_seed(0)
    sample = importance_sampling(normal_flow(), log_density, 50_000)
    within(sample.normaliser(), math.log(7))
    within(sample.expectation(lambda x: x[:, 0]), 0.0)
    within(sample.expectation(lambda x: x.square().sum(-1)), 2.0)
    assert float(sample.weights().sum()) == pytest.approx(1)
    # E[w²]/E[w]² of N(0, 1) under N(m, s²), per coordinate.
    s2, m = 1.5**2, 0.3
    second = s2 / math.sqrt(2 * s2 - 1) * math.exp(m**2 / (2 * s2 - 1))
    assert sample.effective_sample_size() == pytest.approx(50_000 / second**2, rel=0.03)
    assert sample.pareto_k() < 0.5


def test_stated_errors_are_the_spread_of_repetitions() -> None:
    torch.manual_seed(1)
    flow = normal_flow()
    samples = [importance_sampling(flow, log_density, 500) for _ in range(400)]
    for estimates in (
        [s.normaliser() for s in samples],
        [s.expectation(lambda x: x[:, 0]) for s in samples],
    ):
        spread = float(torch.stack([e.value for e in estimates]).std())
        stated = float(torch.stack([e.standard_error for e in estimates]).mean())
        assert stated == pytest.approx(spread, rel=0.15)


def test_a_proposal_that_is_too_narrow_is_found_out() -> None:
    torch.manual_seed(0)
    narrow = importance_sampling(normal_flow(scale=0.4), log_density, 20_000)
    assert narrow.pareto_k() > 0.7
    assert narrow.effective_sample_size() < 2000


def test_running_estimates_end_at_the_estimate() -> None:
    torch.manual_seed(0)
    sample = importance_sampling(normal_flow(), log_density, 1000)
    mean, error = sample.running(lambda x: x[:, 0])
    final = sample.expectation(lambda x: x[:, 0])
    assert mean.shape == error.shape == (1000,)
    assert float(mean[-1]) == pytest.approx(float(final.value))
    assert float(error[-1]) == pytest.approx(float(final.standard_error))
    part = importance_sampling(normal_flow(), log_density, 2)
    part = type(part)(sample.x[:100], sample.log_weights[:100])
    other = part.expectation(lambda x: x[:, 0])
    assert float(mean[99]) == pytest.approx(float(other.value))
    assert float(error[99]) == pytest.approx(float(other.standard_error))


def test_resampling_follows_the_weights() -> None:
    torch.manual_seed(0)
    sample = importance_sampling(normal_flow(scale=2.5), log_density, 20_000)
    x = sample.resample(20_000, torch.Generator().manual_seed(0))
    assert torch.allclose(x.mean(0), torch.zeros(2).double(), atol=0.06)
    assert torch.allclose(x.var(0), torch.ones(2).double(), atol=0.08)


def test_training_for_the_variance_of_the_weights() -> None:
    torch.manual_seed(0)
    flow = normal_flow(scale=2.0, shift=1.0).float()

    def objective(flow: Flow, generator: torch.Generator) -> Estimate:
        return weight_variance(flow, log_density, 512, generator=generator)

    first, *_, last = Trainer(flow, objective, learning_rate=2e-2, seed=0).run(250)
    assert first.loss > 0.5 and last.loss < 0.02
    assert torch.allclose(flow.bijections[0].shift, torch.zeros(2), atol=0.1)
    assert torch.allclose(flow.bijections[0].log_scale, torch.zeros(2), atol=0.1)


def test_weight_variance_is_the_logarithm_of_n_over_ess() -> None:
    torch.manual_seed(0)
    flow = normal_flow()
    estimates = [weight_variance(flow, log_density, 2000) for _ in range(200)]
    values = torch.stack([e.value.detach() for e in estimates])
    s2, m = 1.5**2, 0.3
    expected = 2 * math.log(s2 / math.sqrt(2 * s2 - 1) * math.exp(m**2 / (2 * s2 - 1)))
    assert float(values.mean()) == pytest.approx(expected, rel=0.03)
    stated = float(torch.stack([e.standard_error for e in estimates]).mean())
    assert stated == pytest.approx(float(values.std()), rel=0.2)


def test_a_trained_flow_is_a_better_proposal_than_a_normal() -> None:
    target = targets.make("two_moons")
    flow = catalog.make("rq_spline_coupling", layers=3, hidden=(32, 32), seed=0)
    list(Trainer(flow, maximum_likelihood(target, 256), seed=0).run(500))
    generator = torch.Generator().manual_seed(0)
    trained = importance_sampling(flow, target.log_density, 4000, generator=generator)
    wide = importance_sampling(
        normal_flow(scale=1.5, shift=0.0).float(), target.log_density, 4000, generator=generator
    )
    assert trained.effective_sample_size() > 2 * wide.effective_sample_size()
    within(trained.normaliser(), target.log_z, errors=5.0)


def test_bad_input_to_importance_sampling() -> None:
    flow = normal_flow()
    for n in (1, 0, -3, 2.5):
        for function in (importance_sampling, weight_variance):
            with pytest.raises(ValueError, match="n must be a whole number ≥ 2"):
                function(flow, log_density, n)
    with pytest.raises(ValueError, match="must map points"):
        importance_sampling(flow, lambda x: x, 10)
    with pytest.raises(ValueError, match="NaN at 10 of 10"):
        importance_sampling(flow, lambda x: x.sum(-1) * math.nan, 10)
    with pytest.raises(ValueError, match="misses the target"):
        importance_sampling(flow, lambda x: x.sum(-1) * 0 - math.inf, 10)
    with pytest.raises(ValueError, match="whole number ≥ 1"):
        importance_sampling(flow, log_density, 10).resample(0)


# Rejection sampling


def test_accepted_draws_are_exact() -> None:
    generator = torch.Generator().manual_seed(0)
    flow = normal_flow(scale=1.5, shift=0.0, dim=1)
    sample = rejection_sampling(flow, log_density, 20_000, generator=generator)
    assert sample.x.shape == (20_000, 1)
    # M = 7 s at the centre, so that 1/s of the proposals is kept.
    assert sample.log_envelope == pytest.approx(math.log(7 * 1.5), abs=1e-3)
    assert sample.acceptance == pytest.approx(1 / 1.5, rel=0.02)
    # Kolmogorov–Smirnov: √n D below 1.95 in 999 of 1000 samples.
    ordered = sample.x[:, 0].sort().values
    cdf = 0.5 * (1 + torch.erf(ordered / math.sqrt(2)))
    ranks = torch.arange(1, len(ordered) + 1) / len(ordered)
    assert float((cdf - ranks).abs().max()) * math.sqrt(20_000) < 1.95


def test_a_given_envelope_is_used_and_raised_when_it_is_none() -> None:
    generator = torch.Generator().manual_seed(0)
    flow = normal_flow(scale=1.5, shift=0.0, dim=1)
    loose = rejection_sampling(flow, log_density, 2000, log_envelope=5.0, generator=generator)
    assert loose.raised == 0 and loose.log_envelope == 5.0
    assert loose.acceptance == pytest.approx(7 / math.exp(5.0), rel=0.15)
    low = rejection_sampling(flow, log_density, 2000, log_envelope=-3.0, generator=generator)
    assert low.raised >= 1 and low.log_envelope == pytest.approx(math.log(10.5), abs=0.01)
    assert float(low.x.var()) == pytest.approx(1, abs=0.1)


def test_proposals_run_out() -> None:
    sample = rejection_sampling(
        normal_flow(), log_density, 10_000, batch=500, max_proposals=2000, log_envelope=30.0
    )
    assert len(sample.x) < 100 and sample.proposals == 2000
    for setting in ({"batch": 0}, {"max_proposals": 0}):
        with pytest.raises(ValueError, match="≥ 1"):
            rejection_sampling(normal_flow(), log_density, 5, **setting)
    with pytest.raises(ValueError, match="log_density is NaN at 4096 of 4096"):
        rejection_sampling(normal_flow(), lambda x: x.sum(-1) * math.nan, 5)

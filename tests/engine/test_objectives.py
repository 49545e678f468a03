"""Both KL objectives against closed forms, and the path gradient against the plain one."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from flowviz.flows import Flow, catalog
from flowviz.objectives import Estimate, forward_kl, forward_kl_backward, reverse_kl
from tests.engine.engine_checks import points, random_flow

N = 40_000


def gaussian_flow(name: str) -> tuple[Flow, MultivariateNormal]:
    """A linear flow, and the Gaussian that it is."""
    flow = random_flow(name, 2, 0.4, seed=2)
    origin = torch.zeros(1, 2).double()
    mean = flow(origin)[0][0].detach()
    A = torch.stack([flow(e[None])[0][0].detach() - mean for e in torch.eye(2).double()], -1)
    return flow, MultivariateNormal(mean, A @ A.mT)


def target() -> MultivariateNormal:
    covariance = torch.tensor([[1.5, 0.6], [0.6, 0.8]]).double()
    return MultivariateNormal(torch.tensor([0.3, -0.5]).double(), covariance)


@pytest.mark.parametrize("name", ["plu", "actnorm"])
def test_against_the_closed_form_between_gaussians(name: str) -> None:
    flow, model = gaussian_flow(name)
    x = points(50, 2)
    assert torch.allclose(flow.log_prob(x), model.log_prob(x))
    p = target()
    torch.manual_seed(0)
    forward = forward_kl(flow, p.sample((N,)))
    expected = kl_divergence(p, model) + p.entropy()
    assert abs(forward.value - expected) < 4 * forward.standard_error
    log_z = 1.7
    for path_gradient in (False, True):
        reverse = reverse_kl(flow, lambda x: p.log_prob(x) + log_z, N, path_gradient=path_gradient)
        expected = kl_divergence(model, p) - log_z
        assert abs(reverse.value - expected) < 4 * reverse.standard_error
        assert reverse.standard_error < 0.05


def test_kl_in_data_space_is_kl_in_base_space() -> None:
    """D[p*_x ‖ p_x] = D[p*_u ‖ p_u]: the induced p*_u is the target carried to the base."""
    flow = random_flow("real_nvp", 2, 0.3)
    p = target()
    torch.manual_seed(0)
    x = p.sample((N,))
    in_data = p.log_prob(x) - flow.log_prob(x)
    y = p.sample((N,))
    u, logabsdet = flow.inverse(y)
    in_base = (p.log_prob(y) - logabsdet) - flow.base.log_prob(u)
    error = ((in_data.var() + in_base.var()) / N).sqrt()
    assert abs(in_data.mean() - in_base.mean()) < 4 * error


@pytest.mark.parametrize("name", ["real_nvp", "batch_norm", "contractive"])
def test_the_path_gradient_is_of_the_same_number(name: str) -> None:
    """In training, too: where a batch's own statistics would invert another map."""
    flow, log_density = random_flow(name, 2, 0.4, layers=3).train(), target().log_prob
    before = {key: value.clone() for key, value in flow.state_dict().items()}

    def value(path_gradient: bool) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        estimate = reverse_kl(
            flow, log_density, 64, path_gradient=path_gradient, generator=generator
        )
        return estimate.value.detach()

    assert torch.allclose(value(True), value(False), atol=1e-9)
    assert all(module.training for module in flow.modules())
    assert all(torch.equal(flow.state_dict()[key], before[key]) for key in before)


def gradients(flow: Flow, log_density, repeats: int, *, path_gradient: bool) -> Tensor:
    rows = []
    for seed in range(repeats):
        flow.zero_grad()
        generator = torch.Generator().manual_seed(seed + 1000 * path_gradient)
        reverse_kl(
            flow, log_density, 64, path_gradient=path_gradient, generator=generator
        ).value.backward()
        rows.append(torch.cat([p.grad.flatten() for p in flow.parameters()]).clone())
    return torch.stack(rows)


@pytest.mark.parametrize("name", ["plu", "planar", "real_nvp", "rq_spline_coupling"])
def test_path_gradient_is_unbiased(name: str) -> None:
    flow = random_flow(name, 2, 0.3, hidden=(4,), bins=3)
    log_density = target().log_prob
    plain = gradients(flow, log_density, 300, path_gradient=False)
    path = gradients(flow, log_density, 300, path_gradient=True)
    # In a fixed random direction, and in total: one test each, not one a parameter.
    torch.manual_seed(0)
    for direction in (torch.randn(plain.shape[1]).double(), plain.mean(0)):
        a, b = plain @ direction, path @ direction
        error = ((a.var() + b.var()) / len(a)).sqrt()
        assert abs(a.mean() - b.mean()) < 4 * error


def test_path_gradient_vanishes_at_the_optimum_and_the_plain_one_does_not() -> None:
    flow, model = gaussian_flow("plu")
    plain = gradients(flow, model.log_prob, 20, path_gradient=False)
    path = gradients(flow, model.log_prob, 20, path_gradient=True)
    assert path.abs().max() < 1e-10
    assert plain.std(0).max() > 0.05


def test_standard_error() -> None:
    terms = torch.randn(100, dtype=torch.float64)
    estimate = Estimate.of(terms)
    assert math.isclose(float(estimate.standard_error), float(terms.std() / 10))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.isnan(Estimate.of(terms[:1]).standard_error)


def test_forward_kl_and_its_gradient_at_once() -> None:
    flow, x = catalog.make("real_nvp", seed=0), torch.randn(16, 2)
    expected = forward_kl(flow, x)
    expected.value.backward()
    gradients = [p.grad for p in flow.parameters()]
    flow.zero_grad()
    found = forward_kl_backward(flow, x)
    assert not found.value.requires_grad
    assert torch.equal(found.value, expected.value)
    assert torch.equal(found.standard_error, expected.standard_error)
    for parameter, gradient in zip(flow.parameters(), gradients, strict=True):
        assert torch.equal(parameter.grad, gradient)


def test_one_sample_is_enough() -> None:
    flow = catalog.make("real_nvp", seed=0)
    assert forward_kl(flow, torch.zeros(1, 2)).value.isfinite()


def test_bad_input() -> None:
    flow = catalog.make("real_nvp", seed=0)
    for objective in (forward_kl, forward_kl_backward):
        with pytest.raises(ValueError, match=r"\[N, 2\], N ≥ 1; got \[0, 2\]"):
            objective(flow, torch.zeros(0, 2))
        with pytest.raises(ValueError, match=r"got \[2\]"):
            objective(flow, torch.zeros(2))
        with pytest.raises(TypeError, match="got list"):
            objective(flow, [[0.0, 1.0]])  # type: ignore[arg-type]
    for n in (0, -3, 2.5):
        with pytest.raises(ValueError, match=f"n ≥ 1 draws, got {n}"):
            reverse_kl(flow, lambda x: x.sum(-1), n)  # type: ignore[arg-type]
    # [N, 1] would broadcast against [N] to [N, N], silently.
    with pytest.raises(ValueError, match=r"values \[8\], got \[8, 1\]"):
        reverse_kl(flow, lambda x: x.sum(-1, keepdim=True), 8)

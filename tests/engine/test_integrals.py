"""UMNN and sums of squares: what is integrated, how exactly, and far away."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from flowviz.flows import catalog
from flowviz.flows.autoregressive import Autoregressive
from flowviz.flows.autoregressive.conditioners import Masked
from flowviz.flows.autoregressive.transformers import (
    MonotoneIntegral,
    SumOfSquares,
    Transformer,
)
from flowviz.flows.autoregressive.transformers.sum_of_squares import MIN_SLOPE
from flowviz.flows.numerics.quadrature import gauss_legendre
from flowviz.training import Adam
from tests.engine import engine_checks as checks
from tests.engine.mutations import integrals as mutations


def random_umnn(scale: float, seed: int = 0) -> tuple[MonotoneIntegral, Tensor, Tensor]:
    """With points z in [−5, 5] and parameters h, one for each."""
    generator = torch.Generator().manual_seed(seed)
    umnn = MonotoneIntegral().double()
    for parameter in umnn.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data.copy_(scale * noise)
    h = scale * torch.randn(200, umnn.parameters_per_dim, generator=generator).double()
    return umnn, torch.linspace(-5, 5, 200, dtype=torch.float64), h


@pytest.mark.parametrize("n", [1, 3, 16])
def test_quadrature_is_exact_to_its_degree(n: int) -> None:
    x, w = gauss_legendre(n, torch.float64, torch.device("cpu"))
    assert x[-1] == 1 and len(x) == n + 1
    for degree in range(2 * n):
        assert abs(float(w @ x[:-1] ** degree) - 1 / (degree + 1)) < 1e-14


def test_constants_made_in_inference_mode_serve_training() -> None:
    gauss_legendre.cache_clear()
    for name in ("umnn", "sos"):
        flow, x = catalog.make(name, seed=0), torch.randn(4, 2)
        with torch.inference_mode():
            flow.log_prob(x)
        flow.log_prob(x).sum().backward()


# UMNN


@pytest.mark.parametrize(("scale", "error"), [(0.3, 1e-12), (1.0, 1e-6), (3.0, 1e-4)])
def test_umnn_quadrature_error(scale: float, error: float) -> None:
    """The finer rule is right itself: its own error against a still finer one is rounding."""
    for seed in range(3):
        umnn, z, h = random_umnn(scale, seed)
        size = 1 + umnn(z, h)[0].abs()
        assert (umnn.quadrature_error(z, h) / size).max() < error
        # In the tails nothing is added: the integrand is constant there.
        tail = umnn.quadrature_error(10 * z, h) / (1 + umnn(10 * z, h)[0].abs())
        assert tail.max() < error
        umnn.nodes *= 8
        assert (umnn.quadrature_error(z[::10], h[::10]) / size[::10]).max() < 1e-12


def test_umnn_trained_quadrature_error() -> None:
    flow = catalog.make("umnn", seed=0, layers=1)
    generator = torch.Generator().manual_seed(0)
    optimiser = Adam(flow.parameters(), 1e-2)
    angle = 2 * math.pi * torch.rand(256, generator=generator)
    x = 2 * torch.stack([angle.cos(), angle.sin()], -1) + 0.1 * torch.randn(
        256, 2, generator=generator
    )
    first = float(-flow.log_prob(x).mean().detach())
    for _ in range(25):
        loss = -flow.log_prob(x).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < first - 0.1
    layer = flow.double().bijections[0].bijection
    error = layer.transformer.quadrature_error(x.double(), layer.conditioner(x.double(), None))
    assert error.max() < 1e-6


def test_umnn_is_the_integral_of_its_network() -> None:
    """∂τ/∂z, as the difference quotient of the numbers, is g; and τ(0) = β."""
    umnn, z, h = random_umnn(0.5)
    δ = 1e-5
    quotient = (umnn(z + δ, h)[0] - umnn(z - δ, h)[0]) / (2 * δ)
    assert torch.allclose(quotient, umnn(z, h)[1].exp(), rtol=1e-6, atol=1e-8)
    assert torch.equal(umnn(torch.zeros_like(z), h)[0], h[:, 0])
    z.requires_grad_()
    image, log_slope = umnn(z, h)
    gradient = torch.autograd.grad(image.sum(), z)[0]
    assert torch.allclose(gradient, log_slope.exp(), rtol=1e-14)


def test_umnn_gradients_are_those_of_plain_autograd() -> None:
    """The hand-written backward against the same numbers differentiated by torch."""
    from flowviz.flows.autoregressive.transformers import monotone_integral as module

    umnn, z, h = random_umnn(0.7)
    c, weights = umnn._network(h)
    inputs = [t.detach().requires_grad_() for t in (c, *weights)]
    cotangents = torch.randn(2, 200, dtype=torch.float64)
    settings = (umnn.nodes, umnn.bound)
    ours = module._Integral.apply(settings, 1.5 * z, *inputs)
    plain = module._evaluate(settings, 1.5 * z, *inputs)[:2]
    for a, b in zip(
        torch.autograd.grad(ours, inputs, list(cotangents)),
        torch.autograd.grad(plain, inputs, list(cotangents)),
        strict=True,
    ):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10)


def judge_umnn() -> None:
    """The checks of the families that see the mistakes of ``mutations.UMNN``."""
    umnn = MonotoneIntegral(embedding=2, width=4)
    layer = Autoregressive(umnn, Masked(2, 3, hidden=(4,))).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in layer.parameters():
        parameter.data.normal_(0, 2, generator=generator)
    checks.assert_layer(layer, checks.points(64, 2))
    checks.assert_gradcheck(layer, checks.points(5, 2))


def test_the_checks_pass_what_is_right() -> None:
    judge_umnn()


@pytest.mark.parametrize("mutate", mutations.UMNN)
def test_the_checks_see(
    mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    with pytest.raises((AssertionError, RuntimeError)):
        judge_umnn()


# Sums of squares


@pytest.mark.parametrize("degree", [0, 1, 2, 4])
@pytest.mark.parametrize("polynomials", [1, 3])
def test_sos_against_zuko(polynomials: int, degree: int) -> None:
    zuko = pytest.importorskip("zuko", reason="zuko is in the test extra")
    sos = SumOfSquares(polynomials, degree)
    torch.manual_seed(0)
    h = 2 * torch.randn(100, sos.parameters_per_dim, dtype=torch.float64)
    z = torch.linspace(-5, 5, 100, dtype=torch.float64)
    image, log_derivative = sos(z, h)
    # Ours is ε + (1 − ε) × theirs, and theirs adds its own slope: equal up to the factor.
    slope = MIN_SLOPE / (1 - MIN_SLOPE)
    theirs = zuko.transforms.SOSPolynomialTransform(sos.coefficients(h), slope=slope, bound=5.0)
    expected, expected_log = theirs.call_and_ladj(z)
    assert torch.allclose(image, h[:, 0] + (1 - MIN_SLOPE) * expected, rtol=1e-11, atol=1e-11)
    assert torch.allclose(log_derivative, math.log1p(-MIN_SLOPE) + expected_log, atol=1e-9)


def test_sos_of_degree_zero_is_affine() -> None:
    h = torch.randn(1, 4, dtype=torch.float64).expand(50, -1)
    image, log_derivative = SumOfSquares(3, 0)(torch.linspace(-9, 9, 50, dtype=torch.float64), h)
    assert (log_derivative == log_derivative[0]).all()
    assert image.diff().diff().abs().max() < 1e-12


def test_sos_never_falls_below_its_floor() -> None:
    """A common root of all polynomials: the map itself still climbs."""
    sos = SumOfSquares(2, 1)
    h = torch.tensor([0.0, 0.0, -5.0, 0.0, -5.0], dtype=torch.float64)
    h[1:] = 10 * torch.atanh(h[1:] / 10)
    z = torch.linspace(1 - 1e-6, 1 + 1e-6, 3, dtype=torch.float64)
    image, log_derivative = sos(z, h.expand(3, -1))
    assert abs(float(log_derivative[1].exp()) - MIN_SLOPE) < 1e-12
    assert torch.allclose(image.diff() / 1e-6, torch.full((2,), MIN_SLOPE).double(), rtol=1e-6)
    back, inverse_log_derivative = sos.inverse(image, h.expand(3, -1))
    assert torch.allclose(back, z, atol=1e-12)
    assert torch.allclose(inverse_log_derivative, -log_derivative, atol=1e-7)


# Both


@pytest.mark.parametrize("transformer", [MonotoneIntegral(), SumOfSquares()], ids=["umnn", "sos"])
def test_tails_are_linear_and_invert(transformer: Transformer) -> None:
    transformer = transformer.double()
    torch.manual_seed(0)
    h = torch.randn(1, transformer.parameters_per_dim, dtype=torch.float64)
    for sign in (-1.0, 1.0):
        z = sign * torch.tensor([5.0, 20.0, 50.0, 1e3], dtype=torch.float64)
        image, log_derivative = transformer(z, h.expand(4, -1))
        assert torch.allclose(log_derivative, log_derivative[:1])
        slopes = image.diff() / z.diff()
        assert torch.allclose(slopes, log_derivative[:1].exp(), rtol=1e-12)
        back, _ = transformer.inverse(image, h.expand(4, -1))
        assert torch.allclose(back, z, rtol=1e-12)


def test_sos_is_the_identity_at_zero_parameters() -> None:
    z = torch.linspace(-8, 8, 101, dtype=torch.float64)
    sos = SumOfSquares()
    h = torch.zeros(101, sos.parameters_per_dim, dtype=torch.float64)
    for direction in (sos.forward, sos.inverse):
        image, log_derivative = direction(z, h)
        assert torch.allclose(image, z, atol=1e-12) and log_derivative.abs().max() < 1e-12


def test_bad_settings() -> None:
    for bad in (0, -1, 2.5, "3", None):
        with pytest.raises(ValueError, match="polynomials must be a whole number ≥ 1, got"):
            SumOfSquares(polynomials=bad)  # type: ignore[arg-type]
        for what in ("embedding", "width", "nodes"):
            with pytest.raises(ValueError, match=f"{what} must be a whole number ≥ 1, got"):
                MonotoneIntegral(**{what: bad})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="degree must be a whole number ≥ 0, got -1"):
        SumOfSquares(degree=-1)
    for bound in (0.0, -1.0, math.inf, math.nan):
        for transformer in (SumOfSquares, MonotoneIntegral):
            with pytest.raises(ValueError, match="bound must be a finite number > 0"):
                transformer(bound=bound)

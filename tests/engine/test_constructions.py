"""Conditional CDFs as transformers, and the map that takes any density to the normal."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch import distributions as td

from flowviz import targets
from flowviz.flows import Flow, Inverse
from flowviz.flows.autoregressive import Autoregressive
from flowviz.flows.autoregressive.conditioners import Masked
from flowviz.flows.autoregressive.transformers import Affine, GaussianCDF, GaussianMixtureCDF
from flowviz.flows.constructions import TabulatedMap
from flowviz.flows.constructions.tabulated import FLOOR, TAIL
from flowviz.flows.distributions import StandardNormal, UniformBox
from flowviz.flows.numerics import normal_tails
from tests.engine.engine_checks import assert_layer, points

# The normal's tails

mpmath = pytest.importorskip("mpmath", reason="mpmath comes with torch")


def reference_log_cdf(x: float) -> float:
    with mpmath.workdps(40):
        tail = mpmath.erfc(abs(mpmath.mpf(x)) / mpmath.sqrt(2)) / 2
        return float(mpmath.log1p(-tail) if x > 0 else mpmath.log(tail))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_quantile_and_hazard_in_both_tails(dtype: torch.dtype) -> None:
    x = torch.cat([torch.linspace(-9, 9, 50), torch.tensor([1e-9, 20, 38, 150, 1e3, 1e4])])
    x = torch.cat([x, -x]).to(dtype)
    ε = torch.finfo(dtype).eps
    log_cdf = normal_tails.log_cdf(x)
    expected = torch.tensor([reference_log_cdf(float(v)) for v in x], dtype=torch.float64)
    # In the upper tail log Φ = −e^{−x²/2}…, which multiplies the rounding of x by x².
    rounding = 16 * ε * expected.abs() * (1 + x.double().clamp_min(0).square())
    assert ((log_cdf.double() - expected).abs() <= rounding + 1e-37).all()
    back = normal_tails.quantile(log_cdf, normal_tails.log_cdf(-x))
    assert ((back - x).abs() <= 16 * ε * (1 + x.abs())).all()
    hazard = normal_tails.reverse_hazard(x).double()
    log_density = -0.5 * x.double().square() - 0.5 * math.log(2 * math.pi)
    # e^{log φ − log Φ} has lost its digits where x² is large: judged by that.
    near = (torch.exp(log_density - expected) - hazard).abs()
    assert (near <= 64 * ε * (1 + x.double().square()) * (1e-30 + hazard)).all()


def test_derivatives_of_the_tails() -> None:
    x = torch.tensor([-300.0, -40, -5, -0.5, 1e-3, 0.7, 6, 37, 300]).double().requires_grad_()

    def there_and_back(x: Tensor) -> Tensor:
        return normal_tails.quantile(normal_tails.log_cdf(x), normal_tails.log_cdf(-x))

    for function in (normal_tails.log_cdf, normal_tails.reverse_hazard, there_and_back):
        assert torch.autograd.gradcheck(function, x, atol=1e-4)
        assert torch.autograd.gradgradcheck(function, x, atol=1e-4)


# Conditional CDFs


def test_gaussian_conditionals_are_the_affine_flow() -> None:
    """Over the uniform an autoregressive model, over the normal the affine flow: one density."""
    torch.manual_seed(0)
    conditioner = Masked(3, 2, hidden=(16, 16)).double()
    cdf, affine = (Autoregressive(t, conditioner) for t in (GaussianCDF(), Affine()))
    x = points(50, 3)
    for mine, its in zip((*cdf(x), *cdf.inverse(x)), (*affine(x), *affine.inverse(x)), strict=True):
        assert torch.allclose(mine, its, rtol=1e-12, atol=1e-12)
    h = conditioner(x, None)
    u, log_p = GaussianCDF().to_uniform(x, h)
    log_α = 5 * torch.tanh(h[..., 0] / 5)
    conditional = td.Normal(-h[..., 1] * torch.exp(-log_α), torch.exp(-log_α))
    assert torch.allclose(u, conditional.cdf(x))
    assert torch.allclose(log_p, conditional.log_prob(x))
    flow = Flow(StandardNormal(3), [Inverse(affine)]).double()
    over_the_uniform = UniformBox(3).double().log_prob(u) + log_p.sum(-1)
    assert torch.allclose(flow.log_prob(x), over_the_uniform)


def test_mixture_conditionals_are_those_of_torch_distributions() -> None:
    transformer = GaussianMixtureCDF(4)
    torch.manual_seed(0)
    conditioner = Masked(2, transformer.parameters_per_dim, hidden=(16,)).double()
    for parameter in conditioner.parameters():
        parameter.data.normal_(std=0.5)
    layer = Autoregressive(transformer, conditioner)
    x = points(200, 2)
    log_w, μ, log_σ = (part.movedim(0, -1) for part in transformer.mixture(conditioner(x, None)))
    conditional = td.MixtureSameFamily(td.Categorical(logits=log_w), td.Normal(μ, torch.exp(log_σ)))
    u, log_p = transformer.to_uniform(x, conditioner(x, None))
    assert torch.allclose(u, conditional.cdf(x))
    assert torch.allclose(log_p, conditional.log_prob(x))
    assert torch.allclose(log_w.exp().sum(-1), torch.ones(200, 2).double())
    flow = Flow(StandardNormal(2), [Inverse(layer)]).double()
    assert torch.allclose(flow.log_prob(x), conditional.log_prob(x).sum(-1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_mixtures_at_zero_far_out_and_between_their_components(dtype: torch.dtype) -> None:
    transformer = GaussianMixtureCDF(2)
    x = torch.tensor([0, 1e-3, 0.5, 3, 9.5, 50, 1e3, -1e3, -50, -9.5, -3], dtype=dtype)
    ε = torch.finfo(dtype).eps
    zero = torch.zeros(len(x), 6, dtype=dtype)
    assert ((transformer(x, zero)[0] - x).abs() <= 16 * ε * (1 + x.abs())).all()
    assert (transformer(x, zero)[1].abs() <= 64 * ε * (1 + x.abs())).all()
    # σ = e⁻⁵ at ±10 and nothing but the background between; far out the background alone.
    steep = torch.tensor([0.0, 0, 1e3, -1e3, -1e3, -1e3], dtype=dtype).expand(len(x), 6)
    image, log_derivative = transformer(x, steep)
    assert image.isfinite().all() and log_derivative.isfinite().all()
    far = image[x.abs() == 1e3]
    # Φ⁻¹(η Φ(x)): −log(1 − F) = x²/2 + log x + … − log η, and so a little farther than x.
    assert torch.allclose(
        far.abs(), torch.full_like(far, math.sqrt(1e6 - 2 * math.log(1e-3))), rtol=16 * ε
    )
    back, inverse_log_derivative = transformer.inverse(image, steep)
    assert back.isfinite().all() and inverse_log_derivative.isfinite().all()
    again = transformer(back, steep)[0]
    assert ((again - image).abs() <= 64 * ε * (1 + image.abs())).all()


# The universality construction


def tabulated(name: str, cells: int = 128) -> TabulatedMap:
    target = targets.make(name)
    return TabulatedMap.of(target.log_density, target.window, cells)


def flow_of(layer: TabulatedMap) -> Flow:
    return Flow(StandardNormal(2), [layer]).double()


def test_the_flow_has_the_tabulated_density() -> None:
    layer = tabulated("two_moons", 24).double()
    xmin, xmax, ymin, ymax = layer.window
    width, height = xmax - xmin, ymax - ymin
    nodes = torch.cartesian_prod(
        *(torch.linspace(*ends, 25, dtype=torch.float64) for ends in ((xmin, xmax), (ymin, ymax)))
    ).reshape(25, 25, 2)
    # In the middle of a cell a bilinear density is the mean of its corners.
    p = layer.density()
    assert torch.allclose(p.log() - p.log().max(), layer.log_density - layer.log_density.max())
    middle = sum(p[i : 24 + i, j : 24 + j] for i in (0, 1) for j in (0, 1)) / 4
    assert math.isclose(float(middle.detach().mean() * width * height), 1)
    for joint, x in ((p, nodes), (middle, (nodes[1:, 1:] + nodes[:-1, :-1]) / 2)):
        marginal = trapezoid(p).sum(1) * height / 24
        if joint is middle:
            marginal = (marginal[1:] + marginal[:-1]) / 2
        conditional = joint / marginal[:, None]
        kept = (1 - 2 * TAIL) ** 2
        expected = kept * floored(marginal, width)[:, None] * floored(conditional, height)
        assert torch.allclose(flow_of(layer).log_prob(x).exp(), expected, rtol=1e-9)


def trapezoid(p: Tensor) -> Tensor:
    return torch.cat([p[:, :1] / 2, p[:, 1:-1], p[:, -1:] / 2], 1)


def floored(p: Tensor, width: float) -> Tensor:
    return (1 - FLOOR) * p + FLOOR / width


@pytest.mark.parametrize("name", ["eight_gaussians", "two_moons", "banana", "checkerboard"])
def test_every_target_becomes_uniform(name: str) -> None:
    target = targets.make(name)
    x = target.sample(8000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        z, _ = tabulated(name).double().inverse(x)
    u = normal_tails.cdf(z)
    cell = (8 * u).long().clamp(0, 7)
    counts = torch.bincount(8 * cell[:, 0] + cell[:, 1], minlength=64).double()
    expected = len(x) / 64
    chi2 = float((counts - expected).square().sum() / expected)
    assert (chi2 - 63) / math.sqrt(2 * 63) < 5, chi2


def test_the_table_of_a_normal_tends_to_the_identity() -> None:
    """Second order in the cells' size, as bilinear interpolation is."""
    z = points(200, 2).clamp(-4, 4) / 2
    images = []
    for cells in (20, 40, 80):
        layer = TabulatedMap.of(lambda x: -0.5 * x.square().sum(-1), (-4, 4, -4, 4), cells)
        images.append(layer.double()(z)[0].detach())
    coarse, fine = (float((a - b).abs().max()) for a, b in itertools.pairwise(images))
    assert 3.5 < coarse / fine < 4.5
    # What is left is the floor.
    assert float((images[-1] - z).abs().max()) < 0.02


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_nodes_edges_and_beyond(dtype: torch.dtype) -> None:
    table = torch.randn(17, 17, generator=torch.Generator().manual_seed(0))
    layer = TabulatedMap(table, (-4.5, 4.5, -4.5, 4.5)).to(dtype)
    xmin, xmax = layer.window[:2]
    middle = torch.linspace(xmin, xmax, 17)[5]
    values = torch.tensor([xmin, xmax, float(middle), 0, 50, -50, 1e3, -1e3], dtype=dtype)
    x = torch.cartesian_prod(values, values)
    z, log_slope = layer.inverse(x)
    assert z.isfinite().all() and log_slope.isfinite().all()
    assert_layer(layer, torch.cat([z.detach(), points(50, 2, dtype=dtype)]))
    layer = layer.double()
    # The log-det does not jump: at nodes and at the edges, along either coordinate.
    for edge in (xmin, xmax, float(middle)):
        for axis in (0, 1):
            pair = torch.full((2, 2), 0.3, dtype=torch.float64)
            pair[:, axis] = torch.tensor([edge - 1e-9, edge + 1e-9]).double()
            left, right = layer.inverse(pair)[1].detach()
            assert abs(float(left - right)) < 1e-5


def test_wrong_tables() -> None:
    window = (-1.0, 1.0, -1.0, 1.0)
    for shape in ((3,), (1, 5), (2, 2, 2), (0, 0)):
        with pytest.raises(ValueError, match=r"a table \[n\+1, m\+1\].*got shape"):
            TabulatedMap(torch.zeros(shape), window)
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        TabulatedMap(torch.full((3, 3), torch.nan), window)
    with pytest.raises(ValueError, match="a window"):
        TabulatedMap(torch.zeros(3, 3), (1, -1, 0, 1))
    for bad in (0, -1, 2.5, None):
        with pytest.raises(ValueError, match=f"cells must be a whole number ≥ 1, got {bad!r}"):
            TabulatedMap.of(lambda x: x.sum(-1), window, bad)
    for bad in (-torch.inf, torch.inf, torch.nan):
        with pytest.raises(ValueError, match="the log-density is"):
            TabulatedMap.of(lambda x: torch.full_like(x[:, 0], bad), window)  # noqa: B023
    half = TabulatedMap.of(lambda x: torch.where(x[:, 0] > 0, 0.0, -torch.inf), window, 8)
    assert half.inverse(torch.tensor([[-0.5, 0.5]]))[0].isfinite().all()
    assert TabulatedMap(torch.zeros(2, 2), window).describe() == "tabulated"


def test_a_log_density_in_words() -> None:
    window = (-1.0, 1.0, -1.0, 1.0)
    for bad in (lambda x: None, lambda x: x):
        with pytest.raises(ValueError, match="log_density must map points"):
            TabulatedMap.of(bad, window)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="log_density must be a function"):
        TabulatedMap.of(None, window)  # type: ignore[arg-type]

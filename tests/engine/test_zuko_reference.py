"""The same parameters give the same numbers as zuko, an independent implementation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from flowviz.flows.autoregressive.conditioners import Masked
from flowviz.flows.autoregressive.transformers import Affine, RationalQuadraticSpline
from flowviz.flows.autoregressive.transformers.affine import LOG_SCALE_BOUND

zuko = pytest.importorskip("zuko", reason="zuko is in the test extra: pip install 'flowviz[test]'")


@pytest.mark.parametrize("bins", [2, 5, 8, 20])
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_rational_quadratic_spline(bins: int, scale: float) -> None:
    torch.manual_seed(bins)
    spline = RationalQuadraticSpline(bins).double()
    h = scale * torch.randn(400, spline.parameters_per_dim, dtype=torch.float64)
    z = torch.linspace(-7, 7, 400, dtype=torch.float64)
    x, y, slopes = spline.knots(h).unbind(-2)
    # zuko takes logarithms of fractions and of slopes, and bounds them; its class is given the
    # knots themselves here, so that the interpolation alone is compared.
    reference = zuko.transforms.MonotonicRQSTransform.__new__(zuko.transforms.MonotonicRQSTransform)
    reference.horizontal, reference.vertical, reference.derivatives = x, y, slopes
    image, log_derivative = spline(z, h)
    expected, expected_log = reference.call_and_ladj(z)
    assert torch.allclose(image, expected, rtol=1e-9, atol=1e-9)
    inside = z.abs() < 5
    assert torch.allclose(log_derivative[inside], expected_log[inside], rtol=1e-7, atol=1e-7)
    assert torch.equal(image[~inside], z[~inside])
    gentle = slopes.amin() > 0.05 and (y.diff(dim=-1) / x.diff(dim=-1)).amin() > 0.05
    if gentle:
        assert torch.allclose(spline.inverse(expected, h)[0], reference._inverse(expected))


def test_spline_parameters_are_those_of_the_published_map() -> None:
    """Widths, heights and slopes from softmax and softplus, as Durkan et al. 2019 have them.

    But that 0 stands for bins of equal mass of N(0, 2.5²).
    """
    normal = torch.distributions.Normal(torch.zeros(()).double(), 2.5)
    shares = torch.linspace(*normal.cdf(torch.tensor([-5.0, 5.0]).double()).tolist(), 5).double()
    start = normal.icdf(shares).diff().log()
    spline = RationalQuadraticSpline(4).double()
    h = torch.randn(7, 11, dtype=torch.float64)
    x, y, slopes = spline.knots(h).unbind(-2)
    widths = 10 * (1e-3 + (1 - 4e-3) * F.softmax(h[:, :4] + start, -1))
    heights = 10 * (1e-3 + (1 - 4e-3) * F.softmax(h[:, 4:8] + start, -1))
    assert torch.allclose(x.diff(dim=-1), widths) and torch.allclose(y.diff(dim=-1), heights)
    assert torch.equal(slopes[:, [0, -1]], torch.ones(7, 2).double())
    assert (x[:, [0, -1]] == torch.tensor([-5.0, 5.0])).all()
    assert torch.allclose(slopes[:, 1:-1] - 1e-3, F.softplus(h[:, 8:] + spline_shift()))


def spline_shift() -> float:
    from flowviz.flows.autoregressive.transformers.rational_quadratic import SLOPE_SHIFT

    return SLOPE_SHIFT


def test_affine_transformer() -> None:
    h = 3 * torch.randn(100, 2, dtype=torch.float64)
    z = 3 * torch.randn(100, dtype=torch.float64)
    log_scale = LOG_SCALE_BOUND * torch.tanh(h[:, 0] / LOG_SCALE_BOUND)
    reference = torch.distributions.AffineTransform(h[:, 1], log_scale.exp())
    image, log_derivative = Affine()(z, h)
    assert torch.allclose(image, reference(z))
    assert torch.allclose(log_derivative, reference.log_abs_det_jacobian(z, image))
    back, inverse_log_derivative = Affine().inverse(image, h)
    assert torch.allclose(back, z) and torch.equal(inverse_log_derivative, -log_derivative)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_masked_network(order: list[int]) -> None:
    """With zuko's masked network holding our weights and masks, the same parameters come out."""
    ours = Masked(4, 3, order=order, hidden=(32, 32)).double()
    places = torch.tensor(order)
    adjacency = (places[:, None] > places[None, :]).repeat_interleave(3, 0)
    reference = zuko.nn.MaskedMLP(adjacency, hidden_features=(32, 32), activation=torch.nn.SiLU)
    reference = reference.double()
    for mine, other in zip(linear_layers(ours), linear_layers(reference), strict=True):
        other.weight.data.copy_(mine.weight.data)
        other.bias.data.copy_(mine.bias.data)
        # The units' degrees may be dealt out differently; what they allow must not be.
        other.mask.copy_(mine.mask)
    z = torch.randn(16, 4, dtype=torch.float64)
    assert torch.allclose(ours(z, None).flatten(-2), reference(z))
    reach = ours.network[0].mask
    for layer in (ours.network[1], ours.network[2]):
        reach = layer.mask @ reach
    # Every connection that the order allows is there, and no other.
    assert torch.equal(reach > 0, adjacency)


def linear_layers(module: torch.nn.Module) -> list[torch.nn.Linear]:
    return [layer for layer in module.modules() if isinstance(layer, torch.nn.Linear)]

"""What NAF, Flow++ and B-NAF promise beyond the common suite."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch import distributions as td

from flowviz.flows import catalog, jacobian
from flowviz.flows.autoregressive import BlockNeural, block_neural
from flowviz.flows.autoregressive.transformers import (
    Affine,
    LogisticMixture,
    Sigmoids,
    Stages,
    Transformer,
    sigmoids,
)
from tests.engine.engine_checks import assert_layer, points, random_flow, randomise

DTYPES = [torch.float64, torch.float32]
TRANSFORMERS = [
    Sigmoids(8),
    Sigmoids(1),
    LogisticMixture(5),
    Stages([Sigmoids(3), Affine(), Sigmoids(4)]),
]

each = pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda t: t.title)


def parameters(transformer: Transformer, n: int, scale: float, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(n)
    h = torch.randn(n, transformer.parameters_per_dim, generator=generator)
    return (scale * h).to(dtype)


# Sigmoids, and mixtures of logistics


@pytest.mark.parametrize("dtype", DTYPES)
@each
def test_zero_parameters_give_the_identity(transformer: Transformer, dtype: torch.dtype) -> None:
    z = torch.tensor([0.0, 1e-6, 0.3, 1, 5, 50, 1e3], dtype=dtype)
    z = torch.cat([z, -z])
    h = torch.zeros(len(z), transformer.parameters_per_dim, dtype=dtype)
    for direction in (transformer, transformer.inverse):
        image, log_derivative = direction(z, h)
        ε = torch.finfo(dtype).eps
        assert ((image - z).abs() <= 4 * ε * (1 + z.abs())).all()
        assert (log_derivative.abs() <= 16 * ε).all()


def test_sigmoids_are_the_published_map() -> None:
    transformer, z = Sigmoids(6), points(200, 1).squeeze(-1)
    h = parameters(transformer, 200, 1.0, torch.float64)
    logits, log_a, b = h.unflatten(-1, (3, 6)).unbind(-2)
    a = torch.exp(5 * torch.tanh(log_a / 5))

    def published(z: Tensor) -> Tensor:
        mixed = (F.softmax(logits, -1) * torch.sigmoid(a * z.unsqueeze(-1) + b)).sum(-1)
        return 1e-3 * z + 0.999 * torch.logit(mixed)

    image, log_derivative = transformer(z, h)
    assert torch.allclose(image, published(z), rtol=1e-7, atol=1e-7)
    z = z.requires_grad_()
    (derivative,) = torch.autograd.grad(published(z).sum(), z)
    assert torch.allclose(log_derivative, derivative.log(), rtol=1e-5, atol=1e-5)


def test_the_logistic_mixture_is_that_of_torch_distributions() -> None:
    transformer, x = LogisticMixture(4), points(300, 1).squeeze(-1)
    h = parameters(transformer, 300, 1.0, torch.float64)
    logits, μ, log_s = h[:, :12].unflatten(-1, (3, 4)).unbind(-2)
    uniform = td.Uniform(torch.zeros(300, 4).double(), torch.ones(300, 4).double())
    to_logistic = [
        td.SigmoidTransform().inv,
        td.AffineTransform(μ, torch.exp(5 * torch.tanh(log_s / 5))),
    ]
    logistics = td.TransformedDistribution(uniform, to_logistic, validate_args=False)
    cdf = (F.softmax(logits, -1) * logistics.cdf(x.unsqueeze(-1))).sum(-1)
    value = 1e-3 * x + 0.999 * torch.logit(cdf)
    expected, _ = Affine()(value, h[:, 12:])
    assert torch.allclose(transformer(x, h)[0], expected, rtol=1e-7, atol=1e-7)


def test_both_tails_keep_their_digits() -> None:
    """Far out one sigmoid is left: τ(z) = ε z + (1 − ε)(a z + b ± log w), a the smallest."""
    transformer = Sigmoids(2)
    h = torch.tensor([0.4, -0.7, -0.5, 0.5, 3.0, -2.0], dtype=torch.float64)
    log_w = F.log_softmax(h[:2], 0)[0]
    a = torch.exp(5 * torch.tanh(h[2] / 5))
    for z in (300.0, 1e3, 1e5):
        z = torch.tensor(z, dtype=torch.float64)
        high, low = (transformer(x, h)[0] for x in (z, -z))
        assert torch.allclose(high, 1e-3 * z + 0.999 * (a * z + 3 - log_w), rtol=1e-14)
        assert torch.allclose(low, -1e-3 * z + 0.999 * (-a * z + 3 + log_w), rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [0.3, 3.0, 30.0])
@each
def test_inverses_reach_the_image_whatever_the_parameters(
    transformer: Transformer, scale: float, dtype: torch.dtype
) -> None:
    n = 300
    h = parameters(transformer, n, scale, dtype)
    image = torch.cat([3 * torch.linspace(-2, 2, n - 6), torch.tensor([-1e3, -50, 0, 1, 50, 1e3])])
    image = image.to(dtype)
    z, log_derivative = transformer.inverse(image, h)
    again, forward_log_derivative = transformer(z, h)
    assert z.isfinite().all() and log_derivative.isfinite().all()
    # A root to the rounding of z is an image to that times the derivative.
    rounding = torch.finfo(dtype).eps * (1 + z.abs()) * (1 + torch.exp(forward_log_derivative))
    noise = 64 * torch.finfo(dtype).eps * (1 + image.abs() + h.abs().amax(-1))
    assert ((again - image).abs() <= 64 * rounding + noise).all()


def test_the_derivative_stays_above_its_floor() -> None:
    transformer = Sigmoids(2)
    # Two steps, 60 apart and 148 steep: e⁻⁴⁴⁴⁰ between them without the floor.
    h = torch.tensor([0.0, 0.0, 1e3, 1e3, 4e3, -4e3], dtype=torch.float64)
    z, log_derivative = transformer.inverse(torch.zeros((), dtype=torch.float64), h)
    assert math.isclose(float(log_derivative), math.log(1e3), rel_tol=1e-6)
    assert abs(float(z)) < 1e-9


def test_gradients_by_hand_are_those_of_autograd() -> None:
    generator = torch.Generator().manual_seed(3)
    for scale in (0.3, 3.0, 30.0):
        inputs = [
            scale * torch.randn(*shape, 50, generator=generator, dtype=torch.float64)
            for shape in ((), (5,), (5,), (5,))
        ]
        inputs[2] = sigmoids.bounded(inputs[2])
        inputs = [x.requires_grad_() for x in inputs]
        weights = torch.randn(2, 50, generator=generator, dtype=torch.float64)
        gradients = [
            torch.autograd.grad(function(*inputs), inputs, tuple(weights))
            for function in (sigmoids.sigmoid_combination, sigmoids._combination)
        ]
        for mine, reference in zip(*gradients, strict=True):
            assert torch.allclose(mine, reference, rtol=1e-9, atol=1e-9 * scale)


def test_a_gradient_with_a_graph_does_not_go_through_the_parameters_twice() -> None:
    z = torch.linspace(-2, 2, 5, dtype=torch.float64).requires_grad_()
    b = torch.stack([z.sin(), z.cos()])
    zero = torch.zeros_like(b)
    image = sigmoids.sigmoid_combination(z, zero, zero, b)[0]
    plain = torch.autograd.grad(image.sum(), z, retain_graph=True)[0]
    graph = torch.autograd.grad(image.sum(), z, create_graph=True)[0]
    assert torch.allclose(plain, graph)


@each
def test_what_is_not_finite_spoils_nothing_else(transformer: Transformer) -> None:
    h = parameters(transformer, 5, 1.0, torch.float32)
    z = torch.linspace(-1, 1, 5)
    good = transformer.inverse(z, h)[0]
    h[1], z[3] = torch.nan, torch.nan
    mixed = transformer.inverse(z, h)[0]
    assert mixed[[1, 3]].isnan().all()
    assert torch.allclose(mixed[[0, 2, 4]], good[[0, 2, 4]])


def test_stages_are_applied_in_their_order() -> None:
    first, second = Sigmoids(3), Affine()
    deep = Stages([first, second])
    h = parameters(deep, 40, 1.0, torch.float64)
    z = points(40, 1).squeeze(-1)
    middle, log_first = first(z, h[:, :9])
    image, log_second = second(middle, h[:, 9:])
    assert torch.equal(deep(z, h)[0], image)
    assert torch.equal(deep(z, h)[1], log_first + log_second)
    assert deep.title == "sigmoidal + affine" and not deep.exact_inverse
    assert Stages([Affine()]).exact_inverse


def test_wrong_arguments() -> None:
    for bad in (0, -1, 2.5, "8", None):
        for made in (Sigmoids, LogisticMixture):
            with pytest.raises(
                ValueError, match=f"components must be a whole number ≥ 1, got {bad!r}"
            ):
                made(bad)
        with pytest.raises(ValueError, match=f"stages must be a whole number ≥ 1, got {bad!r}"):
            catalog.make("deep_naf", stages=bad)
    with pytest.raises(ValueError, match="at least one stage"):
        Stages([])
    with pytest.raises(ValueError, match=r"order must hold each of 0 … 1 once, got \[0, 2\]"):
        BlockNeural(2, order=[0, 2])


# B-NAF


def network_jacobian(network: block_neural.BlockNetwork, z: Tensor) -> Tensor:
    return jacobian(network, z).detach()


def test_the_block_network_is_triangular_and_its_diagonal_is_the_log_product() -> None:
    order = [2, 0, 1]
    network = random_flow("bnaf", 3, 0.7, layers=1).bijections[0].bijection.network
    shuffled = block_neural.BlockNetwork(order, (9, 6), 0).double()
    for places, net in (([0, 1, 2], network), (order, shuffled)):
        z = points(20, 3)
        J = network_jacobian(net, z)
        diagonal = J.diagonal(dim1=-2, dim2=-1)
        assert (diagonal > 0).all()
        assert torch.allclose(net(z, None)[1], diagonal.log(), rtol=1e-9, atol=1e-9)
        places = torch.tensor(places)
        assert torch.equal((J != 0).any(0), places[:, None] >= places[None, :])


def test_units_a_coordinate_and_normalised_rows() -> None:
    layer = BlockNeural(3, hidden=(64, 8)).double()
    linear = list(layer.network.layers)
    assert [tuple(part.weight.shape) for part in linear] == [(66, 3), (9, 66), (3, 9)]
    # Each row of W has the 1-norm e^s.
    part = linear[1]
    part.bias.data.zero_()
    part.log_norm.data.fill_(math.log(2.0))
    W = part(torch.eye(66).double(), torch.zeros(66, 3, 22).double())[0].mT
    assert torch.allclose(W.abs().sum(-1), torch.full((9,), 2.0).double())


def test_the_log_product_neither_overflows_nor_vanishes() -> None:
    generator = torch.Generator().manual_seed(0)
    A = 3 * torch.randn(2, 5, 4, generator=generator, dtype=torch.float64)
    for shift in (-2000.0, 0.0, 2000.0):
        v = shift + 3 * torch.randn(7, 2, 4, generator=generator, dtype=torch.float64)
        expected = torch.logsumexp(A + v.unsqueeze(-2), -1)
        assert torch.allclose(block_neural.log_product(A, v), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bnaf_is_onto(dtype: torch.dtype) -> None:
    """Images that the bounded network alone could not reach; saturated units; a shut gate."""
    for gate in (-3.0, 0.0, 8.0):
        flow = randomise(catalog.make("bnaf", dim=2, layers=1, seed=0, hidden=(16,)), 1.0)
        layer = flow.bijections[0].bijection
        layer.gate.data.fill_(gate)
        layer = layer.to(dtype)
        image = torch.tensor([[1e3, -1e3], [-50, 50], [0, 0]], dtype=dtype)
        z, _ = layer.inverse(image)
        slopes = torch.exp(layer._map(z, None)[1])
        assert (slopes >= block_neural.MIN_SLOPE * 0.99).all()
        size = 1 + z.abs() + image.abs()
        error = (layer(z)[0] - image).abs()
        assert (error <= 64 * torch.finfo(dtype).eps * size * (1 + slopes)).all()
    assert_layer(layer, points(32, 2, dtype=dtype))

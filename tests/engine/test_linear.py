"""Linear flows: their matrices, their costs' meaning, and equal numbers from other libraries."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from flowviz.flows import Bijection, Flow, catalog
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.linear import (
    QR,
    SVD,
    Conv1x1,
    Dense,
    OrthogonalCayley,
    OrthogonalExponential,
    Permutation,
    Triangular,
)
from flowviz.flows.linear.convolution import PerPixel
from flowviz.flows.numerics.householder import householder
from tests.engine.engine_checks import assert_layer, points

MATRICES = [Triangular, QR, SVD, OrthogonalExponential, OrthogonalCayley, Dense]
DIMS = [1, 2, 3, 6]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randomised(layer: Bijection, scale: float = 1.0, seed: int = 0) -> Bijection:
    for parameter in layer.parameters():
        parameter.data.copy_(scale * torch.randn(parameter.shape, generator=generator(seed)))
        seed += 1
    return layer.double()


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("kind", MATRICES)
def test_a_layer_is_its_matrix_and_starts_at_the_identity(kind: type, dim: int) -> None:
    layer = randomised(kind(dim, generator()))
    W = layer.matrix()
    shift = getattr(layer, "shift", torch.zeros(dim).double())
    z = points(20, dim)
    image, logabsdet = layer(z)
    assert torch.allclose(image, z @ W.mT + shift)
    assert torch.allclose(logabsdet, torch.linalg.slogdet(W).logabsdet.expand(20))
    back = torch.linalg.solve(W, (image - shift).mT).mT
    assert torch.allclose(layer.inverse(image)[0], back, atol=1e-9)
    assert torch.equal(kind(dim).matrix(), torch.eye(dim))


@pytest.mark.parametrize("kind", MATRICES)
def test_the_generator_decides_the_start(kind: type) -> None:
    a, b, other = kind(3, generator(1)), kind(3, generator(1)), kind(3, generator(2))
    assert torch.equal(a.matrix(), b.matrix()) and not torch.equal(a.matrix(), other.matrix())
    assert float(torch.linalg.cond(a.matrix().detach())) < 10


# Householder products


@pytest.mark.parametrize("scale", [0.0, 1e-200, 1e-3, 1.0, 30.0, 1e6])
@pytest.mark.parametrize(("dim", "columns"), [(1, 1), (2, 2), (5, 2), (8, 8), (40, 40)])
def test_householder_products_are_orthonormal_at_any_parameters(
    dim: int, columns: int, scale: float
) -> None:
    raw = (scale * torch.randn(dim, columns, generator=generator()).double()).requires_grad_()
    Q = householder(raw)
    assert (Q.mT @ Q - torch.eye(columns).double()).abs().max() < 1e-14 * dim
    Q.square().mul(torch.arange(dim)[:, None]).sum().backward()
    assert raw.grad.isfinite().all()


def test_householder_products_are_reflections_one_after_the_other() -> None:
    raw = torch.randn(5, 3, generator=generator()).double()
    product = torch.eye(5).double()
    for m in range(3):
        v = torch.cat([torch.zeros(m), torch.ones(1), raw[m + 1 :, m]]).double()
        product = product @ (torch.eye(5).double() - 2 * torch.outer(v, v) / (v @ v))
    assert torch.allclose(householder(raw), -product[:, :3])
    vectors = raw.tril(-1) + torch.eye(5, 3)
    tau = 2 / vectors.square().sum(0)
    assert torch.allclose(householder(raw), -torch.linalg.householder_product(vectors, tau))


def test_householder_products_reach_every_rotation_and_differentiate_twice() -> None:
    """Q of a random rotation is found again: its reflections, read off from a QR algorithm."""
    W = torch.linalg.qr(torch.randn(4, 4, generator=generator()).double())[0]
    W = W * torch.tensor([float(torch.linalg.det(W)), 1, 1, 1]).double()
    raw, remainder = torch.zeros(4, 4).double(), -W
    for m in range(4):
        v = -remainder[m:, m].clone()
        v[0] += 1
        if m < 3:
            raw[m + 1 :, m] = v[1:] / v[0]
        v = torch.cat([torch.zeros(m).double(), raw[m:, m]]).index_fill(0, torch.tensor(m), 1)
        remainder = remainder - 2 * torch.outer(v, v @ remainder) / (v @ v)
    found = householder(raw)
    # D(D − 1)/2 numbers fix D − 1 columns; the last is fixed by det = 1.
    assert torch.allclose(found, W)
    assert torch.autograd.gradgradcheck(householder, raw.requires_grad_(), fast_mode=True)


# Rotations


@pytest.mark.parametrize("kind", [OrthogonalExponential, OrthogonalCayley])
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_rotations_are_orthogonal_to_rounding(kind: type, scale: float, dtype: torch.dtype) -> None:
    """A truncated series of the exponential would lose 0.3."""
    for dim in (2, 5, 8):
        Q = randomised(kind(dim), scale).to(dtype).matrix().detach()
        error = (Q.mT @ Q - torch.eye(dim, dtype=dtype)).abs().max()
        assert error < 100 * scale * torch.finfo(dtype).eps + 1e2 * torch.finfo(dtype).eps
        assert float(torch.linalg.det(Q)) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("kind", "map"), [(OrthogonalExponential, "matrix_exp"), (OrthogonalCayley, "cayley")]
)
def test_rotations_are_those_of_torch(kind: type, map: str) -> None:
    ours = randomised(kind(5))
    reference = torch.nn.utils.parametrizations.orthogonal(
        torch.nn.Linear(5, 5, bias=False).double(), orthogonal_map=map, use_trivialization=False
    )
    # There the Cayley map is (I − A/2)⁻¹ (I + A/2).
    factor = 1 if map == "matrix_exp" else 2
    raw = reference.parametrizations.weight.original
    raw.data.copy_(factor * ours.lower.tril(-1))
    assert torch.allclose(ours.matrix(), reference.weight)


@pytest.mark.parametrize("kind", [OrthogonalExponential, OrthogonalCayley])
def test_a_rotation_of_the_plane_turns_by_its_angle(kind: type) -> None:
    layer = kind(2).double()
    layer.lower.data[1, 0] = 0.3
    angle = 0.3 if kind is OrthogonalExponential else 2 * math.atan(0.3)
    assert torch.allclose(layer(torch.tensor([1.0, 0.0]).double())[0], _unit(angle))


def _unit(angle: float) -> Tensor:
    return torch.tensor([math.cos(angle), math.sin(angle)]).double()


# Permutations, triangles, singular values, singular matrices


def test_permutations() -> None:
    z = points(4, 5)
    assert torch.equal(Permutation(5)(z)[0], z.flip(-1))
    order = [2, 0, 1, 4, 3]
    fixed = Permutation(5, order=order)
    assert torch.equal(fixed(z)[0], z[:, order])
    assert torch.equal(fixed.inverse(fixed(z)[0])[0], z)
    drawn = Permutation(50, generator(3))
    assert not torch.equal(drawn.permutation, Permutation(50, generator(4)).permutation)
    assert torch.equal(drawn(z.new_tensor(range(50)))[0].long(), drawn.permutation)
    assert not list(drawn.parameters()) and not drawn(points(3, 50))[1].any()
    matrix = torch.eye(5).double()[order]
    assert torch.allclose(fixed(z)[0], z @ matrix.mT)
    for bad in ([0, 1], [0, 1, 2, 3, 3], [1, 2, 3, 4, 5]):
        with pytest.raises(ValueError, match=r"each of 0 … 4 once, got \["):
            Permutation(5, order=bad)
    with pytest.raises(ValueError, match="not both"):
        Permutation(5, generator(), order=order)
    with pytest.raises(ValueError, match="order is 'reverse' or 'random', got 'sideways'"):
        catalog.make("permutation", order="sideways")
    assert catalog.make("permutation", 20, order="random", seed=0).bijections[0].dim == 20


def test_a_triangle_is_a_cholesky_factor() -> None:
    """z' = L u + b has the density of the multivariate normal with that scale_tril."""
    for upper in (False, True):
        flow = catalog.make("triangular", 4, 2, seed=0).double()
        layer = randomised(Triangular(4, upper=upper))
        x = points(10, 4)
        L = layer.matrix()
        covariance = L @ L.mT
        normal = torch.distributions.MultivariateNormal(layer.shift, covariance)
        u, logabsdet = layer.inverse(x)
        assert torch.allclose(flow.base.log_prob(u) + logabsdet, normal.log_prob(x))
        assert layer.jacobian_mask().equal(L != 0)


def test_singular_values_are_the_parameters() -> None:
    layer = randomised(SVD(4))
    expected = torch.exp(layer.log_singular).sort(descending=True).values
    assert torch.allclose(torch.linalg.svdvals(layer.matrix()), expected)
    Q, R = randomised(QR(4)).factors()
    assert torch.allclose(Q.mT @ Q, torch.eye(4).double()) and not R.tril(-1).any()


def test_a_singular_matrix_says_so() -> None:
    layer = Dense(3).double()
    layer.offset.data[2, 2] = -1.0
    for call in (layer, layer.inverse):
        with pytest.raises(FloatingPointError, match=r"3 × 3 matrix .* is singular"):
            call(points(4, 3))
    flow = Flow(StandardNormal(3), [layer]).double()
    for ask in (flow.log_prob, flow, lambda z: flow.sample(len(z))):
        with pytest.raises(FloatingPointError, match=r"3 × 3 matrix .* is singular"):
            ask(points(4, 3))
    # Nearly singular is a matter of condition.
    layer.offset.data[2, 2] = -1 + 1e-6
    assert_layer(layer, points(4, 3))


# The 1×1 convolution


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 4), (4, 2, 3)])
def test_the_convolution_is_that_of_torch(shape: tuple[int, int, int]) -> None:
    layer = randomised(Conv1x1(shape, generator()), 0.5)
    W = layer.bijection.matrix()
    z = points(5, math.prod(shape))
    image, logabsdet = layer(z)
    expected = torch.nn.functional.conv2d(
        z.unflatten(-1, shape), W[:, :, None, None], layer.bijection.shift
    )
    assert torch.allclose(image, expected.flatten(1))
    pixels = shape[1] * shape[2]
    assert torch.allclose(logabsdet, (pixels * torch.linalg.slogdet(W).logabsdet).expand(5))
    assert_layer(layer, z)
    assert layer(z.reshape(5, 1, -1))[0].shape == (5, 1, math.prod(shape))


def test_shapes_that_are_none() -> None:
    for bad in ((3, 4), (3, 0, 4), (3.0, 4, 4), 48, None):
        with pytest.raises(ValueError, match=r"shape \(C, H, W\) of whole numbers ≥ 1, got"):
            Conv1x1(bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="3 channels does not fit images of shape"):
        PerPixel(Dense(3), (2, 4, 4))


# Other libraries


def test_nflows_and_zuko_have_the_same_numbers() -> None:
    nflows = pytest.importorskip("nflows.transforms")
    z = points(20, 4)

    qr = randomised(QR(4))
    reference = nflows.QRLinear(4, 4).double()
    R = qr.factors()[1]
    # Its reflections act on columns in order of application: v_M first.
    vectors = qr.reflections.tril(-1) + torch.eye(4)
    reference.orthogonal.q_vectors.data.copy_(vectors.mT.flip(0))
    rows, columns = torch.triu_indices(4, 4, 1)
    # −H_1 ⋯ H_4 R + b there is H_1 ⋯ H_4 R applied to −z.
    reference.upper_entries.data.copy_(R[rows, columns])
    reference.log_upper_diag.data.copy_(qr.log_diagonal)
    reference.bias.data.copy_(qr.shift)
    expected, expected_logabsdet = reference(-z)
    assert torch.allclose(qr(z)[0], expected)
    assert torch.allclose(qr(z)[1], expected_logabsdet)

    conv = Conv1x1((4, 2, 3)).double()
    reference = nflows.OneByOneConvolution(4, identity_init=False).double()
    reference.permutation._permutation.copy_(torch.arange(4))
    L, U = reference._create_lower_upper()
    conv.bijection.lower.data.copy_(L)
    conv.bijection.upper.data.copy_(U)
    conv.bijection.log_diagonal.data.copy_(U.diagonal().log())
    reference.bias.data.normal_()
    conv.bijection.shift.data.copy_(reference.bias)
    image = points(5, 24)
    expected, expected_logabsdet = reference(image.unflatten(-1, (4, 2, 3)))
    assert torch.allclose(conv(image)[0], expected.flatten(1))
    assert torch.allclose(conv(image)[1], expected_logabsdet)

    zuko = pytest.importorskip("zuko")
    rotation = randomised(OrthogonalExponential(4))
    expected = zuko.transforms.RotationTransform(rotation.lower.tril(-1))(z)
    assert torch.allclose(rotation(z)[0], expected)

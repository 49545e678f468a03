"""What single layers promise beyond the common suite."""

from __future__ import annotations

import math

import pytest
import torch

from flowviz.flows import Bijection, Composition, Flow, Inverse, catalog, check, jacobian
from flowviz.flows.autoregressive import Autoregressive
from flowviz.flows.autoregressive.conditioners import Coupling, Masked
from flowviz.flows.autoregressive.transformers import Affine
from flowviz.flows.distributions import DiagonalNormal, StandardNormal
from flowviz.flows.linear import PLU
from flowviz.flows.matrix_determinant_lemma import Planar, Radial, planar
from flowviz.flows.normalisation import ActNorm
from flowviz.flows.numerics.root import newton
from tests.engine.engine_checks import assert_layer, points

# Planar


def planar_with(w: list[float], u: list[float], b: float = 0.0) -> Planar:
    layer = Planar(len(w)).double()
    layer.w.data.copy_(torch.tensor(w))
    layer.u.data.copy_(torch.tensor(u))
    layer.b.data.fill_(b)
    return layer


@pytest.mark.parametrize("size", [0.0, 1e-200, 1e-8, 1e-3, 1.0, 30.0])
def test_planar_from_no_w_to_a_long_one(size: float) -> None:
    for u in ([1.0, 0.5], [-1.0, -0.5], [0.5, -1.0]):
        layer = planar_with([size, size / 2], u)
        assert layer.v().isfinite().all()
        assert float((layer.w @ layer.v()).detach()) > -1
        assert_layer(layer, points(50, 2))
        layer(points(5, 2))[1].sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in layer.parameters())


def test_planar_is_free_where_the_constraint_is_idle() -> None:
    layer = planar_with([1.0, 0.0], [0.0, 2.0])
    assert torch.allclose(layer.v(), layer.u)
    tiny = planar_with([1e-9, 0.0], [3.0, 2.0])
    assert torch.allclose(tiny.v(), tiny.u, atol=2.0)
    # (wᵀu grows ⇒ wᵀv grows): the constraint is monotone and onto (−1, ∞).
    layers = [planar_with([1.0], [x]) for x in range(-30, 31)]
    reach = [float((layer.w @ layer.v()).detach()) for layer in layers]
    assert reach == sorted(reach)
    assert reach[0] < -0.99 and reach[-1] > 29


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_planar_root_to_rounding_for_every_slope_and_image(dtype: torch.dtype) -> None:
    """The bound on the number of Newton steps, over the two numbers that the root depends on."""
    slope = torch.logspace(-3, 4, 200, dtype=dtype)[:, None].clamp_min(planar.MIN_SLOPE)
    image = torch.cat(
        [torch.zeros(1, dtype=dtype), torch.logspace(-12, 5, 800, dtype=dtype)]
    ).expand(200, -1)
    near_knee = (slope - 1) + torch.linspace(-3, 6, 500, dtype=dtype)
    image = torch.cat([image, near_knee, slope * torch.linspace(0, 3, 500, dtype=dtype)], 1)
    image = torch.cat([image, -image], 1)

    def along_w(a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        bump = torch.tanh(a)
        return a + (slope - 1) * bump, planar._derivative(bump, slope)

    a = newton(along_w, image, planar._start(image, slope), planar.ITERATIONS)
    residual = along_w(a)[0] - image
    terms = a.abs() + (slope - 1).abs() * torch.tanh(a).abs() + image.abs()
    assert (residual.abs() <= 4 * torch.finfo(dtype).eps * terms).all()


# Radial


def test_radial_at_its_centre_and_far_away() -> None:
    for raw_s in (-5.0, 0.0, 20.0):
        layer = Radial(3).double()
        layer.raw_s.data.fill_(raw_s)
        far = torch.tensor([[1e3, -1e3, 1e3], [1e-9, 0, 0]]).double()
        z = torch.cat([layer.z0.detach()[None], layer.z0.detach() + far])
        assert_layer(layer, z[1:])
        image, logabsdet = layer(z[:1])
        assert torch.allclose(image, z[:1])
        # At the centre the map is z ↦ (1 + β/α) z, in every direction.
        expected = 3 * torch.log1p(layer.beta / layer.alpha)
        assert torch.allclose(logabsdet, expected) and float(layer.beta.detach()) > -float(
            layer.alpha.detach()
        )
        layer.inverse(z)[1].sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in layer.parameters())


# PLU


@pytest.mark.parametrize("dim", [1, 2, 3, 6])
def test_plu_is_its_matrix(dim: int) -> None:
    for seed in range(4):
        layer = PLU(dim, torch.Generator().manual_seed(seed)).double()
        W = layer.matrix()
        # The start is a rotation or a reflection, and P is a permutation that matters.
        assert torch.allclose(W @ W.mT, torch.eye(dim).double(), atol=1e-6)
        layer.shift.data.normal_()
        z = points(20, dim)
        image, logabsdet = layer(z)
        assert torch.allclose(image, z @ W.mT + layer.shift)
        assert torch.allclose(logabsdet, torch.linalg.slogdet(W).logabsdet.expand(20))
        back = torch.linalg.solve(W, (image - layer.shift).mT).mT
        assert torch.allclose(layer.inverse(image)[0], back)
    assert torch.equal(PLU(dim).matrix(), torch.eye(dim))


# Activation normalisation


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_actnorm_initialises_once_in_the_direction_that_comes_first(direction: str) -> None:
    layer = ActNorm(3).double()
    x = points(500, 3) * torch.tensor([1.0, 5.0, 0.1]) + 7
    apply = layer if direction == "forward" else layer.inverse
    image, _ = apply(x)
    assert torch.allclose(image.mean(0), torch.zeros(3).double(), atol=1e-9)
    assert torch.allclose(image.std(0, correction=0), torch.ones(3).double())
    before = layer.log_scale.detach().clone()
    apply(10 * x)
    layer.inverse(3 * x)
    assert torch.equal(layer.log_scale, before)
    assert_layer(layer.eval(), x)


def test_actnorm_waits_for_training_and_for_two_points() -> None:
    layer = ActNorm(2)
    x = points(50, 2, dtype=torch.float32)
    for batch in (x[:1], x[:0], x[0]):
        assert torch.equal(layer(batch)[0], batch) and not layer.initialised
    assert torch.equal(layer.eval()(x)[0], x) and not layer.initialised
    broken = x.clone()
    broken[3, 1] = torch.nan
    layer.train()(broken)
    assert not layer.initialised and torch.equal(layer.shift, torch.zeros(2))
    equal = torch.ones(5, 2)
    assert layer(equal)[0].isfinite().all() and layer.initialised


def test_actnorm_flag_travels_with_the_state_and_is_a_buffer() -> None:
    layer, other = ActNorm(2), ActNorm(2)
    layer(points(50, 2, dtype=torch.float32))
    assert "initialised" in dict(layer.named_buffers())
    other.load_state_dict(layer.state_dict())
    other.train()(100 * points(50, 2, dtype=torch.float32))
    assert torch.equal(other.log_scale, layer.log_scale)


# Composition, direction, context


def test_inverse_swaps_and_undoes_itself() -> None:
    layer = PLU(3, torch.Generator().manual_seed(0)).double()
    z = points(10, 3)
    assert torch.equal(Inverse(layer)(z)[0], layer.inverse(z)[0])
    assert torch.equal(Inverse(layer).inverse(z)[0], layer(z)[0])
    assert torch.equal(Inverse(Inverse(layer))(z)[0], layer(z)[0])
    assert "⁻¹" in Inverse(layer).describe()
    assert_layer(Inverse(layer), z)


def test_maf_is_iaf_the_other_way_round() -> None:
    maf, iaf = catalog.make("maf", layers=1, seed=0), catalog.make("iaf", layers=1, seed=0)
    x = points(10, 2, dtype=torch.float32)
    assert torch.equal(maf.inverse(x)[0], iaf(x)[0])


def test_composition_of_masks_and_errors() -> None:
    lower = Autoregressive(Affine(), Masked(3, 2))
    upper = Autoregressive(Affine(), Masked(3, 2, order=[2, 1, 0]))
    assert Composition([lower, lower]).jacobian_mask().equal(lower.jacobian_mask())
    assert Composition([lower, upper]).jacobian_mask().all()
    with pytest.raises(ValueError, match="at least one bijection"):
        Composition([])
    with pytest.raises(ValueError, match=r"same dim, got \[2, 3\]"):
        Composition([ActNorm(2), ActNorm(3)])
    with pytest.raises(TypeError, match="list of Bijections, got one with Linear"):
        Composition([torch.nn.Linear(2, 2)])  # type: ignore[list-item]
    conditional = [Autoregressive(Affine(), Coupling(2, 2, context=c)) for c in (1, 2)]
    with pytest.raises(ValueError, match=r"contexts need the same size, got \[1, 2\]"):
        Composition(conditional)
    with pytest.raises(ValueError, match="base has dimension 3, the bijections 2"):
        Flow(StandardNormal(3), [ActNorm(2)])


def test_contexts_reach_only_those_layers_that_take_one() -> None:
    layer = Autoregressive(Affine(), Coupling(2, 2, context=3))
    flow = Flow(StandardNormal(2), [ActNorm(2), layer, PLU(2)]).eval()
    assert flow.context == 3
    assert flow.log_prob(torch.zeros(4, 2), torch.ones(4, 3)).shape == (4,)
    assert flow.trace(torch.zeros(4, 2), torch.ones(3)).states.shape == (4, 4, 2)


def test_a_learned_base_is_the_same_as_a_last_diagonal_layer() -> None:
    """The reparametrisation of ψ absorbed in T (section 2.3.2)."""
    learned = Flow(DiagonalNormal(2), [PLU(2)]).double()
    learned.base.loc.data.copy_(torch.tensor([1.0, -2.0]))
    learned.base.log_scale.data.copy_(torch.tensor([0.3, -0.4]))
    absorbed = catalog.make("actnorm", layers=1).double().eval()
    absorbed.bijections[0].shift.data.copy_(learned.base.loc)
    absorbed.bijections[0].log_scale.data.copy_(learned.base.log_scale)
    x = points(20, 2)
    assert torch.allclose(learned.log_prob(x), absorbed.log_prob(x))


def test_coupling_keeps_what_it_says() -> None:
    for swap in (False, True):
        layer = Autoregressive(Affine(), Coupling(5, 2, split=2, swap=swap)).double()
        z = points(10, 5)
        kept = slice(3, 5) if swap else slice(0, 2)
        image = layer(z)[0]
        assert torch.equal(image[:, kept], z[:, kept])
        moved = torch.ones(5, dtype=torch.bool)
        moved[kept] = False
        assert (image[:, moved] != z[:, moved]).all()


def test_jacobian_of_callables_points_and_its_own_derivative() -> None:
    layer = planar_with([1.0, 2.0], [0.5, -0.2])
    z = points(6, 2)
    J = jacobian(layer, z)
    assert J.shape == (6, 2, 2) and J.requires_grad
    assert jacobian(layer, z.reshape(2, 3, 2)).shape == (2, 3, 2, 2)
    inverse = jacobian(layer.inverse, layer(z)[0].detach())
    assert torch.allclose(inverse @ J, torch.eye(2).double().expand(6, 2, 2))
    expected = torch.stack(
        [torch.autograd.functional.jacobian(lambda p: layer(p)[0], q) for q in z]
    )
    assert torch.allclose(J, expected)
    assert not z.requires_grad
    with torch.no_grad():
        assert torch.equal(jacobian(layer, z), J) and not jacobian(layer, z).requires_grad
    torch.linalg.slogdet(J).logabsdet.sum().backward()
    assert layer.w.grad.isfinite().all()


def test_check_reports_a_wrong_layer_in_numbers() -> None:
    class Wrong(Bijection):
        def _forward(self, z, context):  # type: ignore[no-untyped-def]
            return 2 * z, torch.zeros(z.shape[:-1], dtype=z.dtype)

        def _inverse(self, z, context):  # type: ignore[no-untyped-def]
            return z / 3, torch.zeros(z.shape[:-1], dtype=z.dtype)

    result = check(Wrong(2), torch.ones(4, 2, dtype=torch.float64))
    assert math.isclose(result.round_trip, 1 / 3)
    assert math.isclose(result.logabsdet, 2 * math.log(2))
    assert math.isclose(result.inverse_logabsdet, 2 * math.log(3))
    assert result.worst() == result.inverse_logabsdet and result.monotone is None
    with pytest.raises(ValueError, match=r"N ≥ 1; got \[0, 2\]"):
        check(Wrong(2), torch.ones(0, 2))

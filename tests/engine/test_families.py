"""Every family of the catalogue, away from its start: the one suite for all of them."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch

from flowviz.flows import Bijection, catalog, jacobian
from flowviz.flows.normalisation import BatchNorm
from tests.engine import engine_checks as checks

DTYPES = [torch.float64, torch.float32]
# Scales, dtypes and seeds of single layers. The first two are those in which the mutation tests
# show what the checks see; float32 where it is hardest, with another flow than in float64.
REGIMES = [
    (0.3, torch.float64, 0),
    (1.0, torch.float64, 0),
    (3.0, torch.float64, 1),
    (3.0, torch.float32, 0),
]
# What a whole, well-conditioned flow keeps (parameters of scale 0.1): the published tolerances.
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}

everywhere = pytest.mark.parametrize(("name", "dim"), checks.cases())
exact_everywhere = pytest.mark.parametrize(
    ("name", "dim"), [c for c in checks.cases() if catalog.entry(c[0]).exact_logabsdet]
)
each = pytest.mark.parametrize("name", catalog.names())
exact = pytest.mark.parametrize("name", checks.exact(catalog.names()))
plane = pytest.mark.parametrize(
    "name", [n for n in checks.exact(catalog.names()) if catalog.entry(n).allows(2)]
)


@pytest.mark.parametrize(("scale", "dtype", "seed"), REGIMES)
@everywhere
def test_layers_to_the_condition_of_the_map(
    name: str, dim: int, scale: float, dtype: torch.dtype, seed: int
) -> None:
    flow = checks.random_flow(name, dim, scale, seed, dtype)
    for layer in flow.bijections:
        checks.assert_layer(layer, checks.points(few(dim), dim, seed, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@exact_everywhere
def test_whole_flows_to_an_absolute_tolerance(name: str, dim: int, dtype: torch.dtype) -> None:
    flow = checks.random_flow(name, dim, 0.1, dtype=dtype, layers=4)
    checks.assert_absolute(flow, checks.points(few(dim), dim, dtype=dtype), TOLERANCE[dtype])


def few(dim: int) -> int:
    """So many points that their Jacobians, of D passes each, cost the same in each dimension."""
    return 64 if dim < 8 else 16


@pytest.mark.parametrize("dtype", DTYPES)
@each
def test_far_points_and_bounds(name: str, dtype: torch.dtype) -> None:
    """|x| = 50 and 10³, 0, and the splines' bound with the numbers next to it."""
    bound = torch.tensor(5.0, dtype=dtype)
    far = torch.tensor(torch.inf, dtype=dtype)
    values = torch.tensor([0.0, 50.0, 1e3], dtype=dtype)
    edges = torch.stack([bound, torch.nextafter(bound, far), torch.nextafter(bound, -far)])
    values = torch.cat([values, -values, edges, -edges])
    for dim in [d for d in (1, 2) if catalog.entry(name).allows(d)]:
        z = values[:, None] if dim == 1 else torch.cartesian_prod(values, values)
        flow = checks.random_flow(name, dim, 0.5, dtype=dtype)
        for layer in flow.bijections:
            checks.assert_layer(layer, z)
        z = z.clone().requires_grad_()
        flow.log_prob(z).sum().backward()
        assert z.grad.isfinite().all()
        assert all(p.grad.isfinite().all() for p in flow.parameters())


@everywhere
def test_structure_of_the_jacobian(name: str, dim: int) -> None:
    flow = checks.random_flow(name, dim, 0.4)
    checks.assert_structure(name, flow, checks.points(64, dim) / 2)


@each
def test_cost_of_each_direction(name: str) -> None:
    checks.assert_cost(name)


@plane
def test_density_integrates_to_one_and_samples_follow_it(name: str) -> None:
    checks.assert_density(checks.random_flow(name, 2, 0.3))


@each
def test_gradients_reach_every_parameter(name: str) -> None:
    for dim in checks.dims_of(name, 2, 3):
        checks.assert_gradients(checks.random_flow(name, dim, 0.3, layers=3))


@exact
def test_gradients_against_finite_differences(name: str) -> None:
    for dim in checks.dims_of(name, 1, 3):
        flow = checks.random_flow(name, dim, 0.3, hidden=(4,), bins=3)
        for layer in flow.bijections:
            checks.assert_gradcheck(layer, checks.points(5, dim))


@exact
def test_second_derivatives_against_finite_differences(name: str) -> None:
    (dim,) = checks.dims_of(name, 2)
    flow = checks.random_flow(name, dim, 0.3, hidden=(4,), bins=3, layers=1)
    for layer in flow.bijections:
        checks.assert_gradcheck(layer, checks.points(3, dim), second=True)


@exact
def test_points_do_not_see_each_other(name: str) -> None:
    for dim in checks.dims_of(name, 2, 3):
        checks.assert_independent(checks.random_flow(name, dim, 0.4), checks.points(8, dim))


@each
def test_leading_shapes(name: str) -> None:
    for dim in checks.dims_of(name, 1, 2, 3):
        checks.assert_shapes(checks.random_flow(name, dim, 0.3))


@exact
def test_trace_shows_what_the_flow_does(name: str) -> None:
    (dim,) = checks.dims_of(name, 2)
    flow = checks.random_flow(name, dim, 0.3, layers=3)
    u = checks.points(8, dim)
    x, logabsdet = flow(u)
    K = len(flow.bijections)
    trace = flow.trace(u)
    assert trace.states.shape == (K + 1, 8, dim) and trace.logabsdet.shape == (K, 8)
    assert len(trace.names) == K and all(trace.names)
    assert torch.equal(trace.states[0], u) and torch.equal(trace.states[-1], x)
    assert torch.allclose(trace.logabsdet.sum(0), logabsdet, atol=1e-12)
    near = max(1e-9, 100 * flow.transform.tolerance)
    back = flow.trace_inverse(x)
    assert torch.allclose(back.states, trace.states, atol=near)
    assert torch.allclose(back.logabsdet, trace.logabsdet, atol=near)
    # With the inner time unrolled: the same ends, the same sum, in both directions.
    unrolled = flow.unrolled(4)
    assert len(unrolled.bijections) in (K, 4 * K)
    fine = unrolled.trace(u)
    assert torch.allclose(fine.states[-1], x, atol=near)
    assert torch.allclose(fine.logabsdet.sum(0), logabsdet, atol=near)
    assert torch.allclose(unrolled.trace_inverse(x).states, fine.states, atol=10 * near)


@each
def test_state_dict_carries_everything(name: str) -> None:
    (dim,) = checks.dims_of(name, 3)
    flow = checks.random_flow(name, dim, 0.3)
    other = catalog.make(name, dim=dim, layers=2, seed=99, **checks.options_of(name))
    other = other.double().eval()
    x = checks.points(16, dim)
    learned = any(p.numel() for p in flow.parameters()) and name != "actnorm"
    assert not learned or not torch.allclose(other(x)[0], flow(x)[0])
    other.load_state_dict(flow.state_dict())
    assert torch.equal(other(x)[0], flow(x)[0])


@exact
def test_training_mode_changes_nothing_but_statistics(name: str) -> None:
    (dim,) = checks.dims_of(name, 2)
    flow = checks.random_flow(name, dim, 0.3)
    if any(isinstance(module, BatchNorm) for module in flow.modules()):
        pytest.skip("the batch normalises itself in training: see test_normalisation.py")
    x = checks.points(64, dim)
    flow.train()
    flow.log_prob(x)
    trained = flow.log_prob(x)
    assert torch.equal(trained, flow.eval().log_prob(x))


@each
def test_the_same_seed_gives_the_same_flow(name: str) -> None:
    before = torch.random.get_rng_state()
    (dim,) = checks.dims_of(name, 3)
    flows = [catalog.make(name, dim=dim, seed=7) for _ in range(2)]
    assert torch.equal(torch.random.get_rng_state(), before), "the global generator moved"
    for a, b in zip(*(flow.parameters() for flow in flows), strict=True):
        assert torch.equal(a, b)
    draws = [flow.sample(5, generator=torch.Generator().manual_seed(1)) for flow in flows]
    assert torch.equal(*draws)


@each
def test_starts_as_a_mild_map(name: str) -> None:
    """A new flow does not tear the base apart: training starts from a sane place."""
    (dim,) = checks.dims_of(name, 2)
    flow = catalog.make(name, dim=dim, seed=0)
    u = checks.points(256, dim, dtype=torch.float32) / 2
    x, logabsdet = flow(u)
    assert x.abs().max() < 30 and logabsdet.abs().max() < 10


@each
def test_no_stray_tensor_on_the_meta_device(name: str) -> None:
    """Parameters and inputs on ``meta``: a constant made on the CPU would be refused."""
    for dim in checks.dims_of(name, 1, 3):
        # Two layers: one of each order. On meta, an operation takes a millisecond.
        flow = catalog.make(name, dim=dim, layers=2, seed=0, **checks.options_of(name)).to("meta")
        x = torch.empty(5, dim, device="meta")
        for result in (*flow(x), flow.log_prob(x), flow.sample(4)):
            assert result.is_meta
        assert flow.trace(x).states.is_meta


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@exact
def test_on_cuda(name: str) -> None:
    (dim,) = checks.dims_of(name, 3)
    flow = checks.random_flow(name, dim, 0.3)
    x = checks.points(64, dim)
    on_gpu = copy.deepcopy(flow).cuda()
    assert torch.allclose(on_gpu.log_prob(x.cuda()).cpu(), flow.log_prob(x), atol=1e-9)
    assert on_gpu.sample(8).is_cuda
    checks.assert_absolute(checks.random_flow(name, dim, 0.1).cuda(), x.cuda(), 1e-9)


@pytest.mark.parametrize(
    "name",
    [n for n in checks.exact(catalog.names()) if "context" in catalog.entry(n).options],
)
def test_context_conditions_the_density(name: str) -> None:
    for dim in checks.dims_of(name, 1, 2, 3):
        flow = checks.random_flow(name, dim, 0.5, context=2)
        x, context = checks.points(6, dim), checks.points(6, 2, seed=1)
        each_its_own = flow.log_prob(x, context)
        assert not torch.allclose(each_its_own, flow.log_prob(x, context.flip(0)))
        one_for_all = flow.log_prob(x, context[0])
        assert torch.allclose(one_for_all[0], each_its_own[0])
        u, _ = flow.inverse(x, context)
        near = max(1e-9, 100 * flow.transform.tolerance)
        assert torch.allclose(flow(u, context)[0], x, atol=near)
        assert flow.sample(4, context[0]).shape == (4, dim)
        assert flow.sample(6, context).shape == (6, dim)
        # The Jacobian is that in z alone, and still has its structure.
        layer: Bijection = flow.bijections[0]
        J = jacobian(layer, x, context).detach()
        assert torch.allclose(torch.linalg.slogdet(J).logabsdet, layer(x, context)[1], atol=near)
        assert (J[:, ~layer.jacobian_mask()] == 0).all()
        reference = context.clone().requires_grad_()
        flow.log_prob(x, reference).sum().backward()
        assert reference.grad.isfinite().all() and reference.grad.any()


@each
def test_jacobians_of_flows_warn_of_nothing(name: str) -> None:
    (dim,) = checks.dims_of(name, 2)
    flow = checks.random_flow(name, dim, 0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        J = jacobian(flow, checks.points(2, dim))
        one = jacobian(flow, checks.points(2, dim)[0])
        jacobian(flow.inverse, checks.points(2, dim))
    assert J.shape == (2, dim, dim) and torch.allclose(J[0], one)

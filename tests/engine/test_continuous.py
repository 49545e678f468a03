"""What solvers, traces and gradients of continuous-time flows promise."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from flowviz import targets
from flowviz.flows import Flow, Inverse, catalog, jacobian
from flowviz.flows.continuous import (
    AdaptiveSteps,
    Continuous,
    FixedSteps,
    MLPField,
    PlanarField,
    VectorField,
    solve,
)
from flowviz.flows.continuous.gradients import adjoint, backpropagated, integral
from flowviz.flows.continuous.straight_paths import velocity_losses
from flowviz.flows.continuous.tableaus import TABLEAUS
from flowviz.flows.numerics.noise import probe
from flowviz.training import Trainer, flow_matching
from tests.engine.engine_checks import points, random_flow, randomise


def pendulum(t: Tensor, z: Tensor) -> Tensor:
    """A nonlinear oscillator that is driven."""
    return torch.cat([z[:, 1:], torch.cos(3 * t) - torch.sin(z[:, :1])], -1)


def fields(dim: int = 2, context: int = 0) -> list[VectorField]:
    torch.manual_seed(0)
    return [
        MLPField(dim, (8,), context),
        MLPField(dim, (8, 7), context),
        MLPField(dim, (8, 7, 6), context),
        PlanarField(dim, 9, context),
    ]


def moved(field: VectorField, scale: float = 1.0) -> VectorField:
    return randomise(field.double(), scale)  # type: ignore[arg-type, return-value]


# Solvers


@pytest.mark.parametrize(
    ("name", "order"), [("euler", 1), ("midpoint", 2), ("rk4", 4), ("dormand_prince", 5)]
)
def test_convergence_orders(name: str, order: int) -> None:
    z = points(20, 2)
    exact = solve(pendulum, z, AdaptiveSteps(1e-13)).states[-1]
    errors = [
        float((solve(pendulum, z, FixedSteps(name, S)).states[-1] - exact).abs().max())
        for S in (16, 32)
    ]
    # Errors of order 5 are above rounding only while the steps are long.
    assert -0.3 < math.log2(errors[0] / errors[1]) - order < (0.3 if order < 5 else 0.7), errors
    assert TABLEAUS[name].order == order


@pytest.mark.parametrize("name", list(TABLEAUS))
def test_tableaus_are_consistent(name: str) -> None:
    tableau = TABLEAUS[name]
    assert math.isclose(sum(tableau.b), 1)
    for row, c in zip(tableau.a, tableau.c, strict=True):
        assert math.isclose(sum(row), c, abs_tol=1e-14)
    assert abs(sum(tableau.error)) < 1e-14


@pytest.mark.parametrize("rtol", [1e-3, 1e-6, 1e-9])
def test_adaptive_steps_keep_their_tolerance_and_count(rtol: float) -> None:
    calls = 0

    def counted(t: Tensor, z: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return pendulum(t, z)

    z = points(50, 2)
    exact = solve(pendulum, z, AdaptiveSteps(1e-13)).states[-1]
    there = solve(counted, z, AdaptiveSteps(rtol))
    assert (there.states[-1] - exact).abs().max() < 50 * rtol
    assert there.evaluations == calls and there.rejected > 0
    assert there.states.shape[:2] == there.times.shape
    assert (there.times.diff(dim=0) >= 0).all() and (there.times[-1] == 1).all()
    back = solve(pendulum, there.states[-1], AdaptiveSteps(rtol), 1.0, 0.0)
    assert (back.states[-1] - z).abs().max() < 100 * rtol


@pytest.mark.parametrize("solver", [AdaptiveSteps(1e-4), FixedSteps("rk4", 5)])
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("graded", [True, False])
def test_a_layer_counts_its_evaluations(
    solver: AdaptiveSteps | FixedSteps, exact: bool, graded: bool
) -> None:
    layer = Continuous(MLPField(2, (8,)), solver, exact=exact)
    calls = []
    for direction in (layer, layer.inverse):
        calls.clear()
        hook = layer.network.register_forward_hook(lambda *_: calls.append(1))
        with torch.set_grad_enabled(graded):
            direction(torch.randn(6, 2, generator=torch.Generator().manual_seed(0)))
        hook.remove()
        assert layer.evaluations == len(calls) > 0


def test_steps_whose_errors_nobody_looks_at_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    init = AdaptiveSteps.__init__

    def wrong(self: AdaptiveSteps, rtol: float) -> None:
        init(self, rtol)
        if rtol == 1e-6:
            nothing = (1e-30,) * 7
            self.tableau = dataclasses.replace(self.tableau, error=nothing, bend=nothing)

    monkeypatch.setattr(AdaptiveSteps, "__init__", wrong)
    with pytest.raises(AssertionError, match="1e-06"):
        test_adaptive_steps_keep_their_tolerance_and_count(1e-6)


def test_a_point_takes_its_own_steps() -> None:
    """A stiff neighbour changes nothing: not even the number of steps."""

    def rates(t: Tensor, z: Tensor) -> Tensor:
        return -z.abs() * z

    calm, stiff = torch.tensor([[0.1, 0.2]]).double(), torch.tensor([[50.0, 80.0]]).double()
    alone = solve(rates, calm)
    together = solve(rates, torch.cat([calm, stiff]))
    assert torch.equal(alone.states[-1][0], together.states[-1][0])
    steps = (together.times.diff(dim=0) > 0).sum(0)
    assert steps[0] == len(alone.times) - 1 and steps[1] > 3 * steps[0]


def test_fixed_steps_are_what_they_say() -> None:
    found = solve(pendulum, points(3, 2), FixedSteps("midpoint", 5))
    assert found.states.shape == (6, 3, 2) and found.evaluations == 10 and found.rejected == 0
    assert torch.allclose(found.times, torch.linspace(0, 1, 6).double())


def test_a_field_too_stiff_says_so() -> None:
    with pytest.raises(FloatingPointError, match="too stiff"):
        solve(lambda t, z: 1 / (0.5 - t) ** 2 + 0 * z, points(1, 2), AdaptiveSteps(1e-4))


def test_equal_numbers_as_torchdiffeq() -> None:
    torchdiffeq = pytest.importorskip("torchdiffeq")
    from torchdiffeq._impl import rk_common

    field = moved(MLPField(2, (16, 16)))
    z, times = points(30, 2), torch.tensor([0.0, 1.0]).double()

    def g(t: Tensor, z: Tensor, **_: object) -> Tensor:
        return field.velocity(t.reshape(-1, 1) if t.ndim else t, z)

    with torch.no_grad():
        for name in ("euler", "midpoint"):
            options = {"step_size": 1 / 8}
            expected = torchdiffeq.odeint(g, z, times, method=name, options=options)[-1]
            assert torch.allclose(solve(g, z, FixedSteps(name, 8)).states[-1], expected)
        # Its own "rk4" is the 3/8 rule; the classical step is there, too.
        h = torch.tensor(1.0).double()
        step = rk_common.rk4_step_func(g, 0 * h, h, h, z)
        assert torch.allclose(solve(g, z, FixedSteps("rk4", 1)).states[-1], z + step)
        expected = torchdiffeq.odeint(g, z, times, method="dopri5", rtol=1e-10, atol=1e-10)[-1]
        assert torch.allclose(solve(g, z, AdaptiveSteps(1e-10)).states[-1], expected, atol=1e-8)


def test_equal_numbers_as_zuko() -> None:
    zuko = pytest.importorskip("zuko")
    layer = Continuous(moved(MLPField(2, (16, 16))), AdaptiveSteps(1e-9))
    transform = zuko.transforms.FreeFormJacobianTransform(
        f=layer.network.velocity, t0=0.0, t1=1.0, atol=1e-10, rtol=1e-10
    )
    z = points(30, 2)
    expected, expected_log = transform.call_and_ladj(z)
    image, logabsdet = layer(z)
    assert torch.allclose(image, expected, atol=1e-7)
    assert torch.allclose(logabsdet, expected_log, atol=1e-6)


# Traces


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("dim", [1, 3])
def test_traces_are_those_of_the_jacobian(which: int, dim: int) -> None:
    field = moved(fields(dim, 2)[which])
    z, c = points(6, dim), points(6, 2, seed=1)
    t = torch.tensor([[0.3]]).double()
    J = jacobian(lambda z, _: (field.velocity(t, z, c), z), z)
    trace = field(t, z, field.weights(c, None))[1]
    assert torch.allclose(trace[:, 0], J.diagonal(dim1=-2, dim2=-1).sum(-1))
    v = torch.randn(6, dim).double()
    estimate = field(t, z, field.weights(c, v))[1]
    assert torch.allclose(estimate[:, 0], torch.einsum("ni,nij,nj->n", v, J, v))


@pytest.mark.parametrize("noise", ["signs", "normal"])
@pytest.mark.parametrize("which", range(4))
def test_hutchinson_within_four_standard_errors(which: int, noise: str) -> None:
    torch.manual_seed(1)
    field = moved(fields(3)[which])
    n = 4000
    z = points(1, 3).expand(n, 3)
    v = probe(z, "rademacher", None) if noise == "signs" else torch.randn_like(z)
    t = z.new_full((1, 1), 0.4)
    with torch.no_grad():
        estimates = field(t, z, field.weights(None, v))[1]
        exact = field(t, z[:1], field.weights(None, None))[1]
    error = (estimates.mean() - exact).abs()
    assert float(error) < 4 * float(estimates.std()) / math.sqrt(n)
    if noise == "signs":
        assert set(v.unique().tolist()) == {-1.0, 1.0}


def test_ffjord_estimates_the_log_det_of_cnf_with_one_noise_a_solve() -> None:
    torch.manual_seed(2)
    exact = random_flow("cnf", 3, 1.0, layers=1).bijections[0]
    rough = Continuous(exact.network, exact.solver, exact=False)
    z = points(1, 3).expand(1000, 3)
    with torch.no_grad():
        estimates = rough(z)[1]
        truth = exact(z[:1])[1]
    assert abs(float(estimates.mean() - truth)) < 4 * float(estimates.std()) / math.sqrt(1000)
    # With one noise for the whole solve, ∫ vᵀJv is vᵀ(∫J)v: two values at most for v and −v, and
    # at most 2^(D−1) of them in all.
    assert len(estimates.round(decimals=6).unique()) <= 4
    assert torch.equal(rough(z)[0], rough(z)[0])


def test_a_noise_drawn_anew_within_a_solve_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = MLPField.forward

    def wrong(self, t, z, weights, trace=True):  # type: ignore[no-untyped-def]
        return forward(self, t, z, self.weights(None, probe(z, "rademacher", None)), trace)

    monkeypatch.setattr(MLPField, "forward", wrong)
    with pytest.raises(AssertionError):
        test_ffjord_estimates_the_log_det_of_cnf_with_one_noise_a_solve()


def test_one_euler_step_is_a_residual_layer() -> None:
    """z + ε g(z), whose log-det is ε Tr J_g to first order (section 5.1)."""
    field = moved(MLPField(3, (8, 8)))
    z = points(10, 3)
    t = torch.zeros(1, 1).double()
    for ε in (1e-2, 1e-3):
        step = solve(field.velocity, z, FixedSteps("euler", 1), 0.0, ε).states[-1]
        g, trace, _ = field(t, z, field.weights(None, None))
        assert torch.allclose(step, z + ε * g)
        J = jacobian(lambda z, _, ε=ε: (z + ε * field.velocity(0.0, z), z), z)
        first_order = ε * trace[:, 0]
        assert (torch.linalg.slogdet(J).logabsdet - first_order).abs().max() < 30 * ε**2


# Gradients


@pytest.mark.parametrize("solver", [FixedSteps("rk4", 32), AdaptiveSteps(1e-9)])
@pytest.mark.parametrize("probed", [False, True])
@pytest.mark.parametrize("which", range(4))
def test_backprop_is_autograd_and_the_adjoint_is_close(
    which: int, probed: bool, solver: FixedSteps | AdaptiveSteps
) -> None:
    field = moved(fields(2, 2)[which])
    z, c = points(5, 2).requires_grad_(), points(5, 2, seed=1).requires_grad_()
    v = probe(z.detach(), "rademacher", None) if probed else None

    def g(t: Tensor, z: Tensor, rows: Tensor | None) -> Tensor:
        return field(t, z, field.weights(c, v).at(rows), trace=False)[0]

    plan = solver.plan(g, z.detach(), 1.0, 0.0)
    gradients = {}
    for way in (integral, backpropagated, adjoint):
        end, logabsdet = way(field, solver.tableau, plan, z, field.weights(c, v))
        loss = (torch.sin(end).sum(-1, keepdim=True) + logabsdet.square()).sum()
        gradients[way] = torch.autograd.grad(loss, [z, c, *field.parameters()])
    for exact, by_hand, close in zip(*gradients.values(), strict=True):
        assert torch.allclose(by_hand, exact, rtol=1e-9, atol=1e-9)
        assert torch.allclose(close, exact, rtol=1e-4, atol=1e-5)


def test_one_point_alone_has_the_gradient_of_its_probe() -> None:
    layer = random_flow("ffjord", 2, 0.5, layers=1).bijections[0]
    z = points(1, 2)
    gradients = []
    for grad_of in (backpropagated, integral):
        v = torch.tensor([[1.0, -1.0]]).double()
        weights = layer.network.weights(None, v)
        plan = FixedSteps("rk4", 2).plan(lambda t, z, rows: z, z, 0.0, 1.0)
        loss = grad_of(layer.network, TABLEAUS["rk4"], plan, z, weights)[1].sum()
        gradients.append(torch.autograd.grad(loss, list(layer.parameters()), allow_unused=True))
    for by_hand, exact in zip(*gradients, strict=True):
        assert (exact is None and not by_hand.any()) or torch.allclose(by_hand, exact)


def test_the_adjoint_flow_trains_as_backprop_does() -> None:
    x = points(64, 2)
    gradients = []
    for gradient in ("backprop", "adjoint"):
        flow = random_flow("cnf", 2, 0.5, gradient=gradient, rtol=1e-8)
        flow.log_prob(x).mean().backward()
        gradients.append([p.grad for p in flow.parameters()])
    for a, b in zip(*gradients, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


# The bijection


def test_an_unrolled_flow_passes_through_the_solution() -> None:
    for options in ({"rtol": 1e-9}, {"solver": "rk4", "steps": 8}):
        flow = random_flow("cnf", 2, 1.0, layers=1, **options)
        layer = flow.bijections[0]
        z = points(10, 2)
        trace = flow.unrolled(4).trace(z)
        assert trace.states.shape == (5, 10, 2) and trace.logabsdet.shape == (4, 10)
        assert trace.names[0] == "MLP ODE, to t = 0.25"
        image, logabsdet = flow(z)
        assert torch.allclose(trace.states[-1], image, atol=1e-6)
        assert torch.allclose(trace.logabsdet.sum(0), logabsdet, atol=1e-6)
        middle = solve(layer.network.velocity, z, AdaptiveSteps(1e-9), 0.0, 0.5).states[-1]
        assert torch.allclose(trace.states[2], middle, atol=1e-3)


def test_what_runs_backwards_is_unrolled_backwards() -> None:
    flow = random_flow("cnf", 2, 1.0, layers=1, rtol=1e-9)
    backwards = Flow(flow.base, [Inverse(layer) for layer in flow.bijections])
    x = points(10, 2)
    there = backwards.unrolled(3).trace(x)
    back = flow.unrolled(3).trace_inverse(x)
    assert torch.allclose(there.states.flip(0), back.states, atol=1e-6)
    assert torch.allclose(-there.logabsdet.flip(0), back.logabsdet, atol=1e-6)
    with pytest.raises(ValueError, match="n must be a whole number ≥ 1, got 0"):
        flow.unrolled(0)


@pytest.mark.parametrize("name", ["cnf", "planar_cnf", "ffjord"])
def test_every_solver_and_gradient_of_the_catalogue(name: str) -> None:
    x = points(6, 2, dtype=torch.float32)
    for solver in ("adaptive", *TABLEAUS):
        flow = catalog.make(name, seed=0, solver=solver, steps=4)
        x_there, _ = flow(x)
        assert torch.allclose(flow.inverse(x_there)[0], x, atol=0.1)
        assert flow.transform.tolerance < 1 or solver != "adaptive"


def test_options_out_of_range() -> None:
    for options, words in (
        ({"solver": "rk5"}, "unknown solver 'rk5'; there are: adaptive, euler, midpoint, rk4"),
        ({"solver": None}, "unknown solver None"),
        ({"solver": "rk4", "steps": 0}, "steps must be a whole number ≥ 1, got 0"),
        ({"rtol": 0.0}, r"rtol must be a number between 0 and 1, got 0\.0"),
        ({"rtol": "small"}, "rtol must be"),
        ({"gradient": "magic"}, "unknown gradient 'magic'; there are: backprop, adjoint"),
    ):
        with pytest.raises(ValueError, match=words):
            catalog.make("cnf", **options)
    with pytest.raises(ValueError, match="units must be a whole number ≥ 1, got 0"):
        catalog.make("planar_cnf", units=0)
    with pytest.raises(ValueError, match="unknown solver 'rk5'; there are: euler"):
        FixedSteps("rk5")


# Flow matching


def test_flow_matching_learns_eight_gaussians() -> None:
    target = targets.make("eight_gaussians")
    flow = catalog.make("cnf", seed=0)
    trainer = Trainer(flow, flow_matching(target, 512), learning_rate=2e-2)
    (last,) = trainer.run(600, every=600)
    x = target.sample(1000, torch.Generator().manual_seed(0))
    with torch.no_grad():
        kl = (target.log_prob(x) - flow.log_prob(x)).mean()
    assert last.failure is None and -0.05 < float(kl) < 0.3


def test_layers_share_the_straight_path() -> None:
    """Fields that stand still, but for the last of three: its loss is that of its third."""
    flow = catalog.make("cnf", layers=3, seed=0).double()
    for parameter in flow.parameters():
        parameter.data.zero_()
    x, u = points(500, 2), points(500, 2).flip(0)
    still = (x - u).square().mean(-1)
    times = torch.rand(500, 3, dtype=x.dtype)
    torch.testing.assert_close(velocity_losses(flow, x, u, times), still)
    way = torch.tensor([3.0, -6.0], dtype=x.dtype)
    flow.bijections[2].network.output.bias.data.copy_(way / 3)  # a third of the time
    moved = (way - (x - u)).square().mean(-1)
    torch.testing.assert_close(velocity_losses(flow, x, u, times), (2 * still + moved) / 3)


def test_a_layer_in_stretches_is_matched_as_it_is_whole() -> None:
    flow = catalog.make("cnf", seed=0).double()
    x, u = points(500, 2), points(500, 2).flip(0)
    time = torch.rand(500, 1, dtype=x.dtype)
    whole = velocity_losses(flow, x, u, (time + 2) / 4)
    parts = velocity_losses(flow.unrolled(4), x, u, time.expand(500, 4))
    others = [velocity_losses(flow, x, u, (time + k) / 4) for k in (0, 1, 3)]
    torch.testing.assert_close(parts, sum(others, whole) / 4)


def test_flow_matching_needs_vector_fields() -> None:
    target = targets.make("two_moons")
    generator = torch.Generator()
    objective = flow_matching(target)
    for flow, words in (
        (catalog.make("real_nvp"), "continuous-time layers.*got affine coupling"),
        (catalog.make("cnf", context=1), "without context"),
    ):
        with pytest.raises(ValueError, match=words):
            objective(flow, generator)
    for batch in (0, 2.5):
        with pytest.raises(ValueError, match="batch must be"):
            flow_matching(target, batch)  # type: ignore[arg-type]


# What is not allowed


def test_an_interval_of_no_length_is_the_identity() -> None:
    z = points(4, 2)
    found = solve(pendulum, z, t0=1.0, t1=1.0)
    assert torch.equal(found.states[-1], z) and found.evaluations == 0


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda z: solve(pendulum, "x"), TypeError, "z must be"),
        (lambda z: solve(pendulum, z, "rk4"), TypeError, "solver must be a Solver"),
        (lambda z: solve(None, z), TypeError, "g must be a function"),
        (lambda z: solve(pendulum, z[0]), ValueError, "z must be"),
        (lambda z: solve(pendulum, z * math.nan), ValueError, "NaN"),
        (lambda z: solve(pendulum, z, t0=math.nan), ValueError, "t0 must be a finite"),
        (lambda z: solve(pendulum, z, t1=math.inf), ValueError, "t1 must be a finite"),
        (lambda z: solve(lambda t, z: z[:, :1], z), ValueError, "as many slopes"),
        (lambda z: solve(lambda t, z: z * math.nan, z), FloatingPointError, "NaN"),
        (lambda z: Continuous(MLPField(2), "rk4"), TypeError, "solver must be a Solver"),
        (lambda z: Continuous(MLPField(2), exact="no"), ValueError, "exact must be"),
    ],
)
def test_what_is_not_allowed_in_words(wrong, error, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=words):
        wrong(points(3, 2))


@pytest.mark.parametrize(("scale", "allowed"), [(1.0, 4e-4), (3.0, 4e-3)])
def test_orders_that_agree_by_chance_do_not_hide_an_error(scale: float, allowed: float) -> None:
    torch.manual_seed(0)
    layer = catalog.make("ffjord", 1, seed=0).double().bijections[0]
    for parameter in layer.parameters():
        parameter.data.normal_(0, scale)
    z = torch.linspace(-3, 3, 101).double()[:, None]
    with torch.no_grad():
        back = layer.inverse(layer(z)[0])[0]
    assert (back - z).abs().max() < allowed

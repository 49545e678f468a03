"""f-divergences and integral probability metrics against closed forms and quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from flowviz import objectives, training
from flowviz.flows import Flow, catalog
from flowviz.flows.distributions import FullNormal, StandardNormal, UniformBox
from flowviz.flows.linear import Diagonal
from flowviz.objectives import Estimate, f_divergences
from flowviz.training import Trainer

NAMES = f_divergences.names()
ALPHAS = (-0.5, 0.5, 2.0, 3.0)


def normal_flow(dim: int = 1, shift: float = 0.4, log_scale: float = 0.2) -> Flow:
    """q = N(shift, exp(2 log_scale))."""
    layer = Diagonal(dim)
    layer.shift.data.fill_(shift)
    layer.log_scale.data.fill_(log_scale)
    return Flow(StandardNormal(dim), [layer]).double()


def log_p(x: Tensor) -> Tensor:
    """p = N(0, 1) on the line."""
    return -0.5 * x.square().sum(-1) - 0.5 * x.shape[-1] * math.log(2 * math.pi)


def kinds() -> list[objectives.FDivergence]:
    named = [objectives.divergence(name) for name in NAMES]
    return named + [objectives.alpha_divergence(alpha) for alpha in ALPHAS]


def by_quadrature(kind: objectives.FDivergence, flow: Flow) -> list[float]:
    """∫ q f(p/q) and ∫ p (f(p/q) q/p) on a fine grid, and either with what c (r − 1) adds to f."""
    x = torch.linspace(-12, 12, 48_001, dtype=torch.float64)[:, None]
    with torch.no_grad():
        log_q = flow.log_prob(x)
        ratio, step = log_p(x) - log_q, 24 / 48_000
        q, p = log_q.exp(), log_p(x).exp()
        integrands = (q * kind.f(ratio), p * kind.f_over_r(ratio))
        integrands += (q * kind.under_q(ratio), p * kind.under_p(ratio))
        return [float(values.sum() * step) for values in integrands]


def within(estimate: Estimate, value: float, errors: float = 4.0) -> None:
    distance = abs(float(estimate.value.detach()) - value)
    assert distance <= errors * float(estimate.standard_error) + 1e-8, (estimate, value)


# f-divergences


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_all_forms_are_the_same_divergence(kind: objectives.FDivergence) -> None:
    value, *others = by_quadrature(kind, normal_flow())
    assert value > 0 and others == pytest.approx([value] * 3, rel=1e-4)
    zero = torch.zeros((), dtype=torch.float64)
    assert kind.f(zero) == kind.f_over_r(zero) == 0
    assert abs(kind.under_q(zero)) < 1e-15 and abs(kind.under_p(zero)) < 1e-15
    t = torch.linspace(-6, 6, 101, dtype=torch.float64)
    assert (kind.f(t) >= 0).all()


def test_closed_forms_of_gaussians() -> None:
    m, s = 0.4, math.exp(0.2)
    bhattacharyya = math.sqrt(2 * s / (1 + s * s)) * math.exp(-m * m / (4 * (1 + s * s)))
    # χ²(p‖q) + 1 = ∫p²/q for p = N(0, 1), q = N(m, s²), 2 s² > 1.
    chi = s * s / math.sqrt(2 * s * s - 1) * math.exp(m * m / (2 * s * s - 1)) - 1
    expected = {
        "kl": math.log(s) + (1 + m * m) / (2 * s * s) - 0.5,
        "reverse_kl": -math.log(s) + (s * s + m * m) / 2 - 0.5,
        "squared_hellinger": 1 - bhattacharyya,
        "chi_squared": chi,
    }
    for name, value in expected.items():
        assert by_quadrature(objectives.divergence(name), normal_flow())[0] == pytest.approx(value)
    half = by_quadrature(objectives.alpha_divergence(0.5), normal_flow())[0]
    assert half == pytest.approx(4 * (1 - bhattacharyya))
    two = by_quadrature(objectives.alpha_divergence(2.0), normal_flow())[0]
    assert two == pytest.approx(chi / 2)
    near_one = by_quadrature(objectives.alpha_divergence(1 + 1e-6), normal_flow())[0]
    assert near_one == pytest.approx(expected["kl"], rel=1e-4)
    # Equal variances: TV = erf(|m| / (2 √2)).
    shifted = by_quadrature(objectives.divergence("total_variation"), normal_flow(log_scale=0.0))
    assert shifted[0] == pytest.approx(math.erf(m / (2 * math.sqrt(2))), rel=1e-5)


def test_bounded_ones_stay_below_their_bounds() -> None:
    far = normal_flow(shift=6.0, log_scale=-0.5)
    js, tv, h2 = (
        by_quadrature(objectives.divergence(name), far)[0]
        for name in ("jensen_shannon", "total_variation", "squared_hellinger")
    )
    assert js == pytest.approx(math.log(2), abs=1e-2) and js <= math.log(2)
    assert tv == pytest.approx(1, abs=1e-2) and h2 == pytest.approx(1, abs=1e-1)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_estimates_from_either_side_within_their_errors(kind: objectives.FDivergence) -> None:
    torch.manual_seed(0)
    flow = normal_flow()
    value = by_quadrature(kind, flow)[0]
    within(objectives.f_divergence(kind, flow, log_p, n=100_000), value)
    x = torch.randn(100_000, 1, dtype=torch.float64)
    if kind.power > 0:
        within(objectives.f_divergence(kind, flow, log_p, x=x), value)
    else:
        with pytest.raises(ValueError, match=r"f\(0\) is infinite.*give n"):
            objectives.f_divergence(kind, flow, log_p, x=x)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_gradients_of_either_side_are_that_of_the_divergence(kind: objectives.FDivergence) -> None:
    torch.manual_seed(1)
    shift = 0.4
    ends = [by_quadrature(kind, normal_flow(shift=shift + h))[0] for h in (-1e-4, 1e-4)]
    slope = (ends[1] - ends[0]) / 2e-4
    for options in ({"n": 4000}, {"x": 4000})[: 2 if kind.power > 0 else 1]:
        gradients = []
        for _ in range(60):
            flow = normal_flow(shift=shift)
            if "x" in options:
                options = {"x": torch.randn(4000, 1, dtype=torch.float64)}
            objectives.f_divergence(kind, flow, log_p, **options).value.backward()
            gradients.append(float(flow.bijections[0].shift.grad))
        mean = torch.tensor(gradients).double()
        assert abs(float(mean.mean()) - slope) <= 4 * float(mean.std()) / math.sqrt(60) + 1e-4


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_the_variational_bound_is_tight_at_the_log_ratio_and_below_elsewhere(
    kind: objectives.FDivergence,
) -> None:
    torch.manual_seed(2)
    flow = normal_flow()
    value = by_quadrature(kind, flow)[0]
    x, y = torch.randn(200_000, 1, dtype=torch.float64), flow.sample(200_000)

    def bound(critic: Callable[[Tensor], Tensor]) -> Estimate:
        with torch.no_grad():
            return objectives.variational_bound(kind, critic, x, y)

    tight = bound(lambda x: log_p(x) - flow.log_prob(x))
    within(tight, value)
    for critic in (
        lambda x: 0.5 * (log_p(x) - flow.log_prob(x)),
        lambda x: log_p(x) - flow.log_prob(x) + 0.5 * torch.sin(3 * x.squeeze(-1)),
    ):
        other = bound(critic)
        assert float(other.value) < value + 4 * float(other.standard_error)
    assert float(bound(lambda x: torch.zeros(len(x)).double()).value) == 0


def test_a_discriminator_learns_the_divergence_and_trains_a_flow() -> None:
    torch.manual_seed(0)
    flow = normal_flow(2, shift=1.5, log_scale=0.3).float()
    start = float(flow.bijections[0].shift.detach().norm())

    def sample(n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, 2, generator=generator)

    objective = training.Adversarial(
        "jensen_shannon", sample, training.Discriminator(2, 32), batch=256
    )
    trainer = Trainer(flow, objective, learning_rate=2e-2, seed=0)
    first, *_, last = trainer.run(150)
    assert first.loss > 0.05 > last.loss
    assert float(flow.bijections[0].shift.detach().norm()) < 0.25 * start
    assert float(flow.bijections[0].log_scale.detach().abs().max()) < 0.25


# Integral probability metrics


def test_mmd_of_gaussians_is_its_closed_form_and_unbiased() -> None:
    """E k(x, y) of N(0, 1) and N(m, 1) is σ/√(σ² + 2) e^{−m²/(2(σ² + 2))}."""
    torch.manual_seed(0)
    σ, m = 0.7, 0.8
    expected = 2 * σ / math.sqrt(σ**2 + 2) * (1 - math.exp(-(m**2) / (2 * (σ**2 + 2))))
    draws = [
        objectives.mmd(torch.randn(200, 1).double(), m + torch.randn(200, 1).double(), [σ])
        for _ in range(300)
    ]
    values = torch.stack([e.value for e in draws])
    assert abs(float(values.mean()) - expected) < 4 * float(values.std()) / math.sqrt(300)
    stated = torch.stack([e.standard_error for e in draws]).square().mean().sqrt()
    assert float(stated) == pytest.approx(float(values.std()), rel=0.2)


def test_standard_error_where_the_two_agree() -> None:
    """The statistic degenerates there: its first-order variance is zero."""
    torch.manual_seed(0)
    draws = [objectives.mmd(torch.randn(100, 2), torch.randn(100, 2)) for _ in range(300)]
    values = torch.stack([e.value for e in draws])
    stated = torch.stack([e.standard_error for e in draws]).square().mean().sqrt()
    assert abs(float(values.mean())) < 4 * float(values.std()) / math.sqrt(300)
    assert 0.7 < float(stated) / float(values.std()) < 1.6
    assert (values < 0).any(), "unbiased means below zero at times"


def test_energy_distance_of_two_gaussians() -> None:
    """2 E|X − Y| − 2 E|X − X′| with X − Y ~ N(m, 2): folded normal means."""
    torch.manual_seed(0)
    m = 1.0
    folded = 2 / math.sqrt(math.pi) * math.exp(-(m**2) / 4) + m * math.erf(m / 2)
    expected = 2 * folded - 4 / math.sqrt(math.pi)
    x, y = torch.randn(3000, 1).double(), m + torch.randn(3000, 1).double()
    within(objectives.energy_distance(x, y), expected)
    leaf = x.clone().requires_grad_()
    objectives.energy_distance(leaf, leaf.detach()).value.backward()
    assert leaf.grad.isfinite().all()


def test_wasserstein_on_the_line_is_the_area_between_the_distribution_functions() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(50).double(), 1 + 2 * torch.rand(50).double()
    at = torch.cat([x, y]).sort().values
    gap = (x[:, None] <= at).double().mean(0) - (y[:, None] <= at).double().mean(0)
    area = (gap[:-1].abs() * at.diff()).sum()
    assert float(objectives.wasserstein_1d(x, y).value) == pytest.approx(float(area))
    # Of shifted copies it is the shift.
    assert float(objectives.wasserstein_1d(x, x + 3).value) == pytest.approx(3)
    draws = [
        objectives.wasserstein_1d(torch.randn(400).double(), 1.5 + torch.randn(400).double())
        for _ in range(200)
    ]
    values = torch.stack([e.value for e in draws])
    stated = torch.stack([e.standard_error for e in draws]).mean()
    assert abs(float(values.mean()) - 1.5) < 4 * float(values.std()) / math.sqrt(200)
    assert float(stated) == pytest.approx(float(values.std()), rel=0.2)


def test_of_one_sample_the_error_is_unknown(recwarn: pytest.WarningsRecorder) -> None:
    one = torch.ones(1, 2)
    estimate = objectives.sliced_wasserstein(one, 2 * one)
    assert estimate.value > 0 and estimate.standard_error.isnan() and not recwarn


@pytest.mark.parametrize("order", [1, 2])
def test_sliced_wasserstein_of_shifted_samples(order: int) -> None:
    """Shifted by a they are E|θᵀa|^p apart: |a|²/D for p = 2, 2|a|/π in the plane for p = 1."""
    torch.manual_seed(0)
    x, a = torch.randn(300, 2).double(), torch.tensor([1.2, -0.5]).double()
    expected = float(a.square().sum()) / 2 if order == 2 else 2 * float(a.norm()) / math.pi
    got = objectives.sliced_wasserstein(x, x + a, order=order, projections=20_000)
    assert float(got.value) == pytest.approx(expected, rel=0.02)
    draws = [
        objectives.sliced_wasserstein(
            torch.randn(300, 2).double(), a + torch.randn(300, 2).double(), order=order
        )
        for _ in range(150)
    ]
    values = torch.stack([e.value for e in draws])
    stated = torch.stack([e.standard_error for e in draws]).mean()
    # The directions are redrawn each time, which adds a little that the samples do not.
    assert float(stated) == pytest.approx(float(values.std()), rel=0.35)


@pytest.mark.parametrize(
    "metric",
    [
        lambda x, y: objectives.mmd(x, y).value,
        lambda x, y: objectives.energy_distance(x, y).value,
        lambda x, y: (
            objectives.sliced_wasserstein(x, y, generator=torch.Generator().manual_seed(0)).value
        ),
    ],
    ids=["mmd", "energy", "sliced"],
)
def test_metrics_train_a_flow_and_their_gradients_are_right(metric) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(7, 2).double().requires_grad_(), torch.randn(7, 2).double()
    assert torch.autograd.gradcheck(lambda x: metric(x, y), (x,))

    def objective(flow: Flow, generator: torch.Generator) -> Estimate:
        draws, _ = flow.rsample_and_log_prob(256, generator=generator)
        data = torch.randn(256, 2, generator=generator) * 0.5 + 1.0
        value = metric(draws, data)
        return Estimate(value, value.detach() * 0)

    flow = catalog.make("actnorm", layers=1, seed=0)
    list(Trainer(flow, objective, learning_rate=3e-2, seed=0).run(200))
    assert torch.allclose(flow.bijections[0].shift.detach(), torch.ones(2), atol=0.15)
    assert torch.allclose(
        flow.bijections[0].log_scale.exp().detach(), torch.full((2,), 0.5), atol=0.15
    )


# Duality


def test_the_divergence_is_the_same_on_both_sides() -> None:
    torch.manual_seed(0)
    target = FullNormal(2).double()
    for name in ("rq_spline_coupling", "glow", "maf"):
        flow = catalog.make(name, layers=2, hidden=(16,), seed=3).double().eval()
        for parameter in flow.parameters():
            parameter.data.add_(0.3 * torch.randn_like(parameter))
        result = objectives.kl_duality(
            flow, target.log_prob, target.sample(20_000), target.sample(20_000)
        )
        gap = float(result.data.value - result.base.value)
        error = math.hypot(float(result.data.standard_error), float(result.base.standard_error))
        assert float(result.data.value) > 0.02 and abs(gap) <= 4 * error


# What is wrong


def test_bad_input() -> None:
    flow = normal_flow()
    with pytest.raises(ValueError, match=r"unknown f-divergence 'jensen_shanon'.*Did you mean"):
        objectives.divergence("jensen_shanon")
    for alpha in (0, 1, math.nan, math.inf):
        with pytest.raises(ValueError, match="neither 0"):
            objectives.alpha_divergence(alpha)
    with pytest.raises(ValueError, match="either n"):
        objectives.f_divergence("kl", flow, log_p)
    with pytest.raises(ValueError, match="either n"):
        objectives.f_divergence("kl", flow, log_p, n=3, x=torch.zeros(2, 1))
    for n in (0, -1, 2.5):
        with pytest.raises(ValueError, match="whole number ≥ 1"):
            objectives.f_divergence("kl", flow, log_p, n=n)
    with pytest.raises(ValueError, match=r"x must be \[N, D\], N ≥ 1; got \[0, 1\]"):
        objectives.f_divergence("kl", flow, log_p, x=torch.zeros(0, 1))
    with pytest.raises(ValueError, match="must map points"):
        objectives.f_divergence("kl", flow, lambda x: x, n=4)
    a, b = torch.zeros(5, 2), torch.zeros(4, 2)
    for metric in (objectives.mmd, objectives.energy_distance, objectives.sliced_wasserstein):
        with pytest.raises(ValueError, match="one shape and dtype"):
            metric(a, b)
    with pytest.raises(ValueError, match="N ≥ 2"):
        objectives.mmd(a[:1], a[:1])
    with pytest.raises(ValueError, match="bandwidths"):
        objectives.mmd(a, a, [0.0])
    with pytest.raises(ValueError, match=r"x must be \[N\]"):
        objectives.wasserstein_1d(a, a)
    for options in ({"order": 3}, {"projections": 0}):
        with pytest.raises(ValueError, match="must be"):
            objectives.sliced_wasserstein(a, a, **options)
    with pytest.raises(ValueError, match="N ≥ 1"):
        objectives.variational_bound("kl", lambda x: x.sum(-1), a[:0], a)
    with pytest.raises(ValueError, match="steps must be"):
        training.Adversarial("kl", lambda n, g: a, training.Discriminator(2), steps=0)
    with pytest.raises(ValueError, match="N ≥ 2"):
        objectives.kl_duality(flow, log_p, torch.zeros(1, 1), torch.zeros(5, 1))


# Where a density is 0

LIMITS = {
    # f(0) and the limit of f(r)/r as r → ∞: what f and f_over_r are there.
    "kl": (1.0, math.inf),
    "reverse_kl": (math.inf, 1.0),
    "jensen_shannon": (0.5 * math.log(2), 0.5 * math.log(2)),
    "squared_hellinger": (0.5, 0.5),
    "total_variation": (0.5, 0.5),
    "chi_squared": (1.0, math.inf),
    "alpha(-0.5)": (math.inf, 1 / 1.5),
    "alpha(0.5)": (2.0, 2.0),
    "alpha(2)": (0.5, math.inf),
    "alpha(3)": (1 / 3, math.inf),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_limits_and_their_gradients(kind: objectives.FDivergence, dtype: torch.dtype) -> None:
    at_zero, at_infinity = LIMITS[kind.name]
    t_inf = torch.tensor(math.inf, dtype=dtype)
    # −log r and log r reach their limit slowly: at a ratio of e^∓800 they are 800.
    slow = {("reverse_kl", "f"): 799.0, ("kl", "f_over_r"): 799.0}
    for name, sign, limit in (("f", -1, at_zero), ("f_over_r", 1, at_infinity)):
        t = sign * torch.tensor([90.0, 800.0, 5000.0, math.inf], dtype=dtype)
        values = getattr(kind, name)(t)
        assert float(values[3]) == pytest.approx(limit)
        if math.isfinite(limit):
            assert torch.allclose(values, torch.full_like(values, limit))
        elif (kind.name, name) in slow:
            assert float(values[1]) == pytest.approx(slow[kind.name, name])
        # To the other side f grows without bound.
        assert (getattr(kind, name)(-t[2:]) == math.inf).all()
        t = t[values.isfinite()].requires_grad_()
        (gradient,) = torch.autograd.grad(getattr(kind, name)(t).sum(), t)
        assert gradient.isfinite().all()
    moderate = torch.linspace(-3, 3, 61, dtype=dtype)
    ratio = kind.f(moderate) / kind.f_over_r(moderate)
    assert torch.allclose(ratio[moderate.abs() > 0.5], moderate[moderate.abs() > 0.5].exp())
    # What the means are taken of is f with c (r − 1) added, by which the other's limit counts.
    r, c = moderate.exp(), at_infinity if math.isfinite(at_infinity) else 0.0
    assert torch.allclose(kind.under_q(moderate), kind.f(moderate) - c * (r - 1), atol=1e-5)
    c = at_zero if math.isfinite(at_zero) else 0.0
    assert torch.allclose(
        kind.under_p(moderate), kind.f_over_r(moderate) + c * (1 - 1 / r), atol=1e-4
    )
    for mean in (kind.under_q(-t_inf), kind.under_p(t_inf)):
        assert not mean.isnan()
        if math.isfinite(at_zero) and math.isfinite(at_infinity):
            assert float(mean) == pytest.approx(at_zero + at_infinity)


def half_as_wide(x: Tensor) -> Tensor:
    """Uniform on [−½, ½]."""
    return torch.where((x.abs() < 0.5).all(-1), 0.0, -math.inf)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_a_target_that_ends_within_the_flow(kind: objectives.FDivergence) -> None:
    """Its mass is under half of the flow's, there at a ratio of 2: D = ½ f(2) + ½ f(0)."""
    torch.manual_seed(0)
    layer = Diagonal(1)
    flow = Flow(UniformBox(1, -1.0, 1.0), [layer]).double()
    log_2 = torch.tensor(math.log(2.0), dtype=torch.float64)
    at_zero, at_infinity = LIMITS[kind.name]
    expected = 0.5 * float(kind.f(log_2)) + 0.5 * at_zero
    estimate = objectives.f_divergence(kind, flow, half_as_wide, n=20_000)
    error = float(estimate.standard_error)
    assert not math.isnan(error)
    if math.isfinite(expected):
        assert abs(float(estimate.value.detach()) - expected) < 4 * error + 1e-6
        estimate.value.backward()
        assert layer.log_scale.grad.isfinite().all()
    else:
        assert float(estimate.value.detach()) == error == math.inf
    # From samples of the target, which see nothing of the flow's other half.
    if kind.power > 0:
        x = torch.rand(20_000, 1, dtype=torch.float64) - 0.5
        within(objectives.f_divergence(kind, flow, half_as_wide, x=x), expected)
    # The other way round, half of the target lies outside of the flow.
    narrow = Flow(UniformBox(1, -0.5, 0.5), [Diagonal(1)]).double()
    x = 2 * torch.rand(20_000, 1, dtype=torch.float64) - 1

    def twice_as_wide(x: Tensor) -> Tensor:
        return torch.where((x.abs() < 1).all(-1), -math.log(2), -math.inf)

    expected = 0.5 * float(kind.f_over_r(-log_2)) + 0.5 * at_infinity
    if kind.power > 0:
        estimate = objectives.f_divergence(kind, narrow, twice_as_wide, x=x)
        error = float(estimate.standard_error)
        assert not math.isnan(error)
        if math.isfinite(expected):
            assert abs(float(estimate.value.detach()) - expected) < 4 * error + 1e-6
        else:
            assert float(estimate.value.detach()) == error == math.inf
    # From draws of the flow, which never meet that half.
    if math.isfinite(expected):
        within(objectives.f_divergence(kind, narrow, twice_as_wide, n=20_000), expected)
    else:
        with pytest.raises(
            FloatingPointError, match=r"draws of the flow meet 0\.5 ± .*give samples"
        ):
            objectives.f_divergence(kind, narrow, twice_as_wide, n=20_000)


def test_a_density_that_is_nan_is_said_to_be() -> None:
    flow = normal_flow()

    def undefined(x: Tensor) -> Tensor:
        return x.squeeze(-1).sqrt()

    x = torch.tensor([[1.0], [-1.0], [2.0]], dtype=torch.float64)
    with pytest.raises(FloatingPointError, match="log_prob is NaN at 1 and infinite at 0 of 3"):
        objectives.f_divergence("kl", flow, undefined, x=x)
    with pytest.raises(FloatingPointError, match="log_prob is NaN at"):
        objectives.f_divergence("jensen_shannon", flow, undefined, n=50)
    with pytest.raises(FloatingPointError, match="log_density is NaN at"):
        objectives.reverse_kl(flow, undefined, 50)
    with pytest.raises(FloatingPointError, match="log_prob is NaN at 1"):
        objectives.kl_duality(flow, undefined, x, x)
    # Points where the target has no density are no samples of it.
    box = Flow(UniformBox(1), [Diagonal(1)]).double()
    for estimate in (
        lambda x: objectives.f_divergence("kl", box, half_as_wide, x=x),
        lambda x: objectives.kl_duality(box, half_as_wide, x, x),
    ):
        with pytest.raises(ValueError, match="log_prob is −∞ at 1 of 3 samples"):
            estimate(x.abs() - 0.9)


def test_a_divergence_below_0_is_no_estimate() -> None:
    flow, x = normal_flow(), torch.randn(500, 1, dtype=torch.float64)
    for estimate in (
        lambda log_prob: objectives.f_divergence("kl", flow, log_prob, x=x),
        lambda log_prob: objectives.kl_duality(flow, log_prob, x[:250], x[250:]),
    ):
        estimate(log_p)
        with pytest.raises(FloatingPointError, match="no divergence is below 0: log_prob or"):
            estimate(lambda x: log_p(x) - 3)


def test_a_failure_of_a_density_ends_a_training() -> None:
    flow = normal_flow()

    def undefined(x: Tensor) -> Tensor:
        return x.squeeze(-1).sqrt()

    trainer = Trainer(
        flow,
        lambda flow, generator: objectives.reverse_kl(flow, undefined, 50, generator=generator),
        seed=0,
    )
    assert "log_density is NaN at" in trainer.step().failure


def test_terms_of_an_estimate() -> None:
    for bad in ("a", [1.0, 2.0], torch.tensor([1, 2])):
        with pytest.raises(TypeError, match="terms must be a"):
            Estimate.of(bad)
    for shape in ((), (0,), (3, 1)):
        with pytest.raises(ValueError, match=r"terms must be \[N\]"):
            Estimate.of(torch.zeros(shape))
    infinite = Estimate.of(torch.tensor([1.0, math.inf, 2.0]))
    assert infinite.value == infinite.standard_error == math.inf


def test_a_discriminator_has_a_width() -> None:
    for sizes in ((2, 0), (0, 4), (2, 2.5)):
        with pytest.raises(ValueError, match="must be a whole number ≥ 1"):
            training.Discriminator(*sizes)

"""Maps to two modes: their slopes, masses and divergences against other ways to the same."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from flowviz.two_modes import Affine, Capped, Discs, Gaussians, Map, Table

DRAWS = 10_000
MAPS = {
    "capped at 1.5": lambda target: Capped(target, 1.5),
    "capped at 8": lambda target: Capped(target, 8.0),
    "capped at 300": lambda target: Capped(target, 300.0),
    "8 cells": lambda target: Table(target, 8),
    "128 cells": lambda target: Table(target, 128),
    "affine": Affine,
}
TARGETS = {
    "far Gaussians": Gaussians(6.0, 0.5),
    "near Gaussians": Gaussians(3.4, 0.4),
    "far discs": Discs(6.0, 0.5),
    "touching discs": Discs(2.0, 0.7),
}
EACH = pytest.mark.parametrize(
    ("target", "make"),
    [
        pytest.param(target, make, id=f"{a}, {b}")
        for (a, target), (b, make) in itertools.product(TARGETS.items(), MAPS.items())
    ],
)


def base(count: int = DRAWS, seed: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 2, generator=generator, dtype=torch.float64)


def line(low: float, high: float, count: int = 4_001) -> Tensor:
    return torch.linspace(low, high, count, dtype=torch.float64)


def within(estimate, value: float, errors: float = 4.0) -> bool:
    return abs(float(estimate.value) - value) <= errors * float(estimate.standard_error) + 1e-5


def test_the_exact_map_needs_the_slope_of_17_nats_in_the_middle():
    exact = Capped(Gaussians(apart=6.0, width=0.5))
    closed = math.log(0.5) + 3.0**2 / (2 * 0.5**2)  # s exp(m²/2s²) = φ(0)/q(0)
    assert closed == pytest.approx(17.307, abs=1e-3)
    assert exact.needed == pytest.approx(closed, abs=1e-12)
    assert exact.largest_log_slope == exact.needed
    assert math.exp(exact.needed) == pytest.approx(3.28e7, rel=1e-3)
    # By differences: between x = ±1e-3 the base has next to no room.
    ends = exact.inverse(torch.tensor([-1e-3, 1e-3], dtype=torch.float64))
    assert math.log(2e-3 / float(ends.diff())) == pytest.approx(closed, abs=1e-4)
    u = line(-3, 3)
    assert float(exact.log_slope(u, exact.forward(u)).max()) == pytest.approx(closed, abs=1e-9)
    assert exact.kl() == 0


@EACH
def test_the_share_by_its_closed_form_is_the_share_of_the_samples(target, make):
    map_ = make(target)
    x, _ = map_.carry(base())
    for half in (0.3, 1.2, target.m):
        share = map_.share(half)
        error = math.sqrt(share * (1 - share) / DRAWS)
        counted = float((x[:, 0].abs() < half).double().mean())
        assert abs(counted - share) <= 4 * error + 1e-6, half


@EACH
def test_autodiffs_determinant_is_the_slope(target, make):
    map_ = make(target)
    u = base(400)
    x, log_slopes = map_.carry(u)
    # The inverse along the axis has a closed form, which autodiff goes through.
    along = x[:, 0].clone().requires_grad_()
    (slope,) = torch.autograd.grad(map_.inverse(along).sum(), along)
    fine = log_slopes[:, 0] < 12
    torch.testing.assert_close(-slope.log()[fine], log_slopes[fine, 0], atol=1e-5, rtol=1e-5)
    # And in the plane, by differences.
    step = 1e-5
    shifts = step * torch.eye(2, dtype=torch.float64)
    columns = [(map_.carry(u + d)[0] - map_.carry(u - d)[0]) / (2 * step) for d in shifts]
    det = columns[0][:, 0] * columns[1][:, 1] - columns[0][:, 1] * columns[1][:, 0]
    off = (det.log() - log_slopes.sum(1)).abs()
    assert float(off.quantile(0.95)) < 1e-3, "save at kinks"


@EACH
def test_it_is_a_density_and_an_increasing_map(target, make):
    map_ = make(target)
    end = target.end if not isinstance(map_, Affine) else 9 * map_.scale
    x = line(-end, end, 80_001)
    total = torch.trapezoid(map_.log_density(x).exp(), x)
    assert float(total) == pytest.approx(1, abs=3e-4)
    u = line(-5, 5, 501)
    there = map_.forward(u)
    assert bool((there.diff() > 0).all())
    torch.testing.assert_close(map_.inverse(there), u, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(there, -there.flip(0), atol=1e-7, rtol=0)
    finite = map_.largest_log_slope
    seen = map_.log_slope(u, there)
    assert float(seen.max()) <= finite + 1e-9


@EACH
def test_kl_by_quadrature_is_kl_from_samples(target, make):
    map_ = make(target)
    assert within(map_.kl_sampled(DRAWS, seed=5), map_.kl())


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_larger_cap_leaves_less_of_a_bridge_and_of_the_divergence(target):
    maps = [Capped(target, cap) for cap in (1.0, 1.5, 2, 4, 8, 16, 100, 1e3, 1e5)]
    half = target.bridge or 0.2
    shares, kls = [m.share(half) for m in maps], [m.kl() for m in maps]
    exact = Capped(target)
    binding = [m for m in maps if math.log(m.cap) < exact.needed]
    count = len(binding)
    assert count >= 4
    assert shares[:count] == sorted(shares[:count], reverse=True)
    assert kls[:count] == sorted(kls[:count], reverse=True)
    assert all(m.largest_log_slope == pytest.approx(math.log(m.cap)) for m in binding)
    assert all(m.kl() == 0 and m.edge == 0 for m in maps[count:])


def objective(target, g: Tensor, slopes: Tensor, nodes: Tensor, weights: Tensor) -> Tensor:
    """E_q[g²/2 − log g′], which is KL(p*‖p) but for a constant."""
    return (weights * (g**2 / 2 - slopes.log())).sum()


@pytest.mark.parametrize(("name", "cap"), [("far Gaussians", 4.0), ("near Gaussians", 2.0)])
def test_no_other_increasing_map_under_the_cap_comes_closer(name, cap):
    """A discrete g′ = 1/L + something positive, descended numerically: it knows nothing of x*."""
    target = TARGETS[name]
    step = 0.01
    nodes = torch.arange(0, target.m + 5 * target.s, step, dtype=torch.float64) + step / 2
    weights = 2 * step * target.log_density(nodes).exp()
    free = torch.zeros_like(nodes, requires_grad=True)

    def value() -> Tensor:
        slopes = 1 / cap + softplus(free)
        g = slopes.cumsum(0) * step - slopes * step / 2
        return objective(target, g, slopes, nodes, weights)

    optimizer = torch.optim.LBFGS(
        [free], max_iter=300, history_size=30, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = value()
        loss.backward()
        return loss

    optimizer.step(closure)
    constant = float((weights * (target.log_density(nodes) + math.log(2 * math.pi) / 2)).sum())
    found = float(value().detach()) + constant
    best = Capped(target, cap).kl()
    assert found == pytest.approx(best, abs=2e-3)
    assert best < found + 1e-4


def test_discs_have_nothing_between_them_and_no_finite_slope():
    target = Discs(6.0, 0.5)
    torn = Capped(target)
    assert math.isinf(torn.needed) and math.isinf(torn.largest_log_slope)
    assert torn.share(target.bridge) == target.share(target.bridge) == 0
    assert torn.kl() == pytest.approx(0, abs=1e-12)
    sides = torn.forward(torch.tensor([-1e-9, 1e-9], dtype=torch.float64))
    assert float(sides.diff()) > 2 * target.bridge - 1e-4, "it jumps"
    for cap in (10.0, 1e3):
        capped = Capped(target, cap)
        # In the bridge the model is the base, spread out L times.
        assert capped.share(target.bridge) == pytest.approx(
            math.erf(target.bridge / cap / math.sqrt(2)), rel=1e-9
        )
        assert capped.kl() >= -math.log1p(-capped.share(target.bridge))


def test_discs_are_uniform():
    target = Discs(6.0, 0.5)
    x = target.sample(DRAWS, torch.Generator().manual_seed(0))
    centred = torch.stack([x[:, 0].abs() - target.m, x[:, 1]], -1)
    distances = centred.norm(dim=-1)
    assert float(distances.max()) <= target.radius
    assert float((distances < target.radius / 2).double().mean()) == pytest.approx(0.25, abs=0.01)
    density = -math.log(2 * math.pi * target.radius**2)
    torch.testing.assert_close(target.log_prob(x), torch.full((DRAWS,), density).double())
    outside = torch.tensor([[3.0, 1.01], [0.0, 0.0]], dtype=torch.float64)
    assert bool(torch.isinf(target.log_prob(outside)).all())
    for half in (2.2, 3.0, 3.7):
        counted = float((x[:, 0].abs() < half).double().mean())
        assert target.share(half) == pytest.approx(counted, abs=0.01)


def test_a_finer_table_is_closer_with_the_square_of_its_cells():
    target = Gaussians(6.0, 0.5)
    kls = {n: Table(target, n).kl() for n in (8, 32, 128, 512)}
    assert kls[8] > kls[32] > kls[128] > kls[512] > 0
    assert math.log(kls[512] / kls[128]) / math.log(4) == pytest.approx(-2, abs=0.03)
    # h²/24 ∫ q′²/q, with ∫ q′²/q = 1/s² for modes so far apart.
    step = 2 * target.tabulated / 512
    assert kls[512] == pytest.approx(step**2 / 24 / target.s**2, rel=0.02)
    discs = [Table(Discs(6.0, 0.5), n).kl() for n in (8, 32, 128)]
    assert discs[0] > discs[1] > discs[2] > 0


@pytest.mark.parametrize("cells", [8, 32, 128])
def test_a_table_has_the_targets_mass_in_every_cell(cells):
    target = Gaussians(6.0, 0.5)
    table = Table(target, cells)
    edges = table.step * torch.arange(1, cells // 2 + 1, dtype=torch.float64)
    for edge in edges.tolist():
        assert table.share(edge) == pytest.approx(target.share(edge), rel=1e-9)


def test_the_affine_layer_is_the_gaussian_with_the_targets_moments():
    target = Gaussians(6.0, 0.5)
    affine = Affine(target)
    x = target.sample(DRAWS, torch.Generator().manual_seed(1))
    assert affine.scale == pytest.approx(float(x[:, 0].std()), rel=0.01)
    # KL of a mixture from the Gaussian with its moments: the difference of their entropies.
    x = line(-9, 9, 40_001)
    q = target.log_density(x)
    entropy = -float(torch.trapezoid(q.exp() * q, x))
    assert affine.kl() == pytest.approx(
        math.log(2 * math.pi * math.e * affine.scale**2) / 2 - entropy, abs=1e-6
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Gaussians(0.0, 0.5), "positive"),
        (lambda: Discs(2.0, -1.0), "positive"),
        (lambda: Capped(Gaussians(6.0, 0.5), 0.4), "above s"),
        (lambda: Table(Gaussians(6.0, 0.5), 7), "even"),
    ],
)
def test_what_cannot_be_is_refused_in_words(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_far_and_narrow_modes_do_not_underflow():
    exact = Capped(Gaussians(8.0, 0.3))
    assert exact.needed == pytest.approx(math.log(0.3) + 16 / 0.18, rel=1e-12)
    u = torch.tensor([1e-12, 1e-6, 0.01, 3.0], dtype=torch.float64)
    there: Tensor = exact.forward(u)
    assert bool((there.diff() > 0).all())
    torch.testing.assert_close(exact.inverse(there), u, atol=0, rtol=1e-6)
    assert isinstance(exact, Map)

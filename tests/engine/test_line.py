"""Maps of the line: the spline through given knots against the engine's own, and its folds."""

from __future__ import annotations

import math

import pytest
import torch

from flowviz.flows.autoregressive.transformers import RationalQuadraticSpline
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.line import Pushforward, spline_through

RISING = [(-2.0, -2.4), (-1.0, -1.5), (0.5, -0.8), (1.0, 0.8), (2.0, 2.4)]
FOLDED = [(-2.0, -2.0), (-1.0, 1.5), (0.0, 0.0), (1.0, -1.5), (2.0, 2.0)]
B = 4.0


def test_through_the_knots_of_parameters_it_is_the_transformer():
    spline = RationalQuadraticSpline(6, B)
    h = torch.randn(17, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z = torch.linspace(-B, B, 501, dtype=torch.float64)
    image, log_slope = spline(z, h.expand(501, -1))
    through, slope = spline.through(z, spline.knots(h))
    torch.testing.assert_close(through, image, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(slope.log(), log_slope, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("points", [RISING, FOLDED])
def test_it_goes_through_its_points_with_the_slope_of_autodiff(points):
    T = spline_through(points, B)
    u, x = torch.tensor(points, dtype=torch.float64).T
    torch.testing.assert_close(T(u)[0], x)
    z = torch.linspace(-5, 5, 999, dtype=torch.float64, requires_grad=True)
    image, slope = T(z)
    (by_autodiff,) = torch.autograd.grad(image.sum(), z)
    torch.testing.assert_close(slope, by_autodiff, rtol=1e-9, atol=1e-9)
    outside = z.abs() > B
    torch.testing.assert_close(image[outside], z[outside])
    assert bool((slope > 0).all()) == (points is RISING)


def test_it_turns_where_its_knots_do_alone():
    T = spline_through(FOLDED, B)
    u = torch.linspace(-3.99, 3.99, 4001, dtype=torch.float64)
    falls = T(u)[1] < 0
    torch.testing.assert_close(falls, (u > -1) & (u < 1))


@pytest.mark.parametrize("points", [RISING, FOLDED])
def test_more_edges_than_turns_change_nothing(points):
    """Not even at an edge, where two pieces meet and one u is on both."""
    base, T = StandardNormal(1).double(), spline_through(points, B)
    turns = [] if points is RISING else [-1.0, 1.0]
    few, more = (
        Pushforward(base, torch.special.ndtr, T, (-6.5, *inner, 6.5))
        for inner in (turns, [u for u, _ in points])
    )
    assert few.folds == more.folds == (points is FOLDED)
    u = torch.cat([torch.linspace(-3, 3, 101, dtype=torch.float64), more._edges])
    x = T(u)[0]
    u, x = (of[(u.abs() - 1).abs() > 1e-6] for of in (u, x))  # where it turns p is infinite
    torch.testing.assert_close(few.prob(x), more.prob(x), rtol=1e-9, atol=1e-15)
    torch.testing.assert_close(few.mass(x - 0.1, x + 0.1), more.mass(x - 0.1, x + 0.1))


def test_where_it_turns_its_density_is_infinite():
    push = Pushforward(
        StandardNormal(1).double(),
        torch.special.ndtr,
        spline_through(FOLDED, B),
        (-6.5, *(u for u, _ in FOLDED), 6.5),
    )
    u = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    x, slope = push.function(u)
    assert slope.tolist() == [0, 0] and push.prob(x).tolist() == [math.inf, math.inf]
    found = push.preimages(x)
    assert all(float(there) in found[:, i].tolist() for i, there in enumerate(u))


def test_its_inverse_and_its_density_are_those_of_the_flow():
    spline = RationalQuadraticSpline(6, B)
    h = torch.randn(17, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    knots, base = spline.knots(h), StandardNormal(1).double()
    push = Pushforward(base, torch.special.ndtr, lambda u: spline.through(u, knots), (-8.0, 8.0))
    x = torch.linspace(-3.9, 3.9, 101, dtype=torch.float64)
    u, log_slope = spline.inverse(x, h.expand(101, -1))
    torch.testing.assert_close(push.preimages(x)[0], u, rtol=1e-9, atol=1e-9)
    density = (base.log_prob(u[:, None]) + log_slope).exp()
    torch.testing.assert_close(push.prob(x), density, rtol=1e-9, atol=1e-12)
    assert push.areas().density == pytest.approx(1, abs=1e-5)


def test_a_mass_is_that_of_all_the_pieces():
    base = StandardNormal(1).double()
    push = Pushforward(base, torch.special.ndtr, lambda u: (u.square(), 2 * u), (-8.0, 0.0, 8.0))
    low, high = torch.tensor([[0.25], [1.0]], dtype=torch.float64)
    wanted = math.erf(1 / math.sqrt(2)) - math.erf(0.5 / math.sqrt(2))
    assert float(push.mass(low, high)) == pytest.approx(wanted, rel=1e-9)
    assert float(push.mass(low - 9, high - 9)) == 0
    assert push.carried(0.0, 8.0) == pytest.approx(0.5, rel=1e-6)


def test_knots_that_make_no_map_are_refused():
    for points in ([(0.0, 0.0), (0.0, 1.0)], [(0.0, 1.0), (1.0, 1.0)], [(-5.0, 0.0)]):
        with pytest.raises(ValueError, match="rising u inside ±4"):
            spline_through(points, B)

"""Quadrature against closed forms, and its error estimates against its true errors."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from flowviz.grid import Grid2D, LogDensity


def gaussian(mean: list[float], covariance: list[list[float]]) -> MultivariateNormal:
    return MultivariateNormal(torch.tensor(mean).double(), torch.tensor(covariance).double())


P = gaussian([0.3, -0.2], [[1.0, 0.5], [0.5, 0.8]])
Q = gaussian([-0.5, 0.4], [[1.5, -0.3], [-0.3, 0.9]])


def grid(resolution: int = 200, half: float = 8.0) -> Grid2D:
    return Grid2D((-half, half, -half, half), resolution, dtype=torch.float64)


def test_points_are_cell_centres_in_image_order() -> None:
    g = Grid2D((0, 4, 10, 18), 4)
    assert g.points.shape == (16, 2) and g.cell_area == 2.0
    assert g.points[0].tolist() == [0.5, 11.0]
    assert g.points[1].tolist() == [1.5, 11.0]
    assert g.points[4].tolist() == [0.5, 13.0]
    assert g.points.dtype == torch.get_default_dtype()
    assert g.x.tolist() == [0.5, 1.5, 2.5, 3.5] and g.y.tolist() == [11.0, 13.0, 15.0, 17.0]


def test_integral_of_a_density_is_one() -> None:
    value, error = grid().integrate(P.log_prob)
    assert abs(value - 1) < 1e-9 and error < 1e-9
    assert grid().outside(P.log_prob) < 1e-9
    log_value, log_error = grid().log_integral(lambda x: P.log_prob(x) - 1000.0)
    assert log_value == pytest.approx(-1000, abs=1e-9) and log_error < 1e-9


def test_mass_outside_the_window() -> None:
    normal = gaussian([0, 0], [[1, 0], [0, 1]])
    inside = math.erf(1 / math.sqrt(2)) ** 2
    assert grid(400, half=1.0).outside(normal.log_prob) == pytest.approx(1 - inside, abs=1e-5)


@pytest.mark.parametrize("p, q", [(P, Q), (Q, P), (P, P)])
@pytest.mark.parametrize("resolution", [60, 200])
def test_kl_of_gaussians(p: MultivariateNormal, q: MultivariateNormal, resolution: int) -> None:
    value, error = grid(resolution).kl(p.log_prob, q.log_prob)
    truth = float(kl_divergence(p, q))
    assert value == pytest.approx(truth, abs=1e-7)
    assert error < 1e-5


def test_kl_takes_tensors_or_functions() -> None:
    g = grid()
    p, q = P.log_prob(g.points), Q.log_prob(g.points)
    assert g.kl(p, q) == g.kl(P.log_prob, Q.log_prob) == g.kl(p.reshape(200, 200), Q.log_prob)


def test_the_error_covers_the_truth_on_a_coarse_grid() -> None:
    narrow = gaussian([0.1, 0.2], [[0.04, 0], [0, 0.04]])
    value, error = grid(40).kl(narrow.log_prob, Q.log_prob)
    truth = float(kl_divergence(narrow, Q))
    assert abs(value - truth) <= error and error > 1e-3


def test_the_error_grows_when_mass_leaves_the_window() -> None:
    small, large = grid(200, half=2.0), grid(200, half=8.0)
    truth = float(kl_divergence(Q, P))
    value, error = small.kl(Q.log_prob, P.log_prob)
    assert abs(value - truth) > 0.05, "the window is too small, by construction"
    assert error > 0.3 * abs(value - truth)
    assert large.kl(Q.log_prob, P.log_prob).error < 1e-6


def test_q_without_mass() -> None:
    half_plane: LogDensity = lambda x: torch.where(x[:, 0] > 0, Q.log_prob(x), -math.inf)  # noqa: E731
    assert grid().kl(P.log_prob, half_plane) == (math.inf, math.inf)
    value, _ = grid().kl(half_plane, P.log_prob)
    assert math.isfinite(value), "p = 0 adds nothing, whatever q is there"
    tiny = gaussian([0, 0], [[1e-3, 0], [0, 1e-3]])
    value, error = grid().kl(P.log_prob, tiny.log_prob)
    assert value == pytest.approx(float(kl_divergence(P, tiny)), rel=1e-6)
    assert value > 500 and math.isfinite(error)


def test_nothing_anywhere() -> None:
    empty: LogDensity = lambda x: torch.full(x.shape[:1], -math.inf)  # noqa: E731
    assert grid().integrate(empty).value == 0
    assert grid().log_integral(empty) == (-math.inf, 0.0)
    assert grid().kl(empty, empty).value == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_none_are_refused(bad: float) -> None:
    values = P.log_prob(grid().points)
    values[:3] = bad
    with pytest.raises(ValueError, match=r"NaN or \+inf at 3 of 40,000"):
        grid().kl(P.log_prob, values)


def test_wrong_shapes_and_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"200\*200 values"):
        grid().integrate(torch.zeros(7))
    for resolution in (0, 3, 5, 7.5):
        with pytest.raises(ValueError, match="even number"):
            Grid2D((0, 1, 0, 1), resolution)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="window"):
        Grid2D((0, 1, 1, 0))


def test_no_gradients_are_kept() -> None:
    weight = torch.ones((), requires_grad=True)

    def log_density(x: Tensor) -> Tensor:
        return -weight * x.square().sum(-1)

    assert not grid().evaluate(log_density).requires_grad
    assert not grid().evaluate(log_density(grid().points)).requires_grad

"""Every target of the registry: density, draws, constants and pictures belong together."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from flowviz import targets
from flowviz.grid import Grid2D
from flowviz.targets.target import Target
from tests.targets.draws_against_density import chi_square, seeded

NAMES = targets.names()
# Share of the mass in the window: 0.99 for all but the one that is about its tails.
INSIDE = {"heavy_tailed": 0.94}


def widened(window: tuple[float, ...], factor: float) -> tuple[float, float, float, float]:
    xmin, xmax, ymin, ymax = window
    dx, dy = (xmax - xmin) * (factor - 1) / 2, (ymax - ymin) * (factor - 1) / 2
    return xmin - dx, xmax + dx, ymin - dy, ymax + dy


@pytest.mark.parametrize("name", NAMES)
def test_draws_follow_the_density(name: str) -> None:
    target = targets.make(name)
    draws = target.sample(40_000, seeded(), dtype=torch.float64)
    assert abs(chi_square(target, draws)) < 4


def test_the_chi_square_test_sees_a_wrong_sampler() -> None:
    target = targets.make("energy_4")
    draws = target.sample(40_000, seeded(), dtype=torch.float64)
    draws[:, 1] *= 1.03
    assert chi_square(target, draws) > 8


@pytest.mark.parametrize("name", NAMES)
def test_density_integrates_to_one(name: str) -> None:
    target = targets.make(name)
    if name == "heavy_tailed":
        mass = Grid2D(target.window, 400, dtype=torch.float64).integrate(target.log_prob).value
        assert mass == pytest.approx((6 / math.sqrt(38)) ** 2, abs=1e-6)
        return
    grid = Grid2D(widened(target.window, 2), 240, dtype=torch.float64)
    assert grid.integrate(target.log_prob).value == pytest.approx(1, abs=1e-3)
    assert grid.log_integral(target.log_density).value == pytest.approx(target.log_z, abs=1e-3)
    assert target.log_z_error is not None and target.log_z_error < 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_window_holds_the_draws(name: str) -> None:
    target = targets.make(name)
    x, y = target.sample(20_000, seeded(1)).unbind(-1)
    xmin, xmax, ymin, ymax = target.window
    inside = ((x > xmin) & (x < xmax) & (y > ymin) & (y < ymax)).double().mean()
    assert inside >= INSIDE.get(name, 0.99)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_the_derivative(name: str) -> None:
    target = targets.make(name)
    xmin, xmax, ymin, ymax = target.window
    low, high = torch.tensor([xmin, ymin]).double(), torch.tensor([xmax, ymax]).double()
    uniform = low + (high - low) * torch.rand(200, 2, generator=seeded(2), dtype=torch.float64)
    draws = target.sample(200, seeded(3), dtype=torch.float64)
    x = torch.cat([uniform, draws]).requires_grad_()
    (gradient,) = torch.autograd.grad(target.log_density(x).sum(), x)
    h = 1e-6
    for axis in range(2):
        step = torch.zeros(2, dtype=torch.float64)
        step[axis] = h
        with torch.no_grad():
            slope = (target.log_density(x + step) - target.log_density(x - step)) / (2 * h)
        torch.testing.assert_close(gradient[:, axis], slope, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_value_and_gradient_are_finite_everywhere(name: str, dtype: torch.dtype) -> None:
    target = targets.make(name)
    line = torch.tensor([-50.0, -8.0, -4.0, -2.0, 0.0, 2.0, 4.0, 8.0, 50.0], dtype=dtype)
    x = torch.cartesian_prod(line, line).requires_grad_()
    value = target.log_density(x)
    (gradient,) = torch.autograd.grad(value.sum(), x)
    assert value.dtype == gradient.dtype == dtype
    assert value.isfinite().all() and gradient.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_single_precision_agrees_with_double(name: str) -> None:
    target = targets.make(name)
    x = target.sample(500, seeded(4), dtype=torch.float64).float()
    single, double = target.log_prob(x).double(), target.log_prob(x.double())
    torch.testing.assert_close(single, double, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_any_leading_shape(name: str) -> None:
    target = targets.make(name)
    x = target.sample(12, seeded(5))
    flat = target.log_prob(x)
    torch.testing.assert_close(target.log_prob(x.reshape(3, 2, 2, 2)).flatten(), flat)
    torch.testing.assert_close(target.log_prob(x[0]), flat[0], rtol=1e-5, atol=1e-5)
    assert target.log_prob(x[0]).shape == ()
    assert target.log_prob(torch.empty(0, 2)).shape == (0,)
    assert target.log_prob(torch.empty(4, 0, 2)).shape == (4, 0)
    assert target.sample(0).shape == (0, 2)


@pytest.mark.parametrize("name", NAMES)
def test_draws_are_seeded_and_typed(name: str) -> None:
    target = targets.make(name)
    first = target.sample(300, seeded(6))
    assert first.shape == (300, 2) and first.dtype == torch.float32 and first.isfinite().all()
    assert torch.equal(first, target.sample(300, seeded(6)))
    assert not torch.equal(first, target.sample(300, seeded(7)))
    double = target.sample(300, seeded(6), dtype=torch.float64)
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), first)
    torch.manual_seed(0)
    assert torch.equal(target.sample(5, seeded(6)), target.sample(5, seeded(6)))
    before = torch.get_rng_state()
    target.sample(5, seeded(6))
    assert torch.equal(before, torch.get_rng_state()), "a generator leaves the global state alone"


@pytest.mark.parametrize("name", NAMES)
def test_no_constant_stays_behind_on_the_cpu(name: str) -> None:
    x = torch.empty(3, 2, device="meta")
    value = targets.make(name).log_prob(x)
    assert value.device.type == "meta" and value.shape == (3,)


@pytest.mark.parametrize("name", NAMES)
def test_thumbnail(name: str) -> None:
    target = targets.make(name)
    picture = target.thumbnail()
    assert picture.shape == (48, 48) and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() == 1
    assert target.thumbnail() is picture
    assert 0.02 < picture.mean() < 0.5, "neither blank nor a blot"


def test_thumbnails_are_upright_and_all_different() -> None:
    funnel = targets.make("funnel").thumbnail()
    widths = (funnel > 0.1).sum(axis=1)
    assert widths[12] > 3 * widths[36], "the funnel's mouth is at the top"
    crescent = targets.make("crescent").thumbnail()
    assert crescent[:, 24:].sum() > 2 * crescent[:, :24].sum(), "the crescent is on the right"
    pictures = [targets.make(name).thumbnail() for name in NAMES]
    for i, first in enumerate(pictures):
        assert all(np.abs(first - second).mean() > 0.02 for second in pictures[:i])


def test_energies_are_those_of_the_paper() -> None:
    z1, z2 = 0.7, -0.4
    point = torch.tensor([z1, z2], dtype=torch.float64)
    w1 = math.sin(2 * math.pi * z1 / 4)
    w2 = 3 * math.exp(-0.5 * ((z1 - 1) / 0.6) ** 2)
    w3 = 3 / (1 + math.exp(-(z1 - 1) / 0.3))
    bump = lambda t, s: math.exp(-0.5 * (t / s) ** 2)  # noqa: E731
    energies = {
        "energy_1": 0.5 * ((math.hypot(z1, z2) - 2) / 0.4) ** 2
        - math.log(bump(z1 - 2, 0.6) + bump(z1 + 2, 0.6)),
        "energy_2": 0.5 * ((z2 - w1) / 0.4) ** 2,
        "energy_3": -math.log(bump(z2 - w1, 0.35) + bump(z2 - w1 + w2, 0.35)),
        "energy_4": -math.log(bump(z2 - w1, 0.4) + bump(z2 - w1 + w3, 0.35)),
    }
    for name, energy in energies.items():
        assert float(targets.make(name).log_density(point)) == pytest.approx(-energy, abs=1e-12)


def test_known_modes() -> None:
    at = lambda name, *p: float(targets.make(name).log_prob(torch.tensor(p).double()))  # noqa: E731
    round_mode = -math.log(2 * math.pi * 0.35**2)
    assert at("eight_gaussians", 3.0, 0.0) == pytest.approx(round_mode - math.log(8), abs=1e-6)
    assert at("grid_gaussians", 0.0, 2.0) == pytest.approx(round_mode - math.log(9), abs=1e-6)
    determinant = 1.44**2 * (1 - 0.9**2)
    expected = -math.log(2 * math.pi) - 0.5 * math.log(determinant)
    assert at("correlated_gaussian", 0.0, 0.0) == pytest.approx(expected, abs=1e-9)
    assert at("checkerboard", -3.0, -3.0) == pytest.approx(-math.log(32), abs=1e-6)
    assert at("checkerboard", -3.0, -1.0) < -math.log(32) - 15


def test_registry() -> None:
    assert len(NAMES) == len(set(NAMES)) >= 18
    assert NAMES[:4] == ["energy_1", "energy_2", "circles", "eight_gaussians"]
    for name in NAMES:
        target = targets.make(name)
        assert target.name == name and target.title and target.about.endswith(".")
        assert target.has_density and target.has_samples
        assert targets.make(name) is target
    assert len({targets.make(name).title for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", ["two_mons", "", None, 3, "TWO_MOONS\n<script>"])
def test_unknown_names(name: object) -> None:
    with pytest.raises(ValueError, match=r"no target is called .*There are: energy_1, "):
        targets.make(name)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Did you mean 'two_moons'"):
        targets.make("two_mons")


@pytest.mark.parametrize(
    "x",
    [torch.zeros(3), torch.zeros(4, 3), torch.tensor(1.0), torch.zeros(4, 2, dtype=torch.int64)],
)
def test_wrong_points_are_refused(x: Tensor) -> None:
    with pytest.raises(ValueError, match=r"takes points \[\.\.\., 2\]"):
        targets.make("banana").log_prob(x)


@pytest.mark.parametrize("n", [-1, 2.5, True, "3"])
def test_wrong_counts_are_refused(n: object) -> None:
    with pytest.raises(ValueError, match="whole number"):
        targets.make("banana").sample(n)  # type: ignore[arg-type]


class SquareRoot(Target):
    """A density alone: p ∝ exp(−√(1 + r²))."""

    def _log_density(self, x: Tensor) -> Tensor:
        return -(1 + x.square().sum(-1)).sqrt() * 3


class Draws(Target):
    """Draws alone."""

    def _draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        return torch.rand(n, 2, generator=generator, device=device)


def test_a_density_alone_can_be_sampled() -> None:
    target = SquareRoot("root", "Root", (-5, 5, -5, 5))
    assert target.has_density and target.has_samples
    draws = target.sample(40_000, seeded(), dtype=torch.float64)
    assert abs(chi_square(target, draws)) < 4
    assert len(draws.unique(dim=0)) == len(draws), "spread within the cells, not on their centres"


def test_draws_alone_have_no_density() -> None:
    target = Draws("draws", "Draws", (0, 1, 0, 1))
    assert target.has_samples and not target.has_density
    assert target.log_z is None and target.log_z_error is None
    assert target.sample(7, seeded()).shape == (7, 2)
    with pytest.raises(TypeError, match="its density is not known"):
        target.log_prob(torch.zeros(1, 2))
    picture = target.thumbnail(16)
    assert picture.shape == (16, 16) and picture.max() == 1 and picture.mean() > 0.5


@pytest.mark.parametrize(
    "window", [(0, 1, 2), (0, 0, 0, 1), (1, 0, 0, 1), (0, math.inf, 0, 1), "abcd", None]
)
def test_wrong_windows_are_refused(window: object) -> None:
    with pytest.raises(ValueError, match="window"):
        SquareRoot("root", "Root", window)  # type: ignore[arg-type]


@pytest.mark.parametrize("axis, at", [(0, 0.5), (1, 0.5), (1, -2.0)])
def test_slices_are_conditional_densities(axis: int, at: float) -> None:
    line = targets.make("two_moons").slice(axis, at)
    low, high = line.window
    t = torch.linspace(low, high, 4001, dtype=torch.float64)
    p = line.log_prob(t).exp()
    assert float(torch.trapezoid(p, t)) == pytest.approx(1, abs=1e-6)
    draws = line.sample(20_000, seeded()).double()
    mean = float(torch.trapezoid(t * p, t))
    variance = float(torch.trapezoid((t - mean) ** 2 * p, t))
    assert abs(float(draws.mean()) - mean) < 4 * math.sqrt(variance / 20_000)
    assert float(draws.var()) == pytest.approx(variance, rel=0.05)
    point = torch.tensor([at, 0.3] if axis == 0 else [0.3, at])
    assert float(line.log_density(torch.tensor(0.3))) == pytest.approx(
        float(line.target.log_density(point))
    )


def test_slice_of_a_gaussian_is_the_conditional_gaussian() -> None:
    line = targets.make("correlated_gaussian").slice(1, 0.8)
    conditional = torch.distributions.Normal(0.9 * 0.8, 1.2 * math.sqrt(1 - 0.81))
    t = torch.linspace(-1, 2, 31, dtype=torch.float64)
    torch.testing.assert_close(line.log_prob(t), conditional.log_prob(t), rtol=0, atol=1e-6)


def test_wrong_slices_are_refused() -> None:
    target = targets.make("two_moons")
    for axis, at in ((2, 0.0), (0, math.nan)):
        with pytest.raises(ValueError, match="coordinate"):
            target.slice(axis, at)
    with pytest.raises(ValueError, match="no mass where x = -1"):
        targets.from_formula("log(x) - r").slice(0, -1.0)
    with pytest.raises(ValueError, match="no density"):
        Draws("draws", "Draws", (0, 1, 0, 1)).slice(0, 0.5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("name", NAMES)
def test_on_cuda(name: str) -> None:
    target = targets.make(name)
    x = target.sample(200, seeded(), device="cuda")
    assert x.device.type == "cuda"
    torch.testing.assert_close(
        target.log_prob(x).cpu(), target.log_prob(x.cpu()), atol=1e-3, rtol=1e-3
    )
    there = torch.Generator("cuda").manual_seed(0)
    assert target.sample(200, there, device="cuda").device.type == "cuda"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_funnel_far_below_its_neck(dtype: torch.dtype) -> None:
    target = targets.make("funnel")
    x = torch.tensor([[1e3, -1e3], [0.0, -1e3], [1e3, -80.0]], dtype=dtype, requires_grad=True)
    values = target.log_density(x)
    (gradient,) = torch.autograd.grad(values.sum(), x)
    assert values.isfinite().all() and gradient.isfinite().all()
    assert (gradient[:, 1] > 0).all() and gradient[0, 0] < 0, "back to the mass"
    # In the neck itself nothing changes.
    assert float(target.log_density(torch.tensor([1e-9, -40.0], dtype=dtype))) == pytest.approx(
        -0.5 * ((40 / 1.3) ** 2 + 1e-18 * math.exp(40) - 40)
    )


def test_what_is_no_tensor() -> None:
    target = targets.make("funnel")
    line = target.slice(1, 0.0)
    for log_density in (target.log_density, target.log_prob):
        with pytest.raises(TypeError, match="x must be a Tensor, got str"):
            log_density("a")
    for log_density in (line.log_density, line.log_prob):
        with pytest.raises(TypeError, match="t must be a Tensor, got float"):
            log_density(0.5)
    with pytest.raises(ValueError, match="n must be a whole number ≥ 0, got -1"):
        line.sample(-1)

"""Mixtures whose modes are moved: density, draws, and what cannot be moved."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from flowviz import targets
from flowviz.targets.mixtures import MARGIN, MOST_MODES, GaussianMixture
from tests.targets.draws_against_density import chi_square, seeded

PLACES = [[-0.9, 0.5], [0.8, -0.7]]


@pytest.fixture
def moved() -> GaussianMixture:
    return targets.make("cross").moved(PLACES)


def test_a_moved_mixture_has_the_density_of_its_components_elsewhere(moved) -> None:
    scale = torch.tensor([[[1.4, 0.0], [0.0, 0.3]], [[0.3, 0.0], [0.0, 1.4]]]).double()
    components = MultivariateNormal(torch.tensor(PLACES).double(), scale_tril=scale)
    expected = MixtureSameFamily(Categorical(torch.ones(2).double()), components)
    x = 4 * torch.rand(200, 2, generator=seeded(), dtype=torch.float64) - 2
    torch.testing.assert_close(moved.log_prob(x), expected.log_prob(x))
    assert moved.window == targets.make("cross").window and moved.log_z == 0
    assert not targets.make("cross").modes.any(), "the catalogue's own stays as it is"


def test_draws_of_a_moved_mixture_follow_its_density(moved) -> None:
    assert abs(chi_square(moved, moved.sample(40_000, seeded(), dtype=torch.float64))) < 4


def test_responsibilities_are_the_posterior_of_the_component(moved) -> None:
    x = moved.sample(20_000, seeded(), dtype=torch.float64)
    shares = moved.responsibilities(x)
    assert shares.shape == (20_000, 2)
    torch.testing.assert_close(shares.sum(-1), torch.ones(20_000).double())
    error = shares.std(0) / math.sqrt(len(x))
    assert ((shares.mean(0) - moved.weights).abs() < 4 * error).all()
    eight = targets.make("eight_gaussians")
    near = eight.modes + 0.2
    nearest = torch.cdist(near, eight.modes).argmin(-1)
    assert eight.responsibilities(near).argmax(-1).tolist() == nearest.tolist()


def test_few_components_are_modes_and_many_are_a_curve() -> None:
    modes = {name: getattr(targets.make(name), "modes", None) for name in targets.names()}
    counts = {name: len(places) for name, places in modes.items() if places is not None}
    assert counts == {
        "eight_gaussians": 8,
        "grid_gaussians": 9,
        "correlated_gaussian": 1,
        "cross": 2,
    }
    assert max(counts.values()) <= MOST_MODES


@pytest.mark.parametrize("name", ["eight_gaussians", "grid_gaussians", "correlated_gaussian"])
def test_the_room_of_a_mode_keeps_its_mass_in_the_window(name) -> None:
    target = targets.make(name)
    low, high = target.room
    assert ((low < target.modes) & (target.modes < high)).all()
    edge = target.moved(high)
    x = edge.sample(100_000, seeded())
    beyond = (x > torch.tensor(target.window)[[1, 3]]).double().mean(0)
    assert (beyond < 1.2 * (1 - math.erf(MARGIN / math.sqrt(2))) / 2).all()


@pytest.mark.parametrize(
    ("name", "places", "words"),
    [
        ("two_moons", [[0, 0]], "Two moons has no modes"),
        ("pinwheel", [[0, 0]] * 5, "Pinwheel has no modes"),
        ("correlated_gaussian", [[0, 0], [1, 1]], r"has 1 mode \(x, y\), not \[2, 2\]"),
        ("cross", [[0, 0, 0]] * 2, r"has 2 modes"),
        ("cross", [[0, 0], [0, 1.2]], "mode 2 of Cross stays inside .* y from −1 to 1"),
        ("cross", [[math.nan, 0], [0, 0]], "mode 1 of Cross stays inside"),
    ],
)
def test_what_cannot_be_moved_there_is_refused_in_words(name, places, words) -> None:
    with pytest.raises(ValueError, match=words):
        targets.make(name).moved(places)

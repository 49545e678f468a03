"""Known bugs put back, one at a time: the suite's own checks must fail on each.

A mutation that no check notices would mean that the checks do not look.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

import pytest
from torch import Tensor

from flowviz.flows import catalog
from flowviz.flows.normalisation import ActNorm
from tests.engine import engine_checks as checks
from tests.engine import mutations, test_splines
from tests.engine import test_families as families
from tests.engine.mutations.heart import _masks

MUTATIONS = [
    mutation
    for module in pkgutil.iter_modules(mutations.__path__)
    for mutation in importlib.import_module(f"{mutations.__name__}.{module.name}").MUTATIONS
]


def judge(name: str) -> None:
    """What test_families.py runs on a family, or enough of it: there it passes."""
    exact = catalog.entry(name).exact_logabsdet
    for dim in checks.dims_of(name, 2, 3):
        for scale, dtype, seed in families.REGIMES[:2]:
            families.test_layers_to_the_condition_of_the_map(name, dim, scale, dtype, seed)
        families.test_structure_of_the_jacobian(name, dim)
    families.test_leading_shapes(name)
    families.test_cost_of_each_direction(name)
    families.test_gradients_reach_every_parameter(name)
    if exact:
        families.test_points_do_not_see_each_other(name)
        families.test_gradients_against_finite_differences(name)
        if catalog.entry(name).allows(2):
            families.test_density_integrates_to_one_and_samples_follow_it(name)
    if "rq_spline" in name:
        test_splines.test_the_boundary_slope_is_one_on_both_sides()
        test_splines.test_gradients_of_points_outside_do_not_poison_those_inside()


@pytest.mark.parametrize(
    ("mutate", "name"), MUTATIONS, ids=[mutate.__name__ for mutate, _ in MUTATIONS]
)
def test_the_checks_see(
    mutate: Callable[[pytest.MonkeyPatch], None], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    with pytest.raises((AssertionError, RuntimeError, ValueError, FloatingPointError)):
        judge(name)


def test_one_dimension_without_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hidden degrees 1 … D − 1 are none for D = 1: a unit of degree 1 would let x see itself."""

    def change(masks: list[Tensor], _: int) -> None:
        for mask in masks:
            mask.fill_(1)

    _masks(monkeypatch, change)
    flow = checks.random_flow("maf", 1, 1.0)
    with pytest.raises(AssertionError):
        for layer in flow.bijections:
            checks.assert_layer(layer, checks.points(64, 1))


def test_actnorm_that_initialises_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.engine import test_layers

    statistics = ActNorm._first_statistics

    def again(self: ActNorm, z: Tensor) -> tuple[Tensor, Tensor] | None:
        self.initialised.fill_(False)
        return statistics(self, z)

    monkeypatch.setattr(ActNorm, "_first_statistics", again)
    for direction in ("forward", "inverse"):
        with pytest.raises(AssertionError):
            test_layers.test_actnorm_initialises_once_in_the_direction_that_comes_first(direction)
    with pytest.raises(AssertionError):
        test_layers.test_actnorm_flag_travels_with_the_state_and_is_a_buffer()

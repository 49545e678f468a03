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
from tests.engine.mutations.heart import _masks

MUTATIONS = [
    mutation
    for module in pkgutil.iter_modules(mutations.__path__)
    for mutation in importlib.import_module(f"{mutations.__name__}.{module.name}").MUTATIONS
]


def judge(name: str) -> None:
    """The checks that test_families.py runs, on one family."""
    entry = catalog.entry(name)
    for dim in checks.dims_of(name, 2, 3):
        for scale in (0.3, 1.0):
            for layer in checks.random_flow(name, dim, scale).bijections:
                checks.assert_layer(layer, checks.points(64, dim))
        flow = checks.random_flow(name, dim, 0.4)
        checks.assert_structure(name, flow, checks.points(64, dim) / 2)
        if entry.exact_logabsdet:
            checks.assert_independent(flow, checks.points(8, dim))
        checks.assert_shapes(flow)
    checks.assert_cost(name)
    dim = checks.dims_of(name, 2)[0]
    checks.assert_gradients(checks.random_flow(name, dim, 0.3, layers=3))
    if entry.exact_logabsdet:
        if dim == 2:
            checks.assert_density(checks.random_flow(name, 2, 0.3))
        dim = checks.dims_of(name, 3)[0]
        for layer in checks.random_flow(name, dim, 0.3, hidden=(4,), bins=3).bijections:
            checks.assert_gradcheck(layer, checks.points(5, dim))
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


@pytest.mark.parametrize("name", sorted({name for _, name in MUTATIONS}))
def test_the_checks_pass_what_is_right(name: str) -> None:
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

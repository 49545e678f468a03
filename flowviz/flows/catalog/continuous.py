"""Continuous-time flows."""

from __future__ import annotations

from typing import Any

from torch import Generator

from flowviz import arguments
from flowviz.flows.catalog.entry import Entry, Layers
from flowviz.flows.continuous import (
    AdaptiveSteps,
    Continuous,
    FixedSteps,
    MLPField,
    PlanarField,
    Solver,
)
from flowviz.flows.continuous.tableaus import TABLEAUS

# "adaptive" takes rtol, the others steps.
_SOLVE = {"context": 0, "solver": "adaptive", "steps": 8, "rtol": 1e-5, "gradient": "backprop"}

PACE = 3.0
"""Of fields whose parameters are of order 1, at which Adam's absolute steps are small."""


def _solver(settings: dict[str, Any]) -> Solver:
    name = settings["solver"]
    arguments.named("solver", name, {"adaptive": None, **TABLEAUS})
    # Both, so that a setting out of its range is refused whether it is in use or not.
    adaptive = AdaptiveSteps(settings["rtol"])
    fixed = FixedSteps("rk4" if name == "adaptive" else name, settings["steps"])
    return adaptive if name == "adaptive" else fixed


def _mlp(dim: int, layers: int, settings: dict[str, Any], *, exact: bool) -> Layers:
    return [
        Continuous(
            MLPField(dim, settings["hidden"], settings["context"]),
            _solver(settings),
            exact=exact,
            gradient=settings["gradient"],
        )
        for _ in range(layers)
    ]


def _cnf(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    return _mlp(dim, layers, settings, exact=True)


def _ffjord(dim: int, layers: int, settings: dict[str, Any], _: Generator) -> Layers:
    return _mlp(dim, layers, settings, exact=False)


def _planar_cnf(dim: int, layers: int, settings: dict[str, Any], generator: Generator) -> Layers:
    return [
        Continuous(
            PlanarField(dim, settings["units"], settings["context"], generator),
            _solver(settings),
            gradient=settings["gradient"],
        )
        for _ in range(layers)
    ]


ENTRIES = (
    Entry(
        name="cnf",
        title="CNF",
        family="Continuous time",
        reference="Chen, Rubanova, Bettencourt & Duvenaud 2018",
        equation=r"\frac{dz}{dt} = g(t, z),\quad z' = z(1)",
        fast_forward=True,
        fast_inverse=True,
        exact_inverse=False,
        jacobian="dense",
        determinant_cost="O(1) passes for two hidden layers, D tangents for more",
        inverse_cost="the same solve backwards",
        build=_cnf,
        layers=1,
        pace=PACE,
        options={"hidden": (64, 64), **_SOLVE},
    ),
    Entry(
        name="planar_cnf",
        title="Planar CNF",
        family="Continuous time",
        reference="Chen, Rubanova, Bettencourt & Duvenaud 2018",
        equation=r"\frac{dz}{dt} = \sum_m \sigma_m(t)\, v_m \tanh(w_m^\top z + b_m)",
        fast_forward=True,
        fast_inverse=True,
        exact_inverse=False,
        jacobian="dense",
        determinant_cost="O(DM) for M units",
        inverse_cost="the same solve backwards",
        build=_planar_cnf,
        layers=1,
        pace=PACE,
        options={"units": 32, **_SOLVE},
    ),
    Entry(
        name="ffjord",
        title="FFJORD",
        family="Continuous time",
        reference="Grathwohl, Chen, Bettencourt, Sutskever & Duvenaud 2019",
        equation=r"\frac{dz}{dt} = g(t, z),\quad "
        r"\log|\det J| = \int_0^1 v^\top \frac{\partial g}{\partial z} v\, dt",
        fast_forward=True,
        fast_inverse=True,
        exact_inverse=False,
        exact_logabsdet=False,
        jacobian="dense",
        determinant_cost="one tangent, estimated",
        inverse_cost="the same solve backwards",
        build=_ffjord,
        layers=1,
        pace=PACE,
        options={"hidden": (64, 64), **_SOLVE},
    ),
)

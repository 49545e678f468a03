"""Continuous-time flows: ordinary differential equations as bijections (section 5)."""

from flowviz.flows.continuous.continuous import Continuous
from flowviz.flows.continuous.solvers import AdaptiveSteps, FixedSteps, Solution, Solver, solve
from flowviz.flows.continuous.vector_fields import MLPField, PlanarField, VectorField

__all__ = [
    "AdaptiveSteps",
    "Continuous",
    "FixedSteps",
    "MLPField",
    "PlanarField",
    "Solution",
    "Solver",
    "VectorField",
    "solve",
]

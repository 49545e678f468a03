"""The continuous-time flow: an ODE as a bijection."""

from __future__ import annotations

import copy
import itertools

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.flows.bijection import Bijection
from flowviz.flows.continuous.gradients import GRADIENTS, integral
from flowviz.flows.continuous.solvers import AdaptiveSteps, Solver
from flowviz.flows.continuous.vector_fields import VectorField
from flowviz.flows.numerics.noise import probe
from flowviz.flows.numerics.transforms import transformed

# What adaptive steps allow the log-determinant to err, more than a coordinate: it is one order of
# differentiation further away. The errors of single steps add up, too.
RELAXED = 8
ACCUMULATION = 10.0


class Continuous(Bijection):
    """z' = z(1), where dz/dt = g(t, z) and z(0) = z  (section 5; Chen et al. 2018).

    log|det J_T| = ∫₀¹ Tr ∂g/∂z dt along the path. The inverse is the same solve from t = 1 to 0;
    both directions cost the same, whatever D.

    The numbers are those of the discretised path: for fields that are smooth over a step right
    to ``tolerance`` relative to the condition of the map. That is what adaptive steps aim at and
    no bound: where a field bends within a step, its estimate of the error can miss most of it
    (random fields of parameters N(0, 1) were off by up to 1.6 times the tolerance, those of
    N(0, 3²) by up to 7). A smaller ``rtol`` helps. With adaptive steps each point has its own; a
    point's numbers do not depend on the batch that it is in.

    Args:
        field: g.
        solver: how to solve; :class:`AdaptiveSteps` when None.
        exact: the trace is exact; otherwise Hutchinson's estimate vᵀ (∂g/∂z) v, with one v of
            random signs for each point and solve (Grathwohl et al. 2019).
        gradient: ``"backprop"`` through the steps or ``"adjoint"``, the adjoint ODE. A second
            derivative always goes through the steps.

    Raises:
        TypeError: ``field`` or ``solver`` is none.
        ValueError: ``exact`` is not True or False, or ``gradient`` another name.

    Attributes:
        evaluations: how often g was evaluated, over the batch, in the last pass; the pass's
            gradient takes about as many again.
    """

    exact_inverse = False
    evaluations: int = 0
    _interval = (0.0, 1.0)

    def __init__(
        self,
        field: VectorField,
        solver: Solver | None = None,
        *,
        exact: bool = True,
        gradient: str = "backprop",
    ) -> None:
        arguments.instance("field", field, VectorField)
        super().__init__(field.dim, field.context)
        arguments.named("gradient", gradient, GRADIENTS)
        self.network = field
        self.solver = arguments.optional("solver", solver, Solver) or AdaptiveSteps()
        self.gradient = gradient
        self.exact_logabsdet = arguments.flag("exact", exact)
        self.tolerance = ACCUMULATION * self.solver.tolerance

    def describe(self) -> str:
        until = "" if self._interval == (0.0, 1.0) else f", to t = {self._interval[1]:.3g}"
        return f"{self.network.title} ODE{until}"

    def _forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return self._solve(z, context, *self._interval)

    def _inverse(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        return self._solve(z, context, *self._interval[::-1])

    def _stretches(self, n: int) -> list[Bijection]:
        t0, t1 = self._interval
        times = [t0 + (t1 - t0) * k / n for k in range(n + 1)]
        stretches: list[Bijection] = []
        for interval in itertools.pairwise(times):
            stretch = copy.copy(self)
            stretch._interval, stretch.solver = interval, self.solver.part(n)
            stretches.append(stretch)
        return stretches

    def _solve(
        self, z: Tensor, context: Tensor | None, t0: float, t1: float
    ) -> tuple[Tensor, Tensor]:
        batch = z.shape[:-1]
        z = z.reshape(-1, self.dim)
        given = None if context is None else context.reshape(-1, self.context)
        v = None if self.exact_logabsdet else probe(z, "rademacher", self.generator)
        weights = self.network.weights(given, v)

        def g(t: Tensor, state: Tensor, rows: Tensor | None) -> Tensor:
            """What decides on the steps: the state, and the log-determinant where it is exact."""
            mine = weights.at(rows)
            if not self.exact_logabsdet:
                return self.network(t, state, mine, trace=False)[0]
            slope, trace, _ = self.network(t, state[:, : self.dim], mine)
            return torch.cat([slope, trace / RELAXED], -1)

        start = z.detach()
        if self.exact_logabsdet:
            start = torch.cat([start, torch.zeros_like(start[:, :1])], -1)
        plan = self.solver.plan(g, start, t0, t1)
        self.evaluations = plan.evaluations
        plain = transformed()
        differentiated = plain or torch.is_grad_enabled()
        if plan.end is not None and self.exact_logabsdet and not differentiated:
            image, logabsdet = plan.end[:, : self.dim], RELAXED * plan.end[:, self.dim]
        else:
            self.evaluations += len(plan.steps) * len(self.solver.tableau.b)
            solved = GRADIENTS[self.gradient] if differentiated and not plain else integral
            image, logabsdet = solved(self.network, self.solver.tableau, plan, z, weights)
        return image.reshape(*batch, self.dim), logabsdet.reshape(batch)

"""Solving dz/dt = g(t, z): fixed steps, and steps that adapt to each point on its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Tensor

from flowviz import arguments
from flowviz.flows.continuous.tableaus import TABLEAUS, Tableau
from flowviz.flows.numerics.transforms import numbers, transformed

Function = Callable[[Tensor, Tensor, "Tensor | None"], Tensor]
"""(t, z, rows) ↦ g(t, z): ``t`` is ``[1, 1]`` or ``[n, 1]``, ``z [n, D]`` are these rows of the
batch, all of them for None."""

# A step is changed by at most these factors, and aims at this part of the error allowed.
SHRINK, GROW, SAFETY = 0.2, 5.0, 0.9
MAX_ROUNDS = 10_000
# What the third difference of a step's slopes counts as an error.
BEND = 3e-4


@dataclass(frozen=True)
class Step:
    """One step of some points of a batch.

    Attributes:
        t: where it starts, ``[1, 1]`` for all points or ``[n, 1]``.
        h: its length, shaped like ``t``; negative in a solve backwards.
        rows: which points take it, ``[n]``; None for all.
    """

    t: Tensor
    h: Tensor
    rows: Tensor | None = None


@dataclass(frozen=True)
class Plan:
    """The steps of a solve, and what it cost to find them.

    Attributes:
        steps: in the order in which they are taken.
        end: where they lead, if that is known already.
        evaluations: how often g was evaluated to find them.
        rejected: how many steps were tried and thrown away, over all points.
    """

    steps: list[Step]
    end: Tensor | None = None
    evaluations: int = 0
    rejected: int = 0

    def reversed(self) -> Plan:
        """The same steps from the end back to the start."""
        return Plan([Step(s.t + s.h, -s.h, s.rows) for s in reversed(self.steps)])


class Solver:
    """How the interval is cut into steps, and what is done in each of them.

    Attributes:
        tableau: the Runge–Kutta method of one step.
        tolerance: what a solve keeps, relative to the condition of the map.
    """

    tableau: Tableau
    tolerance: float

    def plan(self, g: Function, z: Tensor, t0: float, t1: float) -> Plan:
        """The steps from ``t0`` to ``t1`` for the points ``z [N, D]``, without gradients."""
        raise NotImplementedError

    def part(self, parts: int) -> Solver:
        """The solver for each of so many equal parts of the interval."""
        return self


class FixedSteps(Solver):
    """Equal steps, the same for all points.

    What a solve keeps is O(hᵖ), and no bound on it is known beforehand: ``tolerance`` is ∞.

    Args:
        name: a key of :data:`~flowviz.flows.continuous.tableaus.TABLEAUS`.
        steps: S ≥ 1.
    """

    tolerance = math.inf

    def __init__(self, name: str = "rk4", steps: int = 8) -> None:
        self.tableau = arguments.named("solver", name, TABLEAUS)
        arguments.whole("steps", steps, 1)
        self.name = name
        self.steps = steps

    def plan(self, g: Function, z: Tensor, t0: float, t1: float) -> Plan:
        S, width = self.steps, (t1 - t0) / self.steps
        t = torch.linspace(t0, t1 - width, S, dtype=z.dtype, device=z.device)
        h = torch.full_like(t, width)
        return Plan([Step(*pair) for pair in zip(_column(t), _column(h), strict=True)])

    def part(self, parts: int) -> Solver:
        return FixedSteps(self.name, math.ceil(self.steps / parts))


class AdaptiveSteps(Solver):
    """Dormand–Prince with a step length of its own for every point.

    A step is accepted where the difference of the orders 5 and 4 is at most
    ``rtol`` (1 + max(|z|, |z'|)) in every coordinate, and the next one aims at 0.9 of that.
    Common solvers take one step length for the whole batch, so that a point's log p moves with
    its neighbours; here it does not.

    Args:
        rtol: in (0, 1); never taken below 10 roundoffs of the dtype.
    """

    def __init__(self, rtol: float = 1e-5) -> None:
        if not arguments.is_real(rtol) or not 0 < rtol < 1:
            raise ValueError(f"rtol must be a number between 0 and 1, got {rtol!r}")
        self.tableau = TABLEAUS["dormand_prince"]
        self.rtol = self.tolerance = float(rtol)

    @torch.no_grad()
    def plan(self, g: Function, z: Tensor, t0: float, t1: float) -> Plan:
        if z.is_meta:
            return FixedSteps("dormand_prince", 1).plan(g, z, t0, t1)
        if transformed():
            return self._plan_in_step(g, z, t0, t1)
        N = len(z)
        start = z.new_full((1, 1), t0)
        slope = g(start, z, None)
        # The whole interval first: the error of that step tells how long the next must be.
        h = z.new_full((N, 1), t1 - t0)
        t = start.expand(N, 1)
        end = z
        rows = torch.arange(N, device=z.device)
        plan: list[Step] = []
        evaluations, rejected = 1, 0
        for _ in range(MAX_ROUNDS):
            if len(rows) == 0:
                return Plan(plan, end, evaluations, rejected)
            # The last step ends where the interval does.
            left = t1 - t
            last = h.abs() >= left.abs() * (1 - 1e-3)
            h = torch.where(last, left, h)
            image, next_slope, lost, accepted, factor = self._try(g, Step(t, h, rows), z, slope)
            evaluations += len(self.tableau.b)
            accepted = accepted.squeeze(-1)
            going = ~(accepted & (last | lost).squeeze(-1))
            if bool(accepted.all()):
                plan.append(Step(t, torch.where(lost, left, h), rows))
                end = put(end, rows, image)
                t, z, slope = t + h, image, next_slope
            else:
                taken = accepted.nonzero().squeeze(-1)
                rejected += len(rows) - len(taken)
                if len(taken):
                    plan.append(Step(t[taken], torch.where(lost, left, h)[taken], rows[taken]))
                    end = put(end, rows[taken], image[taken])
                keep = accepted.unsqueeze(-1)
                t, z = torch.where(keep, t + h, t), torch.where(keep, image, z)
                slope = torch.where(keep, next_slope, slope)
            h = h * factor
            if bool((h.abs() < torch.finfo(z.dtype).eps).any()):
                break
            left_over = going.nonzero().squeeze(-1)
            if len(left_over) < len(rows):
                t, h, z, slope, rows = (x[left_over] for x in (t, h, z, slope, rows))
        _too_stiff(t, h)

    def _plan_in_step(self, g: Function, z: Tensor, t0: float, t1: float) -> Plan:
        """The same steps where ``torch.func`` lets no point be left out.

        Points that are at the end, or whose step is not accepted, take one of length 0.
        """
        t, h = z.new_full((len(z), 1), t0), z.new_full((len(z), 1), t1 - t0)
        slope = g(t, z, None)
        going = torch.ones_like(t, dtype=torch.bool)
        steps: list[Step] = []
        for _ in range(MAX_ROUNDS):
            left = t1 - t
            last = h.abs() >= left.abs() * (1 - 1e-3)
            h = torch.where(last, left, h)
            image, next_slope, lost, accepted, factor = self._try(g, Step(t, h), z, slope)
            moved = going & accepted
            length = torch.where(moved, torch.where(lost, left, h), 0)
            # A transform differentiates what g closes over, whatever no_grad says.
            steps.append(Step(t.detach(), length.detach()))
            t, z = torch.where(moved, t + h, t), torch.where(moved, image, z)
            slope = torch.where(moved, next_slope, slope)
            going = going & ~(accepted & (last | lost))
            if not bool(numbers(going).any()):
                return Plan(steps, None, 1 + len(steps) * len(self.tableau.b))
            h = torch.where(going, h * factor, t1 - t0)
            if bool((numbers(h).abs() < torch.finfo(z.dtype).eps).any()):
                break
        _too_stiff(numbers(t), numbers(h))

    def _try(
        self, g: Function, step: Step, z: Tensor, slope: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Where a step from ``z [n, D]`` leads, the slope there, and what is to be made of it.

        ``[n, 1]`` each: whether the point is lost, whether the step is accepted, and the factor
        of the next one.
        """
        rtol = max(self.rtol, 10 * torch.finfo(z.dtype).eps)
        image, slopes = take(self.tableau, g, step, z, slope)
        slopes.append(g(step.t + step.h, image, step.rows))
        error = (step.h * weighted(self.tableau.error, slopes)).abs()
        allowed = rtol * (1 + torch.maximum(z.abs(), image.abs()))
        # Where the field bends within a step, those orders can agree by chance.
        bend = (step.h * weighted(self.tableau.bend, slopes)).abs()
        ratio = (torch.maximum(error, BEND * bend) / allowed).amax(-1, keepdim=True)
        # Points that are not finite go to the end at once: the flow says what is wrong.
        lost = ~slope.isfinite().all(-1, keepdim=True)
        factor = SAFETY * ratio.clamp_min(1e-10) ** (-1 / self.tableau.order)
        factor = factor.nan_to_num(SHRINK, SHRINK).clamp(SHRINK, GROW)
        return image, slopes[-1], lost, (ratio <= 1) | lost, factor


def _too_stiff(t: Tensor, h: Tensor) -> NoReturn:
    """Say at which of the times ``t`` steps of length ``h`` are too short."""
    t, h = t.flatten(), h.abs().flatten()
    raise FloatingPointError(
        f"the vector field is too stiff at t = {float(t[h.argmin()]):.3g}: the ODE needs "
        f"steps of {float(h.min()):.1g}, or more than {MAX_ROUNDS} of them"
    )


@dataclass(frozen=True)
class Solution:
    """What a solve found.

    Attributes:
        states: ``[S+1, N, D]``, the start first; a point that took fewer steps stays at its end.
        times: ``[S+1]`` for fixed steps, ``[S+1, N]`` for adaptive ones.
        evaluations: how often g was evaluated, over the batch.
        rejected: how many steps were tried and thrown away, over all points.
    """

    states: Tensor
    times: Tensor
    evaluations: int
    rejected: int


def solve(
    g: Callable[[Tensor, Tensor], Tensor],
    z: Tensor,
    solver: Solver | None = None,
    t0: float = 0.0,
    t1: float = 1.0,
) -> Solution:
    """z(t) with dz/dt = g(t, z) and z(t₀) = ``z``, differentiable through every step taken.

    Args:
        g: ``(t, z [n, D]) -> [n, D]``, with ``t`` of shape ``[1, 1]`` or ``[n, 1]``.
        z: ``[N, D]``.
        solver: :class:`AdaptiveSteps` when None.
        t0, t1: the interval; ``t1 < t0`` solves backwards, and ``t1 = t0`` takes no steps.

    Raises:
        TypeError: ``g`` is not a function, ``z`` not a floating-point tensor, or ``solver`` none.
        ValueError: ``z``, or what ``g`` gives, has another shape, ``z`` is not finite, or ``t0``
            or ``t1`` is not a finite number.
        FloatingPointError: g is too stiff, or leads to states that are not finite.
    """
    arguments.function("g", g)
    arguments.array("z", z, "[N, D]", 0)
    solver = arguments.optional("solver", solver, Solver) or AdaptiveSteps()
    t0, t1 = arguments.finite("t0", t0), arguments.finite("t1", t1)

    def field(t: Tensor, z: Tensor, rows: Tensor | None) -> Tensor:
        slope = g(t, z)
        got = list(slope.shape) if isinstance(slope, Tensor) else type(slope).__name__
        if got != list(z.shape):
            raise ValueError(f"g must map points {list(z.shape)} to as many slopes, got {got}")
        return slope

    plan = Plan([]) if t0 == t1 else solver.plan(field, z.detach(), t0, t1)
    shared = all(step.rows is None for step in plan.steps)
    states, times = [z], [z.new_full((1 if shared else len(z), 1), t0)]
    for step in plan.steps:
        image, _ = take(solver.tableau, field, step, at(states[-1], step.rows))
        states.append(put(states[-1], step.rows, image))
        times.append(put(times[-1], step.rows, step.t + step.h))
    if not z.is_meta and not states[-1].isfinite().all():
        raise FloatingPointError("g leads to states that hold NaN or infinity")
    evaluations = plan.evaluations + len(plan.steps) * len(solver.tableau.b)
    way = torch.stack(times).squeeze(-1)
    return Solution(
        torch.stack(states), way.squeeze(-1) if shared else way, evaluations, plan.rejected
    )


def at(x: Tensor, rows: Tensor | None) -> Tensor:
    """These rows of ``x``."""
    return x if rows is None else x[rows]


def put(x: Tensor, rows: Tensor | None, new: Tensor) -> Tensor:
    """``x`` with these rows replaced."""
    return new if rows is None else x.index_copy(0, rows, new)


def take(
    tableau: Tableau, g: Function, step: Step, z: Tensor, first: Tensor | None = None
) -> tuple[Tensor, list[Tensor]]:
    """z(t + h) and the slopes k₁, k₂, … of one step from ``z [n, D]``; k₁ may be known."""
    slopes: list[Tensor] = [] if first is None else [first]
    for a, c in list(zip(tableau.a, tableau.c, strict=True))[len(slopes) :]:
        stage = z + step.h * weighted(a, slopes) if a else z
        slopes.append(g(step.t + c * step.h, stage, step.rows))
    return z + step.h * weighted(tableau.b, slopes), slopes


def weighted(weights: Sequence[float], terms: Sequence[Tensor]) -> Tensor:
    """Σᵢ wᵢ xᵢ; at least one weight is not 0."""
    pairs = [(w, x) for w, x in zip(weights, terms, strict=True) if w]
    total = pairs[0][0] * pairs[0][1]
    for w, x in pairs[1:]:
        total = torch.add(total, x, alpha=w)
    return total


def _column(x: Tensor) -> list[Tensor]:
    return list(x.reshape(-1, 1, 1).unbind())

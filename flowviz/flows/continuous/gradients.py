"""The state and its log-density along one solve, and the two ways to its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from flowviz.flows.continuous.solvers import Plan, at, put, weighted
from flowviz.flows.continuous.tableaus import Tableau
from flowviz.flows.continuous.vector_fields import Saved, VectorField, Weights
from flowviz.flows.numerics.precision import uncast_backward

Tape = list[tuple[Saved, ...]]
"""What the pullbacks need, for each stage of each step."""

Integral = Callable[[VectorField, Tableau, Plan, Tensor, Weights], tuple[Tensor, Tensor]]
"""The field, the method, the steps, ``z [N, D]`` and the field's weights, to ``z'`` and the
integral of the trace ``[N, 1]``."""


def integral(
    field: VectorField,
    tableau: Tableau,
    plan: Plan,
    z: Tensor,
    weights: Weights,
    tape: Tape | None = None,
) -> tuple[Tensor, Tensor]:
    """z(t₁) and ∫ Tr J dt, step by step in differentiable operations."""
    logabsdet = z.new_zeros(len(z), 1)
    for step in plan.steps:
        here, mine = at(z, step.rows), weights.at(step.rows)
        slopes: list[Tensor] = []
        traces: list[Tensor] = []
        saved = []
        for a, c in zip(tableau.a, tableau.c, strict=True):
            stage = here + step.h * weighted(a, slopes) if a else here
            slope, trace, kept = field(step.t + c * step.h, stage, mine)
            slopes.append(slope)
            traces.append(trace)
            saved.append(kept)
        grown = at(logabsdet, step.rows) + step.h * weighted(tableau.b, traces)
        z = put(z, step.rows, here + step.h * weighted(tableau.b, slopes))
        logabsdet = put(logabsdet, step.rows, grown)
        if tape is not None:
            tape.append(tuple(saved))
    return z, logabsdet


def backpropagated(
    field: VectorField, tableau: Tableau, plan: Plan, z: Tensor, weights: Weights
) -> tuple[Tensor, Tensor]:
    """:func:`integral`, with the exact gradient of the steps taken.

    Every stage keeps its activations; memory grows with the number of steps.
    """
    return _Backpropagated.apply(
        field, tableau, plan, len(weights.shared), z, *weights.shared, *weights.points
    )


def adjoint(
    field: VectorField, tableau: Tableau, plan: Plan, z: Tensor, weights: Weights
) -> tuple[Tensor, Tensor]:
    """:func:`integral`, with the gradient from the adjoint ODE  (section 5.2; Chen et al. 2018).

    λ = ∂L/∂z(t) and μ = ∂L/∂ℓ obey  dλ/dt = −(∂g/∂z)ᵀ λ − μ ∂(Tr J)/∂z  and dμ/dt = 0; the
    gradient in the weights is the integral of (∂g/∂θ)ᵀ λ + μ ∂(Tr J)/∂θ. State and adjoint are
    solved back from the end, by the same steps: memory does not grow with their number, and
    the gradient is as accurate as the solve and not exact for it.
    """
    return _Adjoint.apply(
        field, tableau, plan, len(weights.shared), z, *weights.shared, *weights.points
    )


class Solve(NamedTuple):
    """A solve that was made, and how.

    Attributes:
        field, tableau, plan: as :func:`integral` takes them.
        shared: how many of the tensors are the same for all points.
        tape: what the pullbacks need; empty where it was not kept.
        end: z(t₁), detached.
    """

    field: VectorField
    tableau: Tableau
    plan: Plan
    shared: int
    tape: Tape
    end: Tensor


class _Function(torch.autograd.Function):
    """What the two have in common: the forward pass, and a gradient that has gradients."""

    keeps_tape: bool

    @classmethod
    def forward(
        cls,
        ctx: Any,
        field: VectorField,
        tableau: Tableau,
        plan: Plan,
        shared: int,
        z: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, Tensor]:
        tape: Tape = []
        weights = Weights(tensors[:shared], tensors[shared:])
        end, logabsdet = integral(
            field, tableau, plan, z, weights, tape if cls.keeps_tape else None
        )
        ctx.solve = Solve(field, tableau, plan, shared, tape, end.detach())
        ctx.save_for_backward(z, *tensors)
        return end, logabsdet

    @classmethod
    @uncast_backward
    def backward(cls, ctx: Any, *bars: Tensor) -> tuple[Tensor | None, ...]:
        gradients = _Gradient.apply(cls.pulled_back, ctx.solve, *bars, *ctx.saved_tensors)
        return (None, None, None, None, *gradients)

    @staticmethod
    def pulled_back(
        solve: Solve, tensors: tuple[Tensor, ...], z_bar: Tensor, l_bar: Tensor
    ) -> tuple[Tensor, ...]:
        """The gradient in z and in the weights' ``tensors``."""
        raise NotImplementedError


class _Gradient(torch.autograd.Function):
    """The gradient as a function of its own: only its derivative needs the graph of the solve."""

    @staticmethod
    def forward(
        ctx: Any,
        pulled_back: Callable[..., tuple[Tensor, ...]],
        solve: Solve,
        z_bar: Tensor,
        l_bar: Tensor,
        z: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        ctx.solve = solve
        ctx.save_for_backward(z_bar, l_bar, z, *tensors)
        return pulled_back(solve, tensors, z_bar, l_bar)

    @staticmethod
    @uncast_backward
    def backward(ctx: Any, *bars: Tensor) -> tuple[Tensor | None, ...]:
        further = torch.is_grad_enabled()
        with torch.enable_grad():
            # Where no further derivative is wanted, the graph ends at these tensors.
            inputs = [
                x if further else x.detach().requires_grad_(needed)
                for x, needed in zip(ctx.saved_tensors, ctx.needs_input_grad[2:], strict=True)
            ]
            z_bar, l_bar, z, *tensors = inputs
            s = ctx.solve
            weights = Weights(tuple(tensors[: s.shared]), tuple(tensors[s.shared :]))
            outputs = integral(s.field, s.tableau, s.plan, z, weights)
            leaves = [z, *tensors]
            first = _grad(outputs, leaves, (z_bar, l_bar), graph=True)
            pairs = [
                (x, bar)
                for x, bar in zip(first, bars, strict=True)
                if x is not None and x.requires_grad
            ]
            xs, their_bars = zip(*pairs, strict=True)
            return (None, None, *_grad(xs, inputs, their_bars, graph=further))


class _Backpropagated(_Function):
    keeps_tape = True

    @staticmethod
    def pulled_back(
        solve: Solve, tensors: tuple[Tensor, ...], z_bar: Tensor, l_bar: Tensor
    ) -> tuple[Tensor, ...]:
        b = solve.tableau.b
        weights = Weights(tensors[: solve.shared], tensors[solve.shared :])
        total = [torch.zeros_like(x) for x in tensors]
        bars = Weights(tuple(total[: solve.shared]), tuple(total[solve.shared :]))
        for step, saved in zip(reversed(solve.plan.steps), reversed(solve.tape), strict=True):
            mine, mine_bars = weights.at(step.rows), bars.at(step.rows)
            λ, h = at(z_bar, step.rows), step.h
            μ = h * at(l_bar, step.rows)
            # Stage i passes its slope on to the end with weight bᵢ, and to stage j with aⱼᵢ.
            stage_bars: list[Tensor] = []
            for i in reversed(range(len(b))):
                later = [solve.tableau.a[j][i] for j in range(len(b) - 1, i, -1)]
                slope_bar = h * weighted((b[i], *later), (λ, *stage_bars))
                stage_bars.append(
                    solve.field.pullback(saved[i], mine, slope_bar, b[i] * μ, mine_bars)
                )
            z_bar = put(z_bar, step.rows, sum(stage_bars, λ))
            if step.rows is not None:
                for whole, part in zip(bars.points, mine_bars.points, strict=True):
                    whole.index_copy_(0, step.rows, part)
        return z_bar, *total


class _Adjoint(_Function):
    keeps_tape = False

    @staticmethod
    def pulled_back(
        solve: Solve, tensors: tuple[Tensor, ...], z_bar: Tensor, l_bar: Tensor
    ) -> tuple[Tensor, ...]:
        total = [torch.zeros_like(x) for x in tensors]
        z = solve.end
        for step in solve.plan.reversed().steps:
            h, μ = step.h, at(l_bar, step.rows)
            here, λ = at(z, step.rows), at(z_bar, step.rows)
            slopes: list[Tensor] = []
            λ_slopes: list[Tensor] = []
            for a, b, c in zip(solve.tableau.a, solve.tableau.b, solve.tableau.c, strict=True):
                state = (here + h * weighted(a, slopes) if a else here).detach().requires_grad_()
                λ_stage = λ + h * weighted(a, λ_slopes) if a else λ
                leaves = [x.detach().requires_grad_() for x in tensors]
                weights = Weights(tuple(leaves[: solve.shared]), tuple(leaves[solve.shared :]))
                with torch.enable_grad():
                    slope, trace, _ = solve.field(step.t + c * h, state, weights.at(step.rows))
                outputs = (slope, trace)
                (pulled,) = _grad(outputs, [state], (λ_stage, μ), keep=True)
                λ_slopes.append(torch.neg(cast("Tensor", pulled)))
                # Backwards h < 0, and a point's gradient weighs its own step.
                part = _grad(outputs, leaves, (-b * h * λ_stage, -b * h * μ))
                for whole, x in zip(total, part, strict=True):
                    whole.add_(0 if x is None else x)
                slopes.append(slope.detach())
            z = put(z, step.rows, here + h * weighted(solve.tableau.b, slopes))
            z_bar = put(z_bar, step.rows, λ + h * weighted(solve.tableau.b, λ_slopes))
        return z_bar, *total


def _grad(
    outputs: tuple[Tensor, ...],
    inputs: list[Tensor],
    bars: tuple[Tensor, ...],
    *,
    graph: bool = False,
    keep: bool = False,
) -> tuple[Tensor | None, ...]:
    """Vector–Jacobian products, None for an input without a gradient."""
    wanted = [x for x in inputs if x.requires_grad]
    found = iter(
        torch.autograd.grad(
            outputs,
            wanted,
            bars,
            create_graph=graph,
            retain_graph=graph or keep,
            allow_unused=True,
        )
    )
    return tuple(next(found) if x.requires_grad else None for x in inputs)


GRADIENTS: dict[str, Integral] = {"backprop": backpropagated, "adjoint": adjoint}

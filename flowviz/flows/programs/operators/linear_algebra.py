"""Systems of equations and the matrix exponential."""

from __future__ import annotations

import math
from typing import Any

import torch

from flowviz.flows.programs.lowering import Call, Rule, Unlowered
from flowviz.flows.programs.operators.products import product
from flowviz.flows.programs.views import View

aten = torch.ops.aten

SQUARINGS = 8
TERMS = 7
"""exp(X) = exp(X / 2^s)^(2^s), the smaller one by its series: for ‖X‖ ≤ 20 the first term left
out is below 10⁻⁹."""


def _turned(view: View) -> View:
    """The transpose."""
    *batch, m, n = view.shape
    *strides, a, b = view.strides
    return View(view.buffer, view.offset, (*batch, n, m), (*strides, b, a))


def _triangular(call: Call) -> None:
    a, b = call.arguments
    upper, left = call.keywords["upper"], call.keywords.get("left", True)
    unit = call.keywords.get("unitriangular", False)
    (out,) = call.out
    if not left:  # x a = b is aᵀ xᵀ = bᵀ.
        a, b, out, upper = _turned(a), _turned(b), _turned(out), not upper
    batch, (m, n) = out.shape[:-2], out.shape[-2:]
    settings = {
        "batch": batch,
        "m": m,
        "n": n,
        "form": "upper" if upper else "lower",
        "unit": bool(unit),
    }
    reads = {"a": a.spread((*batch, m, m)), "b": b.spread(out.shape)}
    call.kernel("solve", settings, reads, {"out": out})


def _factor(call: Call, a: View, lu: View, pivots: View) -> None:
    settings = {"batch": a.shape[:-2], "m": a.shape[-1]}
    call.kernel("lu", settings, {"a": a}, {"out": lu, "pivots": pivots})


def _lu(call: Call) -> None:
    lu, pivots, info = call.out
    _factor(call, call.arguments[0], lu, pivots)
    call.copy(info, 0.0)


def _solved(call: Call, out: View, lu: View, pivots: View, b: View, transposed: bool) -> None:
    batch, (m, n) = out.shape[:-2], out.shape[-2:]
    settings = {"batch": batch, "m": m, "n": n, "transposed": transposed}
    reads = {
        "lu": lu.spread((*batch, m, m)),
        "pivots": pivots.spread((*batch, m)),
        "b": b.spread(out.shape),
    }
    call.kernel("lu_solve", settings, reads, {"out": out})


def _lu_solve(call: Call) -> None:
    lu, pivots, b = call.arguments
    left, adjoint = (call.keywords.get(k, d) for k, d in (("left", True), ("adjoint", False)))
    (out,) = call.out
    if not left:  # x a = b is aᵀ xᵀ = bᵀ.
        b, out, adjoint = _turned(b), _turned(out), not adjoint
    _solved(call, out, lu, pivots, b, adjoint)


def _solve(call: Call) -> None:
    a, b = call.arguments
    out, lu, pivots, info = call.out
    if not call.keywords.get("left", True):
        raise Unlowered("a system solved from the right")
    vector = len(b.shape) == len(a.shape) - 1
    if vector:
        b, out = (View(v.buffer, v.offset, (*v.shape, 1), (*v.strides, 0)) for v in (b, out))
    _factor(call, a, lu, pivots)
    _solved(call, out, lu, pivots, b, False)
    call.copy(info, 0.0)


def _exponential(call: Call) -> None:
    (x,), (out,) = call.arguments, call.out
    shape = x.shape
    eye = call.given(torch.eye(shape[-1])).spread(shape)
    small = call.map(call.temporary(shape), lambda v: v * math.ldexp(1, -SQUARINGS), x)
    # Horner's rule: 1 + x (1 + x/2 (1 + x/3 (…))).
    total = eye
    for k in range(TERMS, 0, -1):
        total = product(call, call.temporary(shape), small, total, eye, 1 / k)
    for _ in range(SQUARINGS):
        total = product(call, call.temporary(shape), total, total)
    call.copy(out, total)


RULES: dict[Any, Rule] = {
    aten.linalg_solve_triangular.default: _triangular,
    aten.linalg_lu_factor_ex.default: _lu,
    aten.linalg_lu_solve.default: _lu_solve,
    aten._linalg_solve_ex.default: _solve,
    aten._linalg_check_errors.default: lambda call: None,
    aten.linalg_matrix_exp.default: _exponential,
}

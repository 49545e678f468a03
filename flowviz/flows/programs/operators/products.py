"""Products of matrices and vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from flowviz.flows.programs.lowering import Call, Rule
from flowviz.flows.programs.views import View

aten = torch.ops.aten


def product(
    call: Call, out: View, a: View, b: View, add: View | None = None, scale: float = 1
) -> View:
    """``out […, m, n] = add + scale · a […, m, k] b […, k, n]``."""
    (*batch, m, k), n = a.shape, b.shape[-1]
    settings: dict[str, Any] = {"batch": tuple(batch), "m": m, "k": k, "n": n}
    reads = {"a": a, "b": b}
    if scale != 1:
        settings["scale"] = float(scale)
    if add is not None:
        reads["add"] = add.spread(out.shape)
    call.kernel("matmul", settings, reads, {"out": out})
    return out


def _column(v: View) -> View:
    return View(v.buffer, v.offset, (*v.shape, 1), (*v.strides, 0))


def _row(v: View) -> View:
    return View(v.buffer, v.offset, (1, *v.shape), (0, *v.strides))


def _product(call: Call) -> None:
    product(call, call.out[0], *call.arguments)


def _sum_and_product(call: Call) -> None:
    add, a, b = call.arguments
    beta, alpha = (call.keywords.get(name, 1) for name in ("beta", "alpha"))
    (out,) = call.out
    if beta == 0:
        added = None
    else:
        added = add
        if beta != 1:
            added = call.map(call.temporary(out.shape), lambda v: v * beta, added)
    product(call, out, a, b, added, alpha)


def _sum_in_place(call: Call) -> None:
    total, a, b = call.arguments
    beta, alpha = (call.keywords.get(name, 1) for name in ("beta", "alpha"))
    (out,) = call.out
    part = product(call, call.temporary(out.shape), a, b)
    call.map(out, lambda t, v: t * beta + v * alpha, total, part)


def _vector(call: Call) -> None:
    a, b = call.arguments
    product(call, _column(call.out[0]), a, _column(b))


def _dot(call: Call) -> None:
    a, b = call.arguments
    out = replace(call.out[0], shape=(1, 1), strides=(0, 0))
    product(call, out, _row(a), _column(b))


RULES: dict[Any, Rule] = {
    aten.mm.default: _product,
    aten.bmm.default: _product,
    aten.addmm.default: _sum_and_product,
    aten.baddbmm.default: _sum_and_product,
    aten.addmm_.default: _sum_in_place,
    aten.baddbmm_.default: _sum_in_place,
    aten.mv.default: _vector,
    aten.dot.default: _dot,
}

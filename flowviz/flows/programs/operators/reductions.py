"""Operators that sum over dimensions, or run along one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from flowviz.flows.programs.lowering import Call, Rule, Unlowered
from flowviz.flows.programs.operators.elementwise import do, where
from flowviz.flows.programs.views import View

aten = torch.ops.aten


def _dims(view: View, dims: int | Sequence[int] | None) -> list[int]:
    if dims is None or dims == []:
        return list(range(len(view.shape)))
    dims = [dims] if isinstance(dims, int) else dims
    return [d % len(view.shape) for d in dims]


def _without(view: View, dims: Sequence[int]) -> View:
    """A view without these dimensions, each of size 1."""
    kept = [d for d in range(len(view.shape)) if d not in dims]
    shape, strides = (tuple(of[d] for d in kept) for of in (view.shape, view.strides))
    return View(view.buffer, view.offset, shape, strides)


def _kept(view: View, dims: Sequence[int]) -> View:
    """A view with dimensions of size 1 at these places: to be broadcast along them."""
    shape, strides = list(view.shape), list(view.strides)
    for d in sorted(dims):
        shape.insert(d, 1)
        strides.insert(d, 0)
    return View(view.buffer, view.offset, tuple(shape), tuple(strides))


def _over(call: Call, op: str, x: View, dims: Any, keepdim: bool) -> View:
    """Reduce to the call's result; a view of it without the dimensions."""
    over = _dims(x, dims)
    out = _without(call.out[0], over) if keepdim else call.out[0]
    return call.reduce(op, out, x, over)


def _sum(call: Call) -> None:
    x, dims, keepdim = (*call.arguments, None, False)[:3]
    _over(call, "sum", x, dims, keepdim)


def _mean(call: Call) -> None:
    x, dims, keepdim = (*call.arguments, None, False)[:3]
    count = math.prod(x.shape[d] for d in _dims(x, dims))
    total = _over(call, "sum", x, dims, keepdim)
    call.map(total, lambda v: v / count, total)


def _variance_and_mean(call: Call) -> None:
    x, dims = call.arguments
    if call.keywords.get("keepdim"):
        raise Unlowered("a variance that keeps its dimensions")
    over, (variance, mean) = _dims(x, dims), call.out
    count = math.prod(x.shape[d] for d in over)
    call.reduce("sum", mean, x, over)
    call.map(mean, lambda v: v / count, mean)
    squares = call.map(
        call.temporary(x.shape), lambda v, m: (v - m).do("square"), x, _kept(mean, over)
    )
    call.reduce("sum", variance, squares, over)
    free = count - call.keywords.get("correction", 1)
    call.map(variance, lambda v: v / free, variance)


def _extreme(op: str) -> Rule:
    def rule(call: Call) -> None:
        x, dims, keepdim = (*call.arguments, None, False)[:3]
        _over(call, op, x, dims, keepdim)

    return rule


def _powers(call: Call, x: View, dims: Sequence[int]) -> tuple[View, View, View]:
    """The largest, exp(x − largest) and Σ of that, to be broadcast; infinities count as 0 there."""
    shape = [n for d, n in enumerate(x.shape) if d not in dims]
    top = call.reduce("max", call.temporary(shape), x, dims)
    top = call.map(
        call.temporary(shape), lambda t: where(do("eq", t.do("abs"), math.inf), 0.0, t), top
    )
    top = _kept(top, dims)
    powers = call.map(call.temporary(x.shape), lambda v, t: (v - t).do("exp"), x, top)
    total = call.reduce("sum", call.temporary(shape), powers, dims)
    return top, powers, _kept(total, dims)


def _logsumexp(call: Call) -> None:
    x, dims, keepdim = (*call.arguments, False)[:3]
    over = _dims(x, dims)
    out = _without(call.out[0], over) if keepdim else call.out[0]
    top, total = (_without(v, over) for v in _powers(call, x, over)[::2])
    call.map(out, lambda t, s: t + s.do("log"), top, total)


def _softmax(call: Call) -> None:
    x, dim, *_ = call.arguments
    _, powers, total = _powers(call, x, _dims(x, dim))
    call.map(call.out[0], lambda p, s: p / s, powers, total)


def _log_softmax(call: Call) -> None:
    x, dim, *_ = call.arguments
    top, _, total = _powers(call, x, _dims(x, dim))
    call.map(call.out[0], lambda v, t, s: (v - t) - s.do("log"), x, top, total)


def _softmax_backward(call: Call) -> None:
    g, y, dim, *_ = call.arguments
    dims = _dims(y, dim)
    product = call.map(call.temporary(y.shape), lambda a, b: a * b, g, y)
    shape = [n for d, n in enumerate(y.shape) if d not in dims]
    total = _kept(call.reduce("sum", call.temporary(shape), product, dims), dims)
    call.map(call.out[0], lambda a, b, s: b * (a - s), g, y, total)


def _log_softmax_backward(call: Call) -> None:
    g, y, dim, *_ = call.arguments
    dims = _dims(y, dim)
    shape = [n for d, n in enumerate(y.shape) if d not in dims]
    total = _kept(call.reduce("sum", call.temporary(shape), g, dims), dims)
    call.map(call.out[0], lambda a, b, s: a - b.do("exp") * s, g, y, total)


def _norm(call: Call) -> None:
    x, order, dims, keepdim = (*call.arguments, 2, None, False)[:4]
    if order != 2:
        raise Unlowered(f"a norm of order {order}")
    squares = call.map(call.temporary(x.shape), lambda v: v.do("square"), x)
    total = _over(call, "sum", squares, dims, keepdim)
    call.map(total, lambda v: v.do("sqrt"), total)


def _trace(call: Call) -> None:
    (x,) = call.arguments
    diagonal = View(x.buffer, x.offset, (min(x.shape),), (sum(x.strides),))
    call.reduce("sum", call.out[0], diagonal, [0])


def _cumsum(call: Call) -> None:
    x, dim, *_ = call.arguments
    (out,) = call.out
    dim %= len(out.shape)
    x, out = (v.moved_last([dim]) for v in (x, out))
    call.kernel("cumsum", {"shape": out.shape}, {"in": x}, {"out": out})


def _layer_norm(call: Call) -> None:
    x, shape, weight, bias, eps = call.arguments
    out, mean, rstd = call.out
    dims = list(range(len(x.shape) - len(shape), len(x.shape)))
    count = math.prod(shape)
    mean, rstd = _without(mean, dims), _without(rstd, dims)
    call.reduce("sum", mean, x, dims)
    call.map(mean, lambda v: v / count, mean)
    squares = call.map(
        call.temporary(x.shape), lambda v, m: (v - m).do("square"), x, _kept(mean, dims)
    )
    call.reduce("sum", rstd, squares, dims)
    call.map(rstd, lambda v: (v / count + eps).do("rsqrt"), rstd)
    terms = [x, _kept(mean, dims), _kept(rstd, dims)]
    terms += [1.0 if weight is None else weight, 0.0 if bias is None else bias]
    call.map(out, lambda v, m, r, w, b: (v - m) * r * w + b, *terms)


def _layer_norm_backward(call: Call) -> None:
    g, x, shape, mean, rstd, weight, _, mask = call.arguments
    first = len(x.shape) - len(shape)
    dims, rows = list(range(first, len(x.shape))), list(range(first))
    count = math.prod(shape)
    normal = call.map(call.temporary(x.shape), lambda v, m, r: (v - m) * r, x, mean, rstd)
    scaled = call.map(
        call.temporary(x.shape), lambda a, w: a * w, g, 1.0 if weight is None else weight
    )
    along = call.map(call.temporary(x.shape), lambda a, b: a * b, scaled, normal)
    outer = x.shape[:first]
    one, two = (
        _kept(call.reduce("sum", call.temporary(outer), v, dims), dims) for v in (scaled, along)
    )
    results = iter(call.out)
    if mask[0]:
        call.map(
            next(results),
            lambda a, y, r, s, t: r * (a - (s + y * t) / count),
            *(scaled, normal, rstd, one, two),
        )
    if mask[1]:
        product = call.map(call.temporary(x.shape), lambda a, b: a * b, g, normal)
        call.reduce("sum", next(results), product, rows)
    if mask[2]:
        call.reduce("sum", next(results), g, rows)


RULES: dict[Any, Rule] = {
    aten.sum.dim_IntList: _sum,
    aten.sum.default: _sum,
    aten.mean.default: _mean,
    aten.mean.dim: _mean,
    aten.var_mean.correction: _variance_and_mean,
    aten.amax.default: _extreme("max"),
    aten.amin.default: _extreme("min"),
    aten.any.dim: _extreme("max"),
    aten.any.default: _extreme("max"),
    aten.all.dim: _extreme("min"),
    aten.all.default: _extreme("min"),
    aten.prod.default: _extreme("product"),
    aten.logsumexp.default: _logsumexp,
    aten._softmax.default: _softmax,
    aten._log_softmax.default: _log_softmax,
    aten._softmax_backward_data.default: _softmax_backward,
    aten._log_softmax_backward_data.default: _log_softmax_backward,
    aten.linalg_vector_norm.default: _norm,
    aten.trace.default: _trace,
    aten.cumsum.default: _cumsum,
    aten.native_layer_norm.default: _layer_norm,
    aten.native_layer_norm_backward.default: _layer_norm_backward,
}

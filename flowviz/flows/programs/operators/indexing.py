"""Operators that go by an index."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch

from flowviz.flows.programs.kernels import Value
from flowviz.flows.programs.lowering import Call, Rule, Unlowered
from flowviz.flows.programs.views import View

aten = torch.ops.aten


def _along(view: View, dim: int) -> tuple[View, dict[str, int]]:
    """A view that an index moves along ``dim``, and how far that is."""
    return view.still(dim), {"size": view.shape[dim], "stride": view.strides[dim]}


def _on(index: View, dim: int, shape: Sequence[int]) -> View:
    """An index ``[K]`` as one of that shape, along ``dim``."""
    strides = [0] * len(shape)
    strides[dim] = index.strides[0] if index.shape else 0
    return View(index.buffer, index.offset, tuple(shape), tuple(strides))


def _gather_into(call: Call, out: View, x: View, dim: int, index: View) -> None:
    x, along = _along(x, dim)
    settings = {"shape": index.shape, **along}
    call.kernel("gather", settings, {"in": x, "index": index}, {"out": out})


def _scatter_into(call: Call, out: View, dim: int, index: View, x: View, *, add: bool) -> None:
    out, along = _along(out, dim)
    settings = {"shape": index.shape, **along, "add": add}
    # What is there already is read as well.
    call.kernel("scatter", settings, {"in": x, "index": index}, {"out": out})


def _gather(call: Call) -> None:
    x, dim, index, *_ = call.arguments
    _gather_into(call, call.out[0], x, dim % len(x.shape), index)


def _run(call: Call, index: View) -> tuple[int, int] | None:
    """Start and step of an index that is always the same and evenly spaced."""
    try:
        places = call.constant(index).reshape(-1).long().tolist()
    except Unlowered:
        return None
    if not places:
        return None
    step = places[1] - places[0] if len(places) > 1 else 1
    even = all(b - a == step for a, b in itertools.pairwise(places))
    return (places[0], step) if even and step else None


def _strided(view: View, dim: int, start: int, step: int, length: int) -> View:
    shape, strides = list(view.shape), list(view.strides)
    offset = view.offset + start * strides[dim]
    shape[dim], strides[dim] = length, strides[dim] * step
    return View(view.buffer, offset, tuple(shape), tuple(strides))


def _index_select(call: Call) -> None:
    x, dim, index = call.arguments
    (out,) = call.out
    dim %= len(x.shape)
    run = _run(call, index)
    if run is not None:
        call.copy(out, _strided(x, dim, *run, out.shape[dim]))
    else:
        _gather_into(call, out, x, dim, _on(index, dim, out.shape))


def _into_copy(call: Call, dim: int, index: View, source: View, *, add: bool) -> None:
    """A copy of the first argument with ``source`` at an index ``[K]`` of ``dim``."""
    (out,) = call.out
    call.copy(out, call.arguments[0])
    dim %= len(out.shape)
    run = _run(call, index)
    if run is None:
        index = _on(index, dim, source.shape)
        _scatter_into(call, out, dim, index, source, add=add)
        return
    part = _strided(out, dim, *run, source.shape[dim])
    if add:
        call.map(part, lambda a, b: a + b, part, source)
    else:
        call.copy(part, source)


def _index_add(call: Call) -> None:
    _, dim, index, source = call.arguments
    if call.keywords.get("alpha", 1) != 1:
        raise Unlowered("index_add with a factor")
    _into_copy(call, dim, index, source, add=True)


def _index_copy(call: Call) -> None:
    _, dim, index, source = call.arguments
    _into_copy(call, dim, index, source, add=False)


def _index_fill(call: Call) -> None:
    x, dim, index, value = call.arguments
    shape = list(x.shape)
    shape[dim] = math.prod(index.shape)
    number = call.given(torch.tensor(float(value))).spread(shape)
    _into_copy(call, dim, index, number, add=False)


def _scatter(*, add: bool) -> Rule:
    def rule(call: Call) -> None:
        x, dim, index, source = call.arguments
        (out,) = call.out
        call.copy(out, x)
        _scatter_into(call, out, dim % len(out.shape), index, source, add=add)

    return rule


def _indexed(
    call: Call, view: View, indices: Sequence[View | None]
) -> tuple[View, View, dict[str, int]]:
    """What indices of dimensions that lie side by side reach.

    Returns:
        The view with the index's dimensions in the place of those, which do not move it; the index
        in that shape; and how many there are, and how far apart.
    """
    dims = [d for d, index in enumerate(indices) if index is not None]
    first, last = dims[0], dims[-1] + 1
    if dims != list(range(first, last)):
        raise Unlowered("indices of dimensions that do not lie side by side")
    for d in dims[:-1]:
        if view.strides[d] != view.shape[d + 1] * view.strides[d + 1]:
            raise Unlowered("indices of dimensions that are not one after the other in memory")
    index = _combined(call, view, dims, [indices[d] for d in dims])  # type: ignore[misc]
    shape = (*view.shape[:first], *index.shape, *view.shape[last:])
    strides = (*view.strides[:first], *[0] * len(index.shape), *view.strides[last:])
    spread = (*[0] * first, *index.strides, *[0] * (len(view.shape) - last))
    return (
        View(view.buffer, view.offset, shape, strides),
        View(index.buffer, index.offset, shape, spread),
        {"size": math.prod(view.shape[first:last]), "stride": view.strides[last - 1]},
    )


def _combined(call: Call, view: View, dims: Sequence[int], given: Sequence[View]) -> View:
    """Several indices as one, along their dimensions taken together."""
    if len(dims) == 1:
        return given[0]
    shape = tuple(torch.broadcast_shapes(*(index.shape for index in given)))

    def one(*values: Value) -> Value:
        total = values[0]
        for d, value in zip(dims[1:], values[1:], strict=True):
            total = total * view.shape[d] + value
        return total

    return call.map(call.temporary(shape), one, *given)


def _index(call: Call) -> None:
    x, indices = call.arguments
    view, index, along = _indexed(call, x, indices)
    settings = {"shape": view.shape, **along}
    call.kernel("gather", settings, {"in": view, "index": index}, {"out": call.out[0]})


def _index_put(call: Call) -> None:
    x, indices, values, add = (*call.arguments, False)[:4]
    (out,) = call.out
    call.copy(out, x)
    view, index, along = _indexed(call, out, indices)
    settings = {"shape": view.shape, **along, "add": bool(add)}
    reads = {"in": values.spread(view.shape), "index": index}
    call.kernel("scatter", settings, reads, {"out": view})


def _search(call: Call) -> None:
    knots, value = call.arguments
    side = call.keywords.get("side")
    right = call.keywords.get("right", False) or side == "right"
    (out,) = call.out
    along = {"size": knots.shape[-1], "stride": knots.strides[-1]}
    knots = View(knots.buffer, knots.offset, knots.shape[:-1], knots.strides[:-1])
    # One row of knots serves a row of values.
    knots = View(knots.buffer, knots.offset, (*knots.shape, 1), (*knots.strides, 0)).spread(
        out.shape
    )
    settings = {"shape": out.shape, **along, "right": right}
    call.kernel("search", settings, {"in": knots, "value": value}, {"out": out})


RULES: dict[Any, Rule] = {
    aten.gather.default: _gather,
    aten.index_select.default: _index_select,
    aten.index_add.default: _index_add,
    aten.index_copy.default: _index_copy,
    aten.index_fill.int_Scalar: _index_fill,
    aten.scatter.src: _scatter(add=False),
    aten.scatter_add.default: _scatter(add=True),
    aten.index.Tensor: _index,
    aten.index_put.default: _index_put,
    aten.searchsorted.Tensor: _search,
}

"""Operators that put a tensor together of parts of others, or pick one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from flowviz.flows.programs.lowering import Call, Rule
from flowviz.flows.programs.operators.elementwise import where
from flowviz.flows.programs.views import View

aten = torch.ops.aten


def _cat(call: Call) -> None:
    parts, dim = (*call.arguments, 0)[:2]
    start, (whole,) = 0, call.results
    for part in parts:
        if part.shape == (0,):
            continue  # An empty vector goes with anything.
        length = part.shape[dim]
        call.copy(call.place(whole.narrow(dim, start, length)), part)
        start += length


def _stack(call: Call) -> None:
    parts, dim = (*call.arguments, 0)[:2]
    for i, part in enumerate(parts):
        call.copy(call.place(call.results[0].select(dim, i)), part)


def _pad(call: Call) -> None:
    x, pads, value = (*call.arguments, 0)[:3]
    (whole,) = call.results
    call.copy(call.out[0], value)
    for i, (before, after) in enumerate(zip(pads[::2], pads[1::2], strict=True)):
        dim = whole.ndim - 1 - i
        # Negative padding cuts off.
        x = _narrowed(x, dim, max(-before, 0), max(-after, 0))
        whole = whole.narrow(dim, max(before, 0), x.shape[dim])
    call.copy(call.place(whole), x)


def _narrowed(view: View, dim: int, before: int, after: int) -> View:
    shape = list(view.shape)
    shape[dim] -= before + after
    return replace(view, offset=view.offset + before * view.strides[dim], shape=tuple(shape))


def _flip(call: Call) -> None:
    x, dims = call.arguments
    call.copy(call.out[0], x.flipped([d % len(x.shape) for d in dims]))


def _triangle(upper: bool) -> Rule:
    def rule(call: Call) -> None:
        x, diagonal = (*call.arguments, 0)[:2]
        ones = torch.ones(x.shape[-2:], dtype=torch.bool)
        mask = call.given(ones.triu(diagonal) if upper else ones.tril(diagonal))
        call.map(call.out[0], lambda m, v: where(m, v, 0.0), mask, x)

    return rule


def _within_zeros(call: Call, part: Tensor, values: View) -> None:
    """Zeros but for a part."""
    call.copy(call.out[0], 0.0)
    call.copy(call.place(part), values)


def _diag_embed(call: Call) -> None:
    x, *given = call.arguments
    where = list(given) + [0, -2, -1][len(given) :]
    _within_zeros(call, call.results[0].diagonal(*where), x)


def _select_backward(call: Call) -> None:
    g, _, dim, index = call.arguments
    _within_zeros(call, call.results[0].select(dim, index), g)


def _slice_backward(call: Call) -> None:
    g, _, dim, start, end, step = call.arguments
    _within_zeros(call, aten.slice(call.results[0], dim, start, end, step), g)


def _diagonal_backward(call: Call) -> None:
    g, _, offset, dim1, dim2 = call.arguments
    _within_zeros(call, call.results[0].diagonal(offset, dim1, dim2), g)


RULES: dict[Any, Rule] = {
    aten.cat.default: _cat,
    aten.stack.default: _stack,
    aten.constant_pad_nd.default: _pad,
    aten.flip.default: _flip,
    aten.triu.default: _triangle(upper=True),
    aten.tril.default: _triangle(upper=False),
    aten.diag_embed.default: _diag_embed,
    aten.select_backward.default: _select_backward,
    aten.slice_backward.default: _slice_backward,
    aten.diagonal_backward.default: _diagonal_backward,
}

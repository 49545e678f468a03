"""Convolutions of images, as products of matrices."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import torch

from flowviz.flows.programs.lowering import Call, Rule, Unlowered
from flowviz.flows.programs.operators.products import product
from flowviz.flows.programs.views import View

aten = torch.ops.aten


class _Shape:
    """Sizes of a convolution of ``x [N, C, H, W]`` by ``weight [O, C, h, w]``, padded by zeros.

    Raises:
        Unlowered: it has steps, gaps or groups.
    """

    def __init__(
        self, x: View, weight: View, stride: Any, padding: Any, dilation: Any, *more: Any
    ) -> None:
        transposed, _, groups = more
        plain = {*stride, *dilation, groups} == {1} and not transposed and len(x.shape) == 4
        if not plain:
            raise Unlowered("a convolution with steps, gaps or groups")
        self.n, self.channels, *size = x.shape
        self.outputs, _, *self.kernel = weight.shape
        self.padding = list(padding) * (2 // len(padding))
        pairs = list(zip(size, self.padding, self.kernel, strict=True))
        self.size = size
        self.padded = [length + 2 * pad for length, pad, _ in pairs]
        self.image = [length + 2 * pad - reach + 1 for length, pad, reach in pairs]
        self.pixels = self.image[0] * self.image[1]
        self.taps = self.channels * self.kernel[0] * self.kernel[1]

    def inner(self, padded: View) -> View:
        """The image in its frame ``[N, C, H + 2p, W + 2p]`` of zeros."""
        steps = padded.strides[2:]
        offset = sum(pad * step for pad, step in zip(self.padding, steps, strict=True))
        shape = (self.n, self.channels, *self.size)
        return replace(padded, offset=padded.offset + offset, shape=shape)

    def under(self, padded: View, i: int, j: int) -> View:
        """What lies under tap (i, j) of the kernel, ``[N, C, H', W']``."""
        offset = padded.offset + i * padded.strides[2] + j * padded.strides[3]
        return replace(padded, offset=offset, shape=(self.n, self.channels, *self.image))

    def columns(self, call: Call, x: View) -> View:
        """What lies under the kernel at each pixel, ``[N, H' W', C h w]``."""
        padded = call.temporary((self.n, self.channels, *self.padded))
        call.copy(padded, 0.0)
        call.copy(self.inner(padded), x)
        result = call.temporary((self.n, self.pixels, self.taps))
        for i, j in itertools.product(*map(range, self.kernel)):
            call.copy(self.of_tap(result, i, j), self.under(padded, i, j))
        return result

    def of_tap(self, columns: View, i: int, j: int) -> View:
        """The part of the columns that is of tap (i, j), ``[N, C, H', W']``."""
        area = self.kernel[0] * self.kernel[1]
        strides = (self.pixels * self.taps, area, self.image[1] * self.taps, self.taps)
        offset = columns.offset + i * self.kernel[1] + j
        return View(columns.buffer, offset, (self.n, self.channels, *self.image), strides)


def _by_pixels(view: View) -> View:
    """``[N, O, H', W']`` as ``[N, H' W', O]``."""
    n, outputs, height, width = view.shape
    step = view.strides
    if height > 1 and width > 1 and step[2] != width * step[3]:
        raise Unlowered("an image whose rows do not follow one another")
    along = step[3] if width > 1 else step[2]
    shape, strides = (n, height * width, outputs), (step[0], along, step[1])
    return View(view.buffer, view.offset, shape, strides)


def _solid(call: Call, view: View) -> View:
    """The same numbers, one after the other."""
    return call.copy(call.temporary(view.shape), view)


def _as_matrix(shape: _Shape, weight: View) -> View:
    """``[O, C h w]``, of a weight that lies one number after the other."""
    return View(weight.buffer, weight.offset, (shape.outputs, shape.taps), (shape.taps, 1))


def _convolution(call: Call) -> None:
    x, weight, bias, *settings = call.arguments
    shape = _Shape(x, weight, *settings)
    columns = shape.columns(call, x)
    matrix = _as_matrix(shape, _solid(call, weight))
    turned = View(matrix.buffer, matrix.offset, (shape.taps, shape.outputs), (1, shape.taps))
    product(
        call,
        _by_pixels(call.out[0]),
        columns,
        turned.spread((shape.n, shape.taps, shape.outputs)),
        bias,
    )


def _backward(call: Call) -> None:
    g, x, weight, _, *settings, wanted = call.arguments
    shape = _Shape(x, weight, *settings)
    of_image, of_weight, of_bias = call.out if len(call.out) == 3 else _three(call, wanted)
    rows = _by_pixels(_solid(call, g))
    matrix = _as_matrix(shape, _solid(call, weight))
    if wanted[0]:
        columns = call.temporary((shape.n, shape.pixels, shape.taps))
        product(call, columns, rows, matrix.spread((shape.n, shape.outputs, shape.taps)))
        padded = call.temporary((shape.n, shape.channels, *shape.padded))
        call.copy(padded, 0.0)
        for i, j in itertools.product(*map(range, shape.kernel)):
            under = shape.under(padded, i, j)
            call.map(under, lambda a, b: a + b, under, shape.of_tap(columns, i, j))
        call.copy(of_image, shape.inner(padded))
    if wanted[1]:
        turned = View(
            rows.buffer,
            rows.offset,
            (shape.n, shape.outputs, shape.pixels),
            (rows.strides[0], rows.strides[2], rows.strides[1]),
        )
        each = call.temporary((shape.n, shape.outputs, shape.taps))
        product(call, each, turned, shape.columns(call, x))
        whole = call.temporary((shape.outputs, shape.taps))
        call.reduce("sum", whole, each, [0])
        call.copy(of_weight, replace(whole, shape=weight.shape, strides=_strides(weight.shape)))
    if wanted[2]:
        call.reduce("sum", of_bias, rows, [0, 1])


def _three(call: Call, wanted: list[bool]) -> list[View]:
    results = iter(call.out)
    return [next(results) if w else call.temporary(()) for w in wanted]


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(torch.empty(shape, device="meta").stride())


RULES: dict[Any, Rule] = {
    aten.convolution.default: _convolution,
    aten.convolution_backward.default: _backward,
}

"""Root finding for the inverses that have no closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from flowviz.flows.numerics.repeat import repeated
from flowviz.flows.numerics.transforms import numbers, transformed

Increasing = Callable[[Tensor], tuple[Tensor, Tensor]]
"""x ↦ (f(x), f′(x)), elementwise, f increasing."""

MAX_ITERATIONS = 200


def newton(function: Increasing, value: Tensor, start: Tensor, iterations: int) -> Tensor:
    """The x with f(x) = value, by Newton's method from ``start``, element by element.

    For an increasing f that is convex on the side of the root where the start lies above it, or
    concave where it lies below, the tangents never cross the root: the iterates approach it
    from one side and cannot escape. The caller sees to that, and to the number of iterations,
    which is fixed: nothing waits for the device.

    Gradients pass through the last two steps only. A Newton step from a root doubles the order
    to which its derivatives are right: first order after one step, third after two.

    Args:
        function: x ↦ (f(x), f′(x)), increasing, elementwise.
        value: ``[...]``.
        start: ``[...]``, detached.
        iterations: ≥ 2.

    Returns:
        ``[...]``, to the rounding of the dtype.
    """

    def step(x: Tensor) -> Tensor:
        y, slope = function(x)
        return x - (y - value) / slope

    def near(x: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        closer = step(x)
        return (closer,), closer != x

    x = start
    if iterations > 2:
        with torch.no_grad():
            (x,), _ = repeated(near, (start,), iterations - 2, look=lambda round: False)
    x = x.detach()
    return step(step(x))


def bracketed(function: Increasing, value: Tensor, start: Tensor | None = None) -> Tensor:
    """The x with f(x) = value for any increasing f onto ℝ, element by element, to rounding.

    To 2 ε (1 + |x|), that is, or to where the rounding of f hides the root. The bracket around
    ``start`` doubles until it holds the root. Then Newton's method, replaced by bisection wherever
    a step would leave the bracket or does not halve the one before it (Press et al., *Numerical
    Recipes*, section 9.4).

    Gradients come from the implicit function theorem and not from the iterations: see
    :func:`implicit`.

    Args:
        function: x ↦ (f(x), f′(x)), increasing, elementwise.
        value: ``[...]``; where it or f is not a number, neither is the root.
        start: a guess ``[...]``; ``value`` itself when None.

    Raises:
        FloatingPointError: no finite bracket holds the root in this dtype.
    """
    with torch.no_grad():
        x = _solve(function, value.detach(), (value if start is None else start).detach())
    # A transform of torch.func differentiates what f closes over, whatever no_grad says.
    return implicit(function, value, x.detach())


def implicit(function: Increasing, value: Tensor, root: Tensor) -> Tensor:
    """``root`` with the derivatives that f(root) = value gives it, first and second.

    A Newton step from a root is right to first order, two steps are to the third; here their
    own lengths, which are mere rounding, are taken off again: the number stays ``root``.

    Args:
        function: f and its derivative, differentiable in whatever they close over.
        value: ``[...]``.
        root: ``[...]``, detached.
    """
    if not torch.is_grad_enabled() and not transformed():
        return root
    x = root
    for _ in range(2):
        y, slope = function(x)
        step = (value - y) / slope
        x = x + (step - step.detach())
    return x


def bisection(
    function: Callable[[Tensor], Tensor], value: Tensor, low: Tensor, high: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """The brackets ``(low, high)`` of bisection, without end: the method at its plainest.

    Args:
        function: x ↦ f(x), increasing, elementwise.
        value: ``[...]``, with f(low) ≤ value ≤ f(high).
        low, high: ``[...]``, the first bracket, which is also the first that is yielded.
    """
    while True:
        yield low, high
        middle = (low + high) / 2
        below = function(middle) < value
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)


def _solve(function: Increasing, value: Tensor, start: Tensor) -> Tensor:
    x = start
    if x.is_meta:
        return function(x)[0]
    # Where parameters are NaN so is f, and then the root.
    wanted = value.isfinite() & ~function(torch.where(value.isfinite(), x, 0))[0].isnan()
    low, high = _bracket(function, value, torch.where(wanted, x, 0), wanted)
    x = torch.where((x >= low) & (x <= high), x, (low + high) / 2)
    spacing = 2 * torch.finfo(x.dtype).eps

    def step(
        x: Tensor, low: Tensor, high: Tensor, last: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        y, slope = function(x)
        error = y - value
        low, high = torch.where(error <= 0, x, low), torch.where(error >= 0, x, high)
        step = -error / slope
        middle = low + (high - low) / 2
        target = x + step
        # Written so that a NaN step counts as a bad one.
        good = (target >= low) & (target <= high) & (step.abs() <= 0.5 * last)
        # At rounding the residual is noise, and the bracket has no room to halve.
        still = step.abs() <= spacing * (1 + x.abs())
        target = torch.where(good | still, target, middle).clamp(low, high)
        last = torch.where(good, step.abs(), 0.5 * (high - low))
        moved = (target - x).abs()
        # Two points a rounding apart may change places for ever: those are still.
        going = (moved > spacing * (1 + target.abs())) & wanted & ~still
        return (target, low, high, last), going

    (x, *_), _ = repeated(step, (x, low, high, high - low), MAX_ITERATIONS)
    return torch.where(wanted, x, torch.nan)


def _bracket(
    function: Increasing, value: Tensor, start: Tensor, wanted: Tensor
) -> tuple[Tensor, Tensor]:
    """``(low, high)`` with f(low) ≤ value ≤ f(high) where wanted, doubled outwards."""

    def out(
        low: Tensor, high: Tensor, width: Tensor, *_: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        too_high = wanted & ~(function(low)[0] <= value)
        too_low = wanted & ~(function(high)[0] >= value)
        width = 2 * width
        low, high = (
            torch.where(too_high, low - width, torch.where(too_low, high, low)),
            torch.where(too_low, high + width, torch.where(too_high, low, high)),
        )
        lost = too_high | too_low
        return (low, high, width, lost), lost

    state = start - 1, start + 1, torch.ones_like(start), torch.zeros_like(wanted)
    # With the last of these steps the width leaves the range of the dtype.
    most = min(MAX_ITERATIONS, math.frexp(torch.finfo(start.dtype).max)[1])
    (low, high, _, lost), left = repeated(out, state, most)
    if not left:
        return low, high
    lost, value = numbers(lost), numbers(value)
    row = int(lost.flatten().nonzero()[0])
    raise FloatingPointError(
        f"no bracket holds the root of value {float(value.flatten()[row]):g} in "
        + str(value.dtype).removeprefix("torch.")
    )

"""Programs of functions that are no flow's passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from flowviz.flows.programs.lowering import Unlowered
from flowviz.flows.programs.program import Program, written
from flowviz.flows.programs.sizes import FEW, MORE, for_any_number
from flowviz.flows.recording.tape import Unsteady

NONE: Mapping[str, Tensor] = {}


def of_function(
    function: Callable[..., Mapping[str, Tensor | Sequence[Tensor]]], **inputs: Tensor
) -> Program:
    """The program of ``function(**inputs)``, of inputs of these shapes.

    Whoever plays it computes in float32, whatever the dtype here is.

    Args:
        function: to named results. What it does may not depend on numbers but by ``torch.where``.
        **inputs: examples, of one dtype.

    Raises:
        ValueError: it has none, and why.
    """
    dim = max(tensor.numel() for tensor in inputs.values())
    said = _said("function", function.__name__, dim)
    return _recorded(
        function, lambda: written(lambda given, _: function(**given), inputs, {}, said)
    )


def of_draws(draw: Callable[..., Tensor], parameters: Mapping[str, Tensor] = NONE) -> Program:
    """The program of ``draw(n, **parameters)``, independent points ``[n, dim]``, for any number n.

    Whoever plays it draws other points every time: "x". The parameters may be others then.

    Raises:
        ValueError: it has none, and why: it draws until something is found, say.
    """

    def of_size(n: int) -> Program:
        said = _said("draws", draw.__name__, draw(1, **parameters).shape[-1])
        return written(lambda _, learned: {"x": draw(n, **learned)}, {}, parameters, said)

    return _recorded(draw, lambda: for_any_number(of_size(FEW), of_size(MORE)))


def of_density(
    log_density: Callable[..., Tensor], parameters: Mapping[str, Tensor] = NONE, dim: int = 2
) -> Program:
    """The program of ``log_density(x, **parameters)`` at points x ``[n, dim]``, for any number n.

    It yields "log_density" ``[n]``, and its gradient at the points, "pull" ``[n, dim]``. Whoever
    plays it may have other parameters.

    Raises:
        ValueError: it has none, and why.
    """

    def run(given: Mapping[str, Tensor], learned: Mapping[str, Tensor]) -> dict[str, Tensor]:
        x = given["x"].detach().requires_grad_()
        logs = log_density(x, **learned)
        (pull,) = torch.autograd.grad(logs.sum(), x)
        return {"log_density": logs.detach(), "pull": pull}

    def of_size(n: int) -> Program:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(n, dim, generator=generator)
        return written(run, {"x": x}, parameters, _said("density", log_density.__name__, dim))

    return _recorded(log_density, lambda: for_any_number(of_size(FEW), of_size(MORE)))


def _said(kind: str, title: str, dim: int) -> dict[str, Any]:
    return {"kind": kind, "title": title, "dim": dim, "context": 0}


def _recorded(function: Callable[..., Any], record: Callable[[], Program]) -> Program:
    try:
        return record()
    except (Unlowered, Unsteady) as error:
        raise ValueError(f"{function.__name__} has no program: {error}") from error

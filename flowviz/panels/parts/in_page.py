"""What a page of its own needs to carry points through a flow and to train it, without a kernel."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from flowviz.flows import Flow
from flowviz.flows.programs import numbers
from flowviz.panels.parts.fit import AVERAGE, Fit
from flowviz.targets import Target

SAMPLES = 4096
"""So many of the target a page draws its batches from."""


def flow_in_page(
    now: Flow,
    start: Flow,
    passes: Iterable[str],
    *,
    stretches: int = 1,
    log_density: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, Any]:
    """A flow's programs, and what it has learned at the start and by now.

    Args:
        now: the flow as it is shown.
        start: as it is before it is trained.
        passes: which programs (:meth:`~flowviz.flows.flow.Flow.program`).
        stretches: traces are of so many of each layer, where it has as many.
        log_density: of the target, for the descent of reverse KL.

    Raises:
        ValueError: the flow has no program of one of them.
    """
    now, start = (copy.deepcopy(flow).cpu() for flow in (now, start))
    programs = {}
    for kind in passes:
        density = log_density if kind == "reverse_descent" else None
        program = start.program(kind, density, stretches)
        programs[kind] = _text(program.without_parameters().to_bytes())
    return {
        "programs": programs,
        # Half the digits: another start, by a rounding.
        "start": _text(numbers(start).astype(np.float16).tobytes()),
        "now": _text(numbers(now).tobytes()),
    }


@torch.no_grad()
def begun(flow: Flow, target: Target, batch: int, seed: int) -> Flow:
    """The flow after a batch has passed that sets what is set by the first (ActNorm)."""
    x = target.sample(batch, Generator().manual_seed(seed), "cpu", flow.like.dtype)
    flow.train().log_prob(x)
    return flow.eval()


def training_in_page(settings: Any, fit: Fit, rate: float) -> dict[str, Any]:
    """How the page is to train, and how far it is."""
    return {
        "batch": settings.batch,
        "rate": rate,
        "average": AVERAGE,
        "seed": settings.seed,
        "steps": settings.steps,
        "done": fit.done,
    }


def samples_in_page(target: Target, seed: int) -> str:
    """Samples of the target ``[SAMPLES, 2]``, float16."""
    x = target.sample(SAMPLES, Generator().manual_seed(seed))
    return _text(x.half().numpy().tobytes())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")

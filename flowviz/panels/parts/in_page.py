"""What a page of its own needs to carry points through a flow and to train it, without a kernel."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Generator, Tensor

from flowviz import targets
from flowviz.flows import Flow
from flowviz.flows.programs import Program, numbers, of_density, of_draws
from flowviz.grid import Window
from flowviz.panels.parts.fit import AVERAGE, Fit
from flowviz.targets import Target
from flowviz.targets.mixtures import GaussianMixture
from flowviz.widgets.page import wholes

BLOCK = 256
DIGITS = 15
"""Where a flow begins is rounded to such a part of the largest number of a block of so many."""
FINE, CLOSE = 2.0**-18, 2.0**-16
"""A page of its own has what was learned to the nearest multiple: of a hundred points 99 are moved
by less than 10⁻⁴, or 3·10⁻⁴ where no number at a point is said."""
MANY = 500
"""A program with more numbers than these is not sent for what another can do."""
TRACED = ("forward", "inverse")
"""The programs that yield the states in between."""
Seen = Callable[[Target], Window]
"""The window in which a target is seen."""


def flows_in_page(
    flows: Sequence[Flow],
    start: Flow,
    passes: Iterable[str],
    *,
    stretches: int = 1,
    step: float | None = None,
) -> dict[str, Any]:
    """The programs of some flows that differ by what they have learned alone, and that.

    Args:
        flows: as they are shown.
        start: as each is before it is trained.
        passes: which programs (:meth:`~flowviz.flows.flow.Flow.program`).
        stretches: traces are of so many of each layer, where it has as many.
        step: what was learned is rounded to multiples of it.

    Raises:
        ValueError: there is no program of one of them.
    """
    start = copy.deepcopy(start).cpu()
    programs = {
        kind: start.program(kind, stretches=stretches if kind in TRACED else 1) for kind in passes
    }
    return {
        "programs": {k: one.without_parameters().to_bytes() for k, one in programs.items()},
        "start": rounded(numbers(start)),
        "flows": [{"now": _multiples(numbers(flow), step)} for flow in flows],
    }


@torch.no_grad()
def begun(flow: Flow, target: Target, batch: int, seed: int) -> Flow:
    """The flow after a batch has passed that sets what is set by the first (ActNorm)."""
    x = target.sample(batch, Generator().manual_seed(seed), "cpu", flow.like.dtype)
    flow.train().log_prob(x)
    return flow.eval()


def training_in_page(settings: Any, fit: Fit, rate: float, *, alone: bool) -> dict[str, Any]:
    """How the page is to train, and how far it is.

    Args:
        alone: it is a page of its own, which is too small to have what the training goes on from.
    """
    moments = [] if alone else fit.moments()
    return {
        "batch": settings.batch,
        "rate": rate,
        "average": AVERAGE,
        "seed": settings.seed,
        "steps": settings.steps,
        "most": type(settings).trained.max,
        "done": fit.done,
        "moments": moments,
    }


def target_in_page(target: Target, *, density: bool = False) -> dict[str, Any]:
    """What a page needs to draw from a target, to evaluate its density, and to move its modes.

    How the target draws is recorded; where that cannot be, as where it refuses some of its draws,
    and where the density has all that is needed already, the page draws from that over the window.

    Args:
        density: whether it is wanted for its own sake.

    Raises:
        ValueError: neither can be recorded.
    """
    target.sample(1)  # What it looks up has been made.
    sample, log_density, modes = _by_its_modes(target)
    try:
        draws = of_draws(sample, modes)
    except ValueError:
        if not target.has_density:
            raise
        draws = None
    wanted = (density or draws is None) and target.has_density
    # The density of many points has them as well.
    double = draws is not None and wanted and draws.block.size > MANY
    return {
        "title": target.title,
        "window": target.window,
        "draws": None if draws is None or double else draws.to_bytes(),
        "density": _small(of_density(log_density, modes)) if wanted else None,
        "log_z": target.log_z,
        "room": [edge.tolist() for edge in target.room] if _movable(target) else None,
    }


def _by_its_modes(
    target: Target,
) -> tuple[Callable[..., Tensor], Callable[..., Tensor], dict[str, Tensor]]:
    """How a target draws, its density, and where its modes are: both take them if there are any."""
    if not _movable(target):
        return target.sample, target.log_density, {}
    means = target.modes
    assert means is not None

    def sample(n: int, modes: Tensor) -> Tensor:
        return target.around(modes).sample(n)

    def log_density(x: Tensor, modes: Tensor) -> Tensor:
        return target.around(modes).log_density(x)

    return sample, log_density, {"modes": means}


def _movable(target: Target) -> TypeGuard[GaussianMixture]:
    """Whether it has modes that a page can move."""
    return isinstance(target, GaussianMixture) and target.modes is not None


def _small(density: Program) -> bytes:
    """The file of a density; of many points to three digits, which is enough for kernels."""
    if density.block.size > MANY:
        density = Program({**density.header, "dtype": "float16"}, density.block)
    return density.to_bytes()


def others_in_page(target: Target, seen: Seen) -> list[dict[str, Any]]:
    """What a page can be trained on besides ``target``.

    Args:
        seen: the window in which each is seen.
    """
    others = (targets.make(name) for name in targets.names())
    return [
        {**_shipped(other.name), "seen": seen(other)}
        for other in others
        if other.title != target.title
    ]


@cache
def _shipped(name: str) -> dict[str, Any]:
    """A target of the catalogue as a page of its own needs it."""
    return target_in_page(targets.make(name), density=True)


def rounded(values: np.ndarray) -> dict[str, Any]:
    """Numbers ``[N]`` in blocks of BLOCK that have a scale each; 0 stays 0.

    For where a flow begins: it is another random start, and as good.
    """
    blocks = np.zeros((-(-len(values) // BLOCK), BLOCK), dtype=np.float32)
    blocks.flat[: len(values)] = values
    return wholes(values, np.abs(blocks).max(1) / DIGITS, BLOCK)


def _multiples(values: np.ndarray, step: float | None) -> bytes | dict[str, Any]:
    if step is None:
        return values.tobytes()
    return wholes(values, np.array([step]), max(len(values), 1))

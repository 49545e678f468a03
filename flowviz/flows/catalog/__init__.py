"""The registry of families: menus, lessons, tests and benchmarks all read it.

Adding a family: one file with its bijection, and one :class:`Entry` in the module here that is
named like its section of the review.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Generator

from flowviz import arguments
from flowviz.flows.catalog import (
    affine,
    conditioners,
    constructions,
    continuous,
    contractive,
    image,
    integrals,
    lemma,
    linear,
    neural,
    normalisation,
    splines,
)
from flowviz.flows.catalog.entry import Entry
from flowviz.flows.distributions import StandardNormal
from flowviz.flows.flow import Flow
from flowviz.flows.recipe import Recipe

__all__ = ["Entry", "entry", "make", "names"]

_BORROWING = threading.Lock()
"""Held while a flow draws from torch's one generator: two threads would share its numbers."""


@contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """Torch's generators begin at a seed, and are afterwards as they were; None: left alone.

    Those of GPUs only where one is in use: to seed them would be to wake them.
    """
    if seed is None:
        yield
        return
    awake = torch.cuda.is_initialized() or torch.get_default_device().type == "cuda"
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if awake else []):
        if awake:
            torch.manual_seed(seed)
        else:
            torch.default_generator.manual_seed(int(seed))
        yield


def names() -> list[str]:
    """All families, in the order in which menus show them."""
    return list(_ENTRIES)


def entry(name: str) -> Entry:
    """The entry of a family.

    Raises:
        ValueError: there is no such family.
    """
    return arguments.named("flow", name, _ENTRIES)


def make(
    name: str, dim: int = 2, layers: int | None = None, *, seed: int | None = None, **options: Any
) -> Flow:
    """A ready flow over a standard normal.

    Args:
        name: one of :func:`names`.
        dim: D.
        layers: K, the number of layers; the entry's own number by default.
        seed: of the initial parameters, a whole number ≥ 0, for the same flow every time; the
            global generator decides when None.
        **options: what the entry's ``options`` list, above all ``hidden=(64, 64)`` (widths of
            the network), ``bins=8`` (of a spline) and ``context=0`` (number of context features).

    Raises:
        ValueError: an unknown name, an option that the family does not have, or a value out of
            its range.
    """
    family = entry(name)
    if unknown := sorted(set(options) - set(family.options)):
        allowed = ["layers", *family.options]
        near = arguments.nearest(unknown[0], [*allowed, "dim", "seed"])
        hint = f". Did you mean {near!r}?" if near else ""
        raise ValueError(
            f"{name!r} has no option {', '.join(unknown)}; it has: {', '.join(allowed)}{hint}"
        )
    if not arguments.is_whole(dim) or not family.allows(dim := int(dim)):
        raise ValueError(f"{name!r} needs {family.dims_in_words()}, got {dim!r}")
    layers = family.layers if layers is None else layers
    layers = arguments.whole("layers", layers, 1)
    if seed is not None:
        arguments.seed(seed)
    # The networks draw from the global generator: borrow it, and give it back as it was.
    with _BORROWING, _seeded(seed):
        generator = Generator().manual_seed(int(torch.randint(2**31, ())))
        settings = {**family.options, **options}
        flow = Flow(StandardNormal(dim), family.build(dim, layers, settings, generator))
    flow.recipe = Recipe(name, dim, layers, settings)
    return flow


_SECTIONS = (
    affine,
    splines,
    neural,
    integrals,
    conditioners,
    constructions,
    linear,
    image,
    contractive,
    lemma,
    normalisation,
    continuous,
)
_ALL = [family for section in _SECTIONS for family in section.ENTRIES]
_ORDER = list(dict.fromkeys(family.family for family in _ALL))
# Menus read better with the families of one section of the review together.
_ENTRIES: dict[str, Entry] = {
    family.name: family for family in sorted(_ALL, key=lambda family: _ORDER.index(family.family))
}

"""How much of a picture goes into the film of a training run."""

from __future__ import annotations

from flowviz.panels.parts.fit import MOMENTS

BUDGET = 2_000_000
"""Bytes of particles that a film holds."""


def fewer(particles: int, layers: int) -> int:
    """So many of the particles are carried through so many layers at all moments of a film."""
    return max(200, min(particles, BUDGET // (MOMENTS * (layers + 1) * 4)))

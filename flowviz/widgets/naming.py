"""What panels are called: a registry says so of classes that it has not imported."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Naming:
    """Attributes of a panel's class.

    Attributes:
        name: in links and files. title: for people. group: of the menu.
        summary: one sentence on what it shows.
    """

    name: str
    title: str
    group: str
    summary: str


NAMINGS: dict[str, Naming] = {}
"""By ``module:Class``."""

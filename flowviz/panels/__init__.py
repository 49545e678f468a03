"""The panels by name. Listing them imports none of them.

>>> flowviz.panels.names()
>>> flowviz.panels.make("kl_comparison", target="eight_gaussians")
>>> flowviz.panels.KLComparison(target="eight_gaussians")  # the same
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowviz import arguments
from flowviz.widgets.naming import NAMINGS, Naming

if TYPE_CHECKING:
    from flowviz.widgets.panel import Panel


@dataclass(frozen=True)
class Entry(Naming):
    """What is known of a panel without importing it."""

    path: str
    """``module:Class``"""
    landing: bool = False
    """Whether a visitor lands on it."""
    pictures: int = 1
    """How many it has, one or two."""
    rows: int = 2
    """How many its run bar has: layers, training."""

    def load(self) -> type[Panel]:
        """Import the panel's class."""
        module, _, name = self.path.partition(":")
        cls: type[Panel] = getattr(importlib.import_module(module), name)
        return cls


_ENTRIES = {
    entry.name: entry
    for entry in (
        Entry(
            "change_of_variables",
            "Change of variables",
            "Basics",
            "A map carries mass; density is mass per length.",
            "flowviz.panels.change_of_variables:ChangeOfVariables",
            rows=1,
        ),
        Entry(
            "trajectories",
            "Trajectories",
            "Basics",
            "Layer by layer a flow carries the base to the data, and data back.",
            "flowviz.panels.trajectories:Trajectories",
            landing=True,
        ),
        Entry(
            "jacobian_volume",
            "Jacobian volume",
            "Basics",
            "Where a layer squeezes a cell, the density grows by the same factor.",
            "flowviz.panels.jacobian_volume:JacobianVolume",
        ),
        Entry(
            "limits",
            "Limits",
            "Basics",
            "A flow gets as near any distribution as one likes, but never tears.",
            "flowviz.panels.limits:Limits",
            rows=1,
        ),
        Entry(
            "kl_comparison",
            "Forward and reverse KL",
            "Fitting",
            "The same flow from the same start, fitted twice to one target.",
            "flowviz.panels.kl_comparison:KLComparison",
            pictures=2,
        ),
        Entry(
            "divergences",
            "Divergences",
            "Fitting",
            "What “close” means is chosen: each divergence pulls its own way.",
            "flowviz.panels.divergences:Divergences",
            rows=1,
        ),
        Entry(
            "ratio_travels",
            "The ratio travels",
            "Fitting",
            "A flow carries the ratio p*/p along.",
            "flowviz.panels.ratio_travels:RatioTravels",
            pictures=2,
        ),
    )
}
NAMINGS.update({entry.path: entry for entry in _ENTRIES.values()})
_CLASSES = {entry.path.partition(":")[2]: entry for entry in _ENTRIES.values()}


def names() -> list[str]:
    """The panels' names, in the order of the menu."""
    return list(_ENTRIES)


def landing() -> str:
    """The panel that a visitor lands on: one with a trained flow, which plays."""
    return next((entry.name for entry in _ENTRIES.values() if entry.landing), names()[0])


def entry(name: str) -> Entry:
    """What is known of a panel; ValueError, with the names there are, for an unknown one."""
    if not isinstance(name, str) or name not in _ENTRIES:
        offered = arguments.among(name, _ENTRIES, "the names are")
        raise ValueError(f"there is no panel {name!r}{offered}")
    return _ENTRIES[name]


def make(name: str, *nameless: object, **settings: Any) -> Panel:
    """Make a panel. Its class, such as ``flowviz.panels.KLComparison``, lists its settings.

    Raises:
        TypeError: a setting without its name.
        ValueError: an unknown panel or setting, or a value that is not allowed.
    """
    return entry(name).load()(*nameless, **settings)


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return _CLASSES[name].load()
    near = arguments.nearest(name, _CLASSES)
    hint = f". Did you mean {near!r}?" if near else ""
    raise AttributeError(f"module 'flowviz.panels' has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_CLASSES])

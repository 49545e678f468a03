"""The registry of targets by name, in the order of the gallery."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from flowviz import arguments
from flowviz.targets import closed_forms, mixtures, points
from flowviz.targets.target import Target

_MAKERS: dict[str, Callable[[], Target]] = {
    "energy_1": closed_forms.RingEnergy,
    "energy_2": closed_forms.energy_2,
    "circles": closed_forms.Circles,
    "eight_gaussians": mixtures.eight_gaussians,
    "pinwheel": mixtures.Pinwheel,
    "spirals": mixtures.spirals,
    "checkerboard": closed_forms.Checkerboard,
    "banana": closed_forms.Banana,
    "funnel": closed_forms.Funnel,
    "grid_gaussians": mixtures.grid_gaussians,
    "correlated_gaussian": mixtures.correlated_gaussian,
    "smiley": mixtures.smiley,
    "energy_3": closed_forms.energy_3,
    "energy_4": closed_forms.energy_4,
    "two_moons": mixtures.two_moons,
    "crescent": mixtures.crescent,
    "cross": mixtures.cross,
    "heavy_tailed": closed_forms.HeavyTailed,
    "old_faithful": points.old_faithful,
    "fiji_earthquakes": points.fiji_earthquakes,
    "iris": points.iris,
}


def names() -> list[str]:
    """The names that :func:`make` knows, in the order of the gallery."""
    return list(_MAKERS)


@cache
def _made(name: str) -> Target:
    return _MAKERS[name]()


def make(name: str) -> Target:
    """The target of that name. Targets do not change, so each is made once and shared.

    Raises:
        ValueError: no such target; the message lists the names and the nearest one.
    """
    if not isinstance(name, str) or name not in _MAKERS:
        near = arguments.nearest(name, _MAKERS)
        hint = f" Did you mean {near!r}?" if near else ""
        raise ValueError(f"no target is called {name!r}.{hint} There are: {', '.join(_MAKERS)}.")
    return _made(name)

"""flowviz: normalizing flows that one can touch.

>>> import flowviz
>>> flow = flowviz.flows.catalog.make("rq_spline_coupling", dim=2, layers=4)
>>> flowviz.panels.KLComparison()  # in a notebook cell: displays the panel

``import flowviz`` is light: torch, plotly and ipywidgets load with the first submodule that
needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowviz.compute import device as device

__version__ = "0.1.0"

_SUBMODULES = (
    "exercises",
    "flows",
    "inference",
    "objectives",
    "panels",
    "targets",
    "training",
    "widgets",
)


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"flowviz.{name}")
    if name == "device":
        return importlib.import_module("flowviz.compute").device
    raise AttributeError(f"module 'flowviz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_SUBMODULES, "device"])

"""Choosing a layer of the flow in use, or the whole of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets

from flowviz.widgets.layout import classed
from flowviz.widgets.panel import Panel


class LayerChoice:
    """A menu of the flow's layers, tied to ``settings.layer``: 1 … K, or 0 for the whole flow.

    Attributes:
        menu: the widget.
    """

    def __init__(self, panel: Panel, label: str) -> None:
        self._settings = panel.settings
        self._filling = False
        self.menu = classed(
            widgets.Dropdown(
                options=[("The whole flow", 0)],
                description=label,
                tooltip="The whole flow, or one of its layers",
            ),
            "fv-control",
        )
        panel.controls.put("layer", self.menu)
        self.menu.observe(self._chosen, names=["value"])

    @property
    def layer(self) -> int:
        """The layer chosen; one that the flow does not have is the whole flow."""
        layer: int = self._settings.layer
        return layer if layer < len(self.menu.options) else 0

    def show(self, names: Sequence[str]) -> None:
        """Offer the layers of those names."""
        options = [("The whole flow", 0)]
        options += [(f"Layer {i}: {name}", i) for i, name in enumerate(names, 1)]
        self._filling = True
        if list(self.menu.options) != options:
            self.menu.options = options
        if self.menu.value != self.layer:
            self.menu.value = self.layer
        self._filling = False

    def _chosen(self, change: Any) -> None:
        if not self._filling and change["new"] is not None:
            self._settings.layer = change["new"]
